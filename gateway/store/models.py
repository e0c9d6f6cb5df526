"""The tables, the same for SQLite and PostgreSQL. Each change here needs a migration beside it."""

from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gateway.store.columns import RowId, UtcTime

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Model(DeclarativeBase):
    """The base of all tables."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar = {str: Text(), int: BigInteger(), datetime: UtcTime()}


class Registry(Model):
    """One row: what concerns the registry of stations as a whole."""

    __tablename__ = "registry"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    revision: Mapped[int]
    """Grows with each change that a person made; a running gateway polls it."""
    epoch_floor: Mapped[int]
    """No removed station had a higher epoch: one registered anew starts here, so that no old owner fits it."""


class Station(Model):
    """One registered station."""

    __tablename__ = "stations"
    __table_args__ = (CheckConstraint("minimum_profile BETWEEN 1 AND 3", name="profile"),)

    identity: Mapped[str] = mapped_column(primary_key=True)
    serial: Mapped[str | None]
    certificate_name: Mapped[str] = mapped_column(unique=True)
    """The serial or, where none is registered, the identity: no certificate fits two stations."""
    minimum_profile: Mapped[int]
    backend: Mapped[str | None]
    password_hash: Mapped[str | None]
    boot_status: Mapped[str]
    boot_interval: Mapped[int]
    boot_payload: Mapped[str | None]
    boot_reported: Mapped[bool]
    epoch: Mapped[int]
    pending: Mapped[int]
    """The number of this station's rows in the journal, kept in the same SQL transactions as they are."""
    registered_at: Mapped[datetime]
    next_password_hash: Mapped[str | None]
    next_password_waits: Mapped[bool] = mapped_column(server_default=false())
    allow_expired: Mapped[bool] = mapped_column(server_default=false())
    allow_downgrade: Mapped[bool] = mapped_column(server_default=false())
    pinned_version: Mapped[str | None]
    version: Mapped[str | None]
    """The OCPP version of its last connection, by its subprotocol."""
    station_group: Mapped[str | None]
    """Names the stations that are routed alike; SQL has a word ``group`` of its own."""


class PendingStationRow(Model):
    """One identity that came without being registered, with what it presented, for a person to approve."""

    __tablename__ = "pending_stations"

    identity: Mapped[str] = mapped_column(primary_key=True)
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    times: Mapped[int]
    remote: Mapped[str]
    profile: Mapped[int]
    serial: Mapped[str | None]
    """The CN of the certificate that it presented."""
    subject: Mapped[str | None]
    fingerprint: Mapped[str | None]
    version: Mapped[str | None]


