"""The links of stations as whole URLs of the file endpoint."""

import re
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from gateway.session.file_links import LinkKind
from gateway.session.firmware import FirmwareImage
from gateway.store.file_links import FileLinks

NAME_MAX: Final = 64
"""Characters of an image's name at the end of its URL; what is cut is the beginning: stations look at the ending."""
FIRMWARE: Final = "/firmware/"
LOGS: Final = "/logs/"

_FOREIGN: Final = re.compile(r"[^A-Za-z0-9._-]+")


class FileUrls:
    """Fulfils :class:`gateway.session.file_links.Links`."""

    def __init__(self, links: FileLinks, public_url: str) -> None:
        """``public_url`` has no path; the rules of ``files`` bound it so that each URL has 512 characters at most."""
        self._links = links
        self._base = public_url.rstrip("/")

    async def download(
        self, identity: str, image: FirmwareImage, update_id: int, *, not_before: datetime | None = None
    ) -> str:
        """Return where the station loads ``image``. Raises ValueError when it isn't here, StoreAway."""
        return self._image(await self._links.download(identity, image, update_id, not_before=not_before), image)

    async def upload(self, identity: str, log_id: int) -> str:
        """Return where the station uploads a log. Raises StoreAway."""
        return f"{self._base}{LOGS}{await self._links.upload(identity, log_id)}/"

    async def publish(self, image: FirmwareImage) -> str:
        """Return where all stations load ``image``. Raises ValueError when it isn't here, StoreAway."""
        return self._image(await self._links.publish(image), image)

    async def image_at(self, location: str) -> int | None:
        """Return the image that a link of ours leads to; None for anything else. Raises StoreAway."""
        path = location.removeprefix(f"{self._base}{FIRMWARE}")
        if path == location:
            return None
        found = await self._links.find(path.partition("/")[0], LinkKind.DOWNLOAD)
        return found.image_id if found is not None else None

    async def close_update(self, update_id: int) -> None:
        """End the links of an update that is over. Raises StoreAway."""
        await self._links.close_update(update_id)

    async def close_log(self, log_id: int) -> None:
        """End the links of a log. Raises StoreAway."""
        await self._links.close_log(log_id)

    async def unpublish(self, image_id: int) -> None:
        """End the links of an image that are for all stations. Raises StoreAway."""
        await self._links.unpublish(image_id)

    def _image(self, secret: str, image: FirmwareImage) -> str:
        return f"{self._base}{FIRMWARE}{secret}/{_name(image)}"


def _name(image: FirmwareImage) -> str:
    """The name that it had where it comes from: there are stations that go by the ending."""
    try:
        known = urlsplit(image.location or "").path.rpartition("/")[2]
    except ValueError:
        known = ""
    name = _FOREIGN.sub("-", known or f"{image.model or image.manufacturer}-{image.version}")[-NAME_MAX:].strip(".-")
    return name or "firmware"
