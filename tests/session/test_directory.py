"""Who holds an identity, as dialogues of connects, losses and takeovers (attacks A2, A3)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from gateway.bridge.books import Books
from gateway.session.boot_notification import BootRules
from gateway.session.directory import GOING_AWAY, PROBE_TIMEOUT, Directory, Entry, Held
from gateway.session.ports import Proof, Provisional, RecordChanged, StationRecord
from gateway.session.replacements import FREE, WAIT_FIRST
from gateway.session.security import Kind
from gateway.session.station import Station
from gateway.transport.messages import Closed
from gateway.wire.versions import Version

if TYPE_CHECKING:
    from tests.session.conftest import FakeClock, FakeRegistry, FakeSecurityLog, Talk

Settle = Callable[[], Awaitable[None]]
REPLACED = (GOING_AWAY, "replaced by a new connection")
RULES = BootRules(retry_interval=60, heartbeat_interval=900, cached=False, backend_wait=5.0)
NOW = "2026-03-01T12:00:00Z"


class Hall:
    """A directory, its stations, and those who come and go."""

    def __init__(self, registry: "FakeRegistry", new_talk: Callable[..., "Talk"], security: "FakeSecurityLog") -> None:
        self.registry = registry
        self.security = security
        self.record = registry.add(StationRecord("CS1", 1))
        self.directory = Directory(
            registry, self.build, self.leave, self.retire, fits=lambda *_: self.fits, security=security
        )
        self.fits = True
        self.built: list[Station] = []
        self.left: list[Station] = []
        self.retired: list[Station] = []
        self.may_leave = True
        self._new_talk = new_talk

    async def build(self, record: StationRecord, version: Version) -> Station:
        await asyncio.sleep(0)
        station = Station(
            record,
            version=version,
            books=Books(),
            registry=self.registry,
            services={},
            boot_rules=RULES,
            clock=lambda: datetime.now(UTC),
        )
        self.built.append(station)
        return station

    async def leave(self, station: Station) -> bool:
        await asyncio.sleep(0)
        self.left.append(station)
        return self.may_leave

    async def retire(self, station: Station) -> None:
        await asyncio.sleep(0)
        self.retired.append(station)

    def connect(self, entry: Entry) -> "Talk":
        """Open the WebSocket of an entry."""
        talk = self._new_talk(is_connected=False)
        talk.peer._opened = lambda peer: self.directory.attach(entry, peer)
        talk.peer._lost = lambda peer, _: self.directory.detach(entry.station, peer)
        talk.peer.connected(talk.socket)
        return talk

    async def enters(
        self, profile: int = 1, version: Version = Version.V201, record: StationRecord | None = None, **proof: Any
    ) -> Entry:
        """Admit a newcomer."""
        return await self.directory.enter(record or self.record, Proof(profile, **proof), version, "10.0.0.9")

    async def comes(self, profile: int = 1, version: Version = Version.V201, **proof: Any) -> "Talk":
        """Let a newcomer in."""
        return self.connect(await self.enters(profile, version, **proof))

    def present(self) -> Station:
        station = self.directory.get("CS1")
        assert station is not None
        return station


@pytest.fixture
async def hall(registry: "FakeRegistry", new_talk: Callable[..., "Talk"], security: "FakeSecurityLog") -> Hall:
    return Hall(registry, new_talk, security)


async def test_a_newcomer_enters_and_is_connected(hall: Hall) -> None:
    entry = await hall.enters(2)
    assert (entry.station.epoch, entry.epoch, entry.proof) == (1, 1, Proof(2))

    talk = hall.connect(entry)
    assert hall.present() is entry.station
    assert entry.station.peer is talk.peer
    assert entry.station.is_connected
    assert entry.station.profile == 2
    assert list(hall.directory) == [entry.station]
    assert (len(hall.directory), hall.registry.takes) == (1, [("CS1", 2)])


async def test_it_is_gone_when_its_connection_is(hall: Hall, settle: Settle) -> None:
    talk = await hall.comes()
    station = hall.present()
    talk.peer.give_up("gone")
    await settle()

    assert hall.directory.get("CS1") is None
    assert len(hall.directory) == 0
    assert hall.left == [station]


@pytest.mark.parametrize(
    ("holder", "newcomer", "pong", "enters"),
    [
        (2, 2, True, False),
        (2, 2, False, True),
        (1, 3, True, False),
        (1, 3, False, True),
        (3, 2, True, False),
        (3, 2, False, False),
        (2, 1, False, False),
    ],
)
async def test_the_holder_gives_way_only_when_silent_and_not_to_a_weaker_newcomer(
    hall: Hall, holder: int, newcomer: int, pong: bool, enters: bool
) -> None:
    """Attack A2."""
    talk = await hall.comes(holder)
    talk.socket.pong = pong
    pings = [] if newcomer < holder else [PROBE_TIMEOUT]

    with capture_logs() as lines:
        if enters:
            other = await hall.comes(newcomer)
            assert hall.present().peer is other.peer
            assert hall.present().remote == "10.0.0.9"
            assert not talk.peer.is_open
        else:
            with pytest.raises(Held):
                await hall.comes(newcomer)
            assert hall.present().peer is talk.peer
            assert talk.peer.is_open

    assert talk.socket.pings == pings
    assert talk.socket.closed == ([REPLACED] if enters else [])
    assert [line["event"] for line in lines] == (["session_taken"] if enters else [])
    assert [(event.kind, event.identity, event.remote) for event in hall.security.noted] == (
        [(Kind.SESSION_REPLACED, "CS1", "10.0.0.9")] if enters else []
    )
    assert len(hall.registry.takes) == 1 + enters


async def test_the_close_of_the_replaced_socket_does_not_remove_the_newcomer(hall: Hall, settle: Settle) -> None:
    """Attack A3: the old socket's own close comes late."""
    old = await hall.comes()
    old.socket.pong = False
    new = await hall.comes()
    old.peer.disconnected(Closed(1006, "", by_peer=True))
    await settle()

    assert hall.present().peer is new.peer
    assert (hall.left, len(hall.built)) == ([], 1)


