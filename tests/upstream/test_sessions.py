"""Whatever a 2.0.1 station does that the standard allows, each of its sessions stands once in the 1.6 ledger.

Bridge and journalled ledger together, over a journal in memory. Sessions of several EVSEs are mixed; messages repeated,
dropped, sent late; the backend comes and goes, doesn't answer, answers with CALLERROR; the store fails; the gateway is
killed at any write or call and started anew out of what was persisted.
"""

import asyncio
import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from unittest.mock import AsyncMock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.bridge.books import Books, Connector, Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16 import Settings, V201ToV16
from gateway.bridge.v201_v16.tokens import alias_of
from gateway.session.ports import StoreAway
from gateway.upstream.journal import JournaledLedger
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

MORNING: Final = datetime(2026, 5, 1, 6, 0, tzinfo=UTC)
CONNECTORS: Final = {(1, 1): 1, (1, 2): 2, (2, 1): 3, (3, 1): 7}
SCALES: Final = [(None, None, 0), ("Wh", 0, 0), ("wh", 3, 3), ("kWh", None, 3), ("kWh", -3, 0), ("kWh", 1, 4)]
"""unit, multiplier, and the power of ten that they stand for."""
LONG: Final = "a-token-of-thirty-six-characters-xxx"
TOKENS: Final = {
    "04A2B3C4": ({"idToken": "04A2B3C4", "type": "ISO14443"}, "04A2B3C4"),
    "long": ({"idToken": LONG, "type": "Central"}, alias_of(LONG)),
    "button": ({"idToken": "", "type": "NoAuthorization"}, "VOLTGATE"),
    "refused": ({"idToken": "deadbeef", "type": "ISO14443"}, "deadbeef"),
}
REFUSED: Final = {"deadbeef"}
STOPS: Final = {
    "StopAuthorized": ("Local", "Local"),
    "RemoteStop": ("Remote", "Remote"),
    "EVCommunicationLost": ("EVDisconnected", "EVDisconnected"),
    "EVDeparted": (None, None),
    "Deauthorized": ("DeAuthorized", "DeAuthorized"),
    "EnergyLimitReached": ("EnergyLimitReached", "Other"),
    "AbnormalCondition": ("EmergencyStop", "EmergencyStop"),
    "UnlockCommand": ("Other", "UnlockCommand"),
    "ResetCommand": ("ImmediateReset", "HardReset"),
}
"""triggerReason of the Ended event -> its stoppedReason, and the reason of 1.6."""


class Killed(BaseException):
    """kill -9: nothing catches it."""


# --- what the station does


@dataclass
class Session:
    """One session as it was at the station: what it sends of it, and what the ledger must have of it in the end."""

    tx: str
    connector: int
    events: list[tuple[str, Json]] = field(default_factory=list)
    """Action and payload."""
    tags: set[str] = field(default_factory=set)
    """idTags of which the start bears one; more than one where it depends on what the backend could be asked."""
    is_certain: bool = True
    """False: the ledger may lack it. Nobody was authorised and nothing was charged."""
    started_at: str = ""
    ended_at: str = ""
    begin: Decimal = Decimal(0)
    end: Decimal = Decimal(0)
    tells_begin: bool = False
    begin_says_more: bool = False
    """The Started event measured more than a plain register."""
    has_gap: bool = False
    """The station has dropped events."""
    has_second: bool = False
    """Another token came when the first had been refused."""
    starts_by_token: bool = True
    """False: without a token, or with a refused one, it is begun when it is seen to charge."""
    reason: str | None = None
    stop_tag: str | None = None
    metered: list[tuple[str, int]] = field(default_factory=list)
    """Time and register of each Updated with one, from the event on by which the session could be started."""


@dataclass
class Evse:
    """One EVSE with its meter and its clock."""

    number: int
    wh: Decimal
    clock: datetime

    def wait(self, seconds: int) -> None:
        self.clock += timedelta(seconds=seconds)


