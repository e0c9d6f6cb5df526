"""Connections that ended before the door was asked: counted, logged, told as security events (A00.FR.313 to 323)."""

from collections.abc import Mapping
from typing import Final

import structlog

from gateway.edge.failures import ADDRESS_FAILED, Failures
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.session.tally import Tally
from gateway.transport import Refused, Stage

PROBED: Final = "EMPTY"
"""The code of a connection without a single byte, such as a load balancer's probe: neither wrong nor an event."""
NOT_ITS_FAULT: Final = frozenset({PROBED, ADDRESS_FAILED, "NO_CONTEXT"})
"""Codes that don't count against an address; nor does what ended before TLS: it is the balancer's, or was counted."""
TIRED_OF_WAITING: Final = frozenset({"EOF", "TIMEOUT"})
"""Codes that don't count once the request was whole: from there on it waited for us. Before, whoever says hello and
hangs up costs a handshake and a line of the log each time."""
KINDS: Final[Mapping[str, str]] = {
    "CERTIFICATE_VERIFY_FAILED": Kind.INVALID_CERTIFICATE,
    "COSTLY_KEY_SHARE": Kind.INVALID_TLS_CIPHER_SUITE,
    "NO_SHARED_CIPHER": Kind.INVALID_TLS_CIPHER_SUITE,
    "NO_SUITABLE_KEY_SHARE": Kind.INVALID_TLS_CIPHER_SUITE,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": Kind.INVALID_TLS_CIPHER_SUITE,
    "UNSUPPORTED_PROTOCOL": Kind.INVALID_TLS_VERSION,
    "VERSION_TOO_LOW": Kind.INVALID_TLS_VERSION,
    "WRONG_SSL_VERSION": Kind.INVALID_TLS_VERSION,
}
"""OpenSSL's symbol -> the event that it is."""

log = structlog.get_logger(__name__)


class ConnectionRefusals:
    """Observes the listeners of one gateway."""

    def __init__(self, tally: Tally, failures: Failures, security: SecurityLog) -> None:
        self._tally = tally
        self._failures = failures
        self._security = security

    def refused(self, refused: Refused) -> None:
        """A connection ended."""
        address = refused.remote[0]
        if refused.code == PROBED:
            log.debug("connection_probed", remote=address)
            return
        reason = f"{refused.stage.value}_{refused.code or 'failed'}".lower()
        self._tally.refused_entries[reason] += 1
        if _is_its_fault(refused):
            self._failures.connection_failed(address)
        if refused.code == ADDRESS_FAILED:
            # It comes as fast as somebody connects: the metric counts, the security log keeps one line for many.
            log.debug("connection_refused", remote=address, reason=reason, detail=refused.reason)
            self._security.note(SecurityEvent(Kind.RATE_LIMITED, refused.reason, remote=address))
            return
        log.warning("connection_refused", remote=address, reason=reason, detail=refused.reason)
        kind = KINDS.get(refused.code) if refused.stage is Stage.TLS else None
        if kind is not None:
            self._security.note(SecurityEvent(kind, refused.reason, remote=address, presented={"code": refused.code}))


def _is_its_fault(refused: Refused) -> bool:
    if refused.code in NOT_ITS_FAULT or refused.stage is Stage.CONNECTION:
        return False
    if refused.stage is Stage.TLS and refused.code == "TIMEOUT":
        return False  # it may have waited for its turn; and until then it had a bounded place and no more
    return not (refused.stage is Stage.ADMISSION and refused.code in TIRED_OF_WAITING)
