"""The bridge of 2.0.1 on the real ledger: whoever goes away, whatever is repeated, each event counts once, in order."""

import asyncio
import copy
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v201 import V201ToV201
from gateway.upstream.journal import JournaledLedger
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version

STEPS = (
    *("start", "update", "stop", "crash", "down", "up"),  # these first and twice: what goes wrong does so between them
    *("start", "update", "stop", "crash", "down", "up", "talk", "drain", "lose", "late", "trouble", "repeat"),
)


class Backend:
    """A 2.0.1 backend that compares: an identical event is one that it has."""

    def __init__(self) -> None:
        self.up = True
        self.fate = "answer"
        self.ledger: list[Json] = []
        self.repeated = 0

    def meets(self, fate: str) -> None:
        """Go "down", come "up"; "lose" the next message, answer it too "late", or have "trouble" with it."""
        if fate in {"down", "up"}:
            self.up = fate == "up"
        else:
            self.fate = fate

    async def call(self, action: str, payload: Json) -> Json:
        await asyncio.sleep(0)
        fate, self.fate = self.fate, "answer"
        if not self.up or fate == "lose":
            raise PeerUnavailable("gone")
        if fate == "trouble":
            raise CallError(ErrorCode.INTERNAL_ERROR, "database down")
        assert action == "TransactionEvent"
        if payload in self.ledger:
            self.repeated += 1
        else:
            self.ledger.append(copy.deepcopy(payload))
        if fate == "late":
            raise PeerUnavailable("no answer in time")
        return {}


class Station:
    """Keeps its events in order, and sends the oldest until that is answered. Where it doesn't count, seqNo is 0."""

    def __init__(self, *, counts: bool) -> None:
        self._counts = counts
        self._minutes = 0
        self._sessions = 0
        self.running: dict[str, int] = {}
        """transactionId -> the next seqNo."""
        self.queue: list[Json] = []
        self.said: list[Json] = []

    def does(self, step: str) -> None:
        """Go on as people at its two EVSEs would; what can't be now is passed over."""
        if step == "start" and len(self.running) < 2:
            self._sessions += 1
            self.running[f"TX-{self._sessions}"] = 0
            self._event("Started", f"TX-{self._sessions}")
        elif step != "start" and self.running:
            oldest = next(iter(self.running))
            self._event("Updated" if step == "update" else "Ended", oldest)
            if step == "stop":
                del self.running[oldest]

    def _event(self, kind: str, transaction: str) -> None:
        self._minutes += 1
        seq_no = self.running[transaction] if self._counts else 0
        self.running[transaction] += 1
        event = {
            "eventType": kind,
            "seqNo": seq_no,
            "timestamp": f"2026-05-01T{self._minutes // 60:02}:{self._minutes % 60:02}:00Z",
            "triggerReason": "Trigger",
            "transactionInfo": {"transactionId": transaction},
        }
        self.queue.append(event)
        self.said.append(event)

    async def talk(self, bridge: V201ToV201) -> None:
        """Send what waits; each is answered, whoever is away."""
        while self.queue:
            assert await bridge.from_station("TransactionEvent", copy.deepcopy(self.queue[0])) == {}
            self.queue.pop(0)

    async def talk_without_hearing(self, bridge: V201ToV201) -> None:
        """Send the oldest message, and lose the connection before the answer."""
        if self.queue:
            await bridge.from_station("TransactionEvent", copy.deepcopy(self.queue[0]))


class House:
    """The gateway between them; :meth:`crash` leaves what is on disk."""

    def __init__(self, journal: Any, backend: Backend) -> None:
        self.journal = journal
        self.backend = backend
        self._build({}, 0)

    def _build(self, transactions: dict[str, Any], depth: int) -> None:
        books = Books(transactions=transactions)

        async def late(*_: Any) -> None:
            raise AssertionError("no answer says anything of a token")

        async def save(_: Page, __: Json) -> None: ...

        self.ledger = JournaledLedger(
            "CS1",
            self.journal,
            books.transactions,
            call=self.backend.call,
            is_up=lambda: self.backend.up,
            epoch=lambda: 1,
            late_answer=late,
            depth=depth,
            set_aside=AsyncMock(),
            withheld=set(),
            backend=Version.V201,
        )
        self.bridge = V201ToV201(
            books=books,
            ledger=self.ledger,
            call_station=self.backend.call,
            call_backend=self.backend.call,
            note=lambda topic, text: None,
            report=lambda kind, detail: None,
            clock=lambda: datetime(2026, 5, 1, tzinfo=UTC),
            save_page=save,
            afterwards=lambda follow_up: None,
        )

    async def crash(self) -> None:
        await self.ledger.quiesce()
        kept = {name: copy.copy(tx) for name, tx in self.journal.saved.items()}
        self._build(kept, len(self.journal.entries))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=10, max_size=40), st.booleans())
def test_each_event_counts_once_and_in_order(new_journal: Any, steps: list[str], counts: bool) -> None:
    asyncio.run(_play(new_journal(), steps, counts=counts))


def by_transaction(events: list[Json]) -> dict[str, list[Json]]:
    """What the backend has refused meanwhile keeps back its own transaction only: between them, order may change."""
    sorted_out: dict[str, list[Json]] = {}
    for event in events:
        sorted_out.setdefault(event["transactionInfo"]["transactionId"], []).append(event)
    return sorted_out


async def _play(journal: Any, steps: list[str], *, counts: bool) -> None:
    backend, station = Backend(), Station(counts=counts)
    house = House(journal, backend)
    for step in steps:
        if step in {"start", "update", "stop"}:
            station.does(step)
        elif step == "talk":
            await station.talk(house.bridge)
        elif step == "repeat":
            await station.talk_without_hearing(house.bridge)
        elif step == "drain":
            await house.ledger.drain()
        elif step == "crash":
            await house.crash()
        else:
            backend.meets(step)
    backend.meets("up")
    backend.meets("answer")
    await house.ledger.drain()
    await station.talk(house.bridge)
    await house.ledger.drain()
    await house.ledger.quiesce()
    assert station.queue == []
    assert (journal.entries, journal.refused) == ([], [])
    assert by_transaction(backend.ledger) == by_transaction(station.said)
