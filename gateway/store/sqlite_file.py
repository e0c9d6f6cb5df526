"""The SQLite file itself: who may open it, and the lock that keeps a second ``serve`` away from it.

Nothing here opens the database file with :func:`os.open` once SQLite may have it open in this process: closing such a
descriptor would drop SQLite's own POSIX locks.
"""

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from gateway.store.unavailable import StoreUnavailable, unavailable

_PRIVATE: Final = 0o600
"""The file holds password hashes: its owner alone reads it, and SQLite gives its WAL the same rights."""


def prepare(path: Path) -> None:
    """Make the database file, private and in WAL mode, if there is none or an empty one. Raises StoreUnavailable."""
    try:
        if not path.exists() or path.stat().st_size == 0:
            _make(path)
    except (FileNotFoundError, NotADirectoryError):
        raise StoreUnavailable(
            f"store {path}: the folder {path.parent} doesn't exist; create it or change store.url"
        ) from None
    except OSError as error:
        raise StoreUnavailable(
            f"store {path}: no file can be made in {path.parent} ({error.strerror}); "
            "give this user the right to write there"
        ) from error
    if not path.is_file():
        raise StoreUnavailable(f"store {path}: it isn't a file; name a file in store.url")


class SameFile:
    """Knows whether the database is still the file that was opened: SQLite would write on into one that was deleted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = self._now()

    def check(self) -> None:
        """Return when it is. Raises StoreUnavailable."""
        if self._opened is None or self._now() != self._opened:
            raise StoreUnavailable(
                f"store {self._path}: the file was removed or replaced while it is open; put it back and restart"
            )

    def _now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - before each write: a Path would cost more than the call
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _make(path: Path) -> None:
    """Make an empty database. One process at a time: SQLite fails at once where two change to WAL mode together."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE))
        if path.stat().st_size == 0:
            _change_to_wal(path)
    finally:
        os.close(folder)


def _change_to_wal(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.Error as error:
            raise unavailable(str(path), error) from error


class ServeLock:
    """The lock of the one ``serve`` process of a SQLite file, held from construction until :meth:`release`.

    It is an ``flock`` on ``<database>.lock``, which the kernel drops when the process dies, however it dies. The file
    names the holder and stays: to remove it would let two processes lock two different files of the same name.
    """

    def __init__(self, database: Path) -> None:
        """Take the lock. Raises StoreUnavailable when another process, or this one, has it."""
        self._path = database.with_name(database.name + ".lock")
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, _PRIVATE)
        except OSError as error:
            raise StoreUnavailable(
                f"store {database}: the lock file {self._path} can't be written ({error.strerror}); "
                "give this user the right to write it"
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            if not isinstance(error, BlockingIOError):
                raise StoreUnavailable(f"store {database}: it can't be locked here ({error.strerror})") from error
            raise StoreUnavailable(
                f"store {database}: already served by process {holder or 'unknown'}; "
                "stop that one first, or give this one a store.url of its own"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back; once is enough, more does no harm."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):  # a full disk doesn't keep the lock: closing is what releases it
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
