"""How work gets to the database and back: SQLite in threads of its own, PostgreSQL on the event loop.

A lane runs plain functions of a :class:`sqlalchemy.Connection`. For SQLite that is one trip to a thread and back for a
whole function, its statements and its commit included (docs/decisions/0014-sqlite-threads.md).
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine

BUSY_TIMEOUT: Final = 5.0
"""Seconds that SQLite waits for another process's write to end."""

Result = TypeVar("Result")


class Lane(Protocol):
    """A way to the database with some connections."""

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` on a connection and return what it returns. What the driver raises passes through.

        When the caller is cancelled, ``work`` is run whole, or not at all, or undone.
        """

    async def dispose(self) -> None:
        """Close the connections, when the work in hand has ended."""


class AsyncLane:
    """The connections of an asyncio driver."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` on the event loop, in a greenlet."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(work)

    async def dispose(self) -> None:
        """Close the connections."""
        await self._engine.dispose()


class SqliteLane:
    """Connections to one SQLite file, each with a thread to itself."""

    def __init__(self, path: Path, pragmas: Sequence[str], *, connections: int) -> None:
        """``pragmas`` are executed on each connection when it is made, after ``foreign_keys``."""
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="sqlite")
        self._engine = create_engine(
            URL.create("sqlite+pysqlite", database=str(path)),
            # The driver itself sends BEGIN IMMEDIATE before the first statement that writes.
            connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": "IMMEDIATE"},
            pool_size=connections,
            max_overflow=0,
            hide_parameters=True,
        )

        def prepare_connection(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            for pragma in ("PRAGMA foreign_keys=ON", *pragmas):
                cursor.execute(pragma)
            cursor.close()

        event.listen(self._engine, "connect", prepare_connection)

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` in a thread; one that has begun is finished, whoever still waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._connected, work)

    async def dispose(self) -> None:
        """Let the threads finish, and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._engine.dispose)

    def _connected(self, work: Callable[[Connection], Result]) -> Result:
        with self._engine.connect() as connection:
            return work(connection)
