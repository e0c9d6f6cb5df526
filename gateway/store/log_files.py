"""The files of stations' logs: kept as they came, in quarantine; nothing here reads, unpacks or runs them.

One file per log, named by the log's number alone: no word of a station's becomes part of a path. Whole or not at all.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.session.file_links import UploadRefusal, UploadRefused
from gateway.store.firmware_parts import RESERVE

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_PART: Final = ".part"


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class _Room:
    """What may come into a folder."""

    directory: Path
    max_size: int
    free: Callable[[Path], int]

    def check(self, size: int, more: int) -> None:
        """Return when a log may have ``size`` bytes, of which ``more`` are to come. Raises UploadRefused, OSError."""
        if size > self.max_size:
            text = f"a log has more than {self.max_size} bytes (logs.max_size)"
            raise UploadRefused(UploadRefusal.TOO_LARGE, text)
        if more > self.free(self.directory) - RESERVE:
            text = f"logs.directory: less than {RESERVE} bytes of the disk would stay free; make room there"
            raise UploadRefused(UploadRefusal.NO_SPACE, text)


class LogFiles:
    """The folder of logs. Its methods raise OSError for a folder that can't be used."""

    def __init__(self, directory: Path, *, max_size: int, free: Callable[[Path], int] = _free) -> None:
        """``max_size``: bytes of one log; ``free(folder)``: bytes that its disk has left."""
        self.directory: Final = directory
        self._room = _Room(directory, max_size, free)

    async def prepare(self) -> None:
        """Make the folder, and forget what an earlier run was in the middle of."""
        await asyncio.to_thread(self._prepare)

    def _prepare(self) -> None:
        self.directory.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        for part in self.directory.glob(f"*{_PART}"):
            part.unlink(missing_ok=True)

    async def begin(self, log_id: int, length: int | None) -> "IncomingLog":
        """Begin to write one log, of ``length`` bytes if that is known. Raises UploadRefused."""
        return await asyncio.to_thread(IncomingLog, self._room, log_id, length or 0)

    def path(self, log_id: int) -> Path:
        """Return where a log lies, or would."""
        return self.directory / f"{log_id}.log"

    async def remove(self, log_id: int) -> None:
        """Delete a log's file, if it is there."""
        await asyncio.to_thread(self.path(log_id).unlink, missing_ok=True)


class IncomingLog:
    """One log that is being written, by :meth:`LogFiles.begin`. Either :meth:`commit` or :meth:`abort`, once."""

    def __init__(self, room: _Room, log_id: int, length: int) -> None:
        self._whole = room.directory / f"{log_id}.log"
        self._part = room.directory / f"{log_id}-{secrets.token_hex(8)}{_PART}"
        self._room = room
        self._hash = hashlib.sha256()
        self.size = 0
        try:
            room.check(length, length)
            self._file = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
        except OSError as error:
            raise _refused(error) from error

    async def write(self, chunk: bytes) -> None:
        """Take the next octets. Raises UploadRefused: TOO_LARGE, NO_SPACE."""
        self.size += len(chunk)
        await asyncio.to_thread(self._write, chunk)

    def _write(self, chunk: bytes) -> None:
        try:
            self._room.check(self.size, len(chunk))
            self._hash.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise _refused(error) from error

    async def commit(self) -> str:
        """All is here and on disk: return its SHA-256 in hex. Raises UploadRefused; nothing is left then."""
        try:
            await asyncio.to_thread(self._commit)
        except OSError as error:
            await self.abort()
            raise _refused(error) from error
        return self._hash.hexdigest()

    def _commit(self) -> None:
        os.fsync(self._file)
        os.close(self._file)
        self._file = -1
        self._part.rename(self._whole)
        folder = os.open(self._whole.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    async def abort(self) -> None:
        """Forget what came."""
        await asyncio.to_thread(self._abort)

    def _abort(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        with contextlib.suppress(OSError):  # a folder that is gone holds no half file
            self._part.unlink(missing_ok=True)


def _refused(error: OSError) -> UploadRefused:
    return UploadRefused(UploadRefusal.NO_SPACE, f"logs.directory: {error.strerror}")
