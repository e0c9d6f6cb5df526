"""What a bridge remembers of one station: its transactions and its connectors.

Plain state without I/O. What must outlive the process is written through :mod:`gateway.bridge.ports`.
"""

import enum
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.bridge.given_numbers import is_given

Json = dict[str, Any]
"""An OCPP payload: a JSON object as plain Python values."""


class Page(enum.Enum):
    """A part of a station's books that is kept as one JSON object: small, bounded, and written whole when it changes.

    The value is its name in the store.
    """

    __hash__ = object.__hash__
    """Members are compared by identity; Enum's own is Python, and asked for several times by each message."""

    ALIASES = "aliases"
    """idTag that stands for an idToken too long for 1.6, casefolded -> that idToken, {idToken, type}."""
    BACKEND = "backend"
    """Whose the transactions in these books are: {name, url} of the configured backend; empty: of none yet."""
    BEGINNINGS = "beginnings"
    """The station's transactionId -> what was measured with its begin, MeterValue elements of 1.6, until it is sent."""
    BEFORE = "before"
    """Transactions that ended at the backend which the station had before: station_tx -> started_at."""
    CHARGING_PROFILES = "charging_profiles"
    """The charging profiles that the backend has installed."""
    DEVICE_MODEL = "device_model"
    """What the station's inventory says of its variables."""
    FAULTS = "faults"
    """Problems that the station has reported and not taken back."""
    LOCAL_LIST = "local_list"
    """The local authorization list as the backend has sent it."""
    REGISTERS = "registers"
    """evseId -> the Energy.Active.Import.Register last seen, in Wh."""
    REMOTE_STARTS = "remote_starts"
    """remoteStartId of RequestStartTransaction -> the idTag it was asked for."""
    REQUESTS = "requests"
    """Request ids under way: of logs, firmware, reports."""
    STATUSES = "statuses"
    """``evseId.connectorId`` -> the message about its state that a 2.0.1 backend has not heard yet."""
    STOP_TAGS = "stop_tags"
    """The station's transactionId -> the idTag that asked for the stop before the Ended event came."""
    TO_STOP = "to_stop"
    """The station's transactionIds that the backend refused and that the station has not agreed to stop yet -> true."""


SAVED_NOW_AND_THEN: Final = frozenset({Page.REGISTERS})
"""Pages that change with each meter value, and are not worth a write each."""


class TransactionState(enum.Enum):
    """Where a station's transaction stands in the backend's ledger."""

    __hash__ = object.__hash__
    """As of :class:`Page`."""

    HELD = "held"
    """Begun at the station; StartTransaction waits for a token or an EVSE."""
    STARTING = "starting"
    """StartTransaction is in the journal; its outcome is not known yet."""
    OPEN = "open"
    """The backend has given its transactionId."""
    UNSTARTED = "unstarted"
    """The backend refused StartTransaction for good; StopTransaction goes with -1 (OCPP 1.6 errata)."""
    STOPPING = "stopping"
    """StopTransaction is in the journal."""
    ENDED = "ended"
    """The backend has answered StopTransaction, or the transaction ended without ever being started."""


_OVER: Final = frozenset({TransactionState.STOPPING, TransactionState.ENDED})


@dataclass(slots=True)
class Transaction:
    """One transaction: the station's name for it and what the 1.6 ledger needs of it.

    Energy is in whole Wh. Times are RFC 3339 strings in UTC; those of a 1.6 station are written as it wrote them.
    """

    station_tx: str
    """The 2.0.1 transactionId; of a 1.6 station, the number that its backend gave, with ``/2`` where that one has it
    already, or a number that it was given before its backend had heard of it (:mod:`gateway.bridge.given_numbers`)."""
    state: TransactionState = TransactionState.HELD
    backend_tx: int | None = None
    evse_id: int | None = None
    connector_id: int | None = None
    """The 1.6 connectorId."""
    id_tag: str | None = None
    started_at: str | None = None
    meter_start: int | None = None
    last_register: int | None = None
    last_seq_no: int = -1
    charging_state: str | None = None
    remote_start_id: int | None = None
    reservation_id: int | None = None
    energy_flowed: bool = False
    """True once chargingState was Charging: then EVConnected means Finishing or SuspendedEVSE, not Preparing."""
    deauthorized: bool = False

    @property
    def station_number(self) -> int | None:
        """What a 1.6 station calls it; None while nobody has given it a number."""
        is_own = self.station_tx.isascii() and self.station_tx.isdigit() and is_given(int(self.station_tx))
        return int(self.station_tx) if is_own else self.backend_tx

    @property
    def is_over(self) -> bool:
        """True once the station has ended it, whether or not the backend has heard."""
        return self.state in _OVER


