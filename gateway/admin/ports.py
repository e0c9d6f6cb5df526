"""What the API needs of the parts beside it; ``app`` joins them."""

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from gateway.session.certificate_requests import CertificateRequest, RequestState
from gateway.session.pending import PendingStation
from gateway.session.ports import StationRecord
from gateway.session.quarantine import QuarantinedMessage, Selection, State
from gateway.session.renewals import RenewalRecord
from gateway.session.security import Source
from gateway.session.station import Station
from gateway.session.upgrades import UpgradeRecord
from gateway.wire.versions import Version


class Refused(Exception):
    """It can't be done as things stand; the text says why and what to do."""


class StationRefused(Exception):
    """The station doesn't do what it was asked; the text is its answer."""


class NewlyRegistered(Protocol):
    """A registration and its password, which is shown once."""

    @property
    def record(self) -> StationRecord:
        """The station."""

    @property
    def password(self) -> str | None:
        """The password in the clear."""


class Registration(Protocol):
    """What the API needs of registration.

    Raises RegistrationInvalid for what can't be, RegistrationRefused for what stands against what is there, and
    LookupError for a station that isn't there.
    """

    async def add(
        self,
        identity: str,
        *,
        profile: int,
        serial: str | None,
        backend: str | None,
        password: str | None,
        version: Version | None,
        group: str | None,
    ) -> NewlyRegistered:
        """Register a station; ``version`` is the only one that it may speak, None: any."""

    async def show(self, identity: str) -> StationRecord:
        """Return one station."""

    async def list(self) -> Sequence[StationRecord]:
        """Return all stations."""

    async def remove(self, identity: str, *, force: bool = False) -> None:
        """Remove a station."""

    async def allow(self, identity: str, *, expired: bool | None = None, downgrade: bool | None = None) -> None:
        """Allow an expired certificate, or the way back from security profile 3 to 2, or no more; None: as it is."""

    async def set_serial(self, identity: str, serial: str | None) -> None:
        """Replace the serial number."""

    async def set_group(self, identity: str, group: str | None) -> None:
        """Put the station into a group, or into none."""

    async def set_backend(self, identity: str, backend: str | None) -> None:
        """Give the station a backend of its own, or leave it to the routes."""

    async def pin_version(self, identity: str, version: Version | None) -> None:
        """Let the station speak this version only; None: any."""

    async def pending(self) -> Sequence[PendingStation]:
        """Return those that wait for approval."""

    async def approve(
        self, identity: str, *, profile: int, serial: str | None, backend: str | None, group: str | None
    ) -> NewlyRegistered:
        """Register one that waits. Raises LookupError when it doesn't."""

    async def dismiss(self, identity: str) -> None:
        """Forget one that waits. Raises LookupError when it doesn't."""


class Routes(Protocol):
    """Which backends the stations have."""

    async def of(self, records: Iterable[StationRecord]) -> Sequence[Mapping[str, Any]]:
        """Return what is told of it, for each station: JSON."""


class StationCommands(Protocol):
    """What a connected station is asked to do. Raises Refused, StationRefused, PeerUnavailable."""

    async def renew_certificate(self, station: Station, usage: str) -> None:
        """Ask it for a new CSR, for its certificate of ``usage``: station or v2g."""

    async def rotate_password(self, station: Station, *, force: bool) -> None:
        """Give it a new password. ``force``: although the fate of the last one isn't known."""

    async def upgrade(self, station: Station, profile: int, *, interface: str) -> None:
        """Begin the upgrade of its security profile. Raises UpgradeUnderWay too."""


class Upgrades(Protocol):
    """The upgrades of security profiles."""

    async def status(self, identity: str) -> UpgradeRecord | None:
        """Return the one under way, or the last one."""

    def under_way(self) -> Sequence[UpgradeRecord]:
        """Return all that aren't over."""

    async def cancel(self, identity: str) -> bool:
        """End the one under way where it stands; False when there is none."""


class Renewals(Protocol):
    """The scheduler of the stations' renewals."""

    def of_station(self, identity: str) -> Sequence[RenewalRecord]:
        """Return the plans of one station, by usage."""

    async def renew_all(self, usage: str, group: str | None) -> int:
        """Have all certificates of ``usage`` renewed now, or those of a group's stations; return how many."""


