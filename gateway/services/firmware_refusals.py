"""What a backend is told of an image that isn't taken, as a station would tell it."""

from typing import Final

from pki.firmware import Refusal

_NOT_LOADED: Final = frozenset(
    {
        Refusal.FETCH_FAILED,
        Refusal.MANUFACTURER_UNKNOWN,
        Refusal.NO_SIGNATURE,
        Refusal.NO_SPACE,
        Refusal.SOURCE_NOT_ALLOWED,
        Refusal.TOO_LARGE,
        Refusal.WITHDRAWN,
        Refusal.WRONG_STATION,
    }
)
"""For these nothing was loaded, or nothing is to be said of what was; the others are found when all has been."""


def final_status(refusal: Refusal) -> str:
    """Return the FirmwareStatus of 2.0.1 that a station would end with (L01.FR.03, L01.FR.30)."""
    return "DownloadFailed" if refusal in _NOT_LOADED else "InvalidSignature"


def statuses(final: str) -> tuple[str, ...]:
    """Return what a station tells on the way to a final status, and that."""
    return (final,) if final == "DownloadFailed" else ("Downloading", "Downloaded", final)


def answer_of(refusal: Refusal) -> str | None:
    """Return the UpdateFirmwareStatus for a signing certificate that is bad (L01.FR.21, 22); None: it isn't that."""
    if not refusal.is_certificates:
        return None
    return "RevokedCertificate" if refusal is Refusal.CERTIFICATE_REVOKED else "InvalidCertificate"
