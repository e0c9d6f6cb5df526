"""The tables of firmware and logs, beside those of :mod:`gateway.store.models`."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.columns import RowId
from gateway.store.models import Model


class FirmwareImageRow(Model):
    """One image; the columns are the fields of FirmwareImage."""

    __tablename__ = "firmware_images"
    __table_args__ = (
        Index(None, "location"),
        Index(None, "sha256"),
        Index(None, "md5"),
        Index(None, "manufacturer", "model"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    manufacturer: Mapped[str]
    model: Mapped[str | None]
    version: Mapped[str]
    location: Mapped[str | None]
    state: Mapped[str]
    refusal: Mapped[str | None]
    reason: Mapped[str | None]
    sha256: Mapped[str | None]
    md5: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    signature: Mapped[str | None]
    signing_certificate: Mapped[str | None]
    signed_at: Mapped[datetime | None]
    algorithm: Mapped[str | None]
    signer: Mapped[str | None]
    signer_fingerprint: Mapped[str | None]
    added_at: Mapped[datetime]
    added_by: Mapped[str]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    verified_at: Mapped[datetime | None]
    from_order: Mapped[bool] = mapped_column(default=False)


class FirmwareUpdateRow(Model):
    """One update of one station; the columns are the fields of UpdateRecord."""

    __tablename__ = "firmware_updates"
    __table_args__ = (
        Index(None, "identity", "request_id"),
        Index(None, "identity", "state"),
        Index(None, "state"),
        Index(None, "image_id"),
        Index(None, "campaign_id", "identity"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    identity: Mapped[str]
    image_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("firmware_images.id"))
    source: Mapped[str]
    campaign_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("firmware_campaigns.id", ondelete="SET NULL"))
    by: Mapped[str]
    action: Mapped[str | None]
    backend_request_id: Mapped[int | None] = mapped_column(BigInteger)
    request_id: Mapped[int | None] = mapped_column(BigInteger)
    location: Mapped[str]
    retrieve_at: Mapped[datetime | None]
    install_at: Mapped[datetime | None]
    retries: Mapped[int | None] = mapped_column(BigInteger)
    retry_interval: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str]
    status: Mapped[str | None]
    reason: Mapped[str | None]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    untold: Mapped[bool]


class FirmwareCampaignRow(Model):
    """One campaign; the columns are the fields of NewCampaign and CampaignRecord."""

    __tablename__ = "firmware_campaigns"
    __table_args__ = (Index(None, "state"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    image_id: Mapped[int] = mapped_column(RowId, ForeignKey("firmware_images.id"))
    group: Mapped[str | None]
    batch_size: Mapped[int]
    halt_above: Mapped[int]
    halt_after: Mapped[int]
    window_from: Mapped[int | None]
    window_until: Mapped[int | None]
    installed_before: Mapped[int] = mapped_column(default=0)
    """Stations that were through when a person last let it go on: its halt goes by those that came after."""
    failed_before: Mapped[int] = mapped_column(default=0)
    state: Mapped[str]
    reason: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]


class CampaignStationRow(Model):
    """One station of a campaign: what it is named by, and the update that it was ordered."""

    __tablename__ = "firmware_campaign_stations"
    __table_args__ = (Index(None, "campaign_id", "state"),)

    campaign_id: Mapped[int] = mapped_column(
        RowId, ForeignKey("firmware_campaigns.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    identity: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    """A CampaignStationState."""
    update_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("firmware_updates.id", ondelete="SET NULL"))
    reason: Mapped[str | None]
    changed_at: Mapped[datetime]


class FileLinkRow(Model):
    """What a station may load from the gateway, or upload to it, under a URL that nobody can guess."""

    __tablename__ = "file_links"
    __table_args__ = (
        Index(None, "identity"),
        Index(None, "expires_at"),
        Index(None, "update_id"),
        Index(None, "log_id"),
    )

    token: Mapped[str] = mapped_column(primary_key=True)
    """The SHA-256 of the secret part of the URL, in hex."""
    kind: Mapped[str]
    """download or upload."""
    identity: Mapped[str | None]
    """None: published for all (PublishFirmware)."""
    image_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("firmware_images.id", ondelete="CASCADE"))
    sha256: Mapped[str | None]
    update_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("firmware_updates.id", ondelete="CASCADE"))
    log_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("station_logs.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class StationLogRow(Model):
    """One log; the columns are the fields of LogRecord."""

    __tablename__ = "station_logs"
    __table_args__ = (
        Index(None, "identity", "request_id"),
        Index(None, "state"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    identity: Mapped[str]
    by: Mapped[str]
    action: Mapped[str]
    log_type: Mapped[str]
    backend_request_id: Mapped[int | None] = mapped_column(BigInteger)
    request_id: Mapped[int | None] = mapped_column(BigInteger)
    destination: Mapped[str | None]
    state: Mapped[str]
    reason: Mapped[str | None]
    file_name: Mapped[str | None]
    sha256: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    is_told: Mapped[bool]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class FirmwarePublicationRow(Model):
    """An image that is published as a local controller does (OCPP 2.0.1 L03), known by its MD5."""

    __tablename__ = "firmware_publications"
    __table_args__ = (
        Index(None, "identity", "request_id"),
        Index(None, "image_id", "state"),
        Index(None, "state"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    identity: Mapped[str]
    """The station on whose leg the backend asked, or which is the local controller itself."""
    publisher: Mapped[str]
    """gateway or station."""
    image_id: Mapped[int | None] = mapped_column(RowId, ForeignKey("firmware_images.id"))
    checksum: Mapped[str | None]
    """Lower-case hex."""
    location: Mapped[str | None]
    request_id: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str]
    """A PublishFirmwareStatus, or Unpublished."""
    untold: Mapped[bool]
    published: Mapped[str | None]
    """The URLs of a station that is the controller, as JSON."""
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
