"""A mirror's life as dialogues: what it is sent, what becomes of what it says, and what is dropped."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.session.tally import Tally
from gateway.transport import DialError, DialStage
from gateway.upstream import mirror as module
from gateway.upstream.mirror import QUEUE_BYTES_MAX, QUEUE_MAX, Mirror, State
from gateway.wire.versions import Version


class FakeSocket:
    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.closed_with: int | None = None

    def send(self, text: bytes) -> bool:
        self.sent.append(json.loads(text))
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed_with = code


class World:
    """One station's leg to one mirror, on a network that does as it is told."""

    def __init__(self, *, boot: Any = None) -> None:
        self.tally = Tally()
        self.sockets: asyncio.Queue[FakeSocket | None] = asyncio.Queue()
        self.refuses = False
        self.ids = iter(range(1_000_000))
        self.boot = boot
        self.mirror = Mirror(
            "eye",
            "CS1",
            self.dial,
            version=Version.V16,
            first=lambda: self.boot,
            new_id=lambda: f"m-{next(self.ids)}",
            timeout=30.0,
            tally=self.tally,
        )

    async def dial(self, sink: Any) -> Any:
        if self.refuses:
            self.sockets.put_nowait(None)
            raise DialError("refused", stage=DialStage.CONNECT)
        socket = FakeSocket()
        sink.connected(socket)
        self.sockets.put_nowait(socket)
        return socket

    async def opened(self) -> FakeSocket:
        self.mirror.start()
        socket = await self.sockets.get()
        assert socket is not None
        return socket

    def saw(self, number: int, action: str = "Heartbeat") -> None:
        self.mirror.saw(json.dumps([2, f"primary-{number}", action, {"n": number}]).encode())

    def says(self, frame: Any) -> None:
        self.mirror.message(json.dumps(frame).encode())

    def lose(self) -> None:
        self.mirror.disconnected(SimpleNamespace(code=1006, reason=""))

    @property
    def dropped(self) -> dict[tuple[str, str], int]:
        return dict(self.tally.mirror_dropped)


async def turn() -> None:
    """Let the loop run what is due."""
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two dials there is no wait worth a test's time."""
    monkeypatch.setattr(module, "BACKOFF_FIRST", 0.001)
    monkeypatch.setattr(module, "BACKOFF_MAX", 0.001)


@pytest.fixture
async def world() -> Any:
    made = World()
    yield made
    await made.mirror.stop()


async def test_it_gets_each_call_one_at_a_time_under_its_own_message_id(world: World) -> None:
    socket = await world.opened()
    for number in range(3):
        world.saw(number)
    assert socket.sent == []  # nothing is done on the way of the backend's frame
    await turn()
    assert socket.sent == [[2, "m-0", "Heartbeat", {"n": 0}]]
    world.says([3, "m-0", {"currentTime": "now"}])
    world.says([4, "m-1", "InternalError", "", {}])
    assert [frame[1:] for frame in socket.sent] == [
        ["m-0", "Heartbeat", {"n": 0}], ["m-1", "Heartbeat", {"n": 1}], ["m-2", "Heartbeat", {"n": 2}],
    ]  # fmt: skip
    assert world.dropped == {}


async def test_each_connection_begins_with_the_boot(world: World) -> None:
    world.boot = {"chargePointVendor": "V", "chargePointModel": "M"}
    for first in ("m-0", "m-2"):
        socket = await world.opened()
        world.saw(1)
        await turn()
        assert socket.sent == [[2, first, "BootNotification", world.boot]]
        world.says([3, first, {"status": "Rejected", "currentTime": "now", "interval": 0}])
        assert [frame[2] for frame in socket.sent] == ["BootNotification", "Heartbeat"]
        world.lose()


