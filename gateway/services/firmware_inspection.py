"""One look at one image: is it here, are its octets what they were, did its manufacturer sign them?"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import structlog

from gateway.session.firmware import FirmwareConflict, FirmwareImage, FirmwareUnknown, ImageState, NewImage
from gateway.session.firmware_locations import location_shown
from pki.firmware import FirmwareRefused, ImageDigest, Refusal, Signed, Verified

PASSING: Final = frozenset(
    {
        Refusal.NO_SIGNATURE,
        Refusal.MANUFACTURER_UNKNOWN,
        Refusal.SOURCE_NOT_ALLOWED,
        Refusal.FETCH_FAILED,
        Refusal.NO_SPACE,
        Refusal.REVOCATION_UNKNOWN,
    }
)
"""What says nothing about the image: its state stays as it is."""
_LOOKED_AT: Final = ("sha256", "signature", "signing_certificate")
"""What an image must have still when it is found to be verified: others may change it meanwhile."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here, and how many it will be, if that is known."""

log = structlog.get_logger(__name__)


class Images(Protocol):
    """The catalogue's entries."""

    async def add(self, new: NewImage, by: str) -> FirmwareImage:
        """Register one. Raises FirmwareConflict."""

    async def expect(self, new: NewImage, by: str) -> FirmwareImage | None:
        """Return the entry of an order, or a new one; None: there is no place."""

    async def find(self, image_id: int) -> FirmwareImage | None:
        """Return one."""

    async def list(
        self,
        *,
        state: ImageState | None = None,
        manufacturer: str | None = None,
        sha256: str | None = None,
        md5: str | None = None,
        after_id: int = 0,
        limit: int = 1000,
    ) -> Sequence[FirmwareImage]:
        """Return those that fit, in the order in which they were added."""

    async def for_station(self, location: str, manufacturer: str, model: str | None) -> FirmwareImage | None:
        """Return the best one of this location."""

    async def change(
        self,
        image_id: int,
        by: str,
        changes: Mapping[str, Any],
        *,
        unless: Collection[ImageState] = (),
        while_it_has: Mapping[str, Any] | None = None,
    ) -> FirmwareImage:
        """Change one, unless it is in such a state, or hasn't these values any more. Raises FirmwareUnknown."""

    async def withdrawn(self, manufacturer: str, sha256: str) -> int | None:
        """Return the entry by which these octets are withdrawn."""

    async def remove(self, image_id: int) -> FirmwareImage:
        """Forget one. Raises FirmwareUnknown and FirmwareConflict."""

    async def is_used(self, sha256: str) -> bool:
        """Return whether any entry has these octets."""

    async def counts(self) -> Mapping[ImageState, int]:
        """Return how many there are."""


class Octets(Protocol):
    """Where images lie. A SHA-256 is lower-case hex."""

    async def take(self, key: str, source: Any, progress: Progress | None) -> ImageDigest:
        """Keep what ``source`` gives: a path, or bytes piece by piece. Raises FirmwareRefused, OSError."""

    async def fetch(self, key: str, location: str, progress: Progress | None) -> ImageDigest:
        """Load and keep what lies at a location, going on where an earlier try ended. Raises FirmwareRefused."""

    def check_location(self, location: str) -> None:
        """Return when images may be fetched from there. Raises FirmwareRefused."""

    async def check(self, sha256: str) -> ImageDigest | None:
        """Read the octets again; None: they aren't here. Raises FirmwareRefused: they aren't those."""

    async def verified(self, sha256: str) -> None:
        """They are their manufacturer's: keep them wherever they are to be kept. Raises FirmwareRefused."""

    async def remove(self, sha256: str) -> None:
        """Forget them."""


class Verifier(Protocol):
    """What one manufacturer's signatures are looked at with."""

    async def verify(self, digest: ImageDigest, signed: Signed, *, signed_at: datetime | None = None) -> Verified:
        """Return how the image was found to be its manufacturer's. Raises FirmwareRefused."""

    async def check_signer(self, pem: str, *, signed_at: datetime | None = None) -> None:
        """Look at a signing certificate alone. Raises FirmwareRefused."""


