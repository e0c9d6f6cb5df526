"""Stores as former versions left them, for the tests of migrations."""

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.store import migrations
from gateway.store.lanes import AsyncLane, Lane, SqliteLane
from gateway.store.sqlite_file import prepare


async def former_store(empty_url: str, revision: str, rows: Sequence[str]) -> str:
    """Bring the store at this URL to ``revision``, put ``rows`` (SQL) into it, and return the URL."""
    url = make_url(empty_url)
    if url.drivername.startswith("sqlite"):
        path = Path(str(url.database))
        prepare(path)
        lane: Lane = SqliteLane(path, (), connections=1)
    else:
        lane = AsyncLane(create_async_engine(url))

    def work(connection: Connection) -> None:
        with connection.begin():
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(Path(migrations.__path__[0])))
            command.upgrade(config, revision)
            for row in rows:
                connection.exec_driver_sql(row)

    await lane.run(work)
    await lane.dispose()
    return empty_url