@dataclass(slots=True)
class Connector:
    """One connector: its 2.0.1 place, its 1.6 number and what was last said of it."""

    evse_id: int
    """Below 0: not of 2.0.1 (:mod:`gateway.bridge.v16_v16.availability`)."""
    connector_id: int
    number: int
    """The flat 1.6 connectorId, 1..N."""
    status: str = "Available"
    """The 2.0.1 connectorStatus last reported."""
    reported: Json | None = None
    """The 1.6 StatusNotification last answered by the backend, and as ``untold`` a newer one that it hasn't heard; None
    while there was none."""


@dataclass(slots=True)
class Books:
    """The books of one station."""

    transactions: dict[str, Transaction] = field(default_factory=dict)
    """By the station's transactionId."""
    connectors: dict[tuple[int, int], Connector] = field(default_factory=dict)
    """By (evseId, connectorId)."""
    pages: dict[Page, Json] = field(default_factory=dict)
    """What is persisted of the rest, and what isn't yet: see :meth:`page` and :meth:`changed`."""
    unsaved: set[Page] = field(default_factory=set)
    """Pages that are newer than the store's."""
    quarantined: dict[str, str] = field(default_factory=dict)
    """The station's transactionIds of which all that it says is kept for a person -> the digest of how each began."""
    withheld: set[str] = field(default_factory=set)
    """Those of which all that the backend was to hear is kept."""

    def page(self, page: Page) -> Json:
        """Return a page to read and to write in; empty at first. Who writes in it says so by :meth:`changed`."""
        found = self.pages.get(page)
        if found is None:
            found = self.pages[page] = {}
        return found

    def changed(self, page: Page) -> None:
        """The page is newer than the store's: it is saved before the message that changed it is answered.

        Those of ``SAVED_NOW_AND_THEN`` wait for the next sweep: a meter value costs no write.
        """
        self.unsaved.add(page)

    def belongs_before(self, tx: Transaction) -> bool:
        """True for one that ended at the backend which the station had before: that of now has no business with it."""
        before = self.page(Page.BEFORE)
        return tx.is_over and tx.station_tx in before and before[tx.station_tx] == tx.started_at

    @property
    def running(self) -> int:
        """Transactions whose end the backend has not heard."""
        return sum(tx.state is not TransactionState.ENDED for tx in self.transactions.values())

    @property
    def has_running(self) -> bool:
        """True while there is such a transaction; the newest are looked at first."""
        return any(tx.state is not TransactionState.ENDED for tx in reversed(self.transactions.values()))

    def by_backend_tx(self, backend_tx: int) -> Transaction | None:
        """Return the running transaction of *this* station that the backend calls ``backend_tx``, or None.

        The newest one: there are backends that use a number twice.
        """
        for tx in reversed(self.transactions.values()):
            if tx.backend_tx == backend_tx and not tx.is_over:
                return tx
        return None

    def by_station_number(self, number: int) -> Transaction | None:
        """Return the running transaction that this station, of 1.6, calls ``number``, or None.

        That is what its backend calls it, unless the station was given a number while the begin was in the quarantine.
        """
        known = self.transactions.get(str(number)) if is_given(number) else None
        return known if known is not None and not known.is_over else self.by_backend_tx(number)

    def on_connector(self, number: int) -> Transaction | None:
        """Return the transaction that runs on the 1.6 connector ``number``, or None.

        The newest one: a station that lost its memory never ends the older one.
        """
        for tx in reversed(self.transactions.values()):
            if tx.connector_id == number and not tx.is_over:
                return tx
        return None