class UpgradeRow(Model):
    """A station's one upgrade of its security profile; the columns are the fields of UpgradeRecord."""

    __tablename__ = "upgrades"

    identity: Mapped[str] = mapped_column(ForeignKey("stations.identity", ondelete="CASCADE"), primary_key=True)
    target_profile: Mapped[int]
    previous_profile: Mapped[int]
    step: Mapped[str]
    slot: Mapped[int | None]
    detail: Mapped[str]
    data: Mapped[str]
    is_over: Mapped[bool]
    started_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class TransactionRow(Model):
    """One charging transaction; the columns are the fields of :class:`gateway.bridge.books.Transaction`."""

    __tablename__ = "transactions"
    __table_args__ = (
        UniqueConstraint("identity", "station_tx"),
        Index(None, "identity", "state", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    identity: Mapped[str] = mapped_column(ForeignKey("stations.identity", ondelete="CASCADE"))
    station_tx: Mapped[str]
    state: Mapped[str]
    backend_tx: Mapped[int | None]
    evse_id: Mapped[int | None]
    connector_id: Mapped[int | None]
    id_tag: Mapped[str | None]
    started_at: Mapped[str | None]
    meter_start: Mapped[int | None]
    last_register: Mapped[int | None]
    last_seq_no: Mapped[int]
    charging_state: Mapped[str | None]
    remote_start_id: Mapped[int | None]
    reservation_id: Mapped[int | None]
    energy_flowed: Mapped[bool]
    deauthorized: Mapped[bool]


class JournalRow(Model):
    """One message that moves money and that the backend has not answered. Ids are never used twice."""

    __tablename__ = "journal"
    __table_args__ = (Index(None, "identity", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    identity: Mapped[str] = mapped_column(ForeignKey("stations.identity", ondelete="CASCADE"))
    station_tx: Mapped[str]
    action: Mapped[str]
    payload: Mapped[str]
    attempts: Mapped[int]
    recorded_at: Mapped[datetime]
    released: Mapped[bool] = mapped_column(server_default=false())
    """True for one that a person has let go: no policy denies it any more."""


class QuarantineRow(Model):
    """One message that is kept for a person; ``state`` and ``leg`` are the words of gateway.session.quarantine.

    It outlives its station, and stays for a while when it is decided.
    """

    __tablename__ = "quarantine"
    __table_args__ = (
        Index(None, "identity", "state", "id"),
        Index(None, "identity", "digest"),
        Index(None, "identity", "station_tx"),
        Index(None, "state", "identity"),
        Index("ix_quarantine_gathering", "identity", sqlite_where=text("gathers"), postgresql_where=text("gathers")),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    """Out of the journal's numbers."""
    identity: Mapped[str]
    state: Mapped[str]
    leg: Mapped[str]
    protocol: Mapped[str]
    station_tx: Mapped[str]
    action: Mapped[str]
    payload: Mapped[str]
    digest: Mapped[str]
    """Of leg, action and payload; empty where a repetition is another message."""
    rule: Mapped[str]
    reason: Mapped[str]
    answer: Mapped[str]
    """JSON: what the station was told."""
    gathers: Mapped[bool]
    """True while what is said of its transaction follows it."""
    attempts: Mapped[int]
    last_error: Mapped[str]
    recorded_at: Mapped[datetime]
    kept_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str]
    decision: Mapped[str]


class ConnectorRow(Model):
    """One connector of a station: its 1.6 number and what was last said of it."""

    __tablename__ = "connectors"
    __table_args__ = (UniqueConstraint("identity", "number"),)

    identity: Mapped[str] = mapped_column(ForeignKey("stations.identity", ondelete="CASCADE"), primary_key=True)
    evse_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    connector_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    status: Mapped[str]
    reported: Mapped[str | None]


class BookPageRow(Model):
    """One page of a station's books, a JSON object; ``name`` is the value of :class:`gateway.bridge.books.Page`."""

    __tablename__ = "book_pages"

    identity: Mapped[str] = mapped_column(ForeignKey("stations.identity", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[str]


class AuthorizationRow(Model):
    """What a backend last said of an idTag, casefolded: for the time when it can't be asked."""

    __tablename__ = "authorizations"
    __table_args__ = (Index(None, "heard_at"),)

    backend: Mapped[str] = mapped_column(primary_key=True)
    id_tag: Mapped[str] = mapped_column(primary_key=True)
    info: Mapped[str]
    heard_at: Mapped[datetime]


class CertificateRow(Model):
    """One certificate that was issued, or seen. It outlives the station, so that it can still be revoked."""

    __tablename__ = "certificates"
    __table_args__ = (
        Index(None, "identity", "id"),
        Index(None, "state", "fingerprint"),
        Index(None, "serial"),
        Index(None, "usage", "state", "not_after"),
        # Serial numbers are an issuer's own: manufacturers begin at 1, all of them.
        Index(
            "uq_certificates_usage_serial",
            "usage",
            "serial",
            unique=True,
            sqlite_where=text("usage <> 'seen'"),
            postgresql_where=text("usage <> 'seen'"),
        ),
        Index(
            "ix_certificates_untold",
            "id",
            sqlite_where=text("NOT authority_told"),
            postgresql_where=text("NOT authority_told"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    identity: Mapped[str]
    """Empty for one of the gateway's own."""
    serial: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(unique=True)
    subject: Mapped[str]
    not_before: Mapped[datetime]
    not_after: Mapped[datetime]
    state: Mapped[str]
    chain: Mapped[str]
    issued_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    reason: Mapped[str | None]
    """Why it was revoked."""
    usage: Mapped[str] = mapped_column(server_default="station")
    """Whose key of ``authority`` signed it: station, v2g, server; or ``seen``: none of ours did."""
    profile: Mapped[str] = mapped_column(server_default="charging_station")
    authority_told: Mapped[bool] = mapped_column(server_default=true())
    """False while it is revoked here and its authority must still be told."""
    last_seen: Mapped[datetime | None]
    """When it was last shown at a door: the first time of that day (UTC)."""


class CertificateHistoryRow(Model):
    """One step in the life of a certificate."""

    __tablename__ = "certificate_history"
    __table_args__ = (Index(None, "certificate_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    certificate_id: Mapped[int] = mapped_column(RowId, ForeignKey("certificates.id", ondelete="CASCADE"))
    state: Mapped[str]
    at: Mapped[datetime]
    detail: Mapped[str]


class CertificateRequestRow(Model):
    """One CSR that passed the review: until its certificate is delivered, and for a while after."""

    __tablename__ = "certificate_requests"
    __table_args__ = (Index(None, "identity", "id"), Index(None, "state"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    identity: Mapped[str] = mapped_column(ForeignKey("stations.identity", ondelete="CASCADE"))
    usage: Mapped[str]
    state: Mapped[str]
    csr: Mapped[str]
    key_fingerprint: Mapped[str]
    words: Mapped[str]
    """JSON: how the station said it, so that the answer is in the same words."""
    serial: Mapped[str | None]
    """Of the certificate that was issued."""
    attempts: Mapped[int]
    detail: Mapped[str]
    requested_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class RenewalRow(Model):
    """Where the renewal of one station's certificate stands; the columns are the fields of RenewalRecord."""

    __tablename__ = "renewals"

    identity: Mapped[str] = mapped_column(ForeignKey("stations.identity", ondelete="CASCADE"), primary_key=True)
    usage: Mapped[str] = mapped_column(primary_key=True)
    serial: Mapped[str]
    not_before: Mapped[datetime]
    not_after: Mapped[datetime]
    state: Mapped[str]
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    problem: Mapped[str]
    alerts: Mapped[int]


class StationTrustRow(Model):
    """What one station trusts, as it said itself, and how far it is from what it should."""

    __tablename__ = "station_trust"

    identity: Mapped[str] = mapped_column(ForeignKey("stations.identity", ondelete="CASCADE"), primary_key=True)
    content: Mapped[str]
    """JSON."""
    is_settled: Mapped[bool]
    changed_at: Mapped[datetime]


class RootRotationRow(Model):
    """One change of a root that stations trust, from the first station to the last."""

    __tablename__ = "root_rotations"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    state: Mapped[str]
    content: Mapped[str]
    """JSON."""
    started_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class StationKey(Model):
    """The first station that asked for a certificate for this public key. It outlives the station."""

    __tablename__ = "station_keys"

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    identity: Mapped[str]
    first_seen: Mapped[datetime]


class SecurityEventRow(Model):
    """One security event, or ``count`` alike ones. Ids are never used twice: a listing goes on behind one."""

    __tablename__ = "security_events"
    __table_args__ = (
        Index(None, "last_at", "id"),
        Index(None, "identity", "id"),
        Index(None, "kind", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str]
    source: Mapped[str]
    identity: Mapped[str | None]
    remote: Mapped[str | None]
    detail: Mapped[str]
    presented: Mapped[str]
    count: Mapped[int]
    last_at: Mapped[datetime]
