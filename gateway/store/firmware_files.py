"""The octets of images, on the disk by their SHA-256, so that a file that was changed is no image any more."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import structlog

from gateway.store.firmware_incoming import Incoming, in_thread
from gateway.store.firmware_parts import RESERVE, Part, Space, make_room, sweep, unwritable
from pki.firmware import FirmwareRefused, ImageDigest, Refusal
from pki.firmware.digest import digest_file

READERS: Final = 2
"""Images that are read whole at once: a disk and two cores do no more."""

log = structlog.get_logger(__name__)

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class SharingFailed(Exception):
    """What all gateways share can't be written to now; the text says why. The image itself is as it was."""


class SharedImages(Protocol):
    """Where verified images lie for all gateways. Every method blocks."""

    def download(self, sha256: str, part: Part) -> bool:
        """Write an image to ``part``, from where that stands on; False: it isn't there. Raises FirmwareRefused."""
        ...

    def upload(self, sha256: str, path: Path) -> None:
        """Take an image, unless it is there. Raises SharingFailed."""
        ...

    def remove(self, sha256: str) -> None:
        """Drop an image, if it is there. Raises SharingFailed."""
        ...


class FirmwareFiles:
    """The folder, and behind it what is shared with other gateways. Any thread and any event loop may ask."""

    def __init__(
        self, directory: Path, *, max_size: int, shared: SharedImages | None = None, reserve: int = RESERVE
    ) -> None:
        """``max_size``: bytes of one image; ``reserve``: bytes that the disk keeps free."""
        self._space = Space(directory, max_size, reserve)
        self._shared = shared
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="firmware")
        self._turn = threading.Lock()
        self._looks: dict[str, Future[ImageDigest | None]] = {}

    def close(self) -> None:
        """Let the threads end; what is being read is read to its end."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def incoming(self, key: str) -> AsyncIterator[Incoming]:
        """Take up what is left of ``key`` (any text that stands for what comes), or begin.

        Raises FirmwareRefused (NO_SPACE).
        """
        opening = asyncio.get_running_loop().run_in_executor(None, self._open, key)
        try:
            part = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close)
            raise
        async with Incoming(part) as incoming:
            yield incoming

    async def path(self, sha256: str) -> Path | None:
        """Return where an image lies, fetched from the shared place where it isn't here; None: it can't be had.

        The log says why not. It is not read again: who sends it checks what he sends. Raises ValueError as
        :meth:`check`.
        """
        place = self._place(sha256)
        try:
            return place if await in_thread(place.is_file) or await self.check(sha256) else None
        except FirmwareRefused as refused:
            log.warning("image_not_fetched", sha256=sha256, refusal=refused.refusal.value, reason=str(refused))
            return None

    async def check(self, sha256: str) -> ImageDigest | None:
        """Read an image again, fetched from the shared place where it isn't here; None: it is nowhere.

        Those who ask for the same one meanwhile share the reading, and there is no MD5 in it. Raises FirmwareRefused:
        CHANGED when its octets are others, and what fetching it raises; ValueError where this is no SHA-256 in
        lower-case hex.
        """
        path = self._place(sha256)
        with self._turn:
            look = self._looks.get(sha256)
            if look is None:
                look = self._looks[sha256] = self._readers.submit(self._look, sha256, path)
        return await asyncio.shield(asyncio.wrap_future(look))

    async def keep(self, sha256: str) -> None:
        """Give a verified image to the shared place, if there is one and it hasn't got it.

        When that fails the log says so: the image is good here, and this is asked for again with the next order.
        """
        if self._shared is not None:
            await self._sharing(self._shared.upload, sha256, self._place(sha256))

    async def remove(self, sha256: str) -> None:
        """Drop an image here and in the shared place; it may be gone already.

        Raises FirmwareRefused (NO_SPACE: the disk doesn't let go of it). What the shared place doesn't let go of stands
        in the log.
        """
        path = self._place(sha256)
        try:
            await in_thread(lambda: path.unlink(missing_ok=True))
        except OSError as error:
            raise unwritable(error) from error
        if self._shared is not None:
            await self._sharing(self._shared.remove, sha256)

    async def sweep(self, before: datetime) -> int:
        """Remove what a crash has left, and what nobody has resumed since ``before``; return how many."""
        return await in_thread(sweep, self._space.incoming, before.timestamp())

    def _place(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ValueError("an image is known by its SHA-256, in 64 lower-case hex digits")
        return self._space.directory / sha256

    def _open(self, key: str) -> Part:
        try:
            part = Part.open(self._space, key)
            make_room(self._space.incoming)
        except OSError as error:
            raise unwritable(error) from error
        return part

    def _look(self, sha256: str, path: Path) -> ImageDigest | None:
        try:
            if not path.exists() and not self._fetch(sha256):
                return None
            digest = digest_file(path, md5=False)
        except OSError as error:
            raise FirmwareRefused(
                Refusal.CHANGED, f"the file {sha256} in firmware.directory can't be read: {error.strerror or error}"
            ) from error
        finally:
            with self._turn:
                self._looks.pop(sha256, None)
        if digest.sha256.hex() != sha256:
            raise _changed(f"the file {sha256} in firmware.directory")
        return digest

    def _fetch(self, sha256: str) -> bool:
        """Fetch it from the shared place; what comes is checked as it comes."""
        if self._shared is None:
            return False
        part = self._open(f"shared {sha256}")
        try:
            if is_there := self._shared.download(sha256, part):
                part.commit(sha256)
        except FirmwareRefused as refused:
            if refused.refusal is not Refusal.CHANGED:
                raise
            raise _changed(f"the image {sha256} in firmware.object_store") from None
        finally:
            part.close()
        return is_there

    async def _sharing(self, work: Callable[..., None], sha256: str, *args: object) -> None:
        try:
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._readers, work, sha256, *args))
        except SharingFailed as failed:
            log.warning("image_not_shared", sha256=sha256, reason=str(failed))


def _close(opening: asyncio.Future[Part]) -> None:
    """Close what was opened for somebody who has gone."""
    if opening.exception() is None:
        opening.result().close()


def _changed(what: str) -> FirmwareRefused:
    return FirmwareRefused(
        Refusal.CHANGED, f"{what} has other octets than were verified; remove the image and add it again"
    )
