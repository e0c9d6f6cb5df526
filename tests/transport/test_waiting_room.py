"""Places by address: exact, and nothing stays of an address that left."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.transport import Accept, AcceptThenClose, Limits, Listener, Refuse, Refused, UpgradeRequest, Verdict
from gateway.transport.entrance import Entrance
from gateway.transport.link import Link
from gateway.transport.proxy_protocol import SIGNATURE
from gateway.transport.waiting_room import WaitingRoom

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transport.conftest import Authority

ADDRESSES = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]


class Visitor:
    """A guest that notes when it had to go."""

    def __init__(self, room: WaitingRoom, address: str) -> None:
        self.room = room
        self.address = address
        self.gave_way = False

    def give_way(self) -> None:
        self.gave_way = True
        self.room.leave(self.address, self)


def comes(room: WaitingRoom, address: str) -> Visitor | None:
    visitor = Visitor(room, address)
    return visitor if room.enter(address, visitor) else None


def test_one_past_the_places_gets_none() -> None:
    room = WaitingRoom(2)
    first, second, third = (comes(room, "192.0.2.1") for _ in range(3))
    assert first
    assert second
    assert third is None
    assert comes(room, "192.0.2.2")
    room.leave("192.0.2.1", first)
    assert comes(room, "192.0.2.1")
    assert len(room) == 3


def test_a_64_shares_its_places() -> None:
    room = WaitingRoom(2)
    assert [comes(room, f"2001:db8::{number}") is not None for number in range(3)] == [True, True, False]
    assert comes(room, "2001:db8:0:1::")


def test_nobody_leaves_who_never_came() -> None:
    room = WaitingRoom(1)
    with pytest.raises(KeyError):
        room.leave("192.0.2.1", Visitor(room, "192.0.2.1"))


def test_when_it_is_full_the_last_of_the_address_that_has_most_gives_way() -> None:
    room = WaitingRoom(100, together=4)
    strangers = [comes(room, "192.0.2.1") for _ in range(4)]
    assert comes(room, "10.0.0.1")
    assert comes(room, "10.0.0.2")
    assert [stranger is not None and stranger.gave_way for stranger in strangers] == [False, False, True, True]
    assert comes(room, "192.0.2.1") is None
    assert comes(room, "10.0.0.1") is None
    assert len(room) == 4


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(ADDRESSES)), max_size=60), st.integers(1, 4), st.integers(0, 6)
)
def test_it_counts(moves: list[tuple[bool, str]], places: int, together: int) -> None:
    room = WaitingRoom(places, together)
    visitors: list[Visitor] = []
    for does_come, address in moves:
        here = [each for each in visitors if each.address == address and not each.gave_way]
        if does_come:
            visitor = comes(room, address)
            assert visitor is None or len(here) < places
            assert visitor is not None or len(here) >= places or len(room) == together
            visitors += [visitor] if visitor else []
        elif here:
            room.leave(address, here[0])
            visitors.remove(here[0])
        present = Counter(each.address for each in visitors if not each.gave_way)
        assert len(room) == present.total()
        assert not together or len(room) <= together
        assert len(room._present) == len(present)


# Every way a connection can end

BALANCER = "10.0.0.1"
PLACES = 3


class Plug(asyncio.Transport):
    """A socket without a kernel."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__({"peername": (address, port)})
        self.port = port
        self.over = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.over

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def write_eof(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.over = True

    abort = close


class Silent:
    """A sink."""

    def connected(self, socket: object) -> None:
        pass

    def message(self, text: bytes) -> None:
        pass

    def disconnected(self, closed: object) -> None:
        pass


class Crowd:
    """A listener's connections, and what happens to them, in any order."""

    def __init__(self, new_request: Callable[..., bytes], authority: Authority, *, secure: bool) -> None:
        context = authority.server()
        self.listener = Listener(
            host="",
            port=0,
            admit=self._admit,
            limits=Limits(waiting_per_address=PLACES),
            tls=(lambda _: context) if secure else None,
            load_balancers=[ipaddress.ip_network(BALANCER)],
            screen=lambda address: "NO" if address == "203.0.113.9" else None,
            observe=self._observe,
        )
        self._turned_away: set[tuple[str, int]] = set()
        self._number = 0
        self.links: list[tuple[Link, Plug]] = []
        self._questions: list[asyncio.Future[Verdict]] = []
        self._request = new_request()

    def _observe(self, refused: Refused) -> None:
        if refused.code in {"TOO_MANY", "NO"}:
            self._turned_away.add(refused.remote)

    async def _admit(self, asked: UpgradeRequest) -> Verdict:
        question: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._questions.append(question)
        return await question

    def connect(self, address: str) -> None:
        link = self.listener._accepted()
        assert isinstance(link, Link)
        self._number += 1
        plug = Plug(address, self._number)
        self.links.append((link, plug))
        link.connection_made(plug)

    def say(self, link: Link, plug: Plug, what: str) -> None:
        block = socket.inet_aton("192.0.2.1") + bytes(4) + struct.pack("!HH", plug.port, 443)
        said = {
            "header": SIGNATURE + b"\x21\x11" + struct.pack("!H", len(block)) + block,
            "half a header": SIGNATURE,
            "request": self._request,
            "half a request": self._request[:20],
            "rubbish": b"\x00" * 20,
            "half a hello": b"\x16\x03\x01",
        }[what]
        link.get_buffer(0)[: len(said)] = said
        link.buffer_updated(len(said))

    def do(self, what: str, number: int) -> None:
        """Let one thing happen to one connection."""
        if what == "answer":
            self._answer(number)
            return
        if not self.links:
            return
        link, plug = self.links[number % len(self.links)]
        if what == "reset" or plug.over:
            self._lose(link, plug)
        elif what == "fin":
            if not link.eof_received():
                plug.over = True
        elif what == "abort":
            link.abort("by the owner")
        elif what == "shut":
            link.shut(1001, "")
        elif what == "late":
            timer, link._timer = link._timer, None
            if timer is not None:
                timer.cancel()
                timer._run()
        else:
            self.say(link, plug, what)

    def _answer(self, number: int) -> None:
        verdicts: list[Verdict | Exception] = [
            Accept(Silent(), None),
            Refuse(401),
            AcceptThenClose(1002, ""),
            RuntimeError("a mistake"),
        ]
        for question in self._questions:
            if not question.done():
                verdict = verdicts[number % len(verdicts)]
                if isinstance(verdict, Exception):
                    question.set_exception(verdict)
                else:
                    question.set_result(verdict)
                return

    def _lose(self, link: Link, plug: Plug) -> None:
        plug.over = True
        self.links.remove((link, plug))
        link.connection_lost(None)

    def end(self) -> None:
        for link, plug in list(self.links):
            self._lose(link, plug)

    def waiting(self) -> int:
        """Count by looking at each: who is known, wasn't turned away, isn't a WebSocket yet, and isn't gone."""
        return sum(
            1
            for link, _ in self.links
            if isinstance(link.endpoint, Entrance)
            and link.remote[0] != BALANCER
            and link.remote not in self._turned_away
        )


HAPPENINGS = [
    "header",
    "half a header",
    "request",
    "half a request",
    "rubbish",
    "half a hello",
    "reset",
    "fin",
    "abort",
    "shut",
    "late",
    "answer",
]
CONNECTS = ["192.0.2.1", "2001:db8::1", "203.0.113.9", BALANCER]
LIKELY = [*CONNECTS, "192.0.2.1", BALANCER, *HAPPENINGS, *["request", "answer"] * 3, "header"]


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(LIKELY), st.integers(0, 11)), min_size=15, max_size=50),
    secure=st.booleans(),
)
def test_the_count_is_exact_over_every_way_a_connection_can_end(
    steps: list[tuple[str, int]],
    secure: bool,
    new_request: Callable[..., bytes],
    authority: Authority,
) -> None:
    async def play() -> None:
        crowd = Crowd(new_request, authority, secure=secure)
        room = crowd.listener._doorkeeper.room
        for what, number in steps:
            if what in CONNECTS:
                crowd.connect(what)
            else:
                crowd.do(what, number)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert crowd.listener.waiting == crowd.waiting()
            assert all(0 < len(guests) <= PLACES for guests in room._present.values())
        crowd.end()
        await asyncio.sleep(0)
        assert crowd.listener.connections == 0
        assert room._present == {}

    asyncio.run(play())
