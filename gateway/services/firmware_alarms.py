"""What the security team hears of firmware that isn't taken (OCPP 2.0.1 L01.FR.02, L01.FR.03; attack B5)."""

from typing import Final

from gateway.session.security import Kind, SecurityEvent
from pki.firmware import FirmwareRefused, Refusal

_SIGNATURES: Final = frozenset(
    {Refusal.SIGNATURE_MALFORMED, Refusal.SIGNATURE_INVALID, Refusal.ALGORITHM, Refusal.CHANGED}
)
_UNVERIFIED: Final = frozenset(
    {Refusal.NO_SIGNATURE, Refusal.MANUFACTURER_UNKNOWN, Refusal.WRONG_STATION, Refusal.WITHDRAWN}
)


def alarm_of(refused: FirmwareRefused, subject: str, identity: str | None = None) -> SecurityEvent | None:
    """Return the event that a refusal deserves; None where nothing is wrong with what was to be installed.

    ``subject`` is what was refused, such as ``image 7``; ``identity`` the station that was to get it.
    """
    kind = _kind(refused.refusal)
    return None if kind is None else SecurityEvent(kind, f"{subject}: {refused}", identity)


def _kind(refusal: Refusal) -> str | None:
    if refusal is Refusal.SOURCE_NOT_ALLOWED:
        return Kind.UNSAFE_LOCATION
    if refusal in _SIGNATURES:
        return Kind.INVALID_FIRMWARE_SIGNATURE
    if refusal in _UNVERIFIED:
        return Kind.UNVERIFIED_FIRMWARE
    # Revocation that can't be learnt is trouble of a network, not of a certificate.
    is_wrong = refusal.is_certificates and refusal is not Refusal.REVOCATION_UNKNOWN
    return Kind.INVALID_FIRMWARE_CERTIFICATE if is_wrong else None
