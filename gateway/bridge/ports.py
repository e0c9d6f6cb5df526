"""What a bridge needs from outside: a way to call either side, and the ledger for what moves money.

The bridge calls these; the session and the upstream leg fulfil them. Every payload handed over here is checked against
the official schema of its version, and by the policy, on the other side of the port.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from gateway.bridge.books import Connector, Json, Page, Transaction

Call = Callable[[str, Json], Awaitable[Json]]
"""``await call(action, payload)`` returns the payload of the CALLRESULT.

Raises :class:`gateway.wire.errors.CallError` when the peer answered CALLERROR, :class:`PeerUnavailable` when it isn't
connected or didn't answer in time.
"""

Note = Callable[[str, str], None]
"""``note(topic, text)`` says in the log, once per station and topic, that a mapping could not be exact."""

Report = Callable[[str, str], None]
"""``report(kind, detail)`` raises a security event, each time. ``kind`` is one of those below; ``detail`` holds no
secret, and of a peer's own text little."""

FOREIGN_TRANSACTION: Final = "ForeignTransaction"
"""A station names a transaction that it didn't open through Voltgate."""
DOWNGRADE: Final = "DowngradeAttempted"
"""A backend asks the station for a lower security profile."""
RECONFIGURATION: Final = "ReconfigurationOfSecurityParameters"
"""A backend reaches for another setting of the station's own security (OCPP 2.0.1 Part 2 appendix)."""
UNVERIFIED_FIRMWARE: Final = "UnverifiedFirmware"
"""A backend wants firmware installed that nobody has verified."""
UNSAFE_LOCATION: Final = "UnsafeLocation"
"""A backend wants a station to upload to a place that none is sent to."""

FollowUp = Callable[[], Awaitable[None]]
"""``await follow_up()`` does what is to come after an answer. It raises nothing that an unreachable peer makes."""

Afterwards = Callable[[FollowUp], None]
"""``afterwards(follow_up)`` has ``follow_up`` run once the backend's CALL in hand has been answered.

A restart loses it; of too many the newest is dropped, and the log says so.
"""

SaveConnector = Callable[[Connector], Awaitable[None]]
"""Persists one connector: what is kept in it must outlive the process."""

SavePage = Callable[[Page, Json], Awaitable[None]]
"""Persists one page of the station's books as it is at the call."""

Recall = Callable[[str], Awaitable[Json | None]]
"""``await recall(id_tag)`` returns the IdTagInfo that the station's backend last gave for ``id_tag``, in any letter
case; None when it has said nothing of it that is recent enough to stand in for its word."""

Clock = Callable[[], datetime]
"""Returns the present time, aware, in UTC."""


class PeerUnavailable(Exception):
    """The other side isn't connected, or gave no answer in time. Nothing is known of what it did."""


class NotSent(PeerUnavailable):
    """It isn't connected, or something older waits for it: it has heard nothing of this."""


class Ledger(Protocol):
    """The ledger of one station: what moves money goes through here and is never lost.

    Each method returns when the backend has answered or when the message is durably in the journal. Messages reach the
    backend in the order of the calls. For a 1.6 backend ``payload`` of :meth:`meter` and :meth:`stop` carries no
    ``transactionId``: it is put in when the backend's number is known. For one of 2.0.1 each is a TransactionEvent.
    """

    @property
    def is_clear(self) -> bool:
        """True when nothing older waits and the backend takes messages: one that is sent now keeps the order."""

    @property
    def may_begin(self) -> bool:
        """True when a transaction may be begun at the backend now: nothing waits, or the backend itself refuses it."""

    async def hold(self, tx: Transaction) -> None:
        """Persist a transaction as it is, and send nothing."""

    async def start(self, tx: Transaction, payload: Json) -> Json | None:
        """Deliver StartTransaction.req, or the Started event; return its answer, or None when the backend is away."""

    async def meter(self, tx: Transaction, payload: Json) -> Json | None:
        """Deliver MeterValues.req of a transaction, or an Updated event; return its answer, None while it is away."""

    async def stop(self, tx: Transaction, payload: Json) -> Json | None:
        """Deliver StopTransaction.req, or the Ended event; return its answer, or None when the backend is away."""

    async def close(self, tx: Transaction) -> None:
        """Persist that a transaction ended which the backend never had to hear of."""

    async def set_aside(self, action: str, payload: Json, reason: str) -> None:
        """Keep a message that must not reach the backend for a person, durably, out of the journal's order."""


@dataclass(frozen=True, slots=True)
class UpdateOrdered:
    """A backend's order that a station is to load and install firmware, in the words of either version."""

    action: str
    """UpdateFirmware or SignedUpdateFirmware."""
    location: str
    retrieve_at: str
    """As the backend wrote it: retrieveDate or retrieveDateTime."""
    install_at: str | None = None
    retries: int | None = None
    retry_interval: int | None = None
    request_id: int | None = None
    """The backend's own; UpdateFirmware of 1.6 has none."""
    signing_certificate: str | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class UpdateHeard:
    """Whose update a station's status notification is about."""

    action: str | None
    """The backend's: UpdateFirmware or SignedUpdateFirmware; None: this backend has not ordered it."""
    request_id: int | None = None
    """The backend's own; UpdateFirmware of 1.6 has none."""


class FirmwareDesk(Protocol):
    """Where one station's firmware is seen to: what reaches the station was verified, and is sent from here.

    What becomes of an order is told to the bridge as the station's own status notifications are.
    """

    async def order(self, ordered: UpdateOrdered) -> str:
        """Return the UpdateFirmwareStatus of 2.0.1: Accepted, AcceptedCanceled, InvalidCertificate, RevokedCertificate.

        Rejected where nobody knows a signature for it. Accepted comes before the image has been fetched and looked at:
        that it isn't good is then told by a status notification, as a station tells it. Raises StoreAway.
        """

    async def proceed(self) -> None:
        """The backend has been answered: do what it has ordered."""

    async def heard(self, payload: Json) -> UpdateHeard | None:
        """Take note of a status notification, signed or plain, and return whose update it is about; None: of none.

        Raises StoreAway.
        """

    async def publish(self, payload: Json) -> str:
        """Handle PublishFirmware of a 2.0.1 backend as a local controller does (L03); return the GenericStatus.

        What becomes of it is told when the backend has been answered: :meth:`proceed`. Raises StoreAway.
        """

    async def publication(self) -> Json:
        """Return PublishFirmwareStatusNotificationRequest as it stands (L03). Raises StoreAway."""

    async def unpublish(self, payload: Json) -> str:
        """Handle UnpublishFirmware (L04); return the UnpublishFirmwareStatus."""


@dataclass(frozen=True, slots=True)
class LogOrdered:
    """A backend's order that a station is to upload a log."""

    action: str
    """GetDiagnostics or GetLog."""
    log_type: str
    """DiagnosticsLog or SecurityLog."""
    location: str = field(repr=False)
    """Where the backend wants it; it may hold a password."""
    request_id: int | None
    """The backend's own; GetDiagnostics has none."""
    station_request_id: int | None
    """The one that the station gets; None for GetDiagnostics to a 1.6 station."""


class LogDesk(Protocol):
    """Where one station's logs are received, in the place of where its backend wants them.

    When the station has uploaded one, the bridge hears of it only once it is where it belongs.
    """

    async def place(self, ordered: LogOrdered) -> str | None:
        """Return the URL that the station is to upload to; None: it can't be had now, and nothing is asked of it."""

    async def answered(self, ordered: LogOrdered, *, is_accepted: bool, file_name: str | None) -> None:
        """The station has answered: with the name of the file that will come, if any."""
