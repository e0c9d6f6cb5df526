"""Security events: what the gateway sees at its door and on its lines, and what stations report (OCPP 2.0.1 A04)."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

KIND_MAX: Final = 50
"""Characters of a kind (SecurityEventNotificationRequest.type)."""


class Source(enum.Enum):
    """Who saw it."""

    GATEWAY = "gateway"
    STATION = "station"


class Kind:
    """The kinds that the gateway raises itself: the standard's names (2.0.1 Part 2 appendix), then our own."""

    FAILED_TO_AUTHENTICATE: Final = "FailedToAuthenticateAtCsms"
    INVALID_CERTIFICATE: Final = "InvalidChargingStationCertificate"
    INVALID_TLS_VERSION: Final = "InvalidTLSVersion"
    INVALID_TLS_CIPHER_SUITE: Final = "InvalidTLSCipherSuite"
    INVALID_MESSAGES: Final = "InvalidMessages"
    ATTEMPTED_REPLAY: Final = "AttemptedReplayAttacks"
    RECONFIGURATION: Final = "ReconfigurationOfSecurityParameters"
    DOWNGRADE: Final = "DowngradeAttempted"
    """A lower security profile than the station may use, or a backend that asks for one (attack A11)."""
    DUPLICATE_IDENTITY: Final = "DuplicateIdentity"
    """A second connection under an identity that is held (attacks A2, A4)."""
    SESSION_REPLACED: Final = "SessionReplaced"
    CERTIFICATE_REVOKED: Final = "CertificateRevoked"
    """A certificate was revoked, or one that is revoked was presented."""
    INVALID_CONTRACT: Final = "InvalidContractCertificate"
    """A vehicle's contract certificate that is damaged, none, or another contract's (OCPP 2.0.1 C07)."""
    POLICY_DENIAL: Final = "PolicyDenial"
    """A policy has refused a message, or put it into the quarantine; the detail names the rule."""
    RATE_LIMITED: Final = "TooManyAttempts"
    FOREIGN_TRANSACTION: Final = "ForeignTransaction"
    """A station named a transaction that isn't its own (attack A7)."""
    FOREIGN_REQUEST: Final = "ForeignRequest"
    """A browser, another Host, an address outside the trusted networks (attack A13)."""
    UNSUPPORTED_VERSION: Final = "UnsupportedVersion"
    """None of the OCPP versions that a station offered is spoken where it came in (attack A12)."""
    UNVERIFIED_FIRMWARE: Final = "UnverifiedFirmware"
    """A backend wants firmware installed that nobody has verified (attack B5)."""
    INVALID_FIRMWARE_SIGNATURE: Final = "InvalidFirmwareSignature"
    """An image isn't what its manufacturer signed (attack B5, L01.FR.03)."""
    INVALID_FIRMWARE_CERTIFICATE: Final = "InvalidFirmwareSigningCertificate"
    """The certificate that it was signed with isn't its manufacturer's, or not valid any more (L01.FR.02)."""
    UNSAFE_LOCATION: Final = "UnsafeLocation"
    """A backend sends a station where none is sent (attack B6), or a station the gateway (attack B2)."""
    UPGRADE_FAILED: Final = "SecurityProfileUpgradeFailed"
    SUSPICIOUS_CSR: Final = "SuspiciousCertificateRequest"
    """A station asks for what isn't its own: another's name or key, a CA's rights (attack B1)."""
    SUSPICIOUS_VEHICLE: Final = "SuspiciousVehicleRequest"
    """A vehicle's request for a contract certificate is forged, or of a root that isn't trusted."""
    NOT_ISSUED: Final = "CertificateNotIssued"
    """An authority won't sign what passed our review, or gave something else than was asked (attack B3)."""
    CERTIFICATE_EXPIRING: Final = "CertificateExpiring"
    """A station's certificate, or the gateway's own, ends soon and has not been renewed."""


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """One event. Nothing in it is secret, and what came from a peer is cut to a bounded length by the log."""

    kind: str
    detail: str
    """Why it was refused, or the station's techInfo."""
    identity: str | None = None
    remote: str | None = None
    """The peer's address, without a port."""
    presented: Mapping[str, str] = field(default_factory=dict)
    """What was presented: names, serial numbers, versions; never a password."""
    source: Source = Source.GATEWAY
    at: datetime | None = None
    """When it happened, aware, in UTC; None: now."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event to keep; ``count`` alike ones when there were several, the last of them at ``last_at``."""

    event: SecurityEvent
    count: int = 1
    last_at: datetime | None = None
    """Aware; None: when the event itself was."""


class SecurityLog(Protocol):
    """Where events go: one store, one log, one metric."""

    def note(self, event: SecurityEvent) -> None:
        """Take an event that the gateway saw. Never blocks and never raises; a flood is kept as a count."""
