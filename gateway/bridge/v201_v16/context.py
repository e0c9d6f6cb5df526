"""What every handler of this bridge is given: the station's books, the ledger, both legs, and what it may forget."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.bridge.books import SAVED_NOW_AND_THEN, Books, Connector, Json, Page
from gateway.bridge.offline_authorization import AuthorizeOffline, nothing_known
from gateway.bridge.ports import (
    Afterwards,
    Call,
    Clock,
    FirmwareDesk,
    Ledger,
    LogDesk,
    Note,
    PeerUnavailable,
    Recall,
    Report,
    SaveConnector,
    SavePage,
)
from gateway.bridge.v201_v16.inventory_parts import InventoryParts
from gateway.wire.errors import CallError, ErrorCode

DEFAULT_ID_TAG: Final = "VOLTGATE"
"""The idTag of a transaction that was begun without any token, unless the operator names another."""
UNSUPPORTED: Final = frozenset({ErrorCode.NOT_IMPLEMENTED, ErrorCode.NOT_SUPPORTED})
"""CALLERRORs by which a station says that it hasn't the whole function."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decides about the bridge of one station."""

    default_id_tag: str = DEFAULT_ID_TAG
    """Stands in 1.6 for NoAuthorization, for an empty idToken, and for energy that nobody's token accounts for."""
    connectors: Mapping[tuple[int, int], int] | None = None
    """(evseId, connectorId) -> 1.6 connectorId; None: numbered as they are learnt."""
    authorize_offline: AuthorizeOffline = "refuse"
    """What Authorize is answered while the backend is away."""
    security_extension: bool = False
    """True: the backend knows the messages of the white paper "Improved security for OCPP 1.6-J"."""
    plug_and_charge: bool = False
    """True: it knows the note "ISO 15118 Plug & Charge with OCPP 1.6", and hears Authorize with a contract by it."""


Renumbered = tuple[Connector, int]
"""A connector with a new number, and one that nobody else has, for the time between."""


@dataclass(slots=True)
class Memory:
    """What is known beside the books. A restart loses it, and costs no more than a less precise answer.

    Dicts where sets would do: each station has them, and an empty set takes 216 bytes, an empty dict 64.
    """

    finishing: dict[int, None] = field(default_factory=dict)
    """1.6 connectors whose transaction has ended while the cable is still in."""
    since: dict[int, str] = field(default_factory=dict)
    """By 1.6 connectorId: when its state last changed."""
    unlocking: dict[str, None] = field(default_factory=dict)
    """The station's transactionIds that are stopped so that their connector can be unlocked."""
    beginnings: dict[str, list[Json]] = field(default_factory=dict)
    """By the station's transactionId: what was measured with a begin that is being delivered, and isn't on a page."""
    counted: dict[str, None] = field(default_factory=dict)
    """The station's transactionIds whose last_seq_no is exact: not that of a message before a restart."""
    delivered: dict[str, dict[tuple[int, str], None]] = field(default_factory=dict)
    """By the station's transactionId: (seqNo, timestamp) of the last events of which all has been delivered."""
    answers: dict[str, tuple[int, Json]] = field(default_factory=dict)
    """By the station's transactionId: the last answer that carried a token's status, and its seqNo."""
    inventory: InventoryParts | None = None
    """What has come of the inventory that is on its way."""
    inventories_asked: int = 0
    """Inventories asked for since the last boot, or the start."""
    renumbered: list[Renumbered] = field(default_factory=list)
    """Connectors whose number isn't the store's yet."""
    last_remote_start: int = 0
    soft_reset: bool = False
    """True from an accepted Reset(OnIdle) until a transaction begins: what ends meanwhile ends by SoftReset."""
    diagnostics_asked: bool = False
    """True when the backend has triggered DiagnosticsStatusNotification and has not got it yet."""
    log_asked: bool = False
    """The same of LogStatusNotification, by ExtendedTriggerMessage."""
    firmware_asked: bool = False
    """The same of SignedFirmwareStatusNotification, by ExtendedTriggerMessage for FirmwareStatusNotification."""


@dataclass(slots=True)
class Context:
    """One station's bridge. Its CALLs come one at a time from either side, the two sides interleave."""

    books: Books
    ledger: Ledger
    call_station: Call
    call_backend: Call
    note: Note
    clock: Clock
    settings: Settings
    save_connector: SaveConnector
    save_page: SavePage
    afterwards: Afterwards
    report: Report = lambda _kind, _detail: None
    recall: Recall = nothing_known
    firmware: FirmwareDesk | None = None
    """None: no update of a backend goes further."""
    logs: LogDesk | None = None
    """None: stations upload to where the backend wants it."""
    memory: Memory = field(default_factory=Memory)
    carried: Collection[str] = ()
    """The backend's actions that the bridge carries."""

    async def save_page_now(self, page: Page) -> None:
        """Persist a page that must be on disk before what comes next."""
        self.books.unsaved.discard(page)
        try:
            await self.save_page(page, self.books.page(page))
        except Exception:
            self.books.unsaved.add(page)
            raise

    async def save_changes(self) -> None:
        """Persist the pages that have changed, but for what is saved now and then."""
        for page in sorted(self.books.unsaved - SAVED_NOW_AND_THEN, key=lambda page: page.value):
            await self.save_page_now(page)

    async def ask_station(self, action: str, payload: Json) -> Json | None:
        """Call the station; None when it refuses with a CALLERROR or can't be reached: 1.6 says Rejected for both."""
        try:
            return await self.call_station(action, payload)
        except (CallError, PeerUnavailable):
            return None

    async def ask_backend(self, action: str, payload: Json) -> Json | None:
        """Call the backend; None when it answers with a CALLERROR or can't be reached."""
        try:
            return await self.call_backend(action, payload)
        except (CallError, PeerUnavailable):
            return None


Handler = Callable[[Context, Json], Awaitable[Json]]
"""``await handler(context, payload)`` returns the payload of the CALLRESULT; raises CallError."""
