"""What the front door keeps: passwords under way, exceptions, security events, unknown stations, upgrades.

Columns are added in place: to make the table of stations anew would, on SQLite, delete the rows that refer to it. They
have defaults in the database itself, so that an older Voltgate that still runs can go on registering stations.
"""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import RowId, UtcTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and tables; nothing that is there changes."""
    _stations()
    _certificates()
    _security_events()
    _pending_stations()
    _upgrades()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _int(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _time(name: str) -> sa.Column[sa.DateTime]:
    return sa.Column(name, UtcTime(), nullable=False)


def _stations() -> None:
    for name in ("next_password_hash", "pinned_version", "version"):
        op.add_column("stations", _text(name, nullable=True))
    for name in ("next_password_waits", "allow_expired", "allow_downgrade"):
        op.add_column("stations", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))


def _certificates() -> None:
    op.add_column("certificates", _text("reason", nullable=True))
    op.create_index("ix_certificates_state_fingerprint", "certificates", ["state", "fingerprint"])


def _security_events() -> None:
    op.create_table(
        "security_events",
        sa.Column("id", RowId, nullable=False, autoincrement=True),
        _time("at"),
        _text("kind"),
        _text("source"),
        _text("identity", nullable=True),
        _text("remote", nullable=True),
        _text("detail"),
        _text("presented"),
        _int("count"),
        _time("last_at"),
        sa.PrimaryKeyConstraint("id", name="pk_security_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_security_events_last_at_id", "security_events", ["last_at", "id"])
    op.create_index("ix_security_events_identity_id", "security_events", ["identity", "id"])
    op.create_index("ix_security_events_kind_id", "security_events", ["kind", "id"])


def _pending_stations() -> None:
    op.create_table(
        "pending_stations",
        _text("identity"),
        _time("first_seen"),
        _time("last_seen"),
        _int("times"),
        _text("remote"),
        _int("profile"),
        _text("serial", nullable=True),
        _text("subject", nullable=True),
        _text("fingerprint", nullable=True),
        _text("version", nullable=True),
        sa.PrimaryKeyConstraint("identity", name="pk_pending_stations"),
    )


def _upgrades() -> None:
    op.create_table(
        "upgrades",
        _text("identity"),
        _int("target_profile"),
        _int("previous_profile"),
        _text("step"),
        _int("slot", nullable=True),
        _text("detail"),
        _text("data"),
        sa.Column("is_over", sa.Boolean(), nullable=False),
        _time("started_at"),
        _time("changed_at"),
        sa.PrimaryKeyConstraint("identity", name="pk_upgrades"),
        sa.ForeignKeyConstraint(["identity"], ["stations.identity"], name="fk_upgrades_identity", ondelete="CASCADE"),
    )
