"""The catalogue of firmware, put together: for ``serve``, for its API and for commands beside it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.admin.firmware_shown import image_shown
from gateway.app.clock import now
from gateway.app.firmware_manufacturers import Manufacturers
from gateway.app.firmware_octets import FirmwareOctets
from gateway.app.noted import Noted
from gateway.app.problems import StartFailed
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.config.firmware import Firmware
from gateway.config.secrets import SecretError
from gateway.services.firmware_catalogue import FirmwareCatalogue
from gateway.services.looking import look_once
from gateway.session.contract_lines import read_moment
from gateway.session.firmware import (
    FirmwareConflict,
    FirmwareImage,
    FirmwareInvalid,
    ImageState,
    NewImage,
)
from gateway.session.security import SecurityLog
from gateway.store.database import Database
from gateway.store.firmware_files import FirmwareFiles, SharedImages
from gateway.store.firmware_images import FirmwareImages
from gateway.store.firmware_object_store import ObjectStoreImages, ObjectStoreUnusable
from gateway.store.security_events import SecurityEvents
from gateway.store.unavailable import StoreUnavailable
from pki.destinations import AllowList, Destination
from pki.downloading import GuardedDownloads
from pki.firmware import FirmwareRefused

__all__ = [
    "FirmwareConflict",
    "FirmwareImage",
    "FirmwareInvalid",
    "FirmwareParts",
    "FirmwareRefused",
    "ImageState",
    "NewImage",
    "firmware_beside",
    "image_shown",
    "open_firmware",
    "read_moment",
]

COUNTED_EVERY: Final = 60.0
"""Seconds between two counts of the catalogue."""
UNFINISHED: Final = timedelta(days=7)
"""After which what was never fetched to its end is removed."""
LISTED_IN: Final = "firmware.sources and firmware.trusted_networks"


@dataclass(slots=True)
class FirmwareParts:
    """What firmware stands on."""

    catalogue: FirmwareCatalogue
    images: FirmwareImages
    files: FirmwareFiles
    """Where the octets lie: the file endpoint reads them here."""
    manufacturers: Manufacturers
    counts: Mapping[ImageState, int]
    """What was counted last."""

    def start(self, tasks: Tasks) -> None:
        """Begin what goes on beside the stations."""
        tasks.spawn(self._count(), "firmware census")
        tasks.spawn(self._resume(), "unfinished firmware")

    async def _resume(self) -> None:
        await look_once(self.catalogue.resume, "firmware_not_resumed")

    async def _count(self) -> None:
        while True:
            self.counts = await look_once(self.catalogue.counts, "firmware_census_failed") or self.counts
            await look_once(lambda: self.files.sweep(now() - UNFINISHED), "firmware_sweep_failed")
            await asyncio.sleep(COUNTED_EVERY)


async def open_firmware(
    config: Config, database: Database, security: SecurityLog, tasks: Tasks, stack: AsyncExitStack
) -> FirmwareParts | None:
    """Return it where the configuration has ``firmware``; ``stack`` closes it. Raises StartFailed."""
    section = config.firmware
    if section is None:
        return None
    allowed = AllowList(map(Destination.parse, section.sources), section.trusted_networks)
    try:
        downloads = await asyncio.to_thread(GuardedDownloads, allowed, listed_in=LISTED_IN, roots=section.roots)
    except (OSError, ValueError) as error:
        raise StartFailed(f"firmware.roots: {section.roots}: {error}") from None
    stack.push_async_callback(downloads.close)
    manufacturers = await asyncio.to_thread(Manufacturers, config)
    stack.push_async_callback(manufacturers.close)
    try:
        await asyncio.to_thread(section.directory.mkdir, mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartFailed(f"firmware.directory: {section.directory}: {error.strerror}") from None
    files = FirmwareFiles(section.directory, max_size=section.max_size, shared=await _shared(section))
    stack.callback(files.close)
    images = FirmwareImages(database)
    catalogue = FirmwareCatalogue(
        images, FirmwareOctets(files, downloads), manufacturers, security=security, spawn=tasks.spawn, now=now
    )
    return FirmwareParts(catalogue, images, files, manufacturers, {})


async def _shared(section: Firmware) -> SharedImages | None:
    """Return where images lie for all gateways. Raises StartFailed."""
    if section.object_store is None:
        return None
    try:
        return await asyncio.to_thread(ObjectStoreImages.at, section.object_store)
    except ObjectStoreUnusable as error:
        raise StartFailed(str(error)) from None


@asynccontextmanager
async def firmware_beside(config: Config) -> AsyncIterator[FirmwareParts]:
    """Open the catalogue beside a gateway that may be running.

    Raises :class:`StartFailed` with one clear line, when the store fails while it is used too.
    """
    async with AsyncExitStack() as stack:
        try:
            database = await Database.open(config.store.connect_url(), exclusive=False)
            stack.push_async_callback(database.close)
            noted, tasks = Noted(), Tasks()
            parts = await open_firmware(config, database, noted, tasks, stack)
            if parts is None:
                raise StartFailed("firmware: the section is missing; add it, with the manufacturers and their roots")
            try:
                yield parts
            finally:
                await tasks.close()
                await SecurityEvents(database).add_many(noted.rows)
        except (StoreUnavailable, SecretError) as error:
            raise StartFailed(f"store.url: {error}") from None
