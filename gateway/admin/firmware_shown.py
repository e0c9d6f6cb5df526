"""What the API and the commands tell of firmware: plain JSON, nothing secret."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.session.firmware_locations import location_shown

if TYPE_CHECKING:
    from gateway.session.firmware import FirmwareImage


def image_shown(image: "FirmwareImage", *, whole: bool = False) -> dict[str, Any]:
    """Return what is told of an image; ``whole``: with its signature and signing certificate."""
    shown = {
        "id": image.id,
        "manufacturer": image.manufacturer,
        "model": image.model,
        "version": image.version,
        "state": image.state.value,
        "refusal": image.refusal,
        "reason": image.reason,
        "location": location_shown(image.location),
        "sha256": image.sha256,
        "md5": image.md5,
        "size": image.size,
        "signed_at": _moment(image.signed_at),
        "algorithm": image.algorithm,
        "signer": image.signer,
        "signer_fingerprint": image.signer_fingerprint,
        "from_order": image.from_order,
        "added_at": image.added_at.isoformat(),
        "added_by": image.added_by,
        "changed_at": image.changed_at.isoformat(),
        "changed_by": image.changed_by,
        "verified_at": _moment(image.verified_at),
    }
    if whole:
        shown |= {"signature": image.signature, "signing_certificate": image.signing_certificate}
    return shown


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
