"""The configured limits reach the parts that keep them."""

from collections.abc import Callable

from gateway.app.limits import failure_limits, transport_limits
from gateway.config import Config


def test_each_is_what_the_file_says(configured: Callable[..., Config]) -> None:
    config = configured(
        limits={
            "handshake_timeout": 7,
            "max_message": 20_000,
            "max_connections": 300,
            "waiting_per_address": 11,
            "failures_per_address": 12,
            "password_failures_per_address": 13,
            "password_failures_per_identity": 14,
        }
    )
    limits, failures = transport_limits(config), failure_limits(config)

    assert (limits.handshake_timeout, limits.head_timeout, limits.max_message) == (7, 7, 20_000)
    assert (limits.max_connections, limits.waiting_per_address) == (300, 11)
    assert limits.max_waiting <= 300
    assert (failures.connections_per_address, failures.passwords_per_address) == (12, 13)
    assert failures.passwords_per_identity == 14
