"""Images as they are served: what is read is what hashes to the name that it has, at the beginning and to the end.

A file is hashed when it is served for the first time, and again whenever the file system says that it isn't the same
any more; it is read through the descriptor that was hashed.
"""

import asyncio
import hashlib
import os
import stat
from collections import OrderedDict
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from gateway.session.file_links import Images

KNOWN_MAX: Final = 1_000
"""Files of which it is remembered that they were hashed."""

log = structlog.get_logger(__name__)

Mark = tuple[int, ...]
"""Device, inode, size, and the times of the last changes of content and inode: another one is another file."""


class ImageChanged(Exception):
    """The file is not what it was when it was opened: no more of it is sent."""


class OpenImage:
    """A file whose octets hash to what was asked for. Whoever opened it closes it."""

    def __init__(self, file: FileIO, mark: Mark, size: int) -> None:
        self._file = file
        self._mark = mark
        self.size: Final = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    async def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` octets from ``offset`` on, all of which must be in it. Raises ImageChanged."""
        return await asyncio.to_thread(self._read, offset, length)

    def _read(self, offset: int, length: int) -> bytes:
        octets = os.pread(self._file.fileno(), length, offset)
        if len(octets) != length or _mark(self._file) != self._mark:
            raise ImageChanged
        return octets


class CheckedImages:
    """Opens images by their SHA-256."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self._known: OrderedDict[str, Mark] = OrderedDict()
        self._turn = asyncio.Lock()

    async def open(self, sha256: str) -> OpenImage | None:
        """Return the image (lower-case hex), None where it isn't here or isn't what it should be; the log says which.

        Many that ask for the same one at once share one look at it.
        """
        path = await self._images.path(sha256)
        file = await asyncio.to_thread(_open, path) if path is not None else None
        if file is None:
            log.error("image_not_here", sha256=sha256)
            return None
        try:
            mark = _mark(file)
            if self._known.get(sha256) != mark and not await self._check(sha256, file, mark):
                log.error("image_changed_on_disk", sha256=sha256, advice="remove it and add it again")
                file.close()
                return None
        except BaseException:
            file.close()
            raise
        return OpenImage(file, mark, mark[2])

    async def _check(self, sha256: str, file: FileIO, mark: Mark) -> bool:
        async with self._turn:
            if self._known.get(sha256) == mark:
                return True
            digest = await asyncio.to_thread(_sha256, file)
            if digest != sha256 or _mark(file) != mark:
                return False
            self._known[sha256] = mark
            self._known.move_to_end(sha256)
            while len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)
            return True


def _open(path: Path) -> FileIO | None:
    try:
        file = FileIO(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    return None


def _mark(file: FileIO) -> Mark:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _sha256(file: FileIO) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
