"""Firmware and logs: images, updates of stations, campaigns, what was published, and the links that stations get."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import RowId, UtcTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add seven tables."""
    _images()
    _campaigns()
    _updates()
    _campaign_stations()
    _logs()
    _links()
    _publications()


def _images() -> None:
    maybe = ("model", "location", "refusal", "reason", "sha256", "md5", "signature", "signing_certificate")
    op.create_table(
        "firmware_images",
        sa.Column("id", RowId, nullable=False),
        *_texts("manufacturer", "version", "state", "added_by", "changed_by"),
        *_maybe(sa.Text(), *maybe, "algorithm", "signer", "signer_fingerprint"),
        *_maybe(sa.BigInteger(), "size"),
        *_maybe(UtcTime(), "signed_at", "verified_at"),
        *_times("added_at", "changed_at"),
        sa.Column("from_order", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_firmware_images"),
        sqlite_autoincrement=True,
    )
    _indices("firmware_images", ["location"], ["sha256"], ["md5"], ["manufacturer", "model"])


def _campaigns() -> None:
    numbers = ("batch_size", "halt_above", "halt_after", "installed_before", "failed_before")
    op.create_table(
        "firmware_campaigns",
        sa.Column("id", RowId, nullable=False),
        *_texts("name", "state", "created_by", "changed_by"),
        *_maybe(sa.Text(), "group", "reason"),
        sa.Column("image_id", RowId, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers),
        *_maybe(sa.BigInteger(), "window_from", "window_until"),
        *_times("created_at", "changed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_firmware_campaigns"),
        sa.UniqueConstraint("name", name="uq_firmware_campaigns_name"),
        _reference("firmware_campaigns", "image_id", "firmware_images", None),
        sqlite_autoincrement=True,
    )
    _indices("firmware_campaigns", ["state"])


def _updates() -> None:
    op.create_table(
        "firmware_updates",
        sa.Column("id", RowId, nullable=False),
        *_texts("identity", "source", "by", "location", "state"),
        *_maybe(sa.Text(), "action", "status", "reason"),
        *_maybe(RowId, "image_id", "campaign_id"),
        *_maybe(sa.BigInteger(), "backend_request_id", "request_id", "retries", "retry_interval"),
        *_maybe(UtcTime(), "retrieve_at", "install_at"),
        *_times("created_at", "changed_at"),
        sa.Column("untold", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_firmware_updates"),
        _reference("firmware_updates", "image_id", "firmware_images", None),
        _reference("firmware_updates", "campaign_id", "firmware_campaigns", "SET NULL"),
        sqlite_autoincrement=True,
    )
    by_station = (["identity", "request_id"], ["identity", "state"])
    _indices("firmware_updates", *by_station, ["state"], ["image_id"], ["campaign_id", "identity"])


def _campaign_stations() -> None:
    table = "firmware_campaign_stations"
    op.create_table(
        table,
        sa.Column("campaign_id", RowId, nullable=False, autoincrement=False),
        *_texts("identity", "state"),
        *_maybe(RowId, "update_id"),
        *_maybe(sa.Text(), "reason"),
        *_times("changed_at"),
        sa.PrimaryKeyConstraint("campaign_id", "identity", name=f"pk_{table}"),
        _reference(table, "campaign_id", "firmware_campaigns", "CASCADE"),
        _reference(table, "update_id", "firmware_updates", "SET NULL"),
    )
    _indices(table, ["campaign_id", "state"])


def _logs() -> None:
    op.create_table(
        "station_logs",
        sa.Column("id", RowId, nullable=False),
        *_texts("identity", "by", "action", "log_type", "state"),
        *_maybe(sa.Text(), "destination", "reason", "file_name", "sha256"),
        *_maybe(sa.BigInteger(), "backend_request_id", "request_id", "size"),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        *_times("created_at", "changed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_station_logs"),
        sqlite_autoincrement=True,
    )
    _indices("station_logs", ["identity", "request_id"], ["state"])


def _links() -> None:
    op.create_table(
        "file_links",
        *_texts("token", "kind"),
        *_maybe(sa.Text(), "identity", "sha256"),
        *_maybe(RowId, "image_id", "update_id", "log_id"),
        *_times("created_at", "expires_at"),
        sa.PrimaryKeyConstraint("token", name="pk_file_links"),
        _reference("file_links", "image_id", "firmware_images", "CASCADE"),
        _reference("file_links", "update_id", "firmware_updates", "CASCADE"),
        _reference("file_links", "log_id", "station_logs", "CASCADE"),
    )
    _indices("file_links", ["identity"], ["expires_at"], ["update_id"], ["log_id"])


def _publications() -> None:
    op.create_table(
        "firmware_publications",
        sa.Column("id", RowId, nullable=False),
        *_texts("identity", "publisher", "state"),
        *_maybe(RowId, "image_id"),
        *_maybe(sa.Text(), "checksum", "location", "published"),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.Column("untold", sa.Boolean(), nullable=False),
        *_times("created_at", "changed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_firmware_publications"),
        _reference("firmware_publications", "image_id", "firmware_images", None),
        sqlite_autoincrement=True,
    )
    _indices("firmware_publications", ["identity", "request_id"], ["image_id", "state"], ["state"])


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _times(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, UtcTime(), nullable=False) for name in names]


def _maybe(kind: sa.types.TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=True) for name in names]


def _reference(table: str, column: str, other: str, when_deleted: str | None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete=when_deleted)


def _indices(table: str, *of_columns: list[str]) -> None:
    for columns in of_columns:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
