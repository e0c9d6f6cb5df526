"""What a session needs from other parts: the registry, the journal, the backend, the bridge.

Small Protocols, fulfilled by ``store``, ``upstream`` and ``bridge`` and joined in ``app``.
"""

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Final, Protocol

from cryptography import x509

from gateway.bridge.books import Json, Transaction
from gateway.session.quarantine import Why
from gateway.wire.versions import Version


class BootStatus(enum.Enum):
    """The last answer that a station got to BootNotification (OCPP 2.0.1 B01 to B03); NONE before the first."""

    NONE = "None"
    PENDING = "Pending"
    REJECTED = "Rejected"
    ACCEPTED = "Accepted"


class Provisional(enum.Enum):
    """Why a station was let in only to get a new certificate: its boot is answered Pending until it has one."""

    FACTORY = "factory certificate"
    """Its manufacturer's, not the operator's (OCPP 2.0.1 A00.FR.406, A00.FR.806)."""
    EXPIRED = "expired certificate"
    """Allowed for this one station (A00.FR.429, A00.FR.807)."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How a newcomer proved to be the station."""

    profile: int
    """The security profile of its connection."""
    password_hash: str | None = field(default=None, repr=False)
    """Profiles 1 and 2: the stored hash that the password fitted."""
    path: tuple[x509.Certificate, ...] = field(default=(), repr=False)
    """Profile 3: its certificate first, the root last."""
    provisional: Provisional | None = None


@dataclass(frozen=True, slots=True)
class StationRecord:
    """One registered station as the store holds it.

    ``identity`` is what the URL carries, ``serial`` the CN of its certificate (OCPP 2.0.1 A00.FR.405).
    ``minimum_profile`` is the lowest security profile that it may still use; it only ever rises (A05.FR.07).
    """

    identity: str
    minimum_profile: int
    serial: str | None = None
    backend: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    boot_status: BootStatus = BootStatus.NONE
    boot_interval: int = 0
    boot_payload: Json | None = None
    """The last BootNotificationRequest that was accepted, for a backend that has not heard it."""
    boot_reported: bool = True
    """False while the backend has not yet heard of the boot that Voltgate accepted in its place."""
    next_password_hash: str | None = field(default=None, repr=False)
    """A new password that was sent to the station and whose fate is not known: both are accepted until one is used."""
    next_password_waits: bool = False
    """True when the station said RebootRequired: it goes on with the old one, and only the new one's use settles it."""
    allow_expired: bool = False
    """True: its expired certificate lets it in, to be renewed at once (A00.FR.429)."""
    allow_downgrade: bool = False
    """True: from security profile 3 it may go back to 2, never to 1 (A00.FR.005 with the errata of 2025)."""
    pinned_version: Version | None = None
    """The only OCPP version that it may speak; None: any that its listener speaks (attack A12)."""
    version: Version | None = None
    """The OCPP version of its last connection; None before the first."""
    group: str | None = None
    """Names the stations that are routed alike."""

    @property
    def certificate_name(self) -> str:
        """The CN that this station's certificate must carry: its serial number, or its identity without one."""
        return self.serial or self.identity

    def admits_like(self, other: "StationRecord") -> bool:
        """Return whether a newcomer is decided on by both alike: how it booted and what it spoke decide nothing."""
        return bool(_DECIDES(self) == _DECIDES(other))


_TOLD: Final = {"boot_status", "boot_interval", "boot_payload", "boot_reported", "version"}
"""The fields of a StationRecord that its station's own connections change."""
_DECIDES: Final = attrgetter(*(each.name for each in fields(StationRecord) if each.name not in _TOLD))


@dataclass(frozen=True, slots=True)
class Taken:
    """A station that was taken for a newcomer, and what the registry said of it right before."""

    epoch: int
    record: StationRecord


class RecordChanged(Exception):
    """The registry says something else of the station than what was decided by, or nothing; it is as it was."""


class StaleEpoch(Exception):
    """Another owner has taken this station over: what the old one writes or drains is refused."""


class JournalFull(Exception):
    """The station's journal is at its bound: the station isn't answered, so that it queues by itself."""


class StoreAway(Exception):
    """The store can't be used now: nothing can be kept safe."""


class RegistrationRefused(Exception):
    """The registry refuses a change; the text says why and what to do."""


class RegistrationInvalid(RegistrationRefused):
    """What was asked for can't be: it would be refused whatever the registry holds."""


class Owners(Protocol):
    """Who owns a station."""

    async def take(self, identity: str, profile: int, version: Version | None = None) -> int:
        """Make the caller the owner: return the new epoch, and raise the minimum profile to ``profile`` (0: not).

        ``version`` is that of the new connection, None when there is none. Raises KeyError when the station has
        meanwhile been removed.
        """

    async def confirm(self, record: StationRecord) -> None:
        """Return when the registry still lets in whom ``record`` does. Raises :class:`RecordChanged`."""

    async def let_in(self, record: StationRecord, profile: int, version: Version) -> Taken:
        """Make the caller the owner of a newcomer's station, as ``take`` does, if ``confirm`` holds at that moment.

        Raises :class:`RecordChanged`.
        """


class StationRegistry(Owners, Protocol):
    """The registered stations."""

    async def find(self, identity: str) -> StationRecord | None:
        """Return the station, or None when it isn't registered. The comparison is exact, to the byte."""

    async def password_used(self, identity: str, password_hash: str) -> None:
        """Of two passwords that were accepted, the station has used this one: it is the only one from now on.

        Without effect when ``password_hash`` is the old one and the new one waits for a reboot, or is neither.
        """

    async def save_boot(
        self, identity: str, epoch: int, status: BootStatus, interval: int, payload: Json, *, reported: bool
    ) -> None:
        """Persist the answer to a BootNotification. Raises :class:`StaleEpoch`."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One message that moves money and that the backend has not answered yet."""

    id: int
    identity: str
    station_tx: str
    action: str
    payload: Json
    attempts: int
    released: bool = False
    """True for one that a person has let go: no policy denies it any more."""


