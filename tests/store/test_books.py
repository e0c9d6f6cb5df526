"""A station's books come back whole, and nobody else's with them."""

import pytest

from gateway.bridge.books import Connector, Page, Transaction, TransactionState
from gateway.session.ports import BootStatus, RecordChanged, StationRecord
from gateway.store.books import Standing, StoredBooks
from gateway.store.connectors import Connectors
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.pages import Pages
from gateway.store.stations import Stations
from gateway.wire.versions import Version


async def test_everything_in_one_reading(database: Database, stations: Stations) -> None:
    journal, connectors = Journal(database), Connectors(database)
    for identity in ("CS1", "CS2"):
        await stations.add(identity, profile=2, serial=None, backend=None, password_hash=None)
        epoch = await stations.take(identity, 2)
        await journal.append(identity, epoch, Transaction(f"tx of {identity}"), "MeterValues", {})
        await connectors.save(identity, Connector(1, 1, number=1, status=f"of {identity}"))
        await Pages(database).save(identity, Page.REGISTERS, {"1": identity})

    books, depth = await StoredBooks(database).load("CS1")
    assert list(books.transactions) == ["tx of CS1"]
    assert {place: each.status for place, each in books.connectors.items()} == {(1, 1): "of CS1"}
    assert books.pages == {Page.REGISTERS: {"1": "CS1"}}
    assert depth == 1


async def test_one_that_is_not_registered_has_none(database: Database) -> None:
    books, depth = await StoredBooks(database).load("CS9")
    assert (books.transactions, books.connectors, depth) == ({}, {}, 0)


NORTH = {"name": "north", "url": "wss://north/{identity}"}


async def test_whose_they_are_and_what_is_left_to_tell(database: Database, stations: Stations) -> None:
    journal, stored = Journal(database), StoredBooks(database)
    for identity in ("CS1", "CS2"):
        await stations.add(identity, profile=2, serial=None, backend=None, password_hash=None)
    epoch = await stations.take("CS1", 2)
    for number, state in enumerate(TransactionState):
        await journal.save("CS1", epoch, Transaction(f"tx-{number}", state))
    await journal.append("CS1", epoch, Transaction("tx-0"), "StartTransaction", {})
    await stored.belong("CS1", NORTH, is_new=False)

    assert await stored.standings() == {"CS1": Standing(NORTH, 1, 5), "CS2": Standing()}
    assert await stored.standings("CS1") == {"CS1": Standing(NORTH, 1, 5)}
    assert await stored.standings("CS9") == {}
    await stored.belong("CS9", NORTH, is_new=True)
    assert await stored.standings("CS9") == {}


async def test_a_new_backend_has_heard_nothing(database: Database, stations: Stations) -> None:
    connectors, stored = Connectors(database), StoredBooks(database)
    reported = {"status": "Available"}
    for identity in ("CS1", "CS2"):
        await stations.add(identity, profile=2, serial=None, backend=None, password_hash=None)
        epoch = await stations.take(identity, 2)
        await stations.save_boot(identity, epoch, BootStatus.ACCEPTED, 300, {"reason": "PowerUp"}, reported=True)
        for connector in (
            Connector(1, 1, 1, reported=reported), Connector(1, 2, 2), Connector(-1, 1, -2, reported=reported)
        ):  # fmt: skip
            await connectors.save(identity, connector)

    for is_new in (False, True):
        await stored.belong("CS1", NORTH, is_new=is_new)
        record, other = await stations.find("CS1"), await stations.find("CS2")
        assert record is not None
        assert other is not None
        assert (record.boot_reported, other.boot_reported) == (not is_new, True)
        kept = [each.reported for each in await connectors.load("CS1")]
        assert kept == [reported, {} if is_new else reported, None]
    assert [each.reported for each in await connectors.load("CS2")] == [reported, reported, None]


async def test_one_that_never_booted_has_no_boot_to_report(database: Database, stations: Stations) -> None:
    await stations.add("CS1", profile=2, serial=None, backend=None, password_hash=None)
    stored = StoredBooks(database)
    await stored.belong("CS1", NORTH, is_new=True, beside={Page.BEFORE: {"tx": None}})
    books, _ = await stored.load("CS1")
    assert books.pages == {Page.BACKEND: NORTH, Page.BEFORE: {"tx": None}}
    record = await stations.find("CS1")
    assert record is not None
    assert record.boot_reported


async def test_taking_a_station_reads_its_books(database: Database) -> None:
    stations, stored = Stations(database), StoredBooks(database)
    await stations.add("CS1", profile=1, serial=None, backend=None, password_hash=None)
    await stored.belong("CS1", {"name": "legacy"}, is_new=True)
    before = await stations.find("CS1")
    assert before is not None
    taken, books, depth = await stored.let_in(before, 2, Version.V201)
    assert (taken.record, books.page(Page.BACKEND), depth) == (before, {"name": "legacy"}, 0)
    assert await stations.take("CS1", 0) == taken.epoch + 1
    record = await stations.find("CS1")
    assert record is not None
    assert (record.minimum_profile, record.version) == (2, Version.V201)


async def test_who_is_not_registered_is_not_taken(database: Database) -> None:
    with pytest.raises(RecordChanged):
        await StoredBooks(database).let_in(StationRecord("CS9", 2), 2, Version.V201)
