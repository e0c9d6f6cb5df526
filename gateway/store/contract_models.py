"""The tables of charging contracts, beside those of :mod:`gateway.store.models`."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.columns import RowId
from gateway.store.models import Model


class ContractRow(Model):
    """One contract of one vehicle."""

    __tablename__ = "contracts"
    __table_args__ = (
        UniqueConstraint("pcid", "emaid_key"),
        Index(None, "emaid_key", "id"),
        Index(
            "uq_contracts_default",
            "pcid",
            unique=True,
            sqlite_where=text("is_default"),
            postgresql_where=text("is_default"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    pcid: Mapped[str]
    emaid: Mapped[str]
    """As certificates have it."""
    emaid_key: Mapped[str]
    """Without its check digit: the same contract has the same."""
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    is_default: Mapped[bool]
    added_at: Mapped[datetime]
    added_by: Mapped[str]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]


class ContractCertificateRow(Model):
    """What the inventory's row of a contract certificate doesn't say."""

    __tablename__ = "contract_certificates"
    __table_args__ = (
        Index(None, "emaid_key", "certificate_id"),
        Index(None, "pcid", "certificate_id"),
        Index(None, "station", "certificate_id"),
        Index(None, "predecessor_id"),
    )

    certificate_id: Mapped[int] = mapped_column(
        RowId, ForeignKey("certificates.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    emaid: Mapped[str]
    emaid_key: Mapped[str]
    pcid: Mapped[str | None]
    station: Mapped[str]
    provider: Mapped[str]
    schema: Mapped[str]
    issuer: Mapped[str]
    predecessor_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("certificates.id", ondelete="SET NULL"))
    """The certificate that the vehicle updated."""


class ContractProvisioningRow(Model):
    """One request for a contract certificate; the columns are the fields of ProvisioningEntry."""

    __tablename__ = "contract_provisionings"
    __table_args__ = (
        Index(None, "station", "outcome", "id"),
        Index(None, "pcid", "id"),
        Index(None, "emaid_key", "id"),
        Index(None, "outcome", "id"),
        Index(None, "at", "id"),
        Index(None, "digest", "outcome"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime]
    station: Mapped[str]
    action: Mapped[str]
    schema: Mapped[str]
    outcome: Mapped[str]
    digest: Mapped[str]
    provider: Mapped[str | None]
    refusal: Mapped[str | None]
    text: Mapped[str]
    pcid: Mapped[str | None]
    emaid: Mapped[str | None]
    emaid_key: Mapped[str | None]
    vehicle_serial: Mapped[str | None]
    contract_serial: Mapped[str | None]
    issuer: Mapped[str | None]
    cps_serial: Mapped[str | None]
    not_after: Mapped[datetime | None]