async def test_the_runtime_is_not_dropped_while_a_newcomer_is_about_to_open(hall: Hall, settle: Settle) -> None:
    old = await hall.comes()
    old.socket.pong = False
    entry = await hall.enters()
    await settle()
    await hall.directory.release(entry.station)
    assert hall.left == []

    new = hall.connect(entry)
    assert hall.present().peer is new.peer
    new.peer.give_up("gone")
    await settle()
    assert (len(hall.directory), len(hall.built), len(hall.left)) == (0, 1, 1)


async def test_nothing_is_kept_for_an_entry_that_was_withdrawn(hall: Hall, settle: Settle) -> None:
    entry = await hall.enters()
    hall.directory.withdraw(entry)
    await settle()
    assert (len(hall.directory), hall.left) == (0, [entry.station])


async def test_an_entry_that_is_withdrawn_takes_no_later_one_with_it(hall: Hall, settle: Settle) -> None:
    former, entry = await hall.enters(), await hall.enters()
    hall.directory.withdraw(former)
    await settle()
    assert hall.left == []
    hall.connect(entry)
    hall.directory.withdraw(entry)
    await settle()
    assert (hall.present().is_connected, hall.left) == (True, [])


async def test_a_holder_that_is_lost_while_it_is_probed_gives_way(hall: Hall, settle: Settle) -> None:
    old = await hall.comes()
    old.socket.pong = asyncio.get_running_loop().create_future()
    entering = asyncio.create_task(hall.comes(), name="newcomer")
    await settle()
    old.peer.give_up("gone")
    old.socket.pong.set_result(False)

    new = await entering
    assert hall.present().peer is new.peer


async def test_while_one_newcomer_probes_the_next_one_waits(hall: Hall, settle: Settle) -> None:
    old = await hall.comes()
    old.socket.pong = asyncio.get_running_loop().create_future()
    newcomers = [asyncio.create_task(hall.comes(), name=f"newcomer {number}") for number in range(2)]
    await settle()
    assert old.socket.pings == [PROBE_TIMEOUT]

    old.socket.pong.set_result(False)
    first = await newcomers[0]
    with pytest.raises(Held):
        await newcomers[1]
    assert hall.present().peer is first.peer


async def test_identities_do_not_wait_for_each_other(hall: Hall, settle: Settle) -> None:
    old = await hall.comes()
    old.socket.pong = asyncio.get_running_loop().create_future()
    entering = asyncio.create_task(hall.comes(), name="newcomer")
    await settle()

    other = hall.registry.add(StationRecord("CS2", 1))
    entry = await hall.enters(record=other)
    assert (entry.epoch, len(hall.directory)) == (1, 2)

    old.socket.pong.set_result(True)
    with pytest.raises(Held):
        await entering


async def test_an_entry_is_worth_nothing_once_a_later_one_was_given(hall: Hall, settle: Settle) -> None:
    earlier = await hall.enters()
    later = await hall.enters()
    assert earlier.station is later.station

    new = hall.connect(later)
    old = hall.connect(earlier)
    assert old.socket.closed == [REPLACED]
    assert new.socket.closed == []
    old.peer.give_up("gone")
    await settle()
    assert hall.present().peer is new.peer


