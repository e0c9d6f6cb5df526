"""Writes that wait for each other's commit share the next one: the disk is waited for once, not once each."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError

from gateway.store.hot import on_driver

TOGETHER_MAX: Final = 8
"""Writes in one SQL transaction; as many callers go on in one turn of the event loop."""
OURS: Final = (IntegrityError, DataError, ProgrammingError, NotSupportedError)
"""Errors that speak of a statement or its values, not of the database being there."""

_SAVEPOINT: Final = "SAVEPOINT one_of_several"
_UNDO: Final = "ROLLBACK TO one_of_several"
_RELEASE: Final = "RELEASE one_of_several"

Result = TypeVar("Result")
Work = Callable[[Connection], Any]
Outcome = tuple[Any, Exception | None]
"""What a function returned, and what it raised: one of both is None."""


@dataclass(slots=True)
class _Waiting:
    work: Work
    outcome: asyncio.Future[Any]


class GroupCommit:
    """Writes to one SQLite file. ``run`` runs a function on the connection that writes, and nobody else uses it."""

    def __init__(self, run: Callable[[Callable[[Connection], list[Outcome]]], Awaitable[list[Outcome]]]) -> None:
        self._run = run
        self._waiting: deque[_Waiting] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` and return its result when that is durable; what it raises undoes it, and it alone.

        What ``run`` raises, all that wrote together hear: nothing of theirs is done, unless only the answer got lost.
        One whose caller is cancelled before its turn isn't run.
        """
        waiting = _Waiting(work, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write_all(), name="group commit")
        result: Result = await waiting.outcome
        return result

    async def _write_all(self) -> None:
        try:
            while group := self._next_group():
                await self._write_together(group)
        finally:
            self._writer = None

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        while self._waiting and len(group) < TOGETHER_MAX:
            waiting = self._waiting.popleft()
            if not waiting.outcome.done():
                group.append(waiting)
        return group

    async def _write_together(self, group: Sequence[_Waiting]) -> None:
        works = [waiting.work for waiting in group]
        try:
            outcomes = await self._run(lambda connection: in_one_transaction(connection, works))
        except Exception as failure:  # noqa: BLE001 - each of those who wait hears it
            outcomes = [(None, failure)] * len(group)
        for waiting, (result, raised) in zip(group, outcomes, strict=True):
            if waiting.outcome.done():
                continue
            if raised is None:
                waiting.outcome.set_result(result)
            else:
                waiting.outcome.set_exception(raised)


def in_one_transaction(connection: Connection, works: Sequence[Work]) -> list[Outcome]:
    """Run ``works`` one after the other in one SQL transaction, each within a savepoint where there are several.

    What one raises undoes that one, and is returned. What speaks of the database itself undoes all and is raised.
    """
    with connection.begin():
        # By itself the driver begins before INSERT, UPDATE and DELETE only: what is read before those would be of
        # another time, and a savepoint a transaction of its own.
        on_driver(connection, "BEGIN IMMEDIATE")
        if len(works) == 1:
            return [(works[0](connection), None)]
        return [_within_savepoint(connection, work) for work in works]


def _within_savepoint(connection: Connection, work: Work) -> Outcome:
    on_driver(connection, _SAVEPOINT)  # SQLAlchemy's own savepoints cost more than the statement within them
    try:
        result = work(connection)
    except Exception as error:
        if _is_the_databases(error):
            # All is undone. The savepoint may be gone already (SQLite, of a full disk), and would have the last word.
            raise
        on_driver(connection, _UNDO)
        on_driver(connection, _RELEASE)
        return None, error
    on_driver(connection, _RELEASE)
    return result, None


def _is_the_databases(error: Exception) -> bool:
    """Tell an outage from what ``work`` raises itself."""
    return isinstance(error, (DBAPIError, OSError)) and not isinstance(error, OURS)