async def test_what_comes_while_it_is_dialled_waits_and_is_dropped_when_that_fails(world: World) -> None:
    world.refuses = True
    world.saw(0)
    world.mirror.start()
    world.saw(1)
    world.saw(2)
    assert await world.sockets.get() is None
    await turn()
    assert world.dropped == {("eye", "away"): 3}
    world.refuses = False
    while (socket := await world.sockets.get()) is None:
        pass
    world.saw(3)
    await turn()
    assert [frame[3]["n"] for frame in socket.sent] == [3]


async def test_one_that_answers_nothing_fills_its_queue_and_no_more(world: World) -> None:
    socket = await world.opened()
    for number in range(QUEUE_MAX):
        world.saw(number)
    assert world.dropped == {}
    world.saw(QUEUE_MAX)
    assert world.dropped == {("eye", "full"): 1}
    await turn()
    assert len(socket.sent) == 1


async def test_the_queue_is_bounded_in_bytes_too(world: World) -> None:
    await world.opened()
    half = b'[2,"x","DataTransfer",{"data":"' + b"x" * (QUEUE_BYTES_MAX // 2 - 40) + b'"}]'
    for _ in range(3):
        world.mirror.saw(half)
    assert world.dropped == {("eye", "full"): 1}
    await turn()
    world.mirror.saw(half)
    assert world.dropped == {("eye", "full"): 1}  # one has gone out: there is room again


async def test_one_that_is_late_gets_the_next_all_the_same(world: World) -> None:
    world.mirror._timeout = 0.0
    socket = await world.opened()
    world.saw(0)
    world.saw(1)
    async with asyncio.timeout(5):
        while len(socket.sent) < 2:  # noqa: ASYNC110 - what is waited for is a timer of the loop
            await asyncio.sleep(0)
    world.mirror._timeout = 30.0
    world.saw(2)
    world.says([3, "m-0", {}])  # too late to mean anything
    await turn()
    assert [frame[1] for frame in socket.sent][:2] == ["m-0", "m-1"]


async def test_its_commands_are_refused_and_its_nonsense_is_nothing(world: World) -> None:
    socket = await world.opened()
    world.saw(0)
    await turn()
    world.says([2, "r-1", "Reset", {"type": "Hard"}])
    for nonsense in ([9, "x", {}], [3, "nothing", {}], [4, "m-9", "X", "", {}], {"a": 1}, []):
        world.says(nonsense)
    world.mirror.message(b"\xff{")
    assert [frame[:3] for frame in socket.sent[1:]] == [[4, "r-1", "NotSupported"]]
    world.saw(1)
    await turn()
    assert len(socket.sent) == 2  # the CALL before is still not answered
    world.says([3, "m-0", "not an object"])
    assert socket.sent[-1][1] == "m-1"  # but meant as an answer


async def test_one_that_talks_too_much_is_closed(world: World) -> None:
    socket = await world.opened()
    for number in range(61):
        assert socket.closed_with is None
        world.says([2, f"r-{number}", "Reset", {"type": "Hard"}])
    assert socket.closed_with == 1008


async def test_it_comes_again_when_it_was_lost(world: World) -> None:
    first = await world.opened()
    world.saw(0)
    await turn()
    world.saw(1)
    world.lose()
    world.saw(2)
    second = await world.sockets.get()
    assert second is not None
    world.saw(3)
    await turn()
    assert [frame[3]["n"] for frame in first.sent] == [0]
    assert [frame[3]["n"] for frame in second.sent] == [3]
    assert world.dropped == {("eye", "away"): 2}


async def test_it_closes_with_the_station(world: World) -> None:
    socket = await world.opened()
    await world.mirror.stop()
    assert (socket.closed_with, world.mirror.state) == (1000, State.AWAY)
    world.saw(1)
    world.says([2, "r-1", "Reset", {"type": "Hard"}])
    world.lose()
    await world.mirror.stop()
    assert (socket.sent, world.dropped) == ([], {("eye", "away"): 1})
    assert "away" in repr(world.mirror)


async def test_starting_twice_is_starting_once(world: World) -> None:
    await world.opened()
    world.mirror.start()
    await turn()
    assert world.sockets.empty()
