"""The seventh migration: firmware and logs beside what there is."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection, inspect, text

from gateway.store.database import Database
from gateway.store.stations import Stations
from tests.store.former_store import former_store

Open = Callable[..., Awaitable[Database]]
TABLES = {
    "file_links",
    "firmware_campaign_stations",
    "firmware_campaigns",
    "firmware_images",
    "firmware_publications",
    "firmware_updates",
    "station_logs",
}
STATION = """
    INSERT INTO stations (identity, certificate_name, minimum_profile, boot_status, boot_interval, boot_reported, epoch,
        pending, registered_at) VALUES ('CS1', 'CS1', 2, 'Accepted', 300, true, 1, 0, '2026-03-01 00:00:00.000000')
    """


@pytest.fixture
async def former_url(empty_url: str) -> str:
    """The URL of a store as the version before left it."""
    return await former_store(empty_url, "0006", [STATION])


async def test_a_store_of_the_version_before_has_room_for_firmware(former_url: str, opened: Open) -> None:
    database = await opened(former_url)

    known = await Stations(database).find("CS1")
    assert known is not None
    assert known.boot_interval == 300
    tables = await database.read(lambda connection: set(inspect(connection).get_table_names()))
    assert tables >= TABLES
    for table in sorted(TABLES):
        assert await database.read(_count(table)) == 0


def _count(table: str) -> Callable[[Connection], int]:
    count = text(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of the list above
    return lambda connection: connection.execute(count).scalar_one()
