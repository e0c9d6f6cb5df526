"""The bridge of 1.6 stations on the real ledger: whoever goes away, whatever is repeated, each session counts once."""

import asyncio
import copy
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bridge.books import Books, Connector, Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v16_v16 import V16ToV16
from gateway.upstream.journal import JournaledLedger

AT = "2026-05-01T09:00:00Z"
STEPS = (
    *("start", "stop", "crash", "down", "up"),  # these first and twice: what goes wrong goes wrong between them
    *("start", "stop", "crash", "down", "up", "meter", "talk", "foreign", "drain", "lose", "late", "repeat"),
)
FOREIGN = 999_999
"""Another station's transaction, at the same backend."""


class Backend:
    """A 1.6 backend that compares: an identical start is the transaction that it has, an identical stop is none."""

    def __init__(self, reuses: bool) -> None:
        self.up = True
        self.fate = "answer"
        self._reuses = reuses
        self.starts: list[Json] = []
        self.stops: list[Json] = []
        self.sequence: list[tuple[str, int]] = []
        """What changed the books: ("start" or "stop", the session's energy register at that moment)."""

    def meets(self, fate: str) -> None:
        """Go "down", come "up"; "lose" the next message, or answer it too "late"."""
        if fate in {"down", "up"}:
            self.up = fate == "up"
        else:
            self.fate = fate

    async def call(self, action: str, payload: Json) -> Json:
        await asyncio.sleep(0)
        fate, self.fate = self.fate, "answer"
        if not self.up or fate == "lose":
            raise PeerUnavailable("gone")
        assert payload.get("transactionId") != FOREIGN
        answer = self._take(action, payload)
        if fate == "late":
            raise PeerUnavailable("no answer in time")
        return answer

    def _take(self, action: str, payload: Json) -> Json:
        accepted = {"idTagInfo": {"status": "Accepted"}}
        if action == "StartTransaction":
            if payload not in self.starts:
                self.starts.append(payload)
                self.sequence.append(("start", payload["meterStart"]))
            place = self.starts.index(payload)
            return {"transactionId": 0 if self._reuses else 1000 + place, **accepted}
        if action == "StopTransaction" and payload not in self.stops:
            self.stops.append(payload)
            self.sequence.append(("stop", payload["meterStop"]))
        return accepted if action == "StopTransaction" else {}


class Station:
    """A charge point: it keeps its messages in order, and sends the oldest until that is answered."""

    def __init__(self) -> None:
        self.queue: list[tuple[str, Json, int]] = []
        """(action, payload, session); the transactionId is put in when it is known."""
        self.numbers: dict[int, int] = {}
        self.sessions = 0
        self.running: list[int] = []
        self.expected: list[tuple[str, int]] = []

    def does(self, step: str) -> None:
        """Go on as a person at its two connectors would; what can't be now is passed over."""
        if step == "start" and len(self.running) < 2:
            self._start()
        elif step != "start" and self.running:
            self._meter() if step == "meter" else self._stop()

    def _start(self) -> None:
        self.sessions += 1
        self.running.append(self.sessions)
        wh = 1000 * self.sessions
        payload = {"connectorId": 1 + self.sessions % 2, "idTag": "TAG", "meterStart": wh, "timestamp": AT}
        self.queue.append(("StartTransaction", payload, self.sessions))
        self.expected.append(("start", wh))

    def _meter(self) -> None:
        value = {"timestamp": AT, "sampledValue": [{"value": "1"}]}
        self.queue.append(("MeterValues", {"connectorId": 1, "meterValue": [value]}, self.running[0]))

    def _stop(self) -> None:
        session = self.running.pop(0)
        wh = 1000 * session + 500
        self.queue.append(("StopTransaction", {"meterStop": wh, "timestamp": AT}, session))
        self.expected.append(("stop", wh))

    async def talk(self, bridge: V16ToV16) -> None:
        """Send what waits, up to the first message that isn't answered."""
        while self.queue and (answer := await self._say(bridge)) is not None:
            action, _, session = self.queue.pop(0)
            if action == "StartTransaction":
                self.numbers[session] = answer["transactionId"]

    async def talk_without_hearing(self, bridge: V16ToV16) -> None:
        """Send the oldest message, and lose the connection before the answer."""
        if self.queue:
            await self._say(bridge)

    async def _say(self, bridge: V16ToV16) -> Json | None:
        action, payload, session = self.queue[0]
        if action != "StartTransaction":
            payload = {**payload, "transactionId": self.numbers[session]}
        try:
            return await bridge.from_station(action, payload)
        except PeerUnavailable:
            return None


class House:
    """The gateway between them; :meth:`crash` leaves what is on disk."""

    def __init__(self, journal: Any, backend: Backend) -> None:
        self.journal = journal
        self.backend = backend
        self.reports: list[str] = []
        self._build({}, 0)

    def _build(self, transactions: dict[str, Any], depth: int) -> None:
        books = Books(transactions=transactions)

        async def late(*_: Any) -> None:
            raise AssertionError("a 1.6 station's start is never answered without the backend")

        async def save(_: Connector) -> None: ...

        self.ledger = JournaledLedger(
            "CS1",
            self.journal,
            books.transactions,
            call=self.backend.call,
            is_up=lambda: self.backend.up,
            epoch=lambda: 1,
            late_answer=late,
            depth=depth,
            set_aside=self.journal.set_aside,
            withheld=set(),
        )
        self.bridge = V16ToV16(
            books=books,
            ledger=self.ledger,
            call_station=self.backend.call,
            call_backend=self.backend.call,
            note=lambda topic, text: None,
            report=lambda kind, detail: self.reports.append(kind),
            clock=lambda: datetime(2026, 5, 1, tzinfo=UTC),
            save_connector=save,
            afterwards=lambda follow_up: None,
        )

    async def crash(self) -> None:
        await self.ledger.quiesce()
        kept = {name: copy.copy(tx) for name, tx in self.journal.saved.items()}
        self._build(kept, len(self.journal.entries))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(STEPS),
        min_size=10,
        max_size=40,
    ),
    st.booleans(),
)
def test_each_session_counts_once_and_in_order_and_nothing_of_a_strangers(
    new_journal: Any, steps: list[str], reuses: bool
) -> None:
    asyncio.run(_play(new_journal(), steps, reuses=reuses))


async def _play(journal: Any, steps: list[str], *, reuses: bool) -> None:
    backend, station = Backend(reuses), Station()
    house = House(journal, backend)
    foreign = 0
    for step in steps:
        if step in {"start", "meter", "stop"}:
            station.does(step)
            await station.talk(house.bridge)
        elif step == "talk":
            await station.talk(house.bridge)
        elif step == "foreign":
            foreign += 1
            stop = {"transactionId": FOREIGN, "meterStop": foreign, "timestamp": AT}
            assert await house.bridge.from_station("StopTransaction", stop) == {}
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
    assert journal.entries == []
    assert backend.sequence == station.expected
    assert len(journal.refused) == len(house.reports) == foreign
