"""The second migration: a database of the first comes over with all its rows."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.session.ports import BootStatus, StationRecord
from gateway.store import migrations
from gateway.store.certificates import Certificates, CertificateState
from gateway.store.connectors import Connectors
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.lanes import AsyncLane, Lane, SqliteLane
from gateway.store.sqlite_file import prepare
from gateway.store.stations import Stations

Open = Callable[..., Awaitable[Database]]

STATION = """
INSERT INTO stations (identity, serial, certificate_name, minimum_profile, backend, password_hash, boot_status,
    boot_interval, boot_payload, boot_reported, epoch, pending, registered_at)
VALUES ('CS1', 'SN-1', 'SN-1', 2, 'legacy', 'scrypt$x', 'Accepted',
    300, '{"reason":"PowerUp"}', true, 7, 1, '2026-03-01 12:00:00.000000')
"""
ROWS = """
INSERT INTO transactions (identity, station_tx, state, last_seq_no, energy_flowed, deauthorized)
VALUES ('CS1', 'T1', 'ended', 3, true, false);

INSERT INTO journal (identity, station_tx, action, payload, attempts, recorded_at)
VALUES ('CS1', 'T1', 'StopTransaction', '{"meterStop":7}', 2, '2026-03-01 12:00:00.000000');

INSERT INTO connectors (identity, evse_id, connector_id, number, status)
VALUES ('CS1', 1, 1, 1, 'Faulted');

INSERT INTO certificates (identity, serial, fingerprint, subject, not_before, not_after,
    state, chain, issued_at, changed_at)
VALUES ('CS1', 'aff', 'abcd', 'CN=SN-1', '2026-03-01 00:00:00.000000', '2027-03-01 00:00:00.000000',
    'installed', 'PEM', '2026-03-01 00:00:00.000000', '2026-03-01 00:00:00.000000');

INSERT INTO station_keys (fingerprint, identity, first_seen)
VALUES ('ff', 'CS1', '2026-03-01 00:00:00.000000');

UPDATE registry SET revision = 9, epoch_floor = 5
"""


def _first_version(connection: Connection) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    command.upgrade(config, "0001")


@pytest.fixture
async def first_version_url(empty_url: str) -> str:
    """The URL of a store as the first version of Voltgate left it, with rows in its tables."""
    url = make_url(empty_url)
    if url.drivername.startswith("sqlite"):
        path = Path(str(url.database))
        prepare(path)
        lane: Lane = SqliteLane(path, (), connections=1)
    else:
        lane = AsyncLane(create_async_engine(url))

    def work(connection: Connection) -> None:
        with connection.begin():
            _first_version(connection)
            for statement in (STATION, *ROWS.split(";")):
                connection.exec_driver_sql(statement)

    await lane.run(work)
    await lane.dispose()
    return empty_url


async def test_a_station_comes_over_with_its_record(first_version_url: str, opened: Open) -> None:
    stations = Stations(await opened(first_version_url))
    assert await stations.list() == [
        StationRecord(
            "CS1",
            2,
            "SN-1",
            "legacy",
            "scrypt$x",
            boot_status=BootStatus.ACCEPTED,
            boot_interval=300,
            boot_payload={"reason": "PowerUp"},
        )
    ]
    assert await stations.revision() == 9
    assert await stations.take("CS1", 0) == 8


async def test_what_refers_to_the_station_comes_over_too(first_version_url: str, opened: Open) -> None:
    database = await opened(first_version_url)
    journal = Journal(database)
    assert [(entry.action, entry.payload, entry.attempts) for entry in await journal.pending("CS1")] == [
        ("StopTransaction", {"meterStop": 7}, 2)
    ]
    assert [transaction.station_tx for transaction in await journal.transactions("CS1")] == ["T1"]
    assert [connector.status for connector in await Connectors(database).load("CS1")] == ["Faulted"]
    certificates = Certificates(database)
    (certificate,) = await certificates.list()
    assert (certificate.serial, certificate.state, certificate.reason) == ("aff", CertificateState.INSTALLED, None)
    assert await certificates.key_owner("ff") == "CS1"


async def test_an_older_gateway_that_still_runs_goes_on_registering(empty_url: str, opened: Open) -> None:
    database = await opened(empty_url)
    await database.write(lambda connection: connection.exec_driver_sql(STATION))
    record = await Stations(database).find("CS1")
    assert record is not None
    assert (record.allow_expired, record.allow_downgrade, record.next_password_waits) == (False, False, False)


async def test_the_foreign_keys_hold_as_before(first_version_url: str, opened: Open) -> None:
    database = await opened(first_version_url)
    await Stations(database).remove("CS1", force=True)

    def counts(connection: Connection) -> list[Any]:
        tables = ("transactions", "journal", "connectors", "certificates")
        return [connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() for table in tables]  # noqa: S608 - our own names

    assert await database.read(counts) == [0, 0, 0, 1]
