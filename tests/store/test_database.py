"""Opening, sharing and losing a store. Where it says nothing of the kind, on either database."""

import asyncio
import os
import socket
import sqlite3
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, make_url
from sqlalchemy.exc import IntegrityError

from gateway.bridge.books import Transaction
from gateway.store import database as module
from gateway.store import lanes
from gateway.store.columns import utc_now
from gateway.store.database import Database, StoreUnavailable
from gateway.store.journal import Journal
from gateway.store.models import Station
from gateway.store.station_rows import station_row
from gateway.store.stations import Stations

Open = Callable[..., Awaitable[Database]]
ROOT = Path(__file__).parents[2]
SECRET = "hunter2"


def pragma(name: str) -> Callable[[Connection], Any]:
    return lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


# --- open and close


async def test_a_store_answers_until_it_is_closed(database: Database) -> None:
    await database.ping()
    assert repr(database) == f"<Database {database.place} open>"
    await database.close()
    await database.close()
    assert repr(database) == f"<Database {database.place} closed>"
    with pytest.raises(StoreUnavailable, match="it is closed"):
        await database.ping()
    with pytest.raises(StoreUnavailable, match="it is closed"):
        await database.write(lambda connection: None)


async def test_closing_lets_the_work_in_hand_end(url: str, opened: Open, epoch: int) -> None:
    database = await opened(url)
    appending = asyncio.ensure_future(Journal(database).append("CS1", epoch, Transaction("T1"), "MeterValues", {}))
    while database._idle.is_set():  # noqa: ASYNC110 - an event for the test alone isn't worth having
        await asyncio.sleep(0)
    await database.close()
    assert appending.done()
    entry = await appending
    assert await Journal(await opened(url)).pending("CS1") == [entry]


