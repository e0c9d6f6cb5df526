"""A station, a backend and a ledger: they write down what they hear, in order, and check it against the schemas."""

import contextlib
import contextvars
import copy
import importlib.resources
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import pytest

from gateway.bridge.books import Books, Connector, Json, Page, Transaction, TransactionState
from gateway.bridge.ports import FollowUp, PeerUnavailable
from gateway.bridge.v201_v16 import Settings, V201ToV16, message_table
from gateway.bridge.v201_v16.context import Context

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
Answer = Json | Exception | Callable[[Json], Json]

_SUFFIX = {("v16", False): "", ("v16", True): "Response", ("v201", False): "Request", ("v201", True): "Response"}
_allowed: contextvars.ContextVar[frozenset[tuple[str, str]] | None] = contextvars.ContextVar("allowed", default=None)
_compiled: dict[tuple[str, str], Any] = {}


def check(version: str, action: str, payload: Json, *, response: bool = False) -> Json:
    """Return ``payload`` when the official schema takes it, formats included, as it is on the wire."""
    name = action + _SUFFIX[version, response]
    if (version, name) not in _compiled:
        file = importlib.resources.files(f"ocpp.{version}") / "schemas" / f"{name}.json"
        schema = json.loads(file.read_text("utf-8-sig"))
        _compiled[version, name] = jsonschema_rs.validator_for(schema, validate_formats=True)
    _compiled[version, name].validate(json.loads(json.dumps(payload)))
    return payload


class Peer:
    """One side: answers by action, a fixed answer, an exception to raise, or a function of the payload."""

    def __init__(
        self, version: str, name: str, dialogue: list[tuple[str, str, Json]], answers: dict[str, Answer]
    ) -> None:
        self.version = version
        self.name = name
        self.dialogue = dialogue
        self.answers = answers
        self.up = True

    async def call(self, action: str, payload: Json) -> Json:
        check(self.version, action, payload)
        allowed = _allowed.get()
        assert allowed is None or (self.name, action) in allowed, f"no row says that {action} comes of it"
        if not self.up:
            raise PeerUnavailable(f"the {self.name} is away")
        self.dialogue.append((self.name, action, payload))
        answer = self.answers[action]
        if isinstance(answer, Exception):
            raise answer
        return check(self.version, action, answer(payload) if callable(answer) else answer, response=True)


@contextlib.contextmanager
def kept_to(row: message_table.Row | None, other: str, own: str) -> Iterator[None]:
    """While one message is handled, nothing is said but what the message table says of it; None: an unknown message."""
    said = message_table.Row("") if row is None else row
    token = _allowed.set(frozenset({*((other, name) for name in said.becomes), *((own, name) for name in said.asks)}))
    try:
        yield
    finally:
        _allowed.reset(token)