def at(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def in_wh(register: Decimal) -> int:
    return int(register.quantize(Decimal(1), rounding=ROUND_HALF_UP))


class Draft:
    """Writes down one session, happening by happening, as a station with these settings would."""

    def __init__(self, draw: Any, evse: Evse, place: Json, session: Session) -> None:
        self.draw = draw
        self.evse = evse
        self.place = place
        self.session = session
        self.known: Json = {}
        """What has happened before the transaction began, or wasn't told yet."""
        self.seq = itertools.count()
        self.is_begun = False
        self.is_told = False
        """True once the Started event is written down."""
        self.can_start = False

    def tell(self, kind: str, trigger: str, *, register: str | None = None, **fields: Any) -> None:
        """Add the event; a register of ``register`` (its context) comes with it."""
        info = {
            name: fields.pop(name) for name in ("chargingState", "stoppedReason", "remoteStartId") if name in fields
        }
        info = {name: value for name, value in info.items() if value is not None}
        info |= self.known.pop("info", {})
        payload: Json = {
            "eventType": kind,
            "timestamp": at(self.evse.clock),
            "triggerReason": trigger,
            "seqNo": next(self.seq),
            "transactionInfo": {"transactionId": self.session.tx, **info},
            **self.known,
            **fields,
        }
        self.known = {}
        if self.draw(st.integers(0, 5)) == 0:
            payload["offline"] = True
        if register is not None:
            payload["meterValue"] = [self.reading(register)]
        self.is_told = True
        self.session.events.append(("TransactionEvent", payload))
        if kind == "Updated" and register is not None and self.can_start:
            self.session.metered.append((payload["timestamp"], in_wh(self.evse.wh)))

    def status(self, status: str) -> None:
        payload = {"timestamp": at(self.evse.clock), "connectorStatus": status, "evseId": self.evse.number}
        self.session.events.append(
            ("StatusNotification", {**payload, "connectorId": self.place["connectorId"]}),
        )

    def reading(self, context: str) -> Json:
        unit, multiplier, exponent = self.draw(st.sampled_from(SCALES))
        measure = {name: part for name, part in (("unit", unit), ("multiplier", multiplier)) if part is not None}
        sample: Json = {"value": float(self.evse.wh.scaleb(-exponent)), "context": context}
        if measure:
            sample["unitOfMeasure"] = measure
        is_signed = self.draw(st.integers(0, 4)) == 0
        if is_signed:
            names = ("signedMeterData", "signingMethod", "encodingMethod", "publicKey")
            sample["signedMeterValue"] = {name: f"{context} {name}" for name in names}
        others = [{"value": 230.4, "measurand": "Voltage", "phase": "L1-N"}][: self.draw(st.integers(0, 1))]
        if context == "Transaction.Begin" and not self.is_told:
            self.session.begin_says_more = is_signed or bool(others)
        return {"timestamp": at(self.evse.clock), "sampledValue": [*others, sample]}

    def happen(self, trigger: str, *, begins: bool, news: Json, info: Json) -> None:
        """Something happens that may begin the transaction; before that, it is only remembered."""
        self.known |= news
        self.known["info"] = self.known.get("info", {}) | info
        self.evse.wait(self.draw(st.integers(1, 90)))
        if self.is_begun:
            self._note_start()
            tells = not self.session.tells_begin and self._has_evse and self.draw(st.booleans())
            self.session.tells_begin |= tells
            self.tell("Updated", trigger, register="Transaction.Begin" if tells else None)
        elif begins:
            self.is_begun = True
            self.session.started_at = at(self.evse.clock)
            self.session.begin = self.evse.wh
            self._note_start()
            self.session.tells_begin = self._has_evse and self.draw(st.integers(0, 3)) > 0
            self.tell("Started", trigger, register="Transaction.Begin" if self.session.tells_begin else None)

    _has_evse = False
    _has_token = False

    def _note_start(self) -> None:
        self._has_evse = self._has_evse or "evse" in self.known
        self._has_token = self._has_token or "idToken" in self.known or "remoteStartId" in self.known.get("info", {})
        is_charging = self.known.get("info", {}).get("chargingState") == "Charging"
        self.can_start = self.can_start or (self._has_evse and (self._has_token or is_charging))


@st.composite
def one_session(draw: Any, evse: Evse, name: str) -> Session:
    """Draw one legal session, and move the EVSE's meter and clock by it."""
    plug = draw(st.sampled_from([connector for number, connector in CONNECTORS if number == evse.number]))
    session = Session(name, CONNECTORS[evse.number, plug])
    draft = Draft(draw, evse, {"id": evse.number, "connectorId": plug}, session)
    way = draw(st.sampled_from(["token first", "cable first", "cable first", "remote", "none"]))
    start_point = draw(st.sampled_from(["bay", "cable", "token", "path", "energy"]))
    if way == "none" and start_point == "token":
        start_point = "energy"
    token = draw(st.sampled_from(sorted(TOKENS))) if way != "none" else None
    if start_point == "bay":
        draft.happen("EVDetected", begins=True, news={"evse": {"id": evse.number}}, info={"chargingState": "Idle"})
        draft._has_evse = len([1 for number, _ in CONNECTORS if number == evse.number]) == 1
        draft.can_start = False
    if way in {"cable first", "none"}:
        _plug_in(draft, begins=start_point == "cable")
    if token is not None:
        _authorize(draft, token, way, begins=start_point in ({"token", "path"} if way == "cable first" else {"token"}))
    if way in {"token first", "remote"}:
        _plug_in(draft, begins=start_point in {"cable", "path"})
    charges = not draft.is_begun or (draw(st.integers(0, 7)) > 0 and (token != "refused" or _is_let_charge(draft)))
    if charges:
        begins = start_point in {"energy", "path"}
        draft.happen("ChargingStateChanged", begins=begins, news={}, info={"chargingState": "Charging"})
        _charge(draft)
    session.is_certain = charges or (token is not None and token != "refused")
    session.starts_by_token = token not in {None, "refused"}
    if token is None:
        session.tags = {"VOLTGATE"}
    _end(draft, token)
    draft.status("Available")
    return session


def _plug_in(draft: Draft, *, begins: bool) -> None:
    says_it_first = draft.draw(st.booleans())
    if says_it_first:
        draft.status("Occupied")
    draft.happen("CablePluggedIn", begins=begins, news={"evse": draft.place}, info={"chargingState": "EVConnected"})
    if not says_it_first:
        draft.status("Occupied")


def _is_let_charge(draft: Draft) -> bool:
    """Whose token was refused may charge with another one, or a little all the same (MaxEnergyOnInvalidId)."""
    way: str = draft.draw(st.sampled_from(["no", "a little", "another token"]))
    if way == "another token":
        _authorize(draft, "04A2B3C4", "second", begins=False)
        draft.session.has_second = True
    return way != "no"


def _authorize(draft: Draft, token: str, way: str, *, begins: bool) -> None:
    written, tag = TOKENS[token]
    draft.session.tags.add(tag)
    if way == "remote" and token != "button":
        news = {"idToken": written} if token == "long" or draft.draw(st.booleans()) else {}
        draft.happen("RemoteStart", begins=begins, news=news, info={"remoteStartId": -1})
    else:
        draft.happen("Authorized", begins=begins, news={"idToken": written}, info={})


def _charge(draft: Draft) -> None:
    for step in draft.draw(
        st.lists(st.sampled_from(["meter", "meter", "Charging", "SuspendedEV", "drop"]), max_size=5)
    ):
        draft.evse.wait(draft.draw(st.integers(1, 900)))
        draft.evse.wh += Decimal(draft.draw(st.integers(1, 200_000))) / 10
        if step == "meter":
            draft.tell("Updated", "MeterValuePeriodic", register="Sample.Periodic")
        elif step == "drop":
            next(draft.seq)
            draft.session.has_gap = True
        else:
            draft.tell("Updated", "ChargingStateChanged", chargingState=step)


def _end(draft: Draft, token: str | None) -> None:
    session, evse, draw = draft.session, draft.evse, draft.draw
    trigger = draw(st.sampled_from(sorted(STOPS)))
    if token is None and trigger == "StopAuthorized":
        trigger = "EVCommunicationLost"
    reason, session.reason = STOPS[trigger]
    evse.wait(draw(st.integers(1, 60)))
    fields: Json = {}
    if trigger == "StopAuthorized":
        stopper = draw(st.sampled_from(["04A2B3C4", "long"]))
        fields["idToken"], session.stop_tag = TOKENS[stopper]
        if draw(st.booleans()):  # the transaction goes on until the cable is out
            draft.tell("Updated", trigger, chargingState="EVConnected", **fields)
            evse.wait(30)
            trigger, fields = "EVCommunicationLost", {}
            reason, session.reason = STOPS[trigger] if draw(st.booleans()) else ("Local", "Local")
    session.end, session.ended_at = evse.wh, at(evse.clock)
    draft.tell("Ended", trigger, register="Transaction.End", stoppedReason=reason, **fields)
    evse.wait(60)


MISHAPS: Final = [
    *[None] * 6,
    "down",
    "cut",
    "up",
    "up early",
    "retry",
    "sweep",
    "kill",
    "store",
    "repeat",
    "earlier",
    "lose",
    "late",
    "trouble",
]


Step = tuple[str | None, int, str, Json]
"""A mishap, when in the handling it happens, and the station's message."""


@st.composite
def scenes(draw: Any) -> tuple[list[Session], list[Step]]:
    """Draw some sessions and what happens, the sessions' events mixed."""
    sessions: list[Session] = []
    lines: list[list[tuple[str, Json]]] = []
    for number in draw(st.permutations([1, 2, 3]))[: draw(st.integers(1, 3))]:
        evse = Evse(number, Decimal(draw(st.integers(0, 10**10))) / 10, MORNING)
        mine = [draw(one_session(evse, f"TX-{number}-{n}")) for n in range(draw(st.integers(1, 2)))]
        sessions += mine
        lines.append([event for session in mine for event in session.events])
    steps: list[Step] = []
    while any(lines):
        line = draw(st.sampled_from([line for line in lines if line]))
        steps.append((draw(st.sampled_from(MISHAPS)), draw(st.integers(0, 5)), *line.pop(0)))
    return sessions, steps


# --- what it does it to


class Backend:
    """A 1.6 backend that takes identical starts for one, and keeps what it hears of each transaction."""

    def __init__(self) -> None:
        self.is_up = True
        self.script: list[str] = []
        """What becomes of the next messages that move money: "lose", "cut", "late" or "trouble"."""
        self.numbers: dict[str, int] = {}
        self.starts: dict[int, Json] = {}
        self.heard: dict[int, list[tuple[str, Json]]] = {}

    async def call(self, action: str, payload: Json) -> Json:
        operation(Version.V16, action).request.check(payload)
        await asyncio.sleep(0)
        outcome = self.script.pop(0) if self.script and action != "StatusNotification" else ""
        self.is_up = self.is_up and outcome != "cut"
        if not self.is_up or outcome == "lose":
            raise PeerUnavailable("the backend is away")
        if outcome == "trouble":
            raise CallError(ErrorCode.INTERNAL_ERROR, "database down")
        conf = self._answer(action, payload)
        if outcome == "late":
            raise PeerUnavailable("no answer in time")
        operation(Version.V16, action).response.check(conf)
        return conf

    def _answer(self, action: str, payload: Json) -> Json:
        status = "Invalid" if payload.get("idTag") in REFUSED else "Accepted"
        if action == "StartTransaction":
            number = self.numbers.setdefault(str(sorted(payload.items())), 500 + len(self.numbers))
            self.starts[number] = payload
            return {"transactionId": number, "idTagInfo": {"status": status}}
        if action in {"MeterValues", "StopTransaction"} and "transactionId" in payload:
            self.heard.setdefault(payload["transactionId"], []).append((action, payload))
        return {"idTagInfo": {"status": status}} if action == "Authorize" else {}


class Gateway:
    """One process after another, on what the one before has persisted."""

    def __init__(self, journal: Any, mode: Any) -> None:
        self.journal = journal
        self.mode = mode
        self.backend = Backend()
        self.pages: dict[Page, Json] = {}
        self.connectors: dict[tuple[int, int], Connector] = {}
        self.notes: set[str] = set()
        self.remote_start = 0
        self.restarts = 0
        self.kills_in: int | None = None
        """Writes and calls until the process is killed: odd numbers before, even ones after it."""
        self.fails_in: int | None = None
        """Writes until one fails: odd before, even after it was done."""
        self.ledger: JournaledLedger
        self.bridge: V201ToV16
        for name in ("save", "append", "settle", "retry"):
            setattr(journal, name, self._fragile(getattr(journal, name)))
        self.start()

    def start(self) -> None:
        self.kills_in = None
        self.journal.epoch += 1
        epoch: int = self.journal.epoch
        self.books = Books(
            {name: copy.copy(tx) for name, tx in self.journal.saved.items()},
            copy.deepcopy(self.connectors),
            copy.deepcopy(self.pages),
        )
        call = self._fragile(self.backend.call)
        self.ledger = JournaledLedger(
            "CS1",
            self.journal,
            self.books.transactions,
            call=call,
            is_up=lambda: self.backend.is_up,
            epoch=lambda: epoch,
            late_answer=lambda tx, conf: self.bridge.started_late(tx, conf),  # noqa: PLW0108 - the bridge is made after it
            depth=len(self.journal.entries),
            set_aside=AsyncMock(),
            withheld=set(),
        )
        self.bridge = V201ToV16(
            books=self.books,
            ledger=self.ledger,
            call_station=self._station,
            call_backend=call,
            note=lambda topic, _: self.notes.add(topic),
            clock=lambda: MORNING,
            settings=Settings(connectors=CONNECTORS, authorize_offline=self.mode),
            afterwards=lambda _: None,
            save_connector=self._save_connector,
            save_page=self._fragile(self._save_page),
        )

    async def _station(self, action: str, payload: Json) -> Json:
        operation(Version.V201, action).request.check(payload)
        self.remote_start = payload.get("remoteStartId", self.remote_start)
        return {"status": "Accepted"}

    async def _save_connector(self, connector: Connector) -> None:
        self.connectors[connector.evse_id, connector.connector_id] = copy.copy(connector)

    async def _save_page(self, page: Page, content: Json) -> None:
        self.pages[page] = copy.deepcopy(content)

    def _fragile(self, work: Callable[..., Any]) -> Callable[..., Any]:
        is_call = work == self.backend.call

        async def run(*args: Any, **more: Any) -> Any:
            kill, self.kills_in = _count(self.kills_in)
            fail, self.fails_in = (False, self.fails_in) if is_call else _count(self.fails_in)
            if kill or fail:
                raise Killed if kill else StoreAway("disk full")
            done = await work(*args, **more)
            kill, self.kills_in = _count(self.kills_in)
            fail, self.fails_in = (False, self.fails_in) if is_call else _count(self.fails_in)
            if kill or fail:
                raise Killed if kill else StoreAway("the answer got lost")
            return done

        return run

    async def send(self, action: str, payload: Json) -> None:
        """The station sends a message until it is answered."""
        for _ in range(5):
            try:
                answer = await self.bridge.from_station(action, copy.deepcopy(payload))
                operation(Version.V201, action).response.check(answer)
                await self.settle()
            except Killed:
                await self.restart()
            except (StoreAway, CallError):
                pass
            else:
                return
        raise AssertionError(f"the station never gets an answer to {payload}")

    async def remote_starts(self, id_tag: str) -> None:
        """The backend asks for a session."""
        self.kills_in = self.fails_in = None
        await self.bridge.from_backend("RemoteStartTransaction", {"idTag": id_tag})

    async def restart(self) -> None:
        self.kills_in = None
        self.restarts += 1
        await self.ledger.quiesce()
        self.start()

    async def settle(self) -> None:
        """Let a drain that is under way come to its end."""
        if self.ledger._drains._task is not None:
            await asyncio.wait([self.ledger._drains._task])
            if isinstance(error := self.ledger._drains._task.exception(), Killed):
                self.ledger._drains._task = None
                raise error

    async def retry(self) -> None:
        """The time of the retry has come."""
        if self.ledger._drains._timer is not None:
            self.ledger._drains._timer.cancel()
            self.ledger._drains.now()
            await self.settle()

    async def sweep(self) -> None:
        """What the process saves every ten seconds."""
        await self.journal.save_registers(self.ledger.registers.take())
        await self._save_page(Page.REGISTERS, self.books.page(Page.REGISTERS))

    async def come_up(self) -> None:
        self.backend.is_up = True
        await self.ledger.drain()
        await self.bridge.backend_connected()

    async def greet(self) -> None:
        """What :meth:`come_up` does; a process that is killed meanwhile does it anew."""
        try:
            await self.come_up()
        except Killed:
            await self.restart()
        except StoreAway:
            pass


def _count(left: int | None) -> tuple[bool, int | None]:
    if left is None:
        return False, None
    return (True, None) if left == 0 else (False, left - 1)


async def mishap(gateway: Gateway, kind: str | None, when: int) -> None:
    """Let something happen, or prepare it."""
    if kind == "down":
        gateway.backend.is_up = False
    elif kind == "up":
        await gateway.come_up()
    elif kind == "retry":
        await gateway.retry()
    elif kind == "sweep":
        await gateway.sweep()
    elif kind == "kill":
        gateway.kills_in = when
    elif kind == "store":
        gateway.fails_in = when
    elif kind == "up early":  # the greeting, and with it the journal, comes after the station's message
        gateway.backend.is_up = True
    elif kind in {"lose", "cut", "late", "trouble"}:
        gateway.backend.script = [""] * (when // 2) + [kind] * (1 + when % 2)


async def play(gateway: Gateway, steps: list[Step], tag_of: dict[str, str]) -> None:
    """Let it all happen; in the end the backend is back and answers."""
    sent: list[Json] = []
    for kind, when, action, payload in steps:
        info = payload.get("transactionInfo", {})
        if info.get("remoteStartId") == -1:
            await gateway.remote_starts(tag_of[info["transactionId"]])
            info["remoteStartId"] = gateway.remote_start
        try:
            await mishap(gateway, kind, when)
        except Killed:
            await gateway.restart()
        except StoreAway:
            pass
        await gateway.send(action, payload)
        if action == "TransactionEvent":
            sent.append(payload)
        if kind == "up early":
            await gateway.greet()
        elif kind == "repeat":
            await gateway.send(action, payload)
        elif kind == "earlier" and sent and not gateway.restarts:  # after one, an old Updated may be told twice
            await gateway.send("TransactionEvent", sent[when % len(sent)])
    gateway.backend.script, gateway.kills_in, gateway.fails_in = [], None, None
    await gateway.retry()
    await gateway.come_up()


# --- what must come of it


def once(messages: list[tuple[str, Json]]) -> list[tuple[str, Json]]:
    """Leave out identical repetitions, which a backend that was asked again takes for one."""
    return [message for n, message in enumerate(messages) if message not in messages[:n]]


def check(gateway: Gateway, sessions: list[Session]) -> None:
    """Compare the backend's ledger with what was at the station."""
    backend, journal = gateway.backend, gateway.journal
    assert (journal.entries, journal.refused, gateway.ledger.depth) == ([], [], 0)
    left = dict(backend.starts)
    for session in sessions:
        mine = {
            number: start
            for number, start in left.items()
            if (start["connectorId"], start["timestamp"]) == (session.connector, session.started_at)
        }
        assert len(mine) == 1 or (not mine and not session.is_certain), (session, backend.starts)
        for number, start in mine.items():
            del left[number]
            check_start(gateway, session, start)
            check_rest(gateway, session, once(backend.heard.pop(number, [])))
    assert (left, backend.heard) == ({}, {})


def check_start(gateway: Gateway, session: Session, start: Json) -> None:
    assert start["idTag"] in session.tags
    if session.tells_begin or start["meterStart"] != in_wh(session.begin):
        assert start["meterStart"] == in_wh(session.begin) or "meter-start" in gateway.notes


def check_rest(gateway: Gateway, session: Session, heard: list[tuple[str, Json]]) -> None:
    assert not session.has_gap or "sequence-gap" in gateway.notes or gateway.restarts
    *meters, (action, stop) = heard
    assert action == "StopTransaction"
    assert (stop["meterStop"], stop["timestamp"]) == (in_wh(session.end), session.ended_at)
    assert stop.get("reason") == session.reason
    assert stop.get("idTag") == session.stop_tag or (session.has_second and stop["idTag"] == "04A2B3C4")
    assert {action for action, _ in meters} <= {"MeterValues"}
    values = [value for _, payload in meters for value in payload["meterValue"]]
    begun_with = [value for value in (*values, *stop["transactionData"]) if is_of(value, session.started_at, "Begin")]
    assert bool(begun_with) == session.begin_says_more
    assert all(value == begun_with[0] for value in begun_with)  # after a kill, the end may repeat it
    assert len([value for value in stop["transactionData"] if is_of(value, session.ended_at, "End")]) == 1
    periodic = [register_of(value) for value in values if value not in begun_with]
    held = session.metered[: len(session.metered) - len(periodic)]
    assert periodic == session.metered[len(held) :]
    if session.starts_by_token:
        assert not held
    elif session.tells_begin:
        assert all(wh <= in_wh(session.begin) for _, wh in held)


def is_of(value: Json, timestamp: str, context: str) -> bool:
    contexts = {sample.get("context") for sample in value["sampledValue"]}
    return bool(value["timestamp"] == timestamp and f"Transaction.{context}" in contexts)


def register_of(value: Json) -> tuple[str, int]:
    """Return time and register, in Wh, of a MeterValue of 1.6."""
    (sample,) = (
        sample for sample in value["sampledValue"] if sample.get("format", "Raw") == "Raw" and "measurand" not in sample
    )
    return value["timestamp"], in_wh(Decimal(sample["value"]) * (1000 if sample["unit"] == "kWh" else 1))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scene=scenes(), mode=st.sampled_from(["refuse", "cache", "accept"]))
async def test_every_session_is_there_once(new_journal: Callable[[], Any], scene: Any, mode: str) -> None:
    sessions, steps = copy.deepcopy(scene)
    gateway = Gateway(new_journal(), mode)
    try:
        await play(gateway, steps, {session.tx: min(session.tags) for session in sessions})
        check(gateway, sessions)
    finally:
        await gateway.ledger.quiesce()
