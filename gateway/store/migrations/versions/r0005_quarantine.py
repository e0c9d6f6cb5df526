"""One quarantine: of all that waits for a person's word, out of what had been set aside for one."""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import RowId, UtcTime

revision = "0005"
down_revision = "0004"

_TEXTS = (
    "identity",
    "state",
    "leg",
    "protocol",
    "station_tx",
    "action",
    "payload",
    "digest",
    "rule",
    "reason",
    "answer",
    "last_error",
    "decided_by",
    "decision",
)


def upgrade() -> None:
    """Add the table, take over what was set aside, and let the journal know what a person has released."""
    op.create_table(
        "quarantine",
        sa.Column("id", RowId, nullable=False, autoincrement=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        sa.Column("gathers", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", UtcTime(), nullable=False),
        sa.Column("kept_at", UtcTime(), nullable=False),
        sa.Column("decided_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
    )
    op.create_index("ix_quarantine_identity_state_id", "quarantine", ["identity", "state", "id"])
    op.create_index("ix_quarantine_identity_digest", "quarantine", ["identity", "digest"])
    op.create_index("ix_quarantine_identity_station_tx", "quarantine", ["identity", "station_tx"])
    op.create_index("ix_quarantine_state_identity", "quarantine", ["state", "identity"])
    op.create_index(
        "ix_quarantine_gathering",
        "quarantine",
        ["identity"],
        sqlite_where=sa.text("gathers"),
        postgresql_where=sa.text("gathers"),
    )
    _take_over()
    op.drop_table("refused_messages")
    op.add_column("journal", sa.Column("released", sa.Boolean(), server_default=sa.false(), nullable=False))


def _take_over() -> None:
    """All of it is in the backend's words. What came at the very moment it was set aside never was in the journal."""
    op.execute(
        "INSERT INTO quarantine (id, identity, state, leg, protocol, station_tx, action, payload, digest, rule, reason,"
        " answer, gathers, attempts, last_error, recorded_at, kept_at, decided_at, decided_by, decision) "
        "SELECT id, identity, 'held', 'backend',"
        " CASE WHEN action = 'TransactionEvent' THEN 'ocpp2.0.1' ELSE 'ocpp1.6' END,"
        " station_tx, action, payload, '',"
        " CASE WHEN recorded_at = refused_at THEN 'gateway:foreign' ELSE 'gateway:refused' END,"
        " reason, '{}', false, attempts, '', recorded_at, refused_at, NULL, '', '' FROM refused_messages ORDER BY id"
    )
