"""How work gets to the database and back: SQLite in threads of its own, PostgreSQL on the event loop.

A lane runs plain functions of a :class:`sqlalchemy.Connection`. For SQLite that is one trip to a thread and back for a
whole function, its statements and its commit included (docs/decisions/0014-sqlite-threads.md).
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
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


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]
    outcome: asyncio.Future[Any]


class SqliteLane:
    """Connections to one SQLite file, each with a thread to itself.

    ``concurrent.futures`` costs more than a short statement does: here is one queue of work, and the event loop is
    woken once for however many results there are.
    """

    def __init__(
        self, path: Path, pragmas: Sequence[str], *, connections: int, look: Callable[[], None] = lambda: None
    ) -> None:
        """``pragmas`` are executed on each connection when it is made, after ``foreign_keys``. Needs a running loop.

        ``look`` raises where ``path`` isn't the file that is meant: a connection stays with the one it was made to.
        """
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._done: deque[tuple[_Job, Any, BaseException | None]] = deque()
        self._is_woken = False
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
        self._threads = [
            threading.Thread(target=self._work, name=f"sqlite-{number}", daemon=True) for number in range(connections)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` in a thread; one that has begun is finished, whoever still waits for it."""
        job = _Job(work, self._loop.create_future())
        self._queue.put(job)
        result: Result = await job.outcome
        return result

    async def dispose(self) -> None:
        """Let the threads finish what was asked for, and close the connections."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._deliver()
        await asyncio.to_thread(self._engine.dispose)

    def _work(self) -> None:
        """Do what comes, on one connection for the thread's life."""
        with ExitStack() as stack:
            connection: Connection | None = None
            while (job := self._queue.get()) is not None:
                if job.outcome.cancelled():
                    continue
                result, raised = None, None
                try:
                    if connection is None:
                        self._look()
                        connection = stack.enter_context(self._engine.connect())
                    try:
                        result = job.work(connection)
                    finally:
                        _end(connection)
                except BaseException as error:  # noqa: BLE001 - who waits for it hears it
                    raised = error
                self._done.append((job, result, raised))
                del job, result, raised  # an idle thread must not keep alive what it did last
                self._wake()

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._is_woken = False  # first: what is added from now on wakes the loop again
        while self._done:
            job, result, raised = self._done.popleft()
            if job.outcome.done():
                continue
            if raised is None:
                job.outcome.set_result(result)
            else:
                job.outcome.set_exception(raised)


def _end(connection: Connection) -> None:
    """Leave nothing of a transaction behind, as a pool does when it takes a connection back."""
    if connection.in_transaction():  # as SQLAlchemy sees it, after any statement
        connection.rollback()
    driver: Any = connection.connection.driver_connection
    if driver.in_transaction:  # of a commit that has failed SQLAlchemy knows nothing more
        driver.rollback()
