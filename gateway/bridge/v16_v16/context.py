"""What every handler of this bridge is given: the station's books, the ledger, both legs, and what it may forget."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.bridge.books import Books, Json
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
)
from gateway.wire.errors import CallError


@dataclass(slots=True)
class Memory:
    """What is known beside the books. A restart loses it, and costs no more than a less complete answer."""

    last_start: tuple[Json, Json] = field(default_factory=lambda: ({}, {}))
    """The last StartTransaction.req that the backend has answered, and its conf."""
    last_stop: tuple[Json, Json] = field(default_factory=lambda: ({}, {}))
    """The last StopTransaction.req that the station got an answer to, and that answer."""
    log_asked: bool = False
    """True when the backend has triggered LogStatusNotification and has not got it yet."""
    firmware_asked: bool = False
    """The same of SignedFirmwareStatusNotification."""


@dataclass(slots=True)
class Context:
    """One station's bridge. Its CALLs come one at a time from either side, the two sides interleave."""

    books: Books
    ledger: Ledger
    call_station: Call
    call_backend: Call
    note: Note
    report: Report
    clock: Clock
    save_connector: SaveConnector
    afterwards: Afterwards
    security_extension: bool = False
    """True: the backend knows the messages of the white paper "Improved security for OCPP 1.6-J"."""
    authorize_offline: AuthorizeOffline = "refuse"
    """What Authorize is answered while the backend is away."""
    recall: Recall = nothing_known
    firmware: FirmwareDesk | None = None
    """None: no update of a backend goes further."""
    logs: LogDesk | None = None
    """None: stations upload to where the backend wants it."""
    memory: Memory = field(default_factory=Memory)

    async def tell_backend(self, action: str, payload: Json) -> None:
        """Call the backend, whose answer says nothing; one that can't be reached misses it."""
        with contextlib.suppress(CallError, PeerUnavailable):
            await self.call_backend(action, payload)


Handler = Callable[[Context, Json], Awaitable[Json]]
"""``await handler(context, payload)`` returns the payload of the CALLRESULT; raises CallError and PeerUnavailable."""
