"""What every handler of this bridge is given: the station's books, the ledger, both legs, and what it may forget."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.bridge.books import Books, Json
from gateway.bridge.ports import Call, Clock, Ledger, Note, Report, SaveConnector


@dataclass(slots=True)
class Memory:
    """What is known beside the books. A restart loses it, and costs no more than a less complete answer."""

    last_start: tuple[Json, Json] = field(default_factory=lambda: ({}, {}))
    """The last StartTransaction.req that the backend has answered, and its conf."""
    last_stop: tuple[Json, Json] = field(default_factory=lambda: ({}, {}))
    """The last StopTransaction.req that the station got an answer to, and that answer."""


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
    memory: Memory = field(default_factory=Memory)


Handler = Callable[[Context, Json], Awaitable[Json]]
"""``await handler(context, payload)`` returns the payload of the CALLRESULT; raises CallError and PeerUnavailable."""
