"""The first tables.

There is no way down: an older Voltgate needs the backup of its own database.
"""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import RowId, UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables, and the one row of the registry."""
    _registry()
    _stations()
    _transactions()
    _journal()
    _connectors()
    _certificates()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _int(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _bool(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _time(name: str) -> sa.Column[sa.DateTime]:
    return sa.Column(name, UtcTime(), nullable=False)


def _row_id() -> sa.Column[int]:
    return sa.Column("id", RowId, nullable=False, autoincrement=True)


def _of_station(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["identity"], ["stations.identity"], name=f"fk_{table}_identity", ondelete="CASCADE")


def _registry() -> None:
    registry = op.create_table(
        "registry",
        sa.Column("id", RowId, nullable=False, autoincrement=False),
        _int("revision"),
        _int("epoch_floor"),
        sa.PrimaryKeyConstraint("id", name="pk_registry"),
        sa.CheckConstraint("id = 1", name="ck_registry_single_row"),
    )
    op.bulk_insert(registry, [{"id": 1, "revision": 0, "epoch_floor": 0}])


def _stations() -> None:
    op.create_table(
        "stations",
        _text("identity"),
        _text("serial", nullable=True),
        _text("certificate_name"),
        _int("minimum_profile"),
        _text("backend", nullable=True),
        _text("password_hash", nullable=True),
        _text("boot_status"),
        _int("boot_interval"),
        _text("boot_payload", nullable=True),
        _bool("boot_reported"),
        _int("epoch"),
        _int("pending"),
        _time("registered_at"),
        sa.PrimaryKeyConstraint("identity", name="pk_stations"),
        sa.UniqueConstraint("certificate_name", name="uq_stations_certificate_name"),
        sa.CheckConstraint("minimum_profile BETWEEN 1 AND 3", name="ck_stations_profile"),
    )


def _transactions() -> None:
    op.create_table(
        "transactions",
        _row_id(),
        _text("identity"),
        _text("station_tx"),
        _text("state"),
        _int("backend_tx", nullable=True),
        _int("evse_id", nullable=True),
        _int("connector_id", nullable=True),
        _text("id_tag", nullable=True),
        _text("started_at", nullable=True),
        _int("meter_start", nullable=True),
        _int("last_register", nullable=True),
        _int("last_seq_no"),
        _text("charging_state", nullable=True),
        _int("remote_start_id", nullable=True),
        _int("reservation_id", nullable=True),
        _bool("energy_flowed"),
        _bool("deauthorized"),
        sa.PrimaryKeyConstraint("id", name="pk_transactions"),
        sa.UniqueConstraint("identity", "station_tx", name="uq_transactions_identity_station_tx"),
        _of_station("transactions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_transactions_identity_state_id", "transactions", ["identity", "state", "id"])


def _journal() -> None:
    op.create_table(
        "journal",
        _row_id(),
        _text("identity"),
        _text("station_tx"),
        _text("action"),
        _text("payload"),
        _int("attempts"),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        _of_station("journal"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_journal_identity_id", "journal", ["identity", "id"])
    op.create_table(
        "refused_messages",
        sa.Column("id", RowId, nullable=False, autoincrement=False),
        _text("identity"),
        _text("station_tx"),
        _text("action"),
        _text("payload"),
        _int("attempts"),
        _text("reason"),
        _time("recorded_at"),
        _time("refused_at"),
        sa.PrimaryKeyConstraint("id", name="pk_refused_messages"),
    )
    op.create_index("ix_refused_messages_identity_id", "refused_messages", ["identity", "id"])


def _connectors() -> None:
    op.create_table(
        "connectors",
        _text("identity"),
        sa.Column("evse_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("connector_id", sa.BigInteger(), nullable=False, autoincrement=False),
        _int("number"),
        _text("status"),
        _text("reported", nullable=True),
        sa.PrimaryKeyConstraint("identity", "evse_id", "connector_id", name="pk_connectors"),
        sa.UniqueConstraint("identity", "number", name="uq_connectors_identity_number"),
        _of_station("connectors"),
    )


def _certificates() -> None:
    op.create_table(
        "certificates",
        _row_id(),
        _text("identity"),
        _text("serial"),
        _text("fingerprint"),
        _text("subject"),
        _time("not_before"),
        _time("not_after"),
        _text("state"),
        _text("chain"),
        _time("issued_at"),
        _time("changed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_certificates"),
        sa.UniqueConstraint("serial", name="uq_certificates_serial"),
        sa.UniqueConstraint("fingerprint", name="uq_certificates_fingerprint"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_certificates_identity_id", "certificates", ["identity", "id"])
    op.create_table(
        "station_keys",
        _text("fingerprint"),
        _text("identity"),
        _time("first_seen"),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_station_keys"),
    )
