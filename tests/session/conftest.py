"""Peers and stations with everything around them made up: socket, policy, clock, handler, registry, backend, bridge."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from gateway.bridge.books import Books, Json, Transaction
from gateway.bridge.ports import PeerUnavailable
from gateway.session.boot_notification import BootRules
from gateway.session.peer import Handler as Handle
from gateway.session.peer import Peer
from gateway.session.ports import BootStatus, Proof, Provisional, RecordChanged, StaleEpoch, StationRecord, Taken
from gateway.session.security import SecurityEvent
from gateway.session.stages import STATION_201, Side
from gateway.session.station import Station
from gateway.session.tally import Tally
from gateway.wire.versions import Version
from policies.words import PASSED, Kind, Outcome, Reason, Stage, Verdict

TIMEOUT: Final = 30.0
"""Seconds that a peer in these tests waits for an answer."""
NOON: Final = datetime(2026, 3, 1, 12, 0, 0, 500, tzinfo=UTC)
"""The time in these tests."""


class FakeSocket:
    """A WebSocket that keeps what it is told. ``pong`` is what a ping finds: True, False, or a future of either."""

    def __init__(self) -> None:
        self.sent: list[list[Any]] = []
        self.closed: list[tuple[int, str]] = []
        self.paused = False
        self.pings: list[float] = []
        self.pong: bool | asyncio.Future[bool] = True

    def send(self, text: bytes) -> bool:
        """Keep one frame."""
        self.sent.append(json.loads(text))
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Keep the close code and the words."""
        self.closed.append((code, reason))

    def pause(self) -> None:
        """Stop reading; twice in a row is a mistake."""
        assert not self.paused
        self.paused = True

    def resume(self) -> None:
        """Read again; never without a pause."""
        assert self.paused
        self.paused = False

    async def ping(self, timeout: float) -> bool:
        """Answer as ``pong`` says."""
        self.pings.append(timeout)
        return self.pong if isinstance(self.pong, bool) else await self.pong

    def heard(self) -> list[list[Any]]:
        """Return the frames sent since the last time."""
        frames, self.sent = self.sent, []
        return frames


@dataclass(frozen=True)
class FakePolicy:
    """Decides what it is told to decide, and fails where it is told to fail."""

    faults: dict[tuple[Stage, Kind, str], Exception] = field(default_factory=dict)
    verdicts: dict[tuple[Stage, Kind, str], Verdict] = field(default_factory=dict)
    seen: list[tuple[Stage, Kind, str]] = field(default_factory=list)

    def inspect(self, stage: Stage, kind: Kind, protocol: str, action: str, payload: Json) -> Verdict:
        """Return the verdict for this stage, kind and action; raise its fault, if there is one."""
        self.seen.append((stage, kind, action))
        if fault := self.faults.get((stage, kind, action)):
            raise fault
        return self.verdicts.get((stage, kind, action), PASSED)

    def deny(self, stage: Stage, kind: Kind, action: str) -> None:
        """Deny it from now on."""
        self.verdicts[stage, kind, action] = Verdict(
            Outcome.DENIED, "fake-rule", Reason.MATCHED, "because it is told to"
        )


class FakeClock:
    """The loop's time, with jumps."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._real = loop.time
        self._jumped = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._real() + self._jumped

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once, and everything happen that is due."""
        self._jumped += seconds
        await turns()


class Handler:
    """Answers a peer's CALLs from a table: a payload, an error to raise, or a future to wait for."""

    def __init__(self) -> None:
        self.answers: dict[str, Json | Exception | asyncio.Future[Json]] = {}
        self.calls: list[tuple[str, Json]] = []
        self.finished: list[str] = []

    async def __call__(self, action: str, payload: Json) -> Json:
        """Handle one CALL."""
        self.calls.append((action, payload))
        answer = self.answers[action]
        if isinstance(answer, asyncio.Future):
            answer = await answer
        self.finished.append(action)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Talk:
    """A peer and everything around it."""

    def __init__(self, side: Side, handle: Handle | None, *, is_connected: bool) -> None:
        self.socket = FakeSocket()
        self.policy = FakePolicy()
        self.handler = Handler()
        self.tally = Tally()
        self.opened: list[Peer] = []
        self.lost: list[tuple[Peer, str]] = []
        self.reported: list[tuple[str, str]] = []
        self.seen_to_go_out: list[bytes] = []
        """Each CALL of ours, as those who look on see it."""
        self.sent_when_answered: list[int] = []
        """How many frames had gone out each time the peer said that it has answered."""
        self.when_answered: Callable[[], None] = lambda: None
        numbers = itertools.count(1)
        self.peer = Peer(
            side,
            "CS1",
            handle or self.handler,
            guard=self.policy,
            tally=self.tally,
            timeout=TIMEOUT,
            new_id=lambda: f"own-{next(numbers)}",
            opened=self.opened.append,
            lost=lambda peer, reason: self.lost.append((peer, reason)),
            report=lambda kind, detail: self.reported.append((kind, detail)),
            sent=self.seen_to_go_out.append,
            answered=self._answered,
        )
        if is_connected:
            self.peer.connected(self.socket)

    def _answered(self) -> None:
        self.sent_when_answered.append(len(self.socket.sent))
        self.when_answered()

    async def hears(self, *frames: Any) -> list[list[Any]]:
        """Let the peer receive frames, as values or as raw bytes, and return what it sends."""
        for frame in frames:
            self.peer.message(frame if isinstance(frame, bytes) else json.dumps(frame).encode())
        await turns()
        return self.socket.heard()

    def run(self, call: Coroutine[Any, Any, Json]) -> asyncio.Task[Json]:
        """Begin a CALL."""
        return asyncio.get_running_loop().create_task(call, name="own call")

    def place(self, action: str, payload: Json) -> asyncio.Task[Json]:
        """Begin an own CALL."""
        return self.run(self.peer.call(action, payload))

    async def calls(self, action: str, payload: Json) -> tuple[asyncio.Task[Json], list[list[Any]]]:
        """Begin an own CALL, and return it with what goes out."""
        task = self.place(action, payload)
        await turns()
        return task, self.socket.heard()


