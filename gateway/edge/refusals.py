"""Why a newcomer is refused: each reason with the security event that it is and what the peer hears of it.

The peer hears one bland status; log, metric and event say the rest, but no secret (OCPP 2.0.1 A00.FR.002, 407, 408).
"""

import enum
import re
import secrets
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from gateway.session.security import Kind
from gateway.transport import AcceptThenClose, Refuse, UpgradeRequest

CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="ocpp", charset="UTF-8"'}
NO_COMMON_SUBPROTOCOL: Final = 1002
"""Close code after a handshake without a common OCPP version (OCPP-J 2.0.1 Part 4, 3.1.2)."""
SHOWN_MAX: Final = 200
"""Characters that are kept of each thing that a newcomer presented."""
RETRY_SPREAD: Final = 30
"""Seconds over which those who are told to come back later are spread, so that they don't come at once (C9)."""

_OCPP: Final = re.compile(r"ocpp[0-9.]{1,8}", re.IGNORECASE)
"""A subprotocol that is shown; other clients send tokens in that header."""


class Reason(enum.Enum):
    """Label for metric and log; kind of the security event, None where it is none; HTTP status for the peer."""

    NETWORK = ("network", Kind.FOREIGN_REQUEST, 403)
    HOST = ("host", Kind.FOREIGN_REQUEST, 403)
    ORIGIN = ("origin", Kind.FOREIGN_REQUEST, 403)
    PATH = ("path", Kind.FOREIGN_REQUEST, 404)
    CREDENTIALS = ("credentials", Kind.FAILED_TO_AUTHENTICATE, 401)
    """Not Basic credentials."""
    NO_CREDENTIALS = ("no_credentials", Kind.FAILED_TO_AUTHENTICATE, 401)
    USER_MISMATCH = ("user_mismatch", Kind.FAILED_TO_AUTHENTICATE, 401)
    UNKNOWN_STATION = ("unknown_station", Kind.FAILED_TO_AUTHENTICATE, 401)
    PASSWORD = ("password", Kind.FAILED_TO_AUTHENTICATE, 401)
    PROFILE = ("profile", Kind.INVALID_CERTIFICATE, 401)
    """No client certificate where one is required (A00.FR.407)."""
    CERTIFICATE = ("certificate", Kind.INVALID_CERTIFICATE, 401)
    CERTIFICATE_OF_ANOTHER = ("certificate_of_another", Kind.INVALID_CERTIFICATE, 401)
    """Issued to another registered station, whose serial number this one has now."""
    REVOKED = ("revoked", Kind.CERTIFICATE_REVOKED, 401)
    REVOCATION_UNKNOWN = ("revocation_unknown", Kind.INVALID_CERTIFICATE, 401)
    DOWNGRADE = ("downgrade", Kind.DOWNGRADE, 401)
    SUBPROTOCOL = ("subprotocol", Kind.UNSUPPORTED_VERSION, 400)
    PINNED_VERSION = ("pinned_version", Kind.DOWNGRADE, 400)
    """Offers other OCPP versions than the one that the station is pinned to."""
    HELD = ("held", Kind.DUPLICATE_IDENTITY, 409)
    LIMITED = ("limited", Kind.RATE_LIMITED, 429)
    BUSY = ("busy", Kind.RATE_LIMITED, 503)
    STORE = ("store", None, 503)

    def __init__(self, label: str, kind: str | None, status: int) -> None:
        self.label = label
        self.kind = kind
        self.status = status

    @property
    def is_a_failure(self) -> bool:
        """True when it counts against the address: what a station in order doesn't meet."""
        return self not in {Reason.HELD, Reason.BUSY, Reason.STORE}


class NotAdmitted(Exception):
    """The newcomer is refused. The text is for log and event only; it holds no secret."""

    def __init__(
        self, reason: Reason, text: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        """``retry_after``: seconds before it may come again, to which some are added at random."""
        super().__init__(text)
        self.reason = reason
        headers: dict[str, str] = {}
        if reason.status == 401 and status in (None, 401):
            headers = CHALLENGE
        elif retry_after is not None:
            headers = {"Retry-After": str(1 + int(retry_after) + secrets.randbelow(RETRY_SPREAD))}
        self.answer: Refuse | AcceptThenClose = Refuse(status or reason.status, headers)


class NoCommonVersion(NotAdmitted):
    """None of the offered OCPP versions will do. ``close``: upgrade first, as OCPP-J asks, and close then."""

    def __init__(self, reason: Reason, text: str, *, close: bool) -> None:
        super().__init__(reason, text)
        if close:
            self.answer = AcceptThenClose(NO_COMMON_SUBPROTOCOL, "no supported OCPP version offered")


class CertificateRejected(ValueError):
    """A station's certificate isn't accepted: the text is for log and event, ``reason`` a label of few."""

    def __init__(self, text: str, reason: Reason = Reason.CERTIFICATE) -> None:
        super().__init__(text)
        self.reason = reason


def presented(request: UpgradeRequest) -> dict[str, str]:
    """Return what a newcomer showed of itself: names, numbers and versions, each cut; never a password."""
    shown = {"offered": ", ".join(name if _OCPP.fullmatch(name) else "(other)" for name in request.offered)}
    shown["host"] = request.headers.get("Host", "")
    shown["origin"] = request.headers.get("Origin", "")
    if request.tls is not None:
        shown["tls"] = f"{request.tls.version} {request.tls.cipher}"
        shown["server_name"] = request.tls.server_name or ""
        if request.tls.certificate is not None:
            shown |= _names(request.tls.certificate)
    return {name: text[:SHOWN_MAX] for name, text in shown.items() if text}


def _names(certificate: bytes) -> dict[str, str]:
    try:
        leaf = x509.load_der_x509_certificate(certificate)
        names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return {
            "certificate_name": str(names[0].value) if names else "",
            "certificate_subject": leaf.subject.rfc4514_string(),
            "certificate_serial": f"{leaf.serial_number:x}",
            "certificate_issuer": leaf.issuer.rfc4514_string(),
            "certificate_fingerprint": leaf.fingerprint(SHA256()).hex(),
        }
    except Exception:  # noqa: BLE001  # whatever is wrong with it: the refusal must not fail over it
        return {"certificate_subject": "(can't be decoded)"}
