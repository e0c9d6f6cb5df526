"""The kinds of security events that OCPP names (2.0.1 Part 2 appendix 1, 1.6 security white paper 4.4)."""

from typing import Final

from gateway.session.security import Kind

OTHER: Final = "other"
"""The metric's label for every kind that no list names: stations may report what they like (attack C7)."""

STANDARD: Final = frozenset(
    {
        "AttemptedReplayAttacks",
        "CsmsFailedToAuthenticate",
        "DiscardedRenewedClientCertificate",
        "FailedToAuthenticateAtCsms",
        "FirmwareUpdated",
        "InvalidChargingStationCertificate",
        "InvalidCsmsCertificate",
        "InvalidFirmwareSignature",
        "InvalidFirmwareSigningCertificate",
        "InvalidMessages",
        "InvalidTLSCipherSuite",
        "InvalidTLSVersion",
        "MaintenanceLoginAccepted",
        "MaintenanceLoginFailed",
        "MemoryExhaustion",
        "ReconfigurationOfSecurityParameters",
        "ResetOrReboot",
        "SecurityLogWasCleared",
        "SettingSystemTime",
        "StartupOfTheDevice",
        "TamperDetectionActivated",
    }
)
"""Those of 2.0.1, with the errata's addition."""

_OWN: Final = frozenset(value for name, value in vars(Kind).items() if name.isupper())
_KNOWN: Final = STANDARD | _OWN


def label(kind: str) -> str:
    """Return the metric's label for a kind."""
    return kind if kind in _KNOWN else OTHER
