"""Firmware and logs: images, updates, campaigns, uploads; the words that the rooms share."""

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

SHA256_DIGITS: Final = 64
"""An image is known by its SHA-256, in lower-case hex."""
LOCATION_MAX: Final = 2000
"""Characters of a location: 1.6 names no limit, 2.1 has this one."""
REASON_MAX: Final = 500
"""Characters of a reason that is kept."""


class ImageState(enum.Enum):
    """What the catalogue thinks of an image."""

    QUARANTINED = "quarantined"
    """Not looked at whole yet: not here, or its signature isn't known. No station hears of it."""
    VERIFIED = "verified"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    """It was verified, and is served no more."""


@dataclass(frozen=True, slots=True)
class NewImage:
    """What is to be registered of an image; what isn't known yet is None."""

    manufacturer: str
    """A key of ``firmware.manufacturers``."""
    version: str
    model: str | None = None
    """BootNotification's model; None: all models of the manufacturer."""
    location: str | None = field(default=None, repr=False)
    """Where it comes from: by this a backend's order is matched. It may hold a password, which isn't kept."""
    signature: str | None = None
    """Base64."""
    signing_certificate: str | None = None
    """PEM."""
    signed_at: datetime | None = None
    """When it was signed, as who adds it says; for ``validity: signing``."""


@dataclass(frozen=True, slots=True)
class FirmwareImage:
    """One entry of the catalogue. Times are aware, in UTC."""

    id: int
    """Rises in the order in which they were added; no number is used twice."""
    manufacturer: str
    model: str | None
    version: str
    location: str | None = field(repr=False)
    state: ImageState
    refusal: str | None
    """A value of :class:`pki.firmware.Refusal`, of the last look at it."""
    reason: str | None
    """Why it is refused, withdrawn or still quarantined, for a person."""
    sha256: str | None
    """Lower-case hex; None: its octets have not been here."""
    md5: str | None
    size: int | None
    """Bytes."""
    signature: str | None
    signing_certificate: str | None
    signed_at: datetime | None
    algorithm: str | None
    signer: str | None
    """Subject of the signing certificate (RFC 4514)."""
    signer_fingerprint: str | None
    added_at: datetime
    added_by: str
    changed_at: datetime
    changed_by: str
    verified_at: datetime | None
    from_order: bool = False
    """True: a backend's order brought it, and not a person."""


class UpdateSource(enum.Enum):
    """Who ordered an update."""

    BACKEND = "backend"
    OPERATOR = "operator"
    CAMPAIGN = "campaign"


