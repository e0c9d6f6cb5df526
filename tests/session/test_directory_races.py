"""Connects, losses, probes and takeovers of one identity in any order: never two live, nothing left (attack A3)."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.bridge.books import Books, Json
from gateway.session.boot_notification import BootRules
from gateway.session.directory import Directory, Entry, Held
from gateway.session.peer import Peer
from gateway.session.ports import Proof, StationRecord
from gateway.session.stages import STATION_201
from gateway.session.station import Station
from gateway.session.tally import Tally
from gateway.transport.messages import Closed
from gateway.wire.versions import Version

if TYPE_CHECKING:
    from tests.session.conftest import FakePolicy, FakeRegistry, FakeSecurityLog, FakeSocket

RULES = BootRules(retry_interval=60, heartbeat_interval=900, cached=False, backend_wait=5.0)
RECORD = StationRecord("CS1", 1)
turns_ahead = st.integers(0, 5)
places = st.integers(0, 3)


@dataclass(eq=False)
class Connection:
    """One WebSocket that was opened for an entry."""

    entry: Entry
    peer: Peer
    socket: "FakeSocket"
    was_attached: bool = False
    work: "asyncio.Future[Json] | None" = None

    @property
    def is_at_work(self) -> bool:
        """True while a CALL of it is being handled."""
        return self.work is not None and not self.work.done()

    @property
    def is_live(self) -> bool:
        """True while messages of it would be handled: neither lost nor told to close."""
        return self.peer.is_open and not self.socket.closed


class World:
    """The directory and what it calls; every runtime that is built is counted until it is taken apart."""

    def __init__(self, registry: "FakeRegistry", security: "FakeSecurityLog") -> None:
        registry.add(RECORD)
        registry.turns = 3
        self.registry = registry
        self.directory = Directory(registry, self.build, self.leave, self.retire, security=security)
        self.runtimes = 0
        self.may_leave = True

    async def build(self, record: StationRecord, version: Version) -> Station:
        await asyncio.sleep(0)
        self.runtimes += 1
        assert self.runtimes == 1, "two runtimes of one station"
        return Station(
            record,
            version=version,
            books=Books(),
            registry=self.registry,
            services={},
            boot_rules=RULES,
            clock=lambda: datetime.now(UTC),
        )

    async def leave(self, station: Station) -> bool:
        may_leave = self.may_leave
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if may_leave:
            assert not station.is_connected, "the runtime of a connected station was taken apart"
            self.runtimes -= 1
        return may_leave

    async def retire(self, station: Station) -> None:
        assert not station.is_connected, "the runtime of a connected station was retired"
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.runtimes -= 1


class Races(RuleBasedStateMachine):
    """Entries come out of ``directory.enter``; whoever has one opens its WebSocket, at once or later."""

    new_registry: "ClassVar[type[FakeRegistry]]"
    new_socket: "ClassVar[type[FakeSocket]]"
    new_policy: "ClassVar[type[FakePolicy]]"
    new_security: "ClassVar[type[FakeSecurityLog]]"

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World(self.new_registry(), self.new_security())
        self.numbers = itertools.count(1)
        self.entering: list[asyncio.Task[Entry]] = []
        self.newest = 0
        self.unopened: list[Entry] = []
        self.opened: list[Connection] = []

    def do(self, turns: int, work: Callable[[], Any] = lambda: None) -> None:
        """Do something within the loop, and let it run for some turns."""

        async def within() -> None:
            work()
            await self.let_run(turns)

        self.loop.run_until_complete(within())

    async def let_run(self, turns: int) -> None:
        for _ in range(turns + 1):
            await asyncio.sleep(0)
            for task in [task for task in self.entering if task.done()]:
                self.entering.remove(task)
                if not task.cancelled() and not isinstance(task.exception(), Held):
                    self.unopened.append(task.result())
                    self.newest = task.result().epoch

    @rule(profile=st.integers(1, 3), version=st.sampled_from(Version), turns=turns_ahead)
    def newcomer(self, profile: int, version: Version, turns: int) -> None:
        def come() -> None:
            enter = self.world.directory.enter(RECORD, Proof(profile), version)
            self.entering.append(asyncio.create_task(enter, name=f"newcomer {next(self.numbers)}"))

        self.do(turns, come)

    @precondition(lambda self: self.entering)
    @rule(place=places, turns=turns_ahead)
    def newcomer_gives_up(self, place: int, turns: int) -> None:
        self.do(turns, self.entering[place % len(self.entering)].cancel)

    @precondition(lambda self: self.unopened)
    @rule(place=places, turns=turns_ahead)
    def websocket_opens(self, place: int, turns: int) -> None:
        entry = self.unopened.pop(place % len(self.unopened))
        self.do(turns, lambda: self.connect(entry))

    def connect(self, entry: Entry) -> None:
        async def handle(action: str, payload: Json) -> Json:
            connection.work = asyncio.get_running_loop().create_future()
            return await connection.work

        directory = self.world.directory
        peer = Peer(
            STATION_201,
            "CS1",
            handle,
            guard=self.new_policy(),
            tally=Tally(),
            timeout=30.0,
            new_id=lambda: "x",
            opened=lambda peer: directory.attach(entry, peer),
            lost=lambda peer, _: directory.detach(entry.station, peer),
        )
        socket = self.new_socket()
        socket.pong = asyncio.get_running_loop().create_future()
        connection = Connection(entry, peer, socket)
        self.opened.append(connection)
        peer.connected(socket)
        connection.was_attached = connection.is_live
        if connection.is_live:
            assert entry.epoch == self.newest, "an entry was taken that a later one had made worthless"
        self.never_two_live()

    @precondition(lambda self: self.opened)
    @rule(place=places, turns=turns_ahead)
    def websocket_is_lost(self, place: int, turns: int) -> None:
        def lose() -> None:
            connection = self.some(place)
            connection.peer.disconnected(Closed(1006, "", by_peer=True))
            self.pong(connection, is_alive=False)

        self.do(turns, lose)

    @precondition(lambda self: any(self.is_probing(each) for each in self.opened))
    @rule(is_alive=st.booleans(), turns=turns_ahead)
    def probe_ends(self, is_alive: bool, turns: int) -> None:
        def answer() -> None:
            for each in self.opened:
                if self.is_probing(each):
                    self.pong(each, is_alive=is_alive and each.peer.is_open)

        self.do(turns, answer)

    @precondition(lambda self: self.opened)
    @rule(place=places, turns=turns_ahead)
    def call_comes(self, place: int, turns: int) -> None:
        text = b'[2,"%d","Heartbeat",{}]' % next(self.numbers)
        self.do(turns, lambda: self.some(place).peer.message(text))

    @precondition(lambda self: any(each.is_at_work for each in self.opened))
    @rule(turns=turns_ahead)
    def calls_are_done(self, turns: int) -> None:
        self.do(turns, self.finish_all)

    @rule(may_leave=st.booleans())
    def journal_fills_or_empties(self, may_leave: bool) -> None:
        self.world.may_leave = may_leave

    @precondition(lambda self: not any(self.is_probing(each) for each in self.opened))
    @rule(turns=turns_ahead)
    def journal_is_delivered(self, turns: int) -> None:
        for station in self.world.directory:
            self.loop.run_until_complete(self.world.directory.release(station))
        self.do(turns)

    def some(self, place: int) -> Connection:
        """Return one of the connections, a late one rather than an early one."""
        return self.opened[-1 - place % len(self.opened)]

    def pong(self, connection: Connection, *, is_alive: bool) -> None:
        pong = connection.socket.pong
        if isinstance(pong, asyncio.Future) and not pong.done():
            pong.set_result(is_alive)
        connection.socket.pong = is_alive

    def is_probing(self, connection: Connection) -> bool:
        """A probe holds the identity's lock: who waits for that would wait for ever here."""
        pong = connection.socket.pong
        return bool(connection.socket.pings) and isinstance(pong, asyncio.Future) and not pong.done()

    def finish_all(self) -> None:
        for each in self.opened:
            if each.work is not None and each.is_at_work:
                each.work.set_result({"currentTime": "2026-03-01T12:00:00Z"})

    @invariant()
    def never_two_live(self) -> None:
        live = [each for each in self.opened if each.is_live]
        assert len(live) <= 1
        for each in live:
            assert self.world.directory.get("CS1") is each.entry.station
            assert each.entry.station.peer is each.peer

    @invariant()
    def a_live_one_gave_way_only_when_it_was_silent(self) -> None:
        for each in self.opened:
            if each.socket.closed and each.was_attached:
                assert each.socket.pings
                assert each.socket.pong is False

    def teardown(self) -> None:
        """Let everybody leave: nothing may be left behind."""
        self.loop.run_until_complete(self.everybody_leaves())
        self.loop.close()

    async def everybody_leaves(self) -> None:
        self.world.may_leave = True
        for _ in range(3 + len(self.entering)):
            for connection in self.opened:
                self.pong(connection, is_alive=False)
            self.finish_all()
            await self.let_run(20)
            self.never_two_live()
            for entry in self.unopened:
                self.connect(entry)
            self.unopened.clear()
        for connection in self.opened:
            connection.peer.give_up("the end")
        for _ in range(3):
            self.finish_all()
            await self.let_run(20)
        for station in self.world.directory:
            await self.world.directory.release(station)
        assert not self.entering
        assert len(self.world.directory) == 0
        assert self.world.runtimes == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}


def test_races(
    new_registry: type["FakeRegistry"],
    new_socket: type["FakeSocket"],
    new_policy: type["FakePolicy"],
    new_security: type["FakeSecurityLog"],
) -> None:
    class Machine(Races):
        pass

    Machine.new_registry, Machine.new_socket, Machine.new_policy = new_registry, new_socket, new_policy
    Machine.new_security = new_security
    Machine.TestCase.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
    Machine.TestCase("runTest").debug()
