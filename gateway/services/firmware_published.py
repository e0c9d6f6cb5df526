"""What a backend was told as published (L03) is an image, too, where it orders an update by that location."""

from typing import Protocol

from gateway.services.firmware_desk import Catalogue
from gateway.session.file_links import Links
from gateway.session.firmware import FirmwareImage


class Images(Catalogue, Protocol):
    """The catalogue."""

    async def find(self, image_id: int) -> FirmwareImage | None:
        """Return an image, or None. Raises StoreAway."""


class PublishedFirst:
    """The catalogue, as backends name it. Fulfils :class:`gateway.services.firmware_desk.Catalogue`."""

    def __init__(self, images: Images, links: Links) -> None:
        self._images = images
        self._links = links

    async def for_order(self, location: str, vendor: str | None, model: str | None) -> FirmwareImage | None:
        """Return what a location means: under a link of ours its image, whose stations :meth:`prepare` looks at."""
        image_id = await self._links.image_at(location)
        if image_id is not None:
            return await self._images.find(image_id)
        return await self._images.for_order(location, vendor, model)

    async def expect(
        self,
        location: str,
        *,
        signature: str | None,
        signing_certificate: str | None,
        vendor: str | None,
        model: str | None,
        by: str,
    ) -> FirmwareImage:
        """As the catalogue has it."""
        return await self._images.expect(
            location,
            signature=signature,
            signing_certificate=signing_certificate,
            vendor=vendor,
            model=model,
            by=by,
        )

    async def check_signer(self, image_id: int) -> None:
        """As the catalogue has it."""
        await self._images.check_signer(image_id)