class CertificateRecord(Protocol):
    """One certificate of the inventory."""

    @property
    def identity(self) -> str:
        """The station that it was issued for."""

    @property
    def serial(self) -> str:
        """Lower-case hex without leading zeros."""

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of its DER, in hex."""

    @property
    def subject(self) -> str:
        """RFC 4514."""

    @property
    def not_before(self) -> datetime:
        """Aware, in UTC."""

    @property
    def not_after(self) -> datetime:
        """Aware, in UTC."""

    @property
    def state(self) -> enum.Enum:
        """Its value: issued, installed, in_use, rejected, superseded, revoked, expired."""

    @property
    def reason(self) -> str | None:
        """Why it was revoked."""

    @property
    def chain(self) -> str:
        """PEM, leaf first."""

    @property
    def issued_at(self) -> datetime:
        """Aware, in UTC."""

    @property
    def changed_at(self) -> datetime:
        """When it got its state."""

    @property
    def usage(self) -> str:
        """station, v2g, server; or seen: none of our authorities issued it."""

    @property
    def profile(self) -> str:
        """The certificate profile that it was issued by."""

    @property
    def authority_told(self) -> bool:
        """False while it is revoked and its authority must still hear of it."""

    @property
    def last_seen(self) -> datetime | None:
        """When it was last shown at a door: the first time of that day."""

    @property
    def id(self) -> int:
        """Rises in the order in which certificates were recorded."""


class Step(Protocol):
    """One step in the life of a certificate."""

    @property
    def state(self) -> enum.Enum:
        """The state that it got."""

    @property
    def at(self) -> datetime:
        """When."""

    @property
    def detail(self) -> str:
        """What there is to say of it."""


class Certificates(Protocol):
    """The inventory. A serial number that isn't hex is a ValueError."""

    async def list(
        self,
        identity: str | None = None,
        *,
        states: Collection[str] | None = None,
        usage: str | None = None,
        expiring_before: datetime | None = None,
        after_id: int = 0,
        limit: int | None = None,
    ) -> Sequence[CertificateRecord]:
        """Return those that fit, in the order in which they were recorded; None: any."""

    async def find(self, name: str) -> CertificateRecord | None:
        """Return the one of this serial number or fingerprint, or None. Raises LookupError when there are several."""

    async def history(self, fingerprint: str) -> Sequence[Step]:
        """Return the steps in the life of one."""


class CertificateRequests(Protocol):
    """The stations' requests for certificates."""

    async def list(
        self, identity: str | None = None, *, states: Collection[RequestState] | None = None
    ) -> Sequence[CertificateRequest]:
        """Return those that fit; None: any."""

    async def find(self, request_id: int) -> CertificateRequest | None:
        """Return one, or None."""

    async def decide(self, request_id: int, *, approved: bool, detail: str) -> CertificateRequest:
        """Let one that waits go on, or end it. Raises LookupError, NotWaiting."""


class Revoked(Protocol):
    """A certificate that is refused from now on."""

    @property
    def record(self) -> CertificateRecord:
        """The certificate."""

    @property
    def authority_problem(self) -> str | None:
        """Why the authority's own list doesn't name it; None when it does."""


class EventRecord(Protocol):
    """One security event as it is kept; ``count`` alike ones."""

    @property
    def id(self) -> int:
        """Rises in the order in which events were kept."""

    @property
    def at(self) -> datetime:
        """Aware, in UTC."""

    @property
    def last_at(self) -> datetime:
        """Of the last of ``count``."""

    @property
    def kind(self) -> str:
        """The standard's name, or one of our own."""

    @property
    def source(self) -> Source:
        """Who saw it."""

    @property
    def identity(self) -> str | None:
        """The station, where there is one."""

    @property
    def remote(self) -> str | None:
        """The peer's address."""

    @property
    def detail(self) -> str:
        """For a person."""

    @property
    def presented(self) -> Mapping[str, str]:
        """What was presented; nothing secret."""

    @property
    def count(self) -> int:
        """How many alike ones it stands for."""


class TrustAnchors(Protocol):
    """The roots that stations are to trust. What is told is JSON."""

    async def declared(self) -> Sequence[Mapping[str, Any]]:
        """Return the declared roots, with how many stations have them."""

    async def of(self, identity: str) -> Mapping[str, Any]:
        """Return where one station stands. Raises LookupError."""

    async def visit_now(self, identity: str) -> Mapping[str, Any]:
        """Bring a connected station nearer to it, and return where it stands then. Raises Refused, LookupError."""

    async def rotation(self) -> Mapping[str, Any]:
        """Return where the rotation of the CSMS root stands. Raises LookupError."""


class Quarantine(Protocol):
    """What is kept for a person's word."""

    async def list(
        self,
        identity: str | None = None,
        *,
        states: Collection[State],
        rule: str | None = None,
        station_tx: str | None = None,
        after_id: int = 0,
        limit: int,
    ) -> Sequence[QuarantinedMessage]:
        """Return the first ``limit`` messages that fit, oldest first, behind ``after_id``; None: any."""

    async def find(self, number: int) -> QuarantinedMessage | None:
        """Return one, or None."""


class QuarantineDecisions(Protocol):
    """That word. Both raise LookupError for what isn't there, and ReleaseRefused for what can't be decided so."""

    async def release(self, selection: Selection, by: str) -> Sequence[int]:
        """Let messages go to the backend; return their ids."""

    async def discard(self, selection: Selection, by: str, reason: str) -> Sequence[int]:
        """The backend is never to hear them; return their ids."""


class SecurityEvents(Protocol):
    """The store of security events."""

    async def list(
        self,
        *,
        identity: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> Sequence[EventRecord]:
        """Return at most ``limit`` events, the newest first."""
