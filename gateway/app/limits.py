"""The configured ``limits``, in the words of the parts that keep them."""

from gateway.app.descriptors import waiting_places
from gateway.config import Config
from gateway.edge.failures import FailureLimits
from gateway.transport import Limits


def transport_limits(config: Config) -> Limits:
    """Return those of connections and messages."""
    limits = config.limits
    return Limits(
        handshake_timeout=limits.handshake_timeout,
        head_timeout=limits.handshake_timeout,
        max_message=limits.max_message,
        max_connections=limits.max_connections,
        waiting_per_address=limits.waiting_per_address,
        max_waiting=waiting_places(limits.max_connections),
    )


def failure_limits(config: Config) -> FailureLimits:
    """Return those of failed connections and passwords."""
    limits = config.limits
    return FailureLimits(
        connections_per_address=limits.failures_per_address,
        passwords_per_address=limits.password_failures_per_address,
        passwords_per_identity=limits.password_failures_per_identity,
    )
