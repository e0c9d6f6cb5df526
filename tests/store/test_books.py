"""A station's books come back whole, and nobody else's with them."""

from gateway.bridge.books import Connector, Page, Transaction
from gateway.store.books import StoredBooks
from gateway.store.connectors import Connectors
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.pages import Pages
from gateway.store.stations import Stations


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