async def test_the_earlier_one_gets_nowhere_even_if_it_opens_first(hall: Hall) -> None:
    earlier = await hall.enters()
    later = await hall.enters()

    assert hall.connect(earlier).socket.closed == [REPLACED]
    assert hall.connect(later).socket.closed == []


async def test_an_entry_that_opens_while_the_next_is_given_stays(hall: Hall, settle: Settle) -> None:
    first = await hall.enters()
    hall.registry.gate = asyncio.get_running_loop().create_future()
    entering = asyncio.create_task(hall.enters(), name="newcomer")
    await settle()
    holder = hall.connect(first)
    hall.registry.gate.set_result(None)

    late = hall.connect(await entering)
    assert (holder.socket.closed, late.socket.closed) == ([], [REPLACED])
    assert hall.present().peer is holder.peer

    late.peer.give_up("gone")
    holder.peer.give_up("gone")
    await settle()
    assert len(hall.directory) == 0


async def test_one_entry_opens_once(hall: Hall) -> None:
    entry = await hall.enters()
    first, second = hall.connect(entry), hall.connect(entry)

    assert (first.socket.closed, second.socket.closed) == ([], [REPLACED])


async def test_a_station_that_was_removed_meanwhile_does_not_enter(hall: Hall, settle: Settle) -> None:
    del hall.registry.records["CS1"]
    with pytest.raises(RecordChanged):
        await hall.comes()
    assert (len(hall.directory), hall.built) == (0, [])

    hall.registry.add(hall.record)
    await hall.comes()
    assert len(hall.directory) == 1


async def test_who_may_not_come_in_any_more_displaces_nobody(hall: Hall) -> None:
    talk = await hall.comes()
    talk.socket.pong = False
    hall.registry.add(replace(hall.record, serial="SN9"))
    with pytest.raises(RecordChanged):
        await hall.comes()
    assert (talk.socket.closed, hall.present().is_connected, hall.present().epoch) == ([], True, 1)
    await hall.comes(record=hall.registry.records["CS1"])
    assert hall.present().record.serial == "SN9"


async def test_the_call_in_work_is_finished_before_the_station_leaves(hall: Hall, settle: Settle) -> None:
    talk = await hall.comes()
    answer: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
    talk.handler.answers["Heartbeat"] = answer
    await talk.hears([2, "1", "Heartbeat", {}])
    talk.peer.give_up("gone")
    await settle()
    assert hall.left == []
    assert not hall.present().is_connected

    answer.set_result({"currentTime": NOW})
    await settle()
    assert len(hall.left) == 1


async def test_a_newcomer_takes_over_while_the_call_of_the_old_connection_is_still_in_work(
    hall: Hall, settle: Settle
) -> None:
    old = await hall.comes()
    answer: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
    old.handler.answers["Heartbeat"] = answer
    await old.hears([2, "1", "Heartbeat", {}])
    old.peer.give_up("gone")
    new = await hall.comes()
    assert old.socket.pings == []

    answer.set_result({"currentTime": NOW})
    await settle()
    assert hall.present().peer is new.peer
    assert (hall.left, len(hall.built)) == ([], 1)


async def test_a_station_whose_journal_is_not_empty_stays_until_it_is_released(hall: Hall, settle: Settle) -> None:
    hall.may_leave = False
    talk = await hall.comes()
    station = hall.present()
    talk.peer.give_up("gone")
    await settle()
    assert hall.present() is station
    assert station.peer is None

    hall.may_leave = True
    await hall.directory.release(station)
    assert len(hall.directory) == 0
    await hall.directory.release(station)
    assert len(hall.left) == 2


async def test_a_connected_station_is_not_released(hall: Hall) -> None:
    talk = await hall.comes()
    await hall.directory.release(hall.present())

    assert hall.present().peer is talk.peer
    assert hall.left == []


async def test_a_station_is_opened_for_its_journal_alone(hall: Hall, settle: Settle) -> None:
    station = await hall.directory.open(hall.record)
    assert (station.epoch, station.is_connected, hall.registry.takes) == (1, False, [("CS1", 0)])
    assert await hall.directory.open(hall.record) is station

    await hall.comes(2)
    assert hall.present() is station
    assert (station.epoch, len(hall.built)) == (2, 1)
    assert await hall.directory.open(hall.record) is station
    assert station.epoch == 2


