"""The models and the migrations say the same, on either database."""

from collections.abc import Awaitable, Callable

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from gateway.store.database import Database
from gateway.store.models import Model

Open = Callable[..., Awaitable[Database]]


async def test_the_migrations_build_what_the_models_describe(empty_url: str, opened: Open) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found: list[object] = compare_metadata(context, Model.metadata)
        return found

    assert await (await opened(empty_url)).read(differences) == []


async def test_a_difference_would_be_seen(empty_url: str, opened: Open) -> None:
    def differences(connection: Connection) -> list[object]:
        connection.exec_driver_sql("ALTER TABLE stations DROP COLUMN backend")
        context = MigrationContext.configure(connection)
        found: list[object] = compare_metadata(context, Model.metadata)
        return found

    assert len(await (await opened(empty_url)).write(differences)) == 1


def test_rows_that_are_named_by_their_number_are_never_numbered_twice() -> None:
    numbered = {"transactions", "journal", "certificates", "security_events"}
    for name in numbered:
        assert Model.metadata.tables[name].dialect_options["sqlite"]["autoincrement"] is True
