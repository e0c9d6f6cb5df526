"""The stations' PKI: the life of each certificate, CSRs under way, renewals, what stations trust."""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import RowId, UtcTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns and tables; serial numbers are unique per issuer from now on."""
    _certificates()
    _certificate_requests()
    _renewals()
    _trust()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, UtcTime(), nullable=nullable)


def _of_station(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["identity"], ["stations.identity"], name=f"fk_{table}_identity", ondelete="CASCADE")


def _certificates() -> None:
    with op.batch_alter_table("certificates", table_kwargs={"sqlite_autoincrement": True}) as table:
        for name, default in (("usage", "station"), ("profile", "charging_station")):
            table.add_column(sa.Column(name, sa.Text(), server_default=default, nullable=False))
        table.add_column(sa.Column("authority_told", sa.Boolean(), server_default=sa.true(), nullable=False))
        table.add_column(_time("last_seen", nullable=True))
        table.drop_constraint("uq_certificates_serial", type_="unique")
    op.create_index("ix_certificates_serial", "certificates", ["serial"])
    op.create_index("ix_certificates_usage_state_not_after", "certificates", ["usage", "state", "not_after"])
    _partial_index("uq_certificates_usage_serial", ["usage", "serial"], "usage <> 'seen'", unique=True)
    _partial_index("ix_certificates_untold", ["id"], "NOT authority_told")
    op.create_table(
        "certificate_history",
        sa.Column("id", RowId, nullable=False),
        sa.Column("certificate_id", RowId, nullable=False),
        _text("state"),
        _time("at"),
        _text("detail"),
        sa.PrimaryKeyConstraint("id", name="pk_certificate_history"),
        sa.ForeignKeyConstraint(
            ["certificate_id"],
            ["certificates.id"],
            name="fk_certificate_history_certificate_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_certificate_history_certificate_id_id", "certificate_history", ["certificate_id", "id"])
    _begin_histories()


def _partial_index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(
        name,
        "certificates",
        columns,
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def _begin_histories() -> None:
    """Tell of the certificates that are there what is known of them: their issue, and their state since."""
    op.execute(
        "INSERT INTO certificate_history (certificate_id, state, at, detail) "
        "SELECT id, 'issued', issued_at, '' FROM certificates ORDER BY id"
    )
    op.execute(
        "INSERT INTO certificate_history (certificate_id, state, at, detail) "
        "SELECT id, state, changed_at, COALESCE(reason, '') FROM certificates WHERE state <> 'issued' ORDER BY id"
    )


def _certificate_requests() -> None:
    op.create_table(
        "certificate_requests",
        sa.Column("id", RowId, nullable=False, autoincrement=True),
        _text("identity"),
        _text("usage"),
        _text("state"),
        _text("csr"),
        _text("key_fingerprint"),
        _text("words"),
        _text("serial", nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        _text("detail"),
        _time("requested_at"),
        _time("changed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_certificate_requests"),
        _of_station("certificate_requests"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_certificate_requests_identity_id", "certificate_requests", ["identity", "id"])
    op.create_index("ix_certificate_requests_state", "certificate_requests", ["state"])


def _renewals() -> None:
    op.create_table(
        "renewals",
        _text("identity"),
        _text("usage"),
        _text("serial"),
        _time("not_before"),
        _time("not_after"),
        _text("state"),
        _time("due_at"),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        _text("problem"),
        sa.Column("alerts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("identity", "usage", name="pk_renewals"),
        _of_station("renewals"),
    )


def _trust() -> None:
    op.create_table(
        "station_trust",
        _text("identity"),
        _text("content"),
        sa.Column("is_settled", sa.Boolean(), nullable=False),
        _time("changed_at"),
        sa.PrimaryKeyConstraint("identity", name="pk_station_trust"),
        _of_station("station_trust"),
    )
    op.create_table(
        "root_rotations",
        sa.Column("id", RowId, nullable=False, autoincrement=True),
        _text("state"),
        _text("content"),
        _time("started_at"),
        _time("changed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_root_rotations"),
        sqlite_autoincrement=True,
    )
