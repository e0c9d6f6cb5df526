"""Images as they are served: what is read is the very file that was checked, from the first octet to the last."""

import asyncio
import os
import stat
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from gateway.session.file_links import Images
from pki.firmware import FirmwareRefused

log = structlog.get_logger(__name__)

Mark = tuple[int, ...]
"""Device, inode, size, and the times of the last changes of content and inode: another one is another file."""


class ImageChanged(Exception):
    """The file is not what it was when it was opened: no more of it is sent."""


class OpenImage:
    """A file whose octets were found to hash to what was asked for. Whoever opened it closes it."""

    def __init__(self, file: FileIO, mark: Mark, size: int) -> None:
        self._file = file
        self._mark = mark
        self.size: Final = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def is_at(self, path: Path | None) -> bool:
        """Tell whether it is the file at ``path``, as it was when it was opened. Blocks."""
        try:
            return path is not None and _mark(os.lstat(path)) == self._mark
        except OSError:
            return False

    async def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` octets from ``offset`` on, all of which must be in it. Raises ImageChanged."""
        return await asyncio.to_thread(self._read, offset, length)

    def _read(self, offset: int, length: int) -> bytes:
        octets = os.pread(self._file.fileno(), length, offset)
        if len(octets) != length or _mark(os.fstat(self._file.fileno())) != self._mark:
            raise ImageChanged
        return octets


async def open_image(images: Images, sha256: str) -> OpenImage | None:
    """Return the image (lower-case hex); None where it isn't here or isn't what it should be: the log says which."""
    opened: OpenImage | None = None
    try:
        path = await images.checked_path(sha256)
        opened = await asyncio.to_thread(_open, path) if path is not None else None
        # Asked once more, now that it is open: what has taken its place in between is found out.
        if (
            opened is not None
            and await images.checked_path(sha256) == path
            and await asyncio.to_thread(opened.is_at, path)
        ):
            found, opened = opened, None
            return found
        log.error("image_not_here", sha256=sha256)
    except FirmwareRefused as refused:
        log.error("image_not_served", sha256=sha256, reason=str(refused))  # noqa: TRY400 - the text says it
    finally:
        if opened is not None:
            opened.close()
    return None


def _open(path: Path) -> OpenImage | None:
    try:
        file = FileIO(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError:
        return None
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode):
        return OpenImage(file, _mark(found), found.st_size)
    file.close()
    return None


def _mark(found: os.stat_result) -> Mark:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
