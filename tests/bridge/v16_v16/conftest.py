"""A 1.6 station, its backend and a ledger: they write down what they hear, in order, and check it by the schemas."""

import copy
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bridge.books import Books, Connector, Json, Transaction, TransactionState
from gateway.bridge.offline_authorization import AuthorizeOffline
from gateway.bridge.ports import FollowUp, PeerUnavailable
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v16_v16.context import Context
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
Answer = Json | Exception | Callable[[Json], Json]
ACCEPTED: Json = {"idTagInfo": {"status": "Accepted"}}


class Peer:
    """One side: answers by action, a fixed answer, an exception to raise, or a function of the payload."""

    def __init__(self, name: str, dialogue: list[tuple[str, str, Json]], answers: dict[str, Answer]) -> None:
        self.name = name
        self.dialogue = dialogue
        self.answers = answers
        self.up = True
        self.before_answer: Callable[[], None] = lambda: None

    async def call(self, action: str, payload: Json) -> Json:
        known = operation(Version.V16, action)
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
        self.journal: list[tuple[Transaction, str, Json]] = []
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

    async def hold(self, tx: Transaction) -> None:
        self._check()
        self.saved[tx.station_tx] = copy.copy(tx)

    async def start(self, tx: Transaction, payload: Json) -> Json | None:
        raise AssertionError("a 1.6 station's start waits at the station")

    async def meter(self, tx: Transaction, payload: Json) -> None:
        assert not tx.is_over
        self._check()
        await self._deliver(tx, "MeterValues", payload)

    async def stop(self, tx: Transaction, payload: Json) -> Json | None:
        tx.state = TransactionState.STOPPING
        self._check()
        return await self._deliver(tx, "StopTransaction", payload)

    async def close(self, tx: Transaction) -> None:
        tx.state = TransactionState.ENDED
        await self.hold(tx)

    async def set_aside(self, action: str, payload: Json, reason: str) -> None:
        self._check()
        self.aside.append((action, payload, reason))

    async def _deliver(self, tx: Transaction, action: str, payload: Json) -> Json | None:
        assert "transactionId" not in payload
        self.saved[tx.station_tx] = copy.copy(tx)
        if not self.is_clear:
            self.journal.append((tx, action, payload))
            return None
        return await self._send(tx, action, payload)

    async def _send(self, tx: Transaction, action: str, payload: Json) -> Json:
        number = -1 if tx.backend_tx is None else tx.backend_tx
        conf = await self.backend.call(action, {**payload, "transactionId": number})
        if action == "StopTransaction":
            tx.state = TransactionState.ENDED
        self.saved[tx.station_tx] = copy.copy(tx)
        return conf

    async def drain(self) -> None:
        while self.journal:
            await self._send(*self.journal.pop(0))


