"""The first migration: the tables, and the one row of the registry."""

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from gateway.store.database import Database
from gateway.store.models import Station
from gateway.store.stations import Stations


async def test_the_registry_has_its_one_row(database: Database) -> None:
    rows = await database.read(lambda connection: connection.exec_driver_sql("SELECT * FROM registry").all())
    assert [tuple(row) for row in rows] == [(1, 0, 0)]


async def test_the_registry_gets_no_second_row(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: connection.exec_driver_sql("INSERT INTO registry VALUES (2, 0, 0)"))


@pytest.mark.parametrize("profile", [0, 4])
async def test_a_profile_that_does_not_exist_is_refused_by_the_table_itself(
    database: Database, stations: Stations, profile: int
) -> None:
    await stations.add("CS1", profile=1, serial=None, backend=None, password_hash=None)
    statement = update(Station).values(minimum_profile=profile)
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: connection.execute(statement))