class FakeLedger:
    """The contract of ``bridge.ports.Ledger``: enters state and number, answers at once, or late at :meth:`drain`."""

    def __init__(self, backend: Peer) -> None:
        self.backend = backend
        self.journal: list[tuple[Transaction, str, Json]] = []
        self.held: list[Transaction] = []
        self.saved: dict[str, Transaction] = {}
        """What survives a kill: the transactions as they were when a method last kept something, and the journal."""
        self.fails: list[Exception] = []
        self.refuses_start = False

    @property
    def is_clear(self) -> bool:
        return self.backend.up and not self.journal

    @property
    def may_begin(self) -> bool:
        return self.is_clear

    async def set_aside(self, action: str, payload: Json, reason: str) -> None:
        raise AssertionError(f"this bridge sets nothing aside: {action}")

    def _check(self) -> None:
        if self.fails:
            raise self.fails.pop(0)

    async def hold(self, tx: Transaction) -> None:
        self._check()
        self.held.append(tx)
        self._save(tx)

    async def close(self, tx: Transaction) -> None:
        tx.state = TransactionState.ENDED
        self._check()
        self._save(tx)

    def _save(self, tx: Transaction) -> None:
        self.saved[tx.station_tx] = copy.copy(tx)

    async def start(self, tx: Transaction, payload: Json) -> Json | None:
        assert tx.state is TransactionState.HELD
        tx.state = TransactionState.STARTING
        self._check()
        if self.refuses_start:
            tx.state = TransactionState.UNSTARTED
            return None
        return await self._deliver(tx, "StartTransaction", payload)

    async def meter(self, tx: Transaction, payload: Json) -> None:
        assert tx.state is not TransactionState.HELD
        self._check()
        await self._deliver(tx, "MeterValues", payload)

    async def stop(self, tx: Transaction, payload: Json) -> Json | None:
        assert not tx.is_over
        assert tx.state is not TransactionState.HELD
        tx.state = TransactionState.STOPPING
        self._check()
        return await self._deliver(tx, "StopTransaction", payload)

    async def _deliver(self, tx: Transaction, action: str, payload: Json) -> Json | None:
        assert "transactionId" not in payload
        check("v16", action, payload if action == "StartTransaction" else {**payload, "transactionId": 1})
        self._save(tx)
        if not self.backend.up or self.journal:
            self.journal.append((tx, action, payload))
            return None
        return await self._send(tx, action, payload)

    async def _send(self, tx: Transaction, action: str, payload: Json) -> Json:
        number = -1 if tx.backend_tx is None else tx.backend_tx
        addressed = payload if action == "StartTransaction" else {**payload, "transactionId": number}
        conf = await self.backend.call(action, addressed)
        if action == "StartTransaction":
            tx.backend_tx = conf["transactionId"]
            tx.state = TransactionState.OPEN if tx.state is TransactionState.STARTING else tx.state
        elif action == "StopTransaction":
            tx.state = TransactionState.ENDED
        self._save(tx)
        return conf

    async def drain(self) -> list[tuple[Transaction, Json]]:
        """Deliver the journal; return the late StartTransaction.confs."""
        late = []
        while self.journal:
            tx, action, payload = self.journal.pop(0)
            conf = await self._send(tx, action, payload)
            if action == "StartTransaction":
                late.append((tx, conf))
        return late


def _station_answers() -> dict[str, Answer]:
    accepted: Answer = {"status": "Accepted"}
    return {
        "ChangeAvailability": accepted,
        "ClearCache": accepted,
        "DataTransfer": accepted,
        "GetLog": {"status": "Accepted", "filename": "log.zip"},
        "RequestStartTransaction": accepted,
        "RequestStopTransaction": accepted,
        "Reset": accepted,
        "TriggerMessage": accepted,
        "UnlockConnector": {"status": "Unlocked"},
    }


def _backend_answers() -> dict[str, Answer]:
    numbers = itertools.count(1001)
    accepted = {"idTagInfo": {"status": "Accepted"}}
    return {
        "Authorize": accepted,
        "DataTransfer": {"status": "Accepted"},
        "DiagnosticsStatusNotification": {},
        "FirmwareStatusNotification": {},
        "Heartbeat": {"currentTime": "2026-05-01T11:59:59Z"},
        "LogStatusNotification": {},
        "MeterValues": {},
        "SecurityEventNotification": {},
        "SignedFirmwareStatusNotification": {},
        "StartTransaction": lambda _: {"transactionId": next(numbers), **accepted},
        "StatusNotification": {},
        "StopTransaction": {},
    }