class World:
    """One bridge between its two sides. ``dialogue`` is what both heard, in order."""

    def __init__(
        self,
        books: Books | None = None,
        *,
        security_extension: bool = False,
        authorize_offline: AuthorizeOffline = "refuse",
    ) -> None:
        self.security_extension = security_extension
        numbers = itertools.count(1001)
        self.dialogue: list[tuple[str, str, Json]] = []
        self.station = Peer("station", self.dialogue, {})
        self.backend = Peer(
            "backend",
            self.dialogue,
            {
                "Authorize": ACCEPTED,
                "DiagnosticsStatusNotification": {},
                "FirmwareStatusNotification": {},
                "Heartbeat": {"currentTime": "2026-05-01T11:59:59Z"},
                "LogStatusNotification": {},
                "MeterValues": {},
                "SecurityEventNotification": {},
                "SignedFirmwareStatusNotification": {},
                "StartTransaction": lambda _: {"transactionId": next(numbers), **ACCEPTED},
                "StatusNotification": {},
                "StopTransaction": ACCEPTED,
            },
        )
        self.ledger = FakeLedger(self.backend)
        self.books = Books() if books is None else books
        self.saved: dict[tuple[int, int], Connector] = {}
        self.writes = 0
        self.notes: dict[str, str] = {}
        self.reports: list[tuple[str, str]] = []
        self.follow_ups: list[FollowUp] = []
        """What is to come after an answer: :meth:`from_backend` sees to it."""
        self.authorize_offline = authorize_offline
        self.remembered: dict[str, Json] = {}
        self.bridge = self._new_bridge()

    def _new_bridge(self) -> V16ToV16:
        return V16ToV16(
            books=self.books,
            ledger=self.ledger,
            call_station=self.station.call,
            call_backend=self.backend.call,
            note=self.notes.__setitem__,
            report=lambda kind, detail: self.reports.append((kind, detail)),
            clock=lambda: NOW,
            save_connector=self._save,
            afterwards=self.follow_ups.append,
            security_extension=self.security_extension,
            authorize_offline=self.authorize_offline,
            recall=self._recall,
        )

    @property
    def context(self) -> Context:
        return self.bridge._context

    async def _recall(self, id_tag: str) -> Json | None:
        return self.remembered.get(id_tag)

    async def _save(self, connector: Connector) -> None:
        self.writes += 1
        self.saved[connector.evse_id, connector.connector_id] = copy.copy(connector)

    async def from_station(self, action: str, payload: Json) -> Json:
        """The station sends a CALL."""
        known = operation(Version.V16, action)
        known.request.check(payload)
        answer = await self.bridge.from_station(action, payload)
        known.response.check(answer)
        return answer

    async def from_backend(self, action: str, payload: Json) -> Json:
        """The backend sends a CALL, and hears what follows its answer."""
        known = operation(Version.V16, action)
        known.request.check(payload)
        answer = await self.bridge.from_backend(action, payload)
        while self.follow_ups:
            await self.follow_ups.pop(0)()
        known.response.check(answer)
        return answer

    async def start(self, connector: int = 1, **fields: Any) -> Json:
        """The station sends StartTransaction."""
        return await self.from_station("StartTransaction", start_of(connector, **fields))

    async def meter(self, number: int | None, connector: int = 1) -> Json:
        """The station sends MeterValues."""
        return await self.from_station("MeterValues", meter_of(number, connector))

    async def stop(self, number: int, wh: int = 5000, at: str = "2026-05-01T10:00:00Z") -> Json:
        """The station sends StopTransaction."""
        return await self.from_station("StopTransaction", stop_of(number, wh, at))

    def restart(self) -> None:
        """Kill the gateway and start it anew: only what was persisted survives."""
        kept = {name: copy.copy(tx) for name, tx in self.ledger.saved.items()}
        self.ledger.journal = [(kept[tx.station_tx], action, payload) for tx, action, payload in self.ledger.journal]
        connectors = {place: copy.copy(connector) for place, connector in self.saved.items()}
        self.books = Books(transactions=kept, connectors=connectors)
        self.bridge = self._new_bridge()

    def heard(self, name: str = "backend") -> list[tuple[str, Json]]:
        """Return what one side heard since this was last asked, and forget it for both."""
        heard = [(action, payload) for who, action, payload in self.dialogue if who == name]
        self.dialogue.clear()
        return heard


def start_of(connector: int = 1, *, tag: str = "TAG", wh: int = 1000, at: str = "2026-05-01T09:00:00Z") -> Json:
    """Return a StartTransaction.req."""
    return {"connectorId": connector, "idTag": tag, "meterStart": wh, "timestamp": at}


def meter_of(number: int | None, connector: int = 1) -> Json:
    """Return a MeterValues.req."""
    value = {"timestamp": "2026-05-01T09:30:00Z", "sampledValue": [{"value": "2000"}]}
    payload: Json = {"connectorId": connector, "meterValue": [value]}
    return payload if number is None else {**payload, "transactionId": number}


def stop_of(number: int, wh: int = 5000, at: str = "2026-05-01T10:00:00Z") -> Json:
    """Return a StopTransaction.req."""
    return {"transactionId": number, "meterStop": wh, "timestamp": at}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def known_world() -> World:
    """A world whose backend knows the messages of the white paper."""
    return World(security_extension=True)


@pytest.fixture(scope="session")
def new_world() -> Callable[..., World]:
    """Makes worlds: with books of their own, and for property tests, which want a new one per example."""
    return World