class FakeRegistry:
    """Station records and their epochs in memory. ``gate``, where there is one, holds up every ``take``."""

    turns = 1
    """Turns of the loop that a ``take`` lasts."""

    def __init__(self) -> None:
        self.records: dict[str, StationRecord] = {}
        self.epochs: dict[str, int] = {}
        self.takes: list[tuple[str, int]] = []
        self.boots: list[tuple[BootStatus, int, bool]] = []
        self.gate: asyncio.Future[None] | None = None

    def add(self, record: StationRecord) -> StationRecord:
        """Register a station."""
        self.records[record.identity] = record
        self.epochs[record.identity] = 0
        return record

    async def find(self, identity: str) -> StationRecord | None:
        """Return the record, or None."""
        return self.records.get(identity)

    async def take(self, identity: str, profile: int, version: Version | None = None) -> int:
        """Return the next epoch; KeyError for a station that isn't registered."""
        if self.gate is not None:
            await self.gate
        await turns(self.turns)
        self.epochs[identity] += 1
        self.takes.append((identity, profile))
        return self.epochs[identity]

    async def confirm(self, record: StationRecord) -> None:
        """RecordChanged unless the record is what is registered."""
        found = self.records.get(record.identity)
        if found is None or not found.admits_like(record):
            raise RecordChanged

    async def let_in(self, record: StationRecord, profile: int, version: Version) -> Taken:
        """Return the next epoch, unless the record has changed."""
        await self.confirm(record)
        epoch = await self.take(record.identity, profile, version)
        return Taken(epoch, self.records[record.identity])

    async def save_boot(
        self, identity: str, epoch: int, status: BootStatus, interval: int, payload: Json, *, reported: bool
    ) -> None:
        """Keep the answer; StaleEpoch for an owner of old."""
        if epoch != self.epochs[identity]:
            raise StaleEpoch
        self.boots.append((status, interval, reported))

    async def password_used(self, identity: str, password_hash: str) -> None:
        """Not called by a session."""
        raise NotImplementedError


class FakeSecurityLog:
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.noted: list[SecurityEvent] = []

    def note(self, event: SecurityEvent) -> None:
        """Keep one event."""
        self.noted.append(event)


