"""The connection to the store: SQLite in a file (one ``serve`` and any number of commands) or PostgreSQL.

Work on the store is a plain function of a :class:`sqlalchemy.Connection`, run by :meth:`Database.write` in one SQL
transaction or by :meth:`Database.read` in none. On SQLite all writes of a process go through one connection, one after
the other: SQLite has one writer, and a queue is fairer and cheaper than its busy loop.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import URL, Connection, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.store import schema
from gateway.store.address import SQLITE, parse_url, place
from gateway.store.group_commit import OURS, GroupCommit
from gateway.store.lanes import AsyncLane, Lane, SqliteLane
from gateway.store.models import Registry
from gateway.store.sqlite_file import SameFile, ServeLock, prepare
from gateway.store.unavailable import StoreUnavailable, unavailable

__all__ = ["Database", "StoreUnavailable"]

Result = TypeVar("Result")

SQLITE_READERS: Final = 2
"""Connections for reading, beside the one that writes: a long reading keeps nobody out, and more threads only contend
for Python's lock."""
SQLITE_CACHE: Final = 256
"""KiB of pages that each connection keeps, of SQLite's 2,000: the system has them all in memory anyway, once for all
connections, and one that reads forgets its own at the next write of another."""
READS_AT_ONCE: Final = 8
"""Readings under way; as many callers at most go on in one turn of the event loop, however late that comes."""
POSTGRESQL_CONNECTIONS: Final = 10
CONNECT_TIMEOUT: Final = 10.0
"""Seconds in which PostgreSQL must have accepted a connection."""
COMMAND_TIMEOUT: Final = 30.0
"""Seconds in which PostgreSQL must have answered a statement."""

_PING: Final = select(Registry.revision)
_MIGRATING: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()
"""Alembic keeps the migration that runs in module globals: one at a time."""


class Database:
    """An open store. Built by :meth:`open`; whoever opened it closes it."""

    def __init__(
        self,
        place: str,
        writer: Lane,
        reader: Lane,
        *,
        writes_at_once: int,
        file: SameFile | None,
        lock: ServeLock | None,
    ) -> None:
        self.place: Final = place
        """Where it is, for people: a file, or host and database. No password in it."""
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._file = file
        self._grouped = None if writes_at_once else GroupCommit(lambda work: self._run(self._writer, work))
        self._turn = asyncio.Semaphore(writes_at_once)
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._is_open = True
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __repr__(self) -> str:
        return f"<Database {self.place} {'open' if self._is_open else 'closed'}>"

    @property
    def is_exclusive(self) -> bool:
        """True where no other ``serve`` can have this store open: what only ``serve`` writes is known to this one."""
        return self._lock is not None

    @classmethod
    async def open(cls, url: str, *, exclusive: bool, migrate: bool = True) -> Self:
        """Open the store at ``url`` and bring its tables up to date; without ``migrate``, refuse one that isn't.

        ``exclusive`` is for ``serve``: of several processes only one gets a SQLite file that way. Commands open it
        without, beside a running ``serve``. PostgreSQL knows no such lock. Raises StoreUnavailable.
        """
        parsed = parse_url(url)
        where = place(parsed)
        if parsed.drivername == SQLITE:
            database = await cls._open_file(Path(where), exclusive=exclusive)
        else:
            engine = _postgresql_engine(parsed, where)
            writer, reader = AsyncLane(engine), AsyncLane(engine.execution_options(isolation_level="AUTOCOMMIT"))
            database = cls(where, writer, reader, writes_at_once=POSTGRESQL_CONNECTIONS, file=None, lock=None)
        try:
            await database._prepare_tables(migrate=migrate)
        except BaseException as error:
            await database.close()
            if isinstance(error, SQLAlchemyError):
                raise unavailable(where, error) from error
            raise
        return database

    @classmethod
    async def _open_file(cls, path: Path, *, exclusive: bool) -> Self:
        await asyncio.to_thread(prepare, path)
        lock = await asyncio.to_thread(ServeLock, path) if exclusive else None
        file = SameFile(path)
        cache = f"PRAGMA cache_size=-{SQLITE_CACHE}"
        durable = "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", cache
        writer = SqliteLane(path, durable, connections=1, look=file.check)
        reader = SqliteLane(path, ("PRAGMA query_only=ON", cache), connections=SQLITE_READERS, look=file.check)
        return cls(str(path), writer, reader, writes_at_once=0, file=file, lock=lock)

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` in one SQL transaction and return its result when that is durable.

        Whatever ``work`` raises undoes it. On SQLite others may share its transaction, each undone by itself. Raises
        StoreUnavailable; then, and when the caller is cancelled, it is undone or, if only the answer got lost, done.
        """
        self._check_open()

        def in_transaction(connection: Connection) -> Result:
            with connection.begin():
                return work(connection)

        with self._held():  # from now on: who waits for a turn is let through before the store is closed
            if self._grouped is not None:
                return await self._grouped.write(work)
            async with self._turn:
                return await self._run(self._writer, in_transaction)

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work``, which only reads; each of its statements sees the store as it is then.

        Raises StoreUnavailable.
        """
        self._check_open()
        with self._held():  # as in write
            async with self._reads:
                return await self._run(self._reader, work)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreUnavailable(f"store {self.place}: it is closed")

    async def ping(self) -> None:
        """Return when the store answers. Raises StoreUnavailable."""
        await self.read(lambda connection: connection.execute(_PING).scalar_one())

    async def close(self) -> None:
        """Let the work in hand end, close all connections, then give the file back. Closing twice does no harm."""
        self._is_open = False
        try:
            await self._idle.wait()
            await self._reader.dispose()
            await self._writer.dispose()
        finally:
            if self._lock is not None:
                self._lock.release()

    async def _prepare_tables(self, *, migrate: bool) -> None:
        if self._lock is not None:
            await self._run(self._writer, self._check_file)
        if not await self._run(self._writer, lambda connection: schema.is_current(connection, self.place)):
            if not migrate:
                raise StoreUnavailable(f"store {self.place}: its tables aren't this version's")
            async with _MIGRATING.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
                await self._run(self._writer, lambda connection: schema.migrate(connection, self.place))

    def _check_file(self, connection: Connection) -> None:
        """Look through the whole file for damage. Raises StoreUnavailable."""
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if found != "ok":
            raise StoreUnavailable(f"store {self.place}: it is damaged ({found}); restore a backup")

    async def _run(self, lane: Lane, work: Callable[[Connection], Result]) -> Result:
        try:
            with self._held():
                return await lane.run(self._checked(work))
        except OURS:
            raise
        except (DBAPIError, PoolTimeout, OSError) as error:
            raise unavailable(self.place, error) from error

    def _checked(self, work: Callable[[Connection], Result]) -> Callable[[Connection], Result]:
        """Look first, in the thread that does the work, whether the file is still the one that was opened."""
        file = self._file
        if file is None:
            return work

        def checked(connection: Connection) -> Result:
            file.check()
            return work(connection)

        return checked

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Something is in hand: the store isn't closed before it has ended."""
        self._in_hand += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()


def _postgresql_engine(url: URL, where: str) -> AsyncEngine:
    try:
        return create_async_engine(
            url,
            connect_args={
                "timeout": CONNECT_TIMEOUT,
                "command_timeout": COMMAND_TIMEOUT,
                "server_settings": {"application_name": "voltgate"},
            },
            pool_size=POSTGRESQL_CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,  # else the first use of each connection fails after the server has restarted
            hide_parameters=True,
        )
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            f"store {where}: {error.name} isn't installed; pip install 'voltgate[postgres]'"
        ) from error
