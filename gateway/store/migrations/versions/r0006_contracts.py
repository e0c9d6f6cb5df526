"""Charging contracts: who has which, the certificates issued for them, and what became of each request for one."""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import RowId, UtcTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add three tables."""
    _contracts()
    _certificates()
    _provisionings()


def _contracts() -> None:
    op.create_table(
        "contracts",
        sa.Column("id", RowId, nullable=False),
        *_texts("pcid", "emaid", "emaid_key"),
        sa.Column("valid_from", UtcTime(), nullable=True),
        sa.Column("valid_until", UtcTime(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("added_at", UtcTime(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
        *_texts("added_by", "changed_by"),
        sa.PrimaryKeyConstraint("id", name="pk_contracts"),
        sa.UniqueConstraint("pcid", "emaid_key", name="uq_contracts_pcid_emaid_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_contracts_emaid_key_id", "contracts", ["emaid_key", "id"])
    op.create_index(
        "uq_contracts_default",
        "contracts",
        ["pcid"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )


def _certificates() -> None:
    op.create_table(
        "contract_certificates",
        sa.Column("certificate_id", RowId, nullable=False, autoincrement=False),
        *_texts("emaid", "emaid_key", "station", "provider", "schema", "issuer"),
        sa.Column("pcid", sa.Text(), nullable=True),
        sa.Column("predecessor_id", RowId, nullable=True),
        sa.PrimaryKeyConstraint("certificate_id", name="pk_contract_certificates"),
        sa.ForeignKeyConstraint(
            ["certificate_id"],
            ["certificates.id"],
            name="fk_contract_certificates_certificate_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["predecessor_id"],
            ["certificates.id"],
            name="fk_contract_certificates_predecessor_id",
            ondelete="SET NULL",
        ),
    )
    for column in ("emaid_key", "pcid", "station"):
        name = f"ix_contract_certificates_{column}_certificate_id"
        op.create_index(name, "contract_certificates", [column, "certificate_id"])
    op.create_index("ix_contract_certificates_predecessor_id", "contract_certificates", ["predecessor_id"])


def _provisionings() -> None:
    absent = ("provider", "refusal", "pcid", "emaid", "emaid_key", "vehicle_serial", "contract_serial", "issuer")
    op.create_table(
        "contract_provisionings",
        sa.Column("id", RowId, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        *_texts("station", "action", "schema", "outcome", "digest", "text"),
        *(sa.Column(name, sa.Text(), nullable=True) for name in (*absent, "cps_serial")),
        sa.Column("not_after", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_contract_provisionings"),
        sqlite_autoincrement=True,
    )
    for columns in (["station", "outcome", "id"], ["digest", "outcome"], *([each, "id"] for each in _BY)):
        op.create_index(f"ix_contract_provisionings_{'_'.join(columns)}", "contract_provisionings", columns)


_BY = ("pcid", "emaid_key", "outcome", "at")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]