@dataclass(frozen=True, slots=True)
class Register:
    """The energy register, in Wh, that a running transaction had last; ``epoch`` is that of who saw it."""

    identity: str
    epoch: int
    station_tx: str
    wh: int


class JournalStore(Protocol):
    """Transactions and the journal, durable: when a method returns, a ``kill -9`` loses nothing of it.

    All writing methods raise :class:`StaleEpoch` when ``epoch`` isn't the station's newest.
    """

    async def save(self, identity: str, epoch: int, tx: Transaction) -> None:
        """Insert or update one transaction."""

    async def append(
        self, identity: str, epoch: int, tx: Transaction, action: str, payload: Json, *, released: bool = False
    ) -> JournalEntry:
        """Insert or update the transaction and append a message about it, in one database transaction.

        ``released``: a person has let it go. Raises :class:`JournalFull` at the station's bound.
        """

    async def settle(self, entry: JournalEntry, epoch: int, tx: Transaction) -> None:
        """The backend has answered ``entry``: remove it and update the transaction, in one database transaction."""

    async def save_registers(self, registers: Sequence[Register]) -> None:
        """Note registers of many stations' transactions, and nothing else of them, in one database transaction.

        One of a stale owner, or of a transaction that isn't there, is passed over.
        """

    async def retry(self, entry: JournalEntry, epoch: int) -> None:
        """Count one more attempt of ``entry``."""

    async def refuse(self, entry: JournalEntry, epoch: int, tx: Transaction, why: Why) -> None:
        """The backend must not have ``entry``: move it to the quarantine, out of the journal's order.

        Raises :class:`JournalFull` when that is at its bound; then it stays.
        """

    async def pending(self, identity: str, limit: int = 100, *, beside: Sequence[str] = ()) -> Sequence[JournalEntry]:
        """Return the station's journal, oldest first, without what is of the transactions ``beside``."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a backend said of an idTag, and when."""

    backend: str
    id_tag: str = field(repr=False)
    """Casefolded: 1.6 compares idTags so."""
    info: Json = field(repr=False)
    """IdTagInfo."""
    heard_at: datetime


class AuthorizationStore(Protocol):
    """What the backends have said of idTags. All methods raise :class:`StoreAway`."""

    async def find(self, backend: str, id_tag: str) -> Authorization | None:
        """Return what is kept of an idTag, casefolded."""

    async def keep(self, heard: Sequence[Authorization]) -> None:
        """Keep what is new of it, or fresher by a day than what is kept, in one database transaction."""

    async def forget(self, backends: Collection[str], before: datetime) -> None:
        """Delete what was heard before a moment, of backends not named, and the oldest beyond the store's bound."""


class Socket(Protocol):
    """The WebSocket under a peer, as far as a session needs it."""

    def send(self, text: bytes) -> bool:
        """Send one text message; never blocks. False when it is closing: then the loss of the connection follows."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake."""

    def pause(self) -> None:
        """Stop reading: the peer's messages stay in its own buffers."""

    def resume(self) -> None:
        """Read again."""

    async def ping(self, timeout: float) -> bool:
        """Return whether a pong came within ``timeout`` seconds."""


class Backend(Protocol):
    """A station's leg to its backend."""

    @property
    def is_up(self) -> bool:
        """True while the WebSocket to the backend is open."""

    async def wait_up(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds for the leg to come up; return whether it is."""

    async def begun(self, timeout: float) -> None:
        """Wait at most ``timeout`` seconds, while the leg is opened for the first time and told what it missed."""

    async def call(self, action: str, payload: Json) -> Json:
        """Send a CALL and return the CALLRESULT's payload.

        Raises CallError for a CALLERROR, PeerUnavailable without a connection or an answer.
        """


class Closing(Protocol):
    """How a WebSocket ended."""

    @property
    def code(self) -> int:
        """The close code; 1006 when there was no closing handshake."""

    @property
    def reason(self) -> str:
        """The peer's or our own words."""


class Bridge(Protocol):
    """The dialect between this station and its backend."""

    async def from_station(self, action: str, payload: Json) -> Json:
        """Handle a CALL of the station."""

    async def from_backend(self, action: str, payload: Json) -> Json:
        """Handle a CALL of the backend."""

    async def released(self, action: str, payload: Json, station_tx: str) -> None:
        """Handle a CALL that the station made a while ago and that a person has let go; nobody waits for an answer.

        ``station_tx``: what the station calls the transaction that it is about; empty for none. It is done when this
        returns: the backend has answered, or the ledger has it. Raises PeerUnavailable and CallError.
        """

    async def booted(self, payload: Json) -> None:
        """The station has sent this BootNotification, whatever it is answered. Raises StoreAway."""

    async def settle_in(self, boot: Json | None) -> bool:
        """Ask the station, in one CALL at most, what isn't known of it. False: there is more, in a while.

        ``boot`` is the BootNotification that was accepted last, where it is known. Raises StoreAway.
        """

    async def backend_connected(self) -> None:
        """The backend's leg is up: tell it what it missed."""

    async def started_late(self, tx: Transaction, conf: Json) -> None:
        """StartTransaction.conf came after the station had been answered without it."""

    def boot_serial(self, payload: Json) -> str | None:
        """Return the serial number that a BootNotification.req names, or None."""

    def boot_request(self, payload: Json) -> Json:
        """Translate BootNotification.req for the backend."""

    def boot_response(self, payload: Json) -> Json:
        """Translate BootNotification.conf for the station."""
