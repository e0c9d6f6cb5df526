"""A 2.0.1 station, its 2.0.1 backend and a ledger: they write down what they hear, and check it by the schemas."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bridge.books import Books, Json, Page, Transaction, TransactionState
from gateway.bridge.ledger_words import enter_answer, judges_late
from gateway.bridge.ports import FollowUp, PeerUnavailable
from gateway.bridge.v201_v201 import V201ToV201
from gateway.bridge.v201_v201.context import Context
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
Answer = Json | Exception | Callable[[Json], Json]


class Peer:
    """One side: answers by action, a fixed answer, an exception to raise, or a function of the payload."""

    def __init__(self, name: str, dialogue: list[tuple[str, str, Json]], answers: dict[str, Answer]) -> None:
        self.name = name
        self.dialogue = dialogue
        self.answers = answers
        self.up = True
        self.before_answer: Callable[[], None] = lambda: None

    async def call(self, action: str, payload: Json) -> Json:
        known = operation(Version.V201, action)
        known.request.check(payload)
        if not self.up:
            raise PeerUnavailable(f"the {self.name} is away")
        self.dialogue.append((self.name, action, copy.deepcopy(payload)))
        self.before_answer()
        answer = self.answers.get(action, {"status": "Accepted"})
        if isinstance(answer, Exception):
            raise answer
        said = answer(payload) if callable(answer) else answer
        known.response.check(said)
        return said


class FakeLedger:
    """The contract of ``bridge.ports.Ledger``: answers at once, or journals and delivers at :meth:`drain`."""

    def __init__(self, backend: Peer) -> None:
        self.backend = backend
        self.journal: list[tuple[Transaction, Json]] = []
        self.saved: dict[str, Transaction] = {}
        """What survives a kill."""
        self.aside: list[tuple[str, Json, str]] = []
        self.fails: list[Exception] = []

    @property
    def is_clear(self) -> bool:
        return self.backend.up and not self.journal

    @property
    def may_begin(self) -> bool:
        return self.is_clear

    def _check(self) -> None:
        if self.fails:
            raise self.fails.pop(0)

    def _save(self, tx: Transaction) -> None:
        self.saved[tx.station_tx] = copy.copy(tx)

    async def hold(self, tx: Transaction) -> None:
        self._check()
        self._save(tx)

    async def start(self, tx: Transaction, payload: Json) -> Json | None:
        tx.state = TransactionState.STARTING
        self._check()
        self._save(tx)
        return await self._deliver(tx, payload)

    async def meter(self, tx: Transaction, payload: Json) -> Json | None:
        self._check()
        if not self.is_clear:
            self._save(tx)
        return await self._deliver(tx, payload)

    async def stop(self, tx: Transaction, payload: Json) -> Json | None:
        tx.state = TransactionState.STOPPING
        self._check()
        self._save(tx)
        return await self._deliver(tx, payload)

    async def close(self, tx: Transaction) -> None:
        tx.state = TransactionState.ENDED
        await self.hold(tx)

    async def set_aside(self, action: str, payload: Json, reason: str) -> None:
        self._check()
        self.aside.append((action, payload, reason))

    async def _deliver(self, tx: Transaction, payload: Json) -> Json | None:
        if not self.is_clear:
            self.journal.append((tx, copy.deepcopy(payload)))
            return None
        return await self._send(tx, payload)

    async def _send(self, tx: Transaction, payload: Json) -> Json:
        conf = await self.backend.call("TransactionEvent", payload)
        enter_answer("TransactionEvent", payload, conf, tx)
        if tx.station_tx in self.saved:
            self._save(tx)
        return conf


class World:
    """One bridge between its two sides. ``dialogue`` is what both heard, in order."""

    def __init__(self) -> None:
        self.dialogue: list[tuple[str, str, Json]] = []
        self.station = Peer("station", self.dialogue, {})
        self.backend = Peer(
            "backend",
            self.dialogue,
            {
                "Authorize": {"idTokenInfo": {"status": "Accepted"}},
                "Heartbeat": {"currentTime": "2026-05-01T11:59:59Z"},
                "StatusNotification": {},
                "TransactionEvent": {},
            },
        )
        self.ledger = FakeLedger(self.backend)
        self.books = Books()
        self.pages: dict[Page, Json] = {}
        """The pages as they are on disk."""
        self.notes: dict[str, str] = {}
        self.reports: list[tuple[str, str]] = []
        self.follow_ups: list[FollowUp] = []
        self.bridge = self._new_bridge()

    def _new_bridge(self) -> V201ToV201:
        return V201ToV201(
            books=self.books,
            ledger=self.ledger,
            call_station=self.station.call,
            call_backend=self.backend.call,
            note=self.notes.__setitem__,
            report=lambda kind, detail: self.reports.append((kind, detail)),
            clock=lambda: NOW,
            save_page=self._save_page,
            afterwards=self.follow_ups.append,
        )

    @property
    def context(self) -> Context:
        return self.bridge._context

    async def _save_page(self, page: Page, content: Json) -> None:
        self.pages[page] = copy.deepcopy(content)

    async def from_station(self, action: str, payload: Json) -> Json:
        """The station sends a CALL."""
        return await self._say(self.bridge.from_station, action, payload)

    async def from_backend(self, action: str, payload: Json) -> Json:
        """The backend sends a CALL."""
        return await self._say(self.bridge.from_backend, action, payload)

    async def _say(self, handle: Any, action: str, payload: Json) -> Json:
        known = operation(Version.V201, action)
        known.request.check(payload)
        answer: Json = await handle(action, copy.deepcopy(payload))
        known.response.check(answer)
        return answer

    async def event(self, kind: str, seq_no: int = 0, **fields: Any) -> Json:
        """The station sends TransactionEvent: see :func:`event_of`."""
        return await self.from_station("TransactionEvent", event_of(kind, seq_no, **fields))

    async def drain(self) -> None:
        """The journal is delivered, and late verdicts are told to the bridge."""
        while self.ledger.journal:
            tx, payload = self.ledger.journal.pop(0)
            conf = await self.ledger._send(tx, payload)
            if judges_late("TransactionEvent", payload, conf):
                await self.bridge.started_late(tx, conf)

    def restart(self) -> None:
        """Kill the gateway and start it anew: only what was persisted survives."""
        kept = {name: copy.copy(tx) for name, tx in self.ledger.saved.items()}
        self.ledger.journal = [(kept[tx.station_tx], payload) for tx, payload in self.ledger.journal]
        self.books = Books(transactions=kept, pages=copy.deepcopy(self.pages))
        self.bridge = self._new_bridge()

    def heard(self, name: str = "backend") -> list[tuple[str, Json]]:
        """Return what one side heard since this was last asked, and forget it for both."""
        heard = [(action, payload) for who, action, payload in self.dialogue if who == name]
        self.dialogue.clear()
        return heard


def event_of(
    kind: str,
    seq_no: int = 0,
    *,
    tx: str = "TX-1",
    at: str | None = None,
    trigger: str = "MeterValuePeriodic",
    token: str | None = None,
) -> Json:
    """Return a TransactionEventRequest; without ``at`` its time follows from ``seq_no``."""
    payload: Json = {
        "eventType": kind,
        "seqNo": seq_no,
        "timestamp": at or f"2026-05-01T09:{seq_no:02}:00Z",
        "triggerReason": trigger,
        "transactionInfo": {"transactionId": tx},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": "2026-05-01T09:00:00Z", "sampledValue": [{"value": 1000.5}]}],
    }
    return payload if token is None else {**payload, "idToken": {"idToken": token, "type": "ISO14443"}}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def new_event() -> Callable[..., Json]:
    return event_of
