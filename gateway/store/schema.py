"""Brings the tables of a database up to what this version of Voltgate expects."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, String, bindparam, column, func, inspect, select, table

from gateway.store import contract_models, firmware_models  # noqa: F401 - puts their tables beside the others of Model
from gateway.store.models import Model
from gateway.store.unavailable import StoreUnavailable

_SCRIPTS: Final = Path(__file__).parent / "migrations"
NEWEST: Final = "0007"
"""The newest migration. Said here so that Alembic, a quarter of a command's start, is loaded only to migrate."""
_VERSION_TABLE: Final = "alembic_version"
_VERSION: Final = select(column("version_num", String)).select_from(table(_VERSION_TABLE))
_MIGRATION_LOCK: Final = 0x566F6C7467617465
"""The key of PostgreSQL's advisory lock for migrations: "Voltgate" in ASCII."""
_WAIT_FOR_TURN: Final = select(func.pg_advisory_xact_lock(bindparam("key", _MIGRATION_LOCK)))


def is_current(connection: Connection, place: str) -> bool:
    """Return whether the schema is this version's.

    Raises StoreUnavailable when it is a newer version's, or when the database belongs to something else.
    """
    is_there = inspect(connection).has_table(_VERSION_TABLE)
    revision = connection.execute(_VERSION).scalar() if is_there else None
    if revision is None:
        _check_room(connection, place)
        return False
    if revision == NEWEST:
        return True
    if revision not in known_revisions():
        raise StoreUnavailable(
            f"store {place}: it was written by a newer Voltgate (schema {revision}); "
            "install that version, or restore a backup of this one's"
        )
    return False


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
        from alembic import command  # noqa: PLC0415 - see NEWEST
        from alembic.config import Config  # noqa: PLC0415 - the same

        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
        command.upgrade(config, "head")


@functools.cache
def known_revisions() -> Sequence[str]:
    """Return the revisions that this version has migrations for, the newest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see NEWEST

    return [script.revision for script in ScriptDirectory(str(_SCRIPTS)).walk_revisions()]


def _check_room(connection: Connection, place: str) -> None:
    taken = sorted(set(inspect(connection).get_table_names()) & set(Model.metadata.tables))
    if taken:
        raise StoreUnavailable(
            f"store {place}: it holds a table {taken[0]!r} that isn't Voltgate's; give Voltgate a database of its own"
        )