class UpdateState(enum.Enum):
    """Where an update of one station stands."""

    PREPARING = "preparing"
    """The image is fetched or looked at; the station has not heard of it."""
    WAITING = "waiting"
    """The image is good; the station can't be told now."""
    SENT = "sent"
    """The station has agreed; its status notifications tell the rest."""
    INSTALLED = "installed"
    FAILED = "failed"
    """The station didn't get it done, or didn't agree."""
    REFUSED = "refused"
    """The image isn't good: the station has not heard of it."""
    CANCELED = "canceled"
    """Another update took its place, or a person ended it."""

    @property
    def is_open(self) -> bool:
        """True while something is to come of it."""
        return self in {UpdateState.PREPARING, UpdateState.WAITING, UpdateState.SENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpdate:
    """An update of one station that is to begin; :class:`UpdateRecord` says what each field is."""

    identity: str
    image_id: int | None
    source: UpdateSource
    by: str
    location: str = field(repr=False)
    campaign_id: int | None = None
    action: str | None = None
    backend_request_id: int | None = None
    retrieve_at: datetime | None = None
    install_at: datetime | None = None
    retries: int | None = None
    retry_interval: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """One update of one station. Times are aware, in UTC."""

    id: int
    identity: str
    image_id: int | None
    source: UpdateSource
    campaign_id: int | None
    by: str
    """Who ordered it: a backend's name, ``api``, ``cli``, a campaign's name."""
    action: str | None
    """The backend's: UpdateFirmware or SignedUpdateFirmware."""
    backend_request_id: int | None
    """The backend's own requestId; UpdateFirmware of 1.6 has none."""
    request_id: int | None
    """The station's; None: it was told by the plain UpdateFirmware of 1.6."""
    location: str = field(repr=False)
    """As it was ordered; it may hold a password: never shown as it is."""
    retrieve_at: datetime | None
    """None: at once."""
    install_at: datetime | None
    retries: int | None
    retry_interval: int | None
    """Seconds."""
    state: UpdateState
    status: str | None
    """The last FirmwareStatus (2.0.1's fourteen), of the station or told in its place."""
    reason: str | None
    created_at: datetime
    changed_at: datetime
    untold: bool = False
    """True: the backend that ordered it has not heard ``status`` yet: found in the station's place, or told while the
    backend was away."""


class CampaignState(enum.Enum):
    """Where a campaign stands."""

    RUNNING = "running"
    PAUSED = "paused"
    """By a person."""
    HALTED = "halted"
    """Too many stations have failed; a person resumes or ends it."""
    DONE = "done"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """A campaign that is to begin: one image to many stations, some at a time."""

    name: str
    image_id: int
    group: str | None = None
    """The stations of this group; None: those named in ``stations``."""
    stations: tuple[str, ...] = ()
    batch_size: int = 10
    """Updates under way at once."""
    halt_above: int = 20
    """Per cent of failures among the stations that are through, above which it halts; 100: never."""
    halt_after: int = 5
    """Stations that must be through before that share counts."""
    window_from: int | None = None
    """Minute of the day, UTC, from which on stations are ordered; None: at any time."""
    window_until: int | None = None
    """Minute of the day, UTC, before which they are; smaller than ``window_from``: over midnight."""


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign. Times are aware, in UTC."""

    id: int
    plan: NewCampaign
    state: CampaignState
    reason: str | None
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str


class LogState(enum.Enum):
    """Where one log of a station stands."""

    ASKED = "asked"
    """The station has been asked, or is uploading."""
    RECEIVED = "received"
    """It is here, and still to be handed over."""
    HANDED_OVER = "handed_over"
    """It is where the backend wanted it, and kept here."""
    KEPT = "kept"
    """It is here, and nobody else is to get it."""
    FAILED = "failed"
    """Nothing came, or it could not be handed over and is kept here: the reason says which."""
    DELETED = "deleted"
    """It was here; its time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLog:
    """A log that a station is about to be asked for; the fields are those of LogRecord."""

    identity: str
    by: str
    action: str
    log_type: str
    backend_request_id: int | None = None
    request_id: int | None = None
    destination: str | None = field(default=None, repr=False)
    """None: an operator asks, and nobody else is to get it."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log that a station was asked for. Times are aware, in UTC."""

    id: int
    identity: str
    by: str
    """Who asked: a backend's name, ``api``."""
    action: str
    """The backend's: GetDiagnostics or GetLog."""
    log_type: str
    """DiagnosticsLog or SecurityLog."""
    backend_request_id: int | None
    request_id: int | None
    """The station's; GetDiagnostics to a 1.6 station has none."""
    destination: str | None = field(repr=False)
    """Where the backend wants it; it may hold a password: never shown as it is. None: an operator asked."""
    state: LogState
    reason: str | None
    file_name: str | None
    """As the station named it; a name alone, no path."""
    sha256: str | None
    """Lower-case hex; None: there is no file, not yet or not any more."""
    size: int | None
    """Bytes."""
    is_told: bool
    """False while its backend is still to hear what has become of it."""
    created_at: datetime
    changed_at: datetime

    @property
    def is_waited_for(self) -> bool:
        """True while something is to come of it."""
        return self.state in {LogState.ASKED, LogState.RECEIVED}


class Publisher(enum.Enum):
    """Who is the local controller of a PublishFirmware (OCPP 2.0.1 L03)."""

    GATEWAY = "gateway"
    """Voltgate, in the station's place: the backend has asked."""
    STATION = "station"
    """The station itself: an operator has asked."""


class PublicationState(enum.Enum):
    """Where a publication stands: a PublishFirmwareStatus of 2.0.1, or what became of one that was published."""

    DOWNLOAD_SCHEDULED = "DownloadScheduled"
    DOWNLOADING = "Downloading"
    DOWNLOADED = "Downloaded"
    CHECKSUM_VERIFIED = "ChecksumVerified"
    PUBLISHED = "Published"
    DOWNLOAD_FAILED = "DownloadFailed"
    DOWNLOAD_PAUSED = "DownloadPaused"
    INVALID_CHECKSUM = "InvalidChecksum"
    PUBLISH_FAILED = "PublishFailed"
    IDLE = "Idle"
    """A station's own word alone."""
    UNPUBLISHED = "Unpublished"

    @property
    def is_open(self) -> bool:
        """True while something is to come of it."""
        return self in _GOING_ON


_GOING_ON = frozenset(
    {
        PublicationState.DOWNLOAD_SCHEDULED,
        PublicationState.DOWNLOADING,
        PublicationState.DOWNLOADED,
        PublicationState.DOWNLOAD_PAUSED,
        PublicationState.CHECKSUM_VERIFIED,
    }
)


@dataclass(frozen=True, slots=True)
class PublicationRecord:
    """One image that is published for all stations of a local controller. Times are aware, in UTC."""

    id: int
    identity: str
    """The station on whose leg the backend asked, or which is the controller itself."""
    publisher: Publisher
    request_id: int
    checksum: str | None
    """The MD5 that was asked for, in lower-case hex; None: of a station."""
    location: str | None = field(repr=False)
    """As it was asked for; it may hold a password: never shown as it is. None: of a station."""
    image_id: int | None
    state: PublicationState
    untold: bool
    """True: it is over, and the backend has not heard so."""
    published: tuple[str, ...]
    """Where a station that is a controller has it; our own URLs aren't kept."""
    created_at: datetime
    changed_at: datetime


class FirmwareUnknown(LookupError):
    """There is no such image, update, campaign or log; the text says so."""


class FirmwareInvalid(ValueError):
    """It can't be; the text says what is wrong."""


class FirmwareConflict(Exception):
    """It can't be done as things stand; the text says why and what to do."""