async def test_a_holder_goes_on_when_a_newcomer_leaves_while_it_is_given_an_epoch(hall: Hall, settle: Settle) -> None:
    station = (await hall.enters()).station
    hall.registry.gate = asyncio.get_running_loop().create_future()
    entering = asyncio.create_task(hall.enters(), name="newcomer")
    await settle()
    entering.cancel()
    hall.registry.gate = None
    await settle()

    assert entering.cancelled()
    assert station.epoch == len(hall.registry.takes)


async def test_a_newcomer_whose_peer_left_before_it_was_let_in_changes_nothing(hall: Hall, settle: Settle) -> None:
    hall.registry.gate = asyncio.get_running_loop().create_future()
    entering = asyncio.create_task(hall.enters(), name="newcomer")
    await settle()
    entering.cancel()
    await settle()
    hall.registry.gate = None

    assert entering.cancelled()
    assert len(hall.directory) == 0
    await hall.comes()
    assert len(hall.directory) == 1


async def test_an_expelled_station_is_found_no_more_and_its_entry_is_worth_nothing(hall: Hall, settle: Settle) -> None:
    entry = await hall.enters()
    await hall.directory.expel(entry.station)
    await hall.directory.expel(entry.station)
    assert hall.directory.get("CS1") is None

    late = hall.connect(entry)
    await settle()
    assert late.socket.closed
    assert hall.left == []


async def test_a_certificate_that_must_be_renewed_is_weaker_than_one_in_order(hall: Hall) -> None:
    talk = await hall.comes(3)
    talk.socket.pong = False
    with pytest.raises(Held, match="weaker"):
        await hall.comes(3, provisional=Provisional.FACTORY)

    other = await hall.comes(3)
    assert hall.present().peer is other.peer


async def test_two_stations_with_one_identity_stop_taking_turns(hall: Hall, clock: "FakeClock") -> None:
    """Attack A4: after some replacements the present connection stays for a while, silent or not."""
    talk = await hall.comes()
    for _ in range(FREE):
        talk.socket.pong = False
        talk = await hall.comes()

    talk.socket.pong = False
    with pytest.raises(Held, match="too often"):
        await hall.comes()
    assert talk.socket.pings == []
    assert hall.present().peer is talk.peer

    await clock.advance(WAIT_FIRST)
    newcomer = await hall.comes()
    assert hall.present().peer is newcomer.peer


async def test_a_station_that_speaks_another_version_now_gets_another_runtime(hall: Hall, settle: Settle) -> None:
    hall.may_leave = False
    talk = await hall.comes()
    first = hall.present()
    talk.peer.give_up("gone")
    await settle()

    await hall.comes(version=Version.V16)
    assert hall.retired == [first]
    assert hall.present() is not first
    assert hall.present().version is Version.V16


async def test_a_runtime_that_does_not_fit_its_station_any_more_gives_way(hall: Hall, settle: Settle) -> None:
    hall.may_leave = False
    talk = await hall.comes()
    before = hall.present()
    hall.fits = False
    with pytest.raises(Held):
        await hall.enters()
    assert hall.retired == []  # whoever is connected stays: moving it is for others

    talk.peer.disconnected(Closed(1001, "", by_peer=True))
    await settle()
    await hall.comes()
    assert hall.retired == [before]
    assert hall.present() is not before


async def test_a_live_connection_is_not_retired_by_a_newcomer_of_another_version(hall: Hall, settle: Settle) -> None:
    first = await hall.enters()
    hall.registry.gate = asyncio.get_running_loop().create_future()
    entering = asyncio.create_task(hall.enters(version=Version.V16), name="newcomer")
    await settle()
    holder = hall.connect(first)
    hall.registry.gate.set_result(None)

    with pytest.raises(Held, match="faster"):
        await entering
    assert (hall.present().peer, hall.retired) == (holder.peer, [])
    assert hall.present().epoch == hall.registry.epochs["CS1"]


async def test_an_entry_for_the_version_before_is_worth_nothing(hall: Hall) -> None:
    earlier = await hall.enters()
    later = await hall.enters(version=Version.V16)

    assert hall.connect(earlier).socket.closed == [REPLACED]
    assert hall.connect(later).socket.closed == []


async def test_a_journal_is_delivered_in_the_version_spoken_last(hall: Hall) -> None:
    record = hall.registry.add(StationRecord("CS7", 1, version=Version.V16))
    assert (await hall.directory.open(record)).version is Version.V16


async def test_closing_waits_for_those_who_are_leaving(hall: Hall) -> None:
    talk = await hall.comes()
    talk.peer.give_up("gone")
    await hall.directory.close()
    assert len(hall.directory) == 0
