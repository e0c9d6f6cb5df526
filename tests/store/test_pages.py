"""The pages of the stations' books, on either database."""

import pytest
from sqlalchemy import Connection

from gateway.bridge.books import Json, Page
from gateway.store.database import Database
from gateway.store.pages import Pages, read_pages
from gateway.store.stations import Stations


async def pages_of(database: Database, identity: str) -> dict[Page, Json]:
    return dict(await database.read(lambda connection: read_pages(connection, identity)))


@pytest.mark.usefixtures("epoch")
async def test_a_page_is_replaced_whole(database: Database) -> None:
    pages = Pages(database)
    await pages.save("CS1", Page.ALIASES, {"a": {"idToken": "A", "type": "Central"}})
    await pages.save("CS1", Page.REGISTERS, {"1": 5})
    await pages.save("CS1", Page.ALIASES, {"b": {}})
    assert await pages_of(database, "CS1") == {Page.ALIASES: {"b": {}}, Page.REGISTERS: {"1": 5}}


@pytest.mark.usefixtures("epoch")
async def test_what_is_written_is_what_the_page_was_at_the_call(database: Database) -> None:
    content: Json = {"1": 5}
    saving = Pages(database).save("CS1", Page.REGISTERS, content)
    await saving
    content["1"] = 6
    assert await pages_of(database, "CS1") == {Page.REGISTERS: {"1": 5}}


@pytest.mark.usefixtures("epoch")
async def test_many_stations_at_once_and_none_that_was_removed(database: Database, stations: Stations) -> None:
    await stations.add("CS2", profile=1, serial=None, backend=None, password_hash=None)
    await Pages(database).save_many(
        [("CS1", Page.REGISTERS, {"1": 1}), ("CS9", Page.REGISTERS, {"1": 9}), ("CS2", Page.REGISTERS, {"1": 2})]
    )
    assert [await pages_of(database, name) for name in ("CS1", "CS2", "CS9")] == [
        {Page.REGISTERS: {"1": 1}},
        {Page.REGISTERS: {"1": 2}},
        {},
    ]


@pytest.mark.usefixtures("epoch")
async def test_pages_go_with_their_station(database: Database, stations: Stations) -> None:
    await Pages(database).save("CS1", Page.FAULTS, {"x": 1})
    await stations.remove("CS1", force=True)
    await stations.add("CS1", profile=1, serial=None, backend=None, password_hash=None)
    assert await pages_of(database, "CS1") == {}


@pytest.mark.usefixtures("epoch")
async def test_a_page_of_a_later_version_is_left_alone(database: Database) -> None:
    def insert(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO book_pages VALUES ('CS1', 'from the future', '{}')")

    await database.write(insert)
    assert await pages_of(database, "CS1") == {}
