"""The registry's one row, on either database."""

import asyncio
import functools
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection

from gateway.store import registry
from gateway.store.database import Database

Open = Callable[..., Awaitable[Database]]


async def test_each_change_is_counted(database: Database) -> None:
    before = await database.read(registry.read_revision)
    await database.write(registry.revise)
    await database.write(registry.revise)
    assert await database.read(registry.read_revision) == before + 2


async def test_holding_it_counts_nothing(database: Database) -> None:
    before = await database.read(registry.read_revision)
    await database.write(registry.hold)
    assert await database.read(registry.read_revision) == before


async def test_a_new_station_starts_from_the_highest_epoch_that_was_removed(database: Database) -> None:
    assert await database.write(registry.revise) == 0
    for epoch in (7, 3):
        await database.write(functools.partial(registry.raise_epoch_floor, epoch=epoch))
        assert await database.write(registry.revise) == 7


async def test_who_holds_it_is_alone(url: str, opened: Open) -> None:
    databases = [await opened(url) for _ in range(2)]

    def read_and_write_back(connection: Connection) -> None:
        registry.hold(connection)
        floor = connection.exec_driver_sql("SELECT epoch_floor FROM registry").scalar_one()
        connection.exec_driver_sql(f"UPDATE registry SET epoch_floor = {floor + 1}")  # noqa: S608 - a number

    await asyncio.gather(*(database.write(read_and_write_back) for database in databases * 5))
    assert await databases[0].write(registry.revise) == 10
