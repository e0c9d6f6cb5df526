"""What every handler of this bridge is given: the station's books, the ledger, both legs, and what it may forget."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.bridge.books import Books, Json
from gateway.bridge.ports import Afterwards, Call, Clock, FirmwareDesk, Ledger, LogDesk, Note, Report, SavePage

EVENTS_MAX: Final = 32
"""Events of one transaction that are known again: a station repeats the oldest that it got no answer to."""


class EventName(NamedTuple):
    """What tells one event of a transaction from another. Not seqNo alone: there are stations that don't count."""

    kind: str
    seq_no: int
    timestamp: str


@dataclass(slots=True)
class Events:
    """The last events of one transaction."""

    is_whole: bool
    """True when they are known from the first on, False when it began before a restart."""
    names: deque[EventName] = field(default_factory=lambda: deque(maxlen=EVENTS_MAX))
    last_answer: Json = field(default_factory=dict)
    """What the newest of them was answered."""
    has_ended: bool = False
    """True once the station has said so: a transaction may be given up before."""

    def add(self, name: EventName, answer: Json) -> None:
        """An event was answered."""
        self.names.append(name)
        self.last_answer = answer
        self.has_ended = self.has_ended or name.kind == "Ended"


@dataclass(slots=True)
class Memory:
    """What is known beside the books. A restart loses it, and costs no more than a message that is repeated."""

    events: dict[str, Events] = field(default_factory=dict)
    """By transactionId, the one that was heard of last at the end: of those that run, and of some that have ended."""
    to_stop: set[str] = field(default_factory=set)
    """transactionIds that the backend refused and that the station has not agreed to stop yet."""


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
    save_page: SavePage
    afterwards: Afterwards
    firmware: FirmwareDesk | None = None
    """None: no update of a backend goes further."""
    logs: LogDesk | None = None
    """None: stations upload to where the backend wants it."""
    memory: Memory = field(default_factory=Memory)

    async def save_changes(self) -> None:
        """Persist the pages that have changed."""
        for page in sorted(self.books.unsaved, key=lambda page: page.value):
            self.books.unsaved.discard(page)
            try:
                await self.save_page(page, self.books.page(page))
            except Exception:
                self.books.changed(page)
                raise


Handler = Callable[[Context, Json], Awaitable[Json]]
"""``await handler(context, payload)`` returns the payload of the CALLRESULT; raises CallError and PeerUnavailable."""