class FakeBackend:
    """A leg that is up or down, comes up in time or doesn't, and answers as it is told."""

    def __init__(self) -> None:
        self.is_up = True
        self.comes_up = False
        self.waits: list[float] = []
        self.begins: list[float] = []
        self.calls: list[tuple[str, Json]] = []
        self.answer: Json | Exception = {}

    def answers_boot(self, status: str, interval: int = 300) -> None:
        """Answer BootNotification so from now on."""
        self.answer = {"status": status, "interval": interval, "currentTime": "backend's"}

    async def wait_up(self, timeout: float) -> bool:
        """Come up at once, or never."""
        self.waits.append(timeout)
        self.is_up = self.comes_up
        return self.is_up

    async def begun(self, timeout: float) -> None:
        """It has begun long ago, or comes up now."""
        self.begins.append(timeout)
        self.is_up |= self.comes_up

    async def call(self, action: str, payload: Json) -> Json:
        """Answer as told; PeerUnavailable while down."""
        if not self.is_up:
            raise PeerUnavailable("the backend is not connected")
        self.calls.append((action, payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class FakeBridge:
    """Marks what it translated."""

    def __init__(self) -> None:
        self.outcome: Json | Exception = {"by": "bridge"}
        self.heard: list[tuple[str, str]] = []
        self.let_go: list[tuple[str, Json, str]] = []
        self.boots: list[Json] = []
        self.settles: list[Json | None] = []
        self.is_settled = True

    async def _handle(self, leg: str, action: str) -> Json:
        self.heard.append((leg, action))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def from_station(self, action: str, payload: Json) -> Json:
        """Take note and answer as told."""
        return await self._handle("station", action)

    async def from_backend(self, action: str, payload: Json) -> Json:
        """Take note and answer as told."""
        return await self._handle("backend", action)

    async def released(self, action: str, payload: Json, station_tx: str) -> None:
        """Take note."""
        await self._handle("person", action)
        self.let_go.append((action, payload, station_tx))

    async def started_late(self, tx: Transaction, conf: Json) -> None:
        """Not called by a station."""
        raise NotImplementedError

    async def backend_connected(self) -> None:
        """Not called by a station."""
        raise NotImplementedError

    async def booted(self, payload: Json) -> None:
        """Keep it."""
        self.boots.append(payload)

    async def settle_in(self, boot: Json | None) -> bool:
        """Keep it, and answer as told."""
        self.settles.append(boot)
        return self.is_settled

    def boot_serial(self, payload: Json) -> str | None:
        """Return it where 2.0.1 has it."""
        serial: str | None = payload.get("chargingStation", {}).get("serialNumber")
        return serial

    def boot_request(self, payload: Json) -> Json:
        """Mark a request."""
        return {"translated": payload["reason"]}

    def boot_response(self, payload: Json) -> Json:
        """Mark a response."""
        return {**payload, "currentTime": "translated"}


class House:
    """A station, and what it stands on."""

    def __init__(
        self, registry: FakeRegistry, record: StationRecord, *, cached: bool, proof: Proof, version: Version
    ) -> None:
        self.registry = registry
        self.backend = FakeBackend()
        self.bridge = FakeBridge()
        self.served: list[str] = []
        registry.add(record)
        registry.epochs[record.identity] = 7
        self.station = Station(
            record,
            version=version,
            books=Books(),
            registry=registry,
            services={"SignCertificate": self._serve},
            boot_rules=BootRules(retry_interval=60, heartbeat_interval=900, cached=cached, backend_wait=5.0),
            clock=lambda: NOON,
        )
        self.station.backend = self.backend
        self.station.bridge = self.bridge
        self.station.proof = proof
        self.station.owned(record, 7)

    async def _serve(self, station: Station, payload: Json) -> Json:
        assert station is self.station
        self.served.append("SignCertificate")
        return {"status": "Accepted"}


async def turns(count: int = 12) -> None:
    """Let everything run that can run by now."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
async def clock() -> FakeClock:
    """The running loop's time under the test's control."""
    loop = asyncio.get_running_loop()
    fake = FakeClock(loop)
    loop.time = fake  # type: ignore[method-assign]  # the loop lives no longer than the test
    return fake


@pytest.fixture
def settle() -> Callable[[], Awaitable[None]]:
    """Lets everything run that can run by now, when awaited."""
    return turns


@pytest.fixture
async def new_talk() -> AsyncIterator[Callable[..., Talk]]:
    """Makes talks, and takes the peers apart after the test; what a handler still waits for is cancelled."""
    talks: list[Talk] = []

    def new(side: Side = STATION_201, handle: Handle | None = None, *, is_connected: bool = True) -> Talk:
        talks.append(Talk(side, handle, is_connected=is_connected))
        return talks[-1]

    yield new
    for talk in talks:
        for answer in talk.handler.answers.values():
            if isinstance(answer, asyncio.Future):
                answer.cancel()
        talk.peer.give_up("the test is over")
        await talk.peer.finished()


@pytest.fixture
async def talk(new_talk: Callable[..., Talk]) -> Talk:
    """A 2.0.1 station's peer, connected."""
    return new_talk()


@pytest.fixture
def new_socket() -> type[FakeSocket]:
    """Makes sockets."""
    return FakeSocket


@pytest.fixture
def new_policy() -> type[FakePolicy]:
    """Makes policies."""
    return FakePolicy


@pytest.fixture
def registry() -> FakeRegistry:
    """A registry without any station."""
    return FakeRegistry()


@pytest.fixture
def security() -> FakeSecurityLog:
    """A security log in memory."""
    return FakeSecurityLog()


@pytest.fixture
def new_security() -> type[FakeSecurityLog]:
    """Makes security logs."""
    return FakeSecurityLog


@pytest.fixture
def new_registry() -> type[FakeRegistry]:
    """Makes registries; for property tests, which want a new one per example."""
    return FakeRegistry


@pytest.fixture
def house(registry: FakeRegistry) -> Callable[..., House]:
    """Makes a station with its house."""

    def build(
        boot_status: BootStatus = BootStatus.NONE,
        *,
        cached: bool = False,
        profile: int = 2,
        provisional: Provisional | None = None,
        version: Version = Version.V201,
        **fields: Any,
    ) -> House:
        record = StationRecord("CS1", 2, boot_status=boot_status, **fields)
        proof = Proof(profile, provisional=provisional)
        return House(registry, record, cached=cached, proof=proof, version=version)

    return build