class World:
    """One bridge between its two sides. ``dialogue`` is what both heard, in order."""

    def __init__(self, settings: Settings | None = None, books: Books | None = None) -> None:
        self.dialogue: list[tuple[str, str, Json]] = []
        self.station = Peer("v201", "station", self.dialogue, _station_answers())
        self.backend = Peer("v16", "backend", self.dialogue, _backend_answers())
        self.ledger = FakeLedger(self.backend)
        self.books = Books() if books is None else books
        self.saved: list[Connector] = []
        self.notes: dict[str, str] = {}
        self.reports: list[tuple[str, str]] = []
        self.settings = settings or Settings()
        self.now = NOW
        self.pages: dict[Page, Json] = {}
        """The pages as they are on disk."""
        self.page_writes: list[Page] = []
        self.follow_ups: list[FollowUp] = []
        """What is to come after an answer: :meth:`from_backend` sees to it."""
        self.remembered: dict[str, Json] = {}
        """idTag -> IdTagInfo that the backend gave before."""
        self.bridge = self._new_bridge()

    def _new_bridge(self) -> V201ToV16:
        return V201ToV16(
            books=self.books,
            ledger=self.ledger,
            call_station=self.station.call,
            call_backend=self.backend.call,
            note=self.notes.__setitem__,
            clock=lambda: self.now,
            settings=self.settings,
            save_connector=self._save,
            save_page=self._save_page,
            afterwards=self.follow_ups.append,
            report=lambda kind, detail: self.reports.append((kind, detail)),
            recall=self._recall,
        )

    @property
    def context(self) -> Context:
        return self.bridge._context

    async def _recall(self, id_tag: str) -> Json | None:
        return self.remembered.get(id_tag)

    async def _save(self, connector: Connector) -> None:
        self.saved.append(copy.deepcopy(connector))

    async def _save_page(self, page: Page, content: Json) -> None:
        self.pages[page] = copy.deepcopy(content)
        self.page_writes.append(page)

    async def from_station(self, action: str, payload: Json) -> Json:
        """The station sends a CALL."""
        check("v201", action, payload)
        with kept_to(message_table.FROM_STATION.get(action), "backend", "station"):
            answer = await self.bridge.from_station(action, payload)
        return check("v201", action, answer, response=True)

    async def from_backend(self, action: str, payload: Json) -> Json:
        """The backend sends a CALL, and hears what follows its answer."""
        check("v16", action, payload)
        with kept_to(message_table.FROM_BACKEND.get(action), "station", "backend"):
            answer = await self.bridge.from_backend(action, payload)
            while self.follow_ups:
                await self.follow_ups.pop(0)()
        return check("v16", action, answer, response=True)

    async def status(self, evse: int, status: str, connector: int = 1, at: str = "2026-05-01T08:00:00Z") -> Json:
        """The station sends StatusNotification."""
        return await self.from_station(
            "StatusNotification",
            {"timestamp": at, "connectorStatus": status, "evseId": evse, "connectorId": connector},
        )

    async def event(self, kind: str, seq_no: int = 0, **fields: Any) -> Json:
        """The station sends TransactionEvent: see :func:`event_of`."""
        return await self.from_station("TransactionEvent", event_of(kind, seq_no, **fields))

    async def tells(
        self, *entries: Json, request_id: int = 1, seq_no: int = 0, more: bool = False, **fields: Any
    ) -> Json:
        """The station sends NotifyReport with :func:`entry_of` elements."""
        payload: Json = {"requestId": request_id, "generatedAt": "2026-05-01T08:00:00Z", "seqNo": seq_no, **fields}
        if entries:
            payload["reportData"] = list(entries)
        return await self.from_station("NotifyReport", {**payload, "tbc": True} if more else payload)

    async def learns(self, *entries: Json, firmware: str = "1.0") -> None:
        """The station is asked for its whole inventory and gives this one."""
        self.station.answers["GetBaseReport"] = {"status": "Accepted"}
        boot = boot_of(firmware)
        await self.bridge.booted(boot)
        assert not await self.bridge.settle_in(boot)
        ((_, request),) = [(a, p) for who, a, p in self.dialogue if who == "station" and a == "GetBaseReport"][-1:]
        await self.tells(*entries, request_id=request["requestId"])
        assert await self.bridge.settle_in(boot)
        self.dialogue.clear()

    def restart(self) -> None:
        """Kill the gateway and start it anew: only what was persisted survives."""
        kept = {name: copy.copy(tx) for name, tx in self.ledger.saved.items()}
        connectors = {(c.evse_id, c.connector_id): copy.copy(c) for c in self.saved}
        self.ledger.journal = [(kept[tx.station_tx], action, payload) for tx, action, payload in self.ledger.journal]
        self.books = Books(transactions=kept, connectors=connectors, pages=copy.deepcopy(self.pages))
        self.bridge = self._new_bridge()

    def heard(self, name: str = "backend") -> list[tuple[str, Json]]:
        """Return what one side heard since this was last asked, and forget it for both."""
        heard = [(action, payload) for who, action, payload in self.dialogue if who == name]
        self.dialogue.clear()
        return heard

    def actions(self, name: str = "backend") -> list[str]:
        """Return the actions that one side heard since this was last asked."""
        return [action for action, _ in self.heard(name)]