class SlowLane:
    """Its connections answer all at once, when they are told to, and never after they were closed."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.is_closed = False

    async def run(self, work: Callable[[Connection], Any]) -> Any:
        await self.answers.wait()
        assert not self.is_closed

    async def dispose(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("name", ["read", "write"])
async def test_closing_lets_those_through_who_wait_for_their_turn(name: str) -> None:
    lane = SlowLane()
    database = Database("here", lane, lane, writes_at_once=module.READS_AT_ONCE, file=None, lock=None)
    use = getattr(database, name)
    using = [asyncio.create_task(use(lambda connection: None)) for _ in range(3 * module.READS_AT_ONCE)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    lane.answers.set()
    await asyncio.gather(*using, closing)
    assert lane.is_closed


async def test_what_work_raises_undoes_it(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE registry SET revision = 99")
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        await database.write(work)
    assert await Stations(database).revision() == 0


async def test_an_error_of_the_statement_is_no_outage(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: connection.exec_driver_sql("UPDATE registry SET revision = NULL"))
    await database.ping()


async def test_a_password_hash_is_in_no_error(stations: Stations, database: Database) -> None:
    record = await stations.add("CS1", profile=1, serial=None, backend=None, password_hash=SECRET)
    row = {**station_row(record), "epoch": 0, "pending": 0, "registered_at": utc_now()}
    with pytest.raises(IntegrityError) as failed:
        await database.write(lambda connection: connection.execute(insert(Station), row))
    assert SECRET not in "".join(traceback.format_exception(failed.value))


# --- SQLite


async def test_sqlite_waits_for_the_disk_and_keeps_references(sqlite_url: str, opened: Open) -> None:
    database = await opened(sqlite_url)
    assert await database.write(pragma("journal_mode")) == "wal"
    assert await database.write(pragma("synchronous")) == 2  # FULL
    assert await database.write(pragma("foreign_keys")) == 1
    assert await database.write(pragma("busy_timeout")) == lanes.BUSY_TIMEOUT * 1000
    assert await database.read(pragma("query_only")) == 1


async def test_sqlite_keeps_few_pages_in_each_connection(sqlite_url: str, opened: Open) -> None:
    database = await opened(sqlite_url)
    assert await database.write(pragma("cache_size")) == -module.SQLITE_CACHE
    assert await database.read(pragma("cache_size")) == -module.SQLITE_CACHE


async def test_a_store_is_served_once(sqlite_url: str, opened: Open, tmp_path: Path) -> None:
    first = await opened(sqlite_url, exclusive=True)
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "voltgate.db")
    for url in (sqlite_url, f"sqlite+aiosqlite:///{link}"):
        with pytest.raises(StoreUnavailable, match=f"already served by process {os.getpid()}"):
            await opened(url, exclusive=True)
    await first.close()
    await opened(sqlite_url, exclusive=True)


async def test_a_store_that_could_not_be_opened_is_free_again(sqlite_url: str, opened: Open, tmp_path: Path) -> None:
    (tmp_path / "voltgate.db").write_bytes(b"not a database, but long enough to be one" * 100)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="isn't a SQLite database"):
            await opened(sqlite_url, exclusive=True)


async def test_a_command_and_a_serving_process_write_one_file(sqlite_url: str, opened: Open) -> None:
    count = 15
    served = await opened(sqlite_url, exclusive=True)
    stations, journal = Stations(served), Journal(served)
    await stations.add("CS1", profile=1, serial=None, backend=None, password_hash=None)
    epoch = await stations.take("CS1", 1)
    command = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("add_stations.py")),
        sqlite_url,
        str(count),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert command.stdout is not None
    await command.stdout.readline()
    appended = 0
    while not command.stdout.at_eof():
        await journal.append("CS1", epoch, Transaction("T1"), "MeterValues", {"n": appended})
        appended += 1
        await command.stdout.read(64)
    assert await command.wait() == 0
    assert len(await stations.list()) == count + 1
    assert await stations.revision() == count + 1
    assert len(await journal.pending("CS1", limit=appended + 1)) == appended


async def test_a_file_that_another_process_keeps_locked_is_unavailable(
    sqlite_url: str, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "BUSY_TIMEOUT", 0.05)
    database = await opened(sqlite_url)
    other = sqlite3.connect(tmp_path / "voltgate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="kept it locked for too long"):
        await Stations(database).set_password("CS1", "x")
    await database.ping()
    other.execute("ROLLBACK")
    other.close()
    await Stations(database).add("CS1", profile=1, serial=None, backend=None, password_hash=None)


@pytest.mark.parametrize(("begin", "exclusive"), [(8192, True), (100, True), (100, False)])
async def test_a_damaged_file_is_not_opened(
    migrated_sqlite_url: str, opened: Open, begin: int, exclusive: bool
) -> None:
    """Damage behind the first page is looked for by ``serve`` alone: it takes reading the whole file."""
    path = damage(migrated_sqlite_url, begin)
    with pytest.raises(StoreUnavailable, match="damaged") as refused:
        await opened(migrated_sqlite_url, exclusive=exclusive)
    assert str(refused.value).startswith(f"store {path}: it is damaged")


def damage(url: str, begin: int) -> Path:
    path = Path(str(make_url(url).database))
    whole = bytearray(path.read_bytes())
    whole[begin : begin + 3996] = os.urandom(3996)
    path.write_bytes(whole)
    return path


async def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=f"the folder {tmp_path}/absent doesn't exist"):
        await Database.open(f"sqlite+aiosqlite:///{tmp_path}/absent/voltgate.db", exclusive=True)


# --- PostgreSQL


async def test_postgresql_is_served_by_several(migrated_postgresql_url: str, opened: Open) -> None:
    for _ in range(2):
        await (await opened(migrated_postgresql_url, exclusive=True)).ping()


async def test_a_server_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    pytest.importorskip("asyncpg")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        url = f"postgresql+asyncpg://gate:hunter2@127.0.0.1:{port}/volt"
        await refused_without_password(url, f"store postgresql 127.0.0.1:{port}/volt: .*Connect call failed")
    await refused_without_password(f"postgresql+asyncpg://gate:hunter2@/volt?host={tmp_path}", "No such file")


async def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("asyncpg")
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+asyncpg://gate:hunter2@127.0.0.1:{silent.getsockname()[1]}/volt"
        await refused_without_password(url, "no answer in time")


async def test_a_wrong_password_and_a_missing_database_are_said(
    migrated_postgresql_url: str, guarded_role: str, opened: Open
) -> None:
    url = make_url(migrated_postgresql_url).set(username=guarded_role, password="hunter2")
    await refused_without_password(url.render_as_string(hide_password=False), "refused the user or the password")
    absent = make_url(migrated_postgresql_url).set(database="absent").render_as_string()
    await refused_without_password(absent, 'database "absent" does not exist')


async def test_a_user_without_rights_is_told_so(migrated_postgresql_url: str, guarded_role: str) -> None:
    url = make_url(migrated_postgresql_url).set(username=guarded_role, password="right")
    await refused_without_password(url.render_as_string(hide_password=False), "permission denied for table")


async def test_an_option_with_a_bad_value_is_said(migrated_postgresql_url: str) -> None:
    await refused_without_password(f"{migrated_postgresql_url}&ssl=hunter2", "must be one of")


async def test_postgresql_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    await refused_without_password("postgresql+asyncpg://gate:hunter2@db/volt", r"pip install 'voltgate\[postgres\]'")


async def refused_without_password(url: str, said: str) -> None:
    with pytest.raises(StoreUnavailable, match=said) as refused:
        await Database.open(url, exclusive=False)
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert "\n" not in str(refused.value)


async def test_a_store_may_be_looked_at_without_being_changed(sqlite_url: str, migrated_file: Path) -> None:
    with pytest.raises(StoreUnavailable, match="its tables aren't this version's"):
        await Database.open(sqlite_url, exclusive=False, migrate=False)
    database = await Database.open(f"sqlite+aiosqlite:///{migrated_file}", exclusive=False, migrate=False)
    await database.ping()
    await database.close()
