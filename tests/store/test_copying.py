"""A copy of a store that is being written to, and its way back into service."""

import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from gateway.session.ports import StaleEpoch
from gateway.session.quarantine import Kept, Why
from gateway.session.tally import Leg
from gateway.store.copying import check_schema, companions, copy_store, move_on
from gateway.store.database import Database
from gateway.store.quarantine import Quarantine
from gateway.store.schema import NEWEST
from gateway.store.stations import Stations
from gateway.store.unavailable import StoreUnavailable

Open = Callable[..., Awaitable[Database]]
LATER = 1_900_000_000


async def add(stations: Stations, identity: str) -> None:
    await stations.add(identity, profile=2, serial=None, backend=None, password_hash=None)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "copy.db"
    path.touch(0o600)
    return path


async def test_a_store_is_copied_while_it_is_served(migrated_sqlite_url: str, opened: Open, copy: Path) -> None:
    source = Path(str(make_url(migrated_sqlite_url).database))
    stations = Stations(await opened(migrated_sqlite_url, exclusive=True))
    await add(stations, "CS1")  # in the WAL alone
    assert copy_store(source, copy) == NEWEST
    await add(stations, "CS2")
    copied = Stations(await opened(f"sqlite+aiosqlite:///{copy}", exclusive=True))
    assert [record.identity for record in await copied.list()] == ["CS1"]
    assert [record.identity for record in await stations.list()] == ["CS1", "CS2"]


async def test_what_waits_for_a_persons_word_is_copied_too(migrated_sqlite_url: str, opened: Open, copy: Path) -> None:
    source = Path(str(make_url(migrated_sqlite_url).database))
    database = await opened(migrated_sqlite_url, exclusive=True)
    await add(Stations(database), "CS1")
    message = Kept(Leg.STATION, "ocpp1.6", "DataTransfer", {"vendorId": "V"}, Why("r", "t"))
    await Quarantine(database).append("CS1", await Stations(database).take("CS1", 0), message)
    copy_store(source, copy)
    copied = Quarantine(await opened(f"sqlite+aiosqlite:///{copy}", exclusive=True))
    assert await copied.list() == await Quarantine(database).list()
    assert len(await copied.list()) == 1


async def test_no_owner_of_a_former_life_is_let_in(migrated_sqlite_url: str, opened: Open, copy: Path) -> None:
    source = Path(str(make_url(migrated_sqlite_url).database))
    stations = Stations(await opened(migrated_sqlite_url))
    await add(stations, "CS1")
    copy_store(source, copy)
    former = [await stations.take("CS1", 1) for _ in range(5)]
    for restoring in (LATER, LATER):  # twice in one second: ahead of the one before, too
        move_on(copy, restoring)
    restored = Stations(await opened(f"sqlite+aiosqlite:///{copy}"))
    epoch = await restored.take("CS1", 1)
    assert epoch == LATER + 2
    record = await restored.find("CS1")
    assert record is not None
    for stale in (*former, LATER, LATER + 1):
        with pytest.raises(StaleEpoch):
            await restored.save_boot("CS1", stale, record.boot_status, 300, {}, reported=False)
    await add(restored, "CS2")
    assert await restored.take("CS2", 1) > LATER
    assert not any(path.exists() for path in companions(copy)[3:])


def test_what_can_not_be_copied_is_said(tmp_path: Path, copy: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no such file"):
        copy_store(tmp_path / "none.db", copy)
    (tmp_path / "text.db").write_text("not a database at all, not by far")
    with pytest.raises(StoreUnavailable, match="isn't a SQLite database"):
        copy_store(tmp_path / "text.db", copy)
    with pytest.raises(StoreUnavailable, match="isn't a SQLite database"):
        move_on(tmp_path / "text.db", LATER)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE t (c)")
    with pytest.raises(StoreUnavailable, match="no Voltgate's tables"):
        copy_store(other, copy)


def test_a_damaged_store_is_not_taken_for_a_backup(migrated_sqlite_url: str, copy: Path) -> None:
    source = Path(str(make_url(migrated_sqlite_url).database))
    size = source.stat().st_size
    with source.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))
    with pytest.raises(StoreUnavailable, match="damaged"):
        copy_store(source, copy)


def test_a_store_of_a_newer_version_is_refused() -> None:
    check_schema(NEWEST)
    with pytest.raises(StoreUnavailable, match=r"newer Voltgate \(schema 9999\)"):
        check_schema("9999")