def event_of(
    kind: str,
    seq_no: int = 0,
    *,
    tx: str = "TX-1",
    at: str = "2026-05-01T09:00:00Z",
    trigger: str = "MeterValuePeriodic",
    token: str | Json | None = None,
    evse: int | Json | None = None,
    state: str | None = None,
    reason: str | None = None,
    remote: int | None = None,
    wh: float | None = None,
    context: str = "Sample.Periodic",
    **more: Any,
) -> Json:
    """Return a TransactionEventRequest; ``wh`` is an energy register with ``context``."""
    info = {"transactionId": tx, "chargingState": state, "stoppedReason": reason, "remoteStartId": remote}
    payload: Json = {
        "eventType": kind,
        "seqNo": seq_no,
        "timestamp": at,
        "triggerReason": trigger,
        "transactionInfo": {name: value for name, value in info.items() if value is not None},
        **more,
    }
    if token is not None:
        payload["idToken"] = {"idToken": token, "type": "ISO14443"} if isinstance(token, str) else token
    if evse is not None:
        payload["evse"] = {"id": evse, "connectorId": 1} if isinstance(evse, int) else evse
    if wh is not None:
        payload["meterValue"] = [{"timestamp": at, "sampledValue": [{"value": wh, "context": context}]}]
    return payload


def entry_of(
    path: str,
    value: str | None = "1",
    *,
    evse: int | None = None,
    connector: int | None = None,
    mutability: str | None = None,
    **characteristics: Any,
) -> Json:
    """Return an element of reportData for ``Component.Variable[instance]``."""
    component, name = path.split(".")
    name, _, instance = name.removesuffix("]").partition("[")
    place: Json = {"name": component}
    if evse is not None:
        place["evse"] = {"id": evse} if connector is None else {"id": evse, "connectorId": connector}
    attribute = {"value": value, "mutability": mutability}
    return {
        "component": place,
        "variable": {"name": name, "instance": instance} if instance else {"name": name},
        "variableAttribute": [{name: text for name, text in attribute.items() if text is not None}],
        "variableCharacteristics": {"dataType": "string", "supportsMonitoring": False, **characteristics},
    }


def boot_of(firmware: str | None = "1.0", reason: str = "PowerUp") -> Json:
    """Return a BootNotificationRequest."""
    station = {"model": "M", "vendorName": "V"}
    return {
        "reason": reason,
        "chargingStation": station if firmware is None else {**station, "firmwareVersion": firmware},
    }


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def known_world() -> World:
    """A world whose backend knows the messages of the white paper."""
    return World(Settings(security_extension=True))


@pytest.fixture(scope="session")
def new_world() -> Callable[..., World]:
    """Makes worlds: for other settings and books, and for property tests, which want a new one per example."""
    return World


@pytest.fixture(scope="session")
def new_event() -> Callable[..., Json]:
    return event_of


@pytest.fixture(scope="session")
def new_entry() -> Callable[..., Json]:
    return entry_of


@pytest.fixture(scope="session")
def new_boot() -> Callable[..., Json]:
    return boot_of


@pytest.fixture(scope="session")
def fits() -> Callable[..., Json]:
    """``fits("v16", action, payload, response=False)`` raises when the official schema doesn't take the payload."""
    return check
