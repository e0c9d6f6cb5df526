"""Tables come up from nothing, once, and a database that isn't ours is left alone."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from gateway.store import schema
from gateway.store.database import Database
from gateway.store.models import Model
from gateway.store.unavailable import StoreUnavailable

Open = Callable[..., Awaitable[Database]]


async def test_an_empty_database_gets_all_tables(empty_url: str, opened: Open) -> None:
    database = await opened(empty_url)
    tables = await database.read(lambda connection: set(inspect(connection).get_table_names()))
    assert tables == {*Model.metadata.tables, "alembic_version"}


async def test_opening_again_changes_nothing(url: str, opened: Open) -> None:
    first = await opened(url)
    await first.write(lambda connection: connection.exec_driver_sql("UPDATE registry SET revision = 7"))
    second = await opened(url)
    assert await second.read(lambda connection: schema.is_current(connection, second.place))
    revision = await second.read(
        lambda connection: connection.exec_driver_sql("SELECT revision FROM registry").scalar_one()
    )
    assert revision == 7


async def test_many_that_open_an_empty_database_at_once_all_get_it(empty_url: str, opened: Open) -> None:
    for database in await asyncio.gather(*(opened(empty_url) for _ in range(5))):
        await database.ping()


async def test_a_migration_that_another_has_done_meanwhile_is_not_done_again(database: Database) -> None:
    await database._writer.run(lambda connection: schema.migrate(connection, database.place))
    await database.ping()


async def test_a_newer_database_is_refused(empty_url: str, opened: Open) -> None:
    newer = await opened(empty_url)
    await newer.write(lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnavailable, match=r"written by a newer Voltgate \(schema 9999\); install that version"):
        await opened(empty_url)


async def test_a_database_of_something_else_is_refused_and_left_as_it_is(empty_url: str, opened: Open) -> None:
    other = await opened(empty_url)

    def make_it_foreign(connection: Connection) -> None:
        Model.metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
        connection.exec_driver_sql("CREATE TABLE stations (name TEXT)")

    await other.write(make_it_foreign)
    with pytest.raises(StoreUnavailable, match="a table 'stations' that isn't Voltgate's"):
        await opened(empty_url)
    assert await other.read(lambda connection: inspect(connection).get_table_names()) == ["stations"]


def test_the_migrations_are_one_line_from_nothing_to_the_newest() -> None:
    scripts = ScriptDirectory(str(schema._SCRIPTS))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    for script in scripts.walk_revisions():
        assert script.path is not None
        assert f"r{script.revision}_" in script.path


def test_the_newest_migration_is_the_one_that_is_named() -> None:
    assert schema.known_revisions()[0] == schema.NEWEST
