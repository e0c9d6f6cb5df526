"""How images come to lie on the disk: from a file, from who uploads them, from a place that is allowed."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Final

from gateway.services.firmware_inspection import Progress
from gateway.store.firmware_files import FirmwareFiles
from pki.downloading import GuardedDownloads
from pki.firmware import ImageDigest

CHUNK: Final = 1_048_576
"""Bytes of a file that are read at once."""


class FirmwareOctets:
    """Fulfils :class:`gateway.services.firmware_inspection.Octets`."""

    def __init__(self, files: FirmwareFiles, downloads: GuardedDownloads) -> None:
        self._files = files
        self._downloads = downloads

    async def take(
        self, key: str, source: Path | AsyncIterable[bytes], progress: Progress | None = None
    ) -> ImageDigest:
        """Keep a file's octets, or those that come piece by piece: all of them, or nothing.

        Raises FirmwareRefused, and OSError of a file that can't be read.
        """
        total = (await asyncio.to_thread(source.stat)).st_size if isinstance(source, Path) else None
        async with self._files.incoming(key) as incoming:
            try:
                await incoming.restart(None)
                if total is not None:
                    await incoming.expect(total)
                async for piece in _pieces(source) if isinstance(source, Path) else source:
                    await incoming.write(piece)
                    if progress is not None:
                        progress(incoming.offset, total)
                return await incoming.commit()
            except BaseException:
                await incoming.abort()
                raise

    async def fetch(self, key: str, location: str, progress: Progress | None = None) -> ImageDigest:
        """Load what lies at a location, going on where an earlier try ended. Raises FirmwareRefused."""
        async with self._files.incoming(key) as incoming:
            await self._downloads.download(location, incoming, progress=progress or _nobody_looks)
            return await incoming.commit()

    def check_location(self, location: str) -> None:
        """Return when images may be fetched from there. Raises FirmwareRefused."""
        self._downloads.check(location)

    async def check(self, sha256: str) -> ImageDigest | None:
        """Read the octets again; None: they aren't here. Raises FirmwareRefused: they aren't those."""
        return await self._files.check(sha256)

    async def verified(self, sha256: str) -> None:
        """Give them to all gateways, where there is an object store. Raises FirmwareRefused."""
        await self._files.keep(sha256)

    async def remove(self, sha256: str) -> None:
        """Forget them."""
        await self._files.remove(sha256)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, CHUNK):
            yield piece
    finally:
        await asyncio.to_thread(file.close)


def _nobody_looks(here: int, total: int | None) -> None:
    pass
