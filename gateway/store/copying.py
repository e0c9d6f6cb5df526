"""A copy of a SQLite store that a gateway may be writing to, and what a copy needs to become a store again."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.store.schema import known_revisions
from gateway.store.sqlite_file import ServeLock
from gateway.store.unavailable import StoreUnavailable, unavailable

__all__ = ["ServeLock", "check_schema", "companions", "copy_store", "move_on"]

LOCK_WAIT: Final = 10.0
"""Seconds for which a writer may keep us waiting."""

_VERSION: Final = "SELECT version_num FROM alembic_version"


def copy_store(source: Path, target: Path) -> str:
    """Copy the store at one moment of its life into the empty file ``target``; return its schema revision.

    Uses SQLite's online backup: the gateway goes on writing. Blocks. Raises StoreUnavailable.
    """
    if not source.is_file():
        raise StoreUnavailable(f"store {source}: there is no such file; nothing has been stored yet")
    try:
        with closing(_connect(source)) as store, closing(_connect(target)) as copy:
            # In one go, a single reading: page by page, each write of the gateway would begin it anew.
            store.backup(copy, pages=-1)
            (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise StoreUnavailable(f"store {source}: it is damaged ({found}); keep the last good backup")
            return _revision(copy, source)
    except sqlite3.Error as error:
        raise unavailable(str(source), error) from error


def check_schema(revision: str) -> None:
    """Return when this version can open a store of that schema. Raises StoreUnavailable."""
    if revision not in known_revisions():
        raise StoreUnavailable(
            f"the store in it was written by a newer Voltgate (schema {revision}); restore it with that version"
        )


def move_on(copy: Path, at: int) -> None:
    """Let nobody who owned a station in the store's former life own it in the next; ``at``: seconds since 1970.

    Each station's epoch, and the one that new stations begin with, becomes that time or one more than it was: epochs
    count connections, so they are far behind, and each restoring is ahead of the one before it. Blocks. Raises
    StoreUnavailable.
    """
    try:
        with closing(_connect(copy)) as store, store:
            store.execute("UPDATE stations SET epoch = MAX(epoch + 1, ?)", (at,))
            store.execute("UPDATE registry SET epoch_floor = MAX(epoch_floor + 1, ?), revision = revision + 1", (at,))
    except sqlite3.Error as error:
        raise unavailable(str(copy), error) from error


def companions(store: Path) -> list[Path]:
    """Return the files that belong to a store, itself first: one of another life beside it would damage it."""
    return [store, *(store.with_name(store.name + end) for end in ("-wal", "-shm", "-journal"))]


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=LOCK_WAIT)


def _revision(copy: sqlite3.Connection, source: Path) -> str:
    try:
        row = copy.execute(_VERSION).fetchone()
    except sqlite3.OperationalError:
        row = None
    if row is None:
        raise StoreUnavailable(f"store {source}: it holds no Voltgate's tables; check store.url")
    return str(row[0])