class Manufacturers(Protocol):
    """Those of ``firmware.manufacturers``."""

    def of_vendor(self, vendor: str) -> str | None:
        """Return the key of the manufacturer that has this vendorName."""

    def __contains__(self, name: object) -> bool:
        """Return whether this is a key of one."""

    async def verifier(self, name: str) -> Verifier:
        """Return what its signatures are looked at with. Raises FirmwareRefused."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Looks at images, and writes down what it finds."""

    images: Images
    octets: Octets
    manufacturers: Manufacturers
    now: Callable[[], datetime]

    async def look(
        self, image: FirmwareImage, by: str, location: str | None = None, progress: Progress | None = None
    ) -> FirmwareImage:
        """Return the image, verified. Raises FirmwareRefused; the entry then says why.

        ``location`` is the image's own, with the user and password that the entry doesn't hold.
        """
        try:
            _check_not_withdrawn(image)
            signed = _signature_of(image)
            verifier = await self.manufacturers.verifier(image.manufacturer)
            # Before gigabytes are fetched for a certificate that nobody trusts.
            await verifier.check_signer(signed.signing_certificate, signed_at=image.signed_at)
            image, digest = await self._octets_of(image, by, location or image.location, progress)
            await self._check_content(image, digest)
            verified = await verifier.verify(digest, signed, signed_at=image.signed_at)
            await self.octets.verified(digest.sha256.hex())
        except FirmwareRefused as refused:
            await self._refused(image, refused, by)
            raise
        return await self._verified(image, digest, verified, by)

    async def check_signer(self, image: FirmwareImage) -> None:
        """Look at the signing certificate alone. Raises FirmwareRefused."""
        signed = _signature_of(image)
        verifier = await self.manufacturers.verifier(image.manufacturer)
        await verifier.check_signer(signed.signing_certificate, signed_at=image.signed_at)

    async def keep(self, image: FirmwareImage, digest: ImageDigest, by: str) -> FirmwareImage:
        """Write down which octets are an image's, in the place of those that it had.

        Raises FirmwareUnknown, and FirmwareConflict when others have come meanwhile: nobody's take the place of what
        was verified.
        """
        sha256 = digest.sha256.hex()
        found = {"sha256": sha256, "md5": digest.md5.hex(), "size": digest.size}
        try:
            kept = await self.images.change(
                image.id, by, found, unless={ImageState.WITHDRAWN}, while_it_has={"sha256": image.sha256}
            )
        except FirmwareUnknown:
            await self.forget_octets(sha256)  # removed while they came
            raise
        if kept.sha256 != sha256:
            await self.forget_octets(sha256)
            if kept.state is not ImageState.WITHDRAWN:
                raise FirmwareConflict(f"image {image.id} got its octets meanwhile: add a new one for others")
        return kept

    async def forget_octets(self, sha256: str | None) -> None:
        """Delete octets that no entry has."""
        if sha256 is not None and not await self.images.is_used(sha256):
            await self.octets.remove(sha256)

    async def _octets_of(
        self, image: FirmwareImage, by: str, location: str | None, progress: Progress | None
    ) -> tuple[FirmwareImage, ImageDigest]:
        if image.sha256 is not None and (digest := await self.octets.check(image.sha256)) is not None:
            return image, digest
        if location is None:
            raise FirmwareRefused(
                Refusal.FETCH_FAILED, "its file isn't here, and no place is known to fetch it from: add it anew"
            )
        digest = await self.octets.fetch(f"image-{image.id}", location, progress)
        if digest.sha256.hex() == image.sha256:
            return image, digest
        if image.verified_at is not None:
            await self.forget_octets(digest.sha256.hex())
            raise FirmwareRefused(
                Refusal.CHANGED,
                f"its file was gone, and {location_shown(image.location)} gives other octets than those that were "
                "verified",
            )
        try:
            return await self.keep(image, digest, by), digest
        except FirmwareConflict as conflict:
            raise FirmwareRefused(Refusal.FETCH_FAILED, str(conflict)) from None

    async def _check_content(self, image: FirmwareImage, digest: ImageDigest) -> None:
        _check_not_withdrawn(image)  # meanwhile
        other = await self.images.withdrawn(image.manufacturer, digest.sha256.hex())
        if other is not None:
            raise FirmwareRefused(Refusal.WITHDRAWN, f"these octets were withdrawn as image {other}")

    async def _verified(self, image: FirmwareImage, digest: ImageDigest, verified: Verified, by: str) -> FirmwareImage:
        found = {
            "state": ImageState.VERIFIED,
            "refusal": None,
            "reason": None,
            "algorithm": verified.algorithm.value,
            "signer": verified.signer,
            "signer_fingerprint": verified.fingerprint,
        }
        if all(getattr(image, name) == value for name, value in found.items()):
            return image
        log.info("firmware_verified", image=image.id, sha256=digest.sha256.hex(), signer=verified.signer, by=by)
        looked_at = {name: getattr(image, name) for name in _LOOKED_AT}
        changed = await self.images.change(
            image.id,
            by,
            {**found, "verified_at": self.now()},
            unless={ImageState.WITHDRAWN},
            while_it_has=looked_at,
        )
        _check_not_withdrawn(changed)
        if any(getattr(changed, name) != value for name, value in looked_at.items()):
            text = f"image {image.id} was given another signature while it was looked at: look at it again"
            raise FirmwareRefused(Refusal.CHANGED, text)
        return changed

    async def _refused(self, image: FirmwareImage, refused: FirmwareRefused, by: str) -> None:
        if image.state is ImageState.WITHDRAWN:
            return
        log.warning("firmware_refused", image=image.id, refusal=refused.refusal.value, reason=str(refused), by=by)
        found: dict[str, Any] = {"refusal": refused.refusal.value, "reason": str(refused)}
        if refused.refusal not in PASSING:
            found["state"] = ImageState.REFUSED
        image = await self.images.change(image.id, by, found, unless={ImageState.WITHDRAWN})
        if image.from_order and image.verified_at is None and image.sha256 is not None:
            # What orders bring doesn't fill the disk: it can be fetched again.
            await self.images.change(image.id, by, {"sha256": None, "md5": None, "size": None})
            await self.forget_octets(image.sha256)


def _check_not_withdrawn(image: FirmwareImage) -> None:
    if image.state is ImageState.WITHDRAWN:
        raise FirmwareRefused(Refusal.WITHDRAWN, f"image {image.id} is withdrawn: {image.reason}")


def _signature_of(image: FirmwareImage) -> Signed:
    """Raises FirmwareRefused."""
    if image.signature is None or image.signing_certificate is None:
        raise FirmwareRefused(
            Refusal.NO_SIGNATURE, "its signature or signing certificate isn't known: add it with both of them"
        )
    return Signed(image.signature, image.signing_certificate)
