"""Writes that share a commit: each by itself, in order, and none without its caller."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from gateway.store.group_commit import TOGETHER_MAX, GroupCommit, Outcome
from gateway.store.lanes import SqliteLane


class Table:
    """A table of unique numbers, and how often its transactions were committed."""

    def __init__(self, lane: SqliteLane) -> None:
        self.lane = lane
        self.groups: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.commit = GroupCommit(self.run)

    async def run(self, work: Callable[[Connection], list[Outcome]]) -> list[Outcome]:
        await self.gate.wait()
        outcomes = await self.lane.run(work)
        self.groups.append(len(outcomes))
        return outcomes

    def add(self, number: int) -> asyncio.Task[int]:
        def work(connection: Connection) -> int:
            connection.exec_driver_sql("INSERT INTO numbers VALUES (?)", (number,))
            return number

        return asyncio.create_task(self.commit.write(work), name=f"add {number}")

    def fail(self, error: Exception) -> asyncio.Task[Any]:
        def work(connection: Connection) -> None:
            connection.exec_driver_sql("INSERT INTO numbers VALUES (99)")
            raise error

        return asyncio.create_task(self.commit.write(work), name="fail")

    async def numbers(self) -> list[int]:
        def work(connection: Connection) -> list[int]:
            return list(connection.exec_driver_sql("SELECT n FROM numbers ORDER BY rowid").scalars())

        return await self.lane.run(work)


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[Table]:
    lane = SqliteLane(tmp_path / "x.db", ("PRAGMA journal_mode=WAL",), connections=1)
    await lane.run(lambda connection: connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER UNIQUE)"))
    yield Table(lane)
    await lane.dispose()


async def outcomes_of(*tasks: asyncio.Task[Any]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_by_itself(table: Table) -> None:
    assert await table.add(1) == 1
    assert (await table.numbers(), table.groups) == ([1], [1])


@pytest.mark.parametrize("together", [1, 2])
async def test_what_is_read_before_it_is_written_over_is_of_the_same_time(
    table: Table, tmp_path: Path, together: int
) -> None:
    def work(connection: Connection) -> int:
        (count,) = connection.exec_driver_sql("SELECT count(*) FROM numbers").scalars()
        other = sqlite3.connect(tmp_path / "x.db", timeout=0)
        with closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO numbers VALUES (-1)")
        connection.exec_driver_sql("INSERT INTO numbers VALUES (?)", (count,))
        return int(count)

    assert await asyncio.gather(*(table.commit.write(work) for _ in range(together))) == list(range(together))
    assert await table.numbers() == list(range(together))


async def test_those_who_wait_share_a_commit_in_their_order(table: Table) -> None:
    table.gate.clear()
    tasks = [table.add(number) for number in range(TOGETHER_MAX + 3)]
    await asyncio.sleep(0)
    table.gate.set()
    assert await outcomes_of(*tasks) == list(range(TOGETHER_MAX + 3))
    assert await table.numbers() == list(range(TOGETHER_MAX + 3))
    assert table.groups == [TOGETHER_MAX, 3]


@pytest.mark.parametrize("error", [LookupError("its own"), IntegrityError("s", {}, Exception("x"))])
async def test_what_one_raises_undoes_that_one_alone(table: Table, error: Exception) -> None:
    table.gate.clear()
    tasks = [table.add(1), table.fail(error), table.add(2), table.add(1)]
    await asyncio.sleep(0)
    table.gate.set()
    first, second, third, fourth = await outcomes_of(*tasks)
    assert (first, third) == (1, 2)
    assert second is error
    assert isinstance(fourth, IntegrityError)
    assert (await table.numbers(), table.groups) == ([1, 2], [4])


async def test_an_outage_undoes_all_that_wrote_together_and_none_after_them(table: Table) -> None:
    outage = OperationalError("s", {}, Exception("disk full"))
    table.gate.clear()
    tasks = [table.add(1), table.fail(outage), table.add(2)]
    await asyncio.sleep(0)
    table.gate.set()
    assert await outcomes_of(*tasks) == [outage] * 3
    assert await table.add(3) == 3
    assert await table.numbers() == [3]


async def test_a_full_disk_is_heard_of_as_that_by_those_who_wrote_together(table: Table) -> None:
    pages = await table.lane.run(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar_one())

    def bound(most: int) -> Callable[[Connection], Any]:
        return lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {most}").scalar_one()

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO numbers VALUES (zeroblob(100000))")

    await table.lane.run(bound(pages))
    table.gate.clear()
    tasks = [table.add(1), asyncio.create_task(table.commit.write(fill)), table.add(2)]
    await asyncio.sleep(0)
    table.gate.set()
    for outcome in await outcomes_of(*tasks):
        assert isinstance(outcome, OperationalError)
        assert "disk is full" in str(outcome.orig)
    await table.lane.run(bound(1000))
    assert await table.add(3) == 3
    assert await table.numbers() == [3]


async def test_a_savepoint_that_is_gone_is_an_outage_too(table: Table) -> None:
    """SQLite may have undone all by itself, whatever a function makes of that; the driver's words are SQLAlchemy's."""

    def gone(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise ValueError

    table.gate.clear()
    writes = [table.add(1), asyncio.create_task(table.commit.write(gone), name="gone"), table.add(2)]
    await asyncio.sleep(0)
    table.gate.set()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {OperationalError}
    assert await table.numbers() == []


async def test_one_alone_is_undone_too(table: Table) -> None:
    error = LookupError("its own")
    assert await outcomes_of(table.fail(error)) == [error]
    assert await table.numbers() == []


async def test_one_whose_caller_has_left_is_not_run(table: Table) -> None:
    table.gate.clear()
    first = table.add(1)
    for _ in range(3):  # until it is being written
        await asyncio.sleep(0)
    leaving, last = table.add(2), table.add(3)
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    table.gate.set()
    assert await outcomes_of(first, last) == [1, 3]
    assert (await table.numbers(), table.groups) == ([1, 3], [1, 1])
