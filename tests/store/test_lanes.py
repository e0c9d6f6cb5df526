"""The ways to the database: whole functions, each on one connection; how the store uses them is in test_database.py."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gateway.store.lanes import SqliteLane

READERS = 2


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[SqliteLane]:
    lane = SqliteLane(tmp_path / "x.db", ("PRAGMA journal_mode=WAL",), connections=1)
    await lane.run(lambda connection: connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER)"))
    yield lane
    await lane.dispose()


@pytest.fixture
async def reader(tmp_path: Path, writer: SqliteLane) -> AsyncIterator[SqliteLane]:
    lane = SqliteLane(tmp_path / "x.db", ("PRAGMA query_only=ON",), connections=READERS)
    yield lane
    await lane.dispose()


def insert(connection: Connection) -> None:
    with connection.begin():
        connection.exec_driver_sql("INSERT INTO numbers VALUES (1)")


def count(connection: Connection) -> int:
    found: int = connection.exec_driver_sql("SELECT count(*) FROM numbers").scalar_one()
    return found


async def test_work_is_done_in_a_thread_and_what_it_raises_passes(writer: SqliteLane) -> None:
    def work(_: Connection) -> None:
        raise LookupError(threading.current_thread().name)

    with pytest.raises(LookupError, match="sqlite"):
        await writer.run(work)


async def test_pragmas_hold_on_each_connection(reader: SqliteLane) -> None:
    gate = threading.Barrier(READERS, timeout=10)

    def work(connection: Connection) -> tuple[int, int]:
        gate.wait()  # so that each connection is used
        return tuple(
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("query_only", "foreign_keys")
        )

    assert await asyncio.gather(*(reader.run(work) for _ in range(READERS))) == [(1, 1)] * READERS


async def test_readers_see_what_was_written(writer: SqliteLane, reader: SqliteLane) -> None:
    await writer.run(insert)
    assert await reader.run(count) == 1


async def test_work_whose_caller_has_left_is_finished(writer: SqliteLane, reader: SqliteLane) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        begun.set()
        may_end.wait(10)
        insert(connection)

    caller = asyncio.create_task(writer.run(work), name="caller")
    await asyncio.to_thread(begun.wait, 10)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    may_end.set()
    await writer.run(count)  # the next in the same thread
    assert await reader.run(count) == 1


async def test_a_commit_that_fails_leaves_nothing_behind_for_the_next(writer: SqliteLane) -> None:
    """SQLAlchemy has done with it then, SQLite may not have: the next commit would be the failed one's too."""

    def refused(connection: Connection) -> None:
        with connection.begin():
            connection.exec_driver_sql("INSERT INTO numbers VALUES (1)")
            connection.exec_driver_sql("INSERT INTO children VALUES (7)")

    columns = "of_id INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED"
    await writer.run(lambda connection: connection.exec_driver_sql("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
    await writer.run(lambda connection: connection.exec_driver_sql(f"CREATE TABLE children ({columns})"))
    with pytest.raises(IntegrityError):
        await writer.run(refused)
    await writer.run(insert)
    assert await writer.run(count) == 1


async def test_no_connection_is_made_to_a_file_that_is_not_the_one(tmp_path: Path) -> None:
    """It would be kept when the right file is back, and one that isn't there would be made."""
    faults = [LookupError("it is another")]

    def look() -> None:
        if faults:
            raise faults.pop()

    lane = SqliteLane(tmp_path / "z.db", (), connections=1, look=look)
    with pytest.raises(LookupError):
        await lane.run(lambda connection: connection.exec_driver_sql("SELECT 7").scalar_one())
    assert not (tmp_path / "z.db").exists()
    assert await lane.run(lambda connection: connection.exec_driver_sql("SELECT 7").scalar_one()) == 7
    await lane.dispose()


async def test_disposing_waits_for_the_work_in_hand(tmp_path: Path) -> None:
    lane = SqliteLane(tmp_path / "y.db", (), connections=1)
    begun, may_end = threading.Event(), threading.Event()

    def work(connection: Connection) -> int:
        begun.set()
        may_end.wait(10)
        found: int = connection.exec_driver_sql("SELECT 7").scalar_one()
        return found

    caller = asyncio.create_task(lane.run(work), name="caller")
    await asyncio.to_thread(begun.wait, 10)
    disposing = asyncio.create_task(lane.dispose(), name="disposing")
    await asyncio.sleep(0)
    assert not disposing.done()
    may_end.set()
    await disposing
    assert await caller == 7
