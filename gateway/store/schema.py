"""Brings the tables of a database up to what this version of Voltgate expects."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, func, inspect, select

from gateway.store.models import Model
from gateway.store.unavailable import StoreUnavailable

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_MIGRATION_LOCK: Final = 0x566F6C7467617465
"""The key of PostgreSQL's advisory lock for migrations: "Voltgate" in ASCII."""
_WAIT_FOR_TURN: Final = select(func.pg_advisory_xact_lock(bindparam("key", _MIGRATION_LOCK)))


def is_current(connection: Connection, place: str) -> bool:
    """Return whether the schema is this version's.

    Raises StoreUnavailable when it is a newer version's, or when the database belongs to something else.
    """
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        _check_room(connection, place)
        return False
    known = _known_revisions()
    if revision not in known:
        raise StoreUnavailable(
            f"store {place}: it was written by a newer Voltgate (schema {revision}); "
            "install that version, or restore a backup of this one's"
        )
    return revision == known[0]


def migrate(connection: Connection, place: str) -> None:
    """Run the missing migrations in one SQL transaction, one process at a time; a second finds nothing left to do.

    ``connection`` isn't in a transaction yet. Raises StoreUnavailable as :func:`is_current` does.
    """
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(_WAIT_FOR_TURN)
        else:
            # The driver begins by itself before INSERT, UPDATE and DELETE only, not before CREATE TABLE.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if is_current(connection, place):
            return
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
        command.upgrade(config, "head")


@functools.cache
def _known_revisions() -> Sequence[str]:
    """Return the revisions that this version has migrations for, the newest first."""
    return [script.revision for script in ScriptDirectory(str(_SCRIPTS)).walk_revisions()]


def _check_room(connection: Connection, place: str) -> None:
    taken = sorted(set(inspect(connection).get_table_names()) & set(Model.metadata.tables))
    if taken:
        raise StoreUnavailable(
            f"store {place}: it holds a table {taken[0]!r} that isn't Voltgate's; give Voltgate a database of its own"
        )
