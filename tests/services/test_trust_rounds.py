"""Who is visited when, by a clock that a test moves."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.services.trust_anchors import Goal
from gateway.services.trust_plan import Wanted
from gateway.services.trust_rounds import (
    LOOK_AGAIN,
    SETTLES_WITHIN,
    SPREAD,
    VISITS_AT_ONCE,
    NotVisited,
    TrustRounds,
)
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, Proof, Provisional, StoreAway
from gateway.session.trust import StationTrust
from tests.roots import NOON, RootStation
from tests.services.conftest import FakeTime, Owned, settle

WEEK = timedelta(days=7)


class Visits:
    """Stands for ``TrustVisits``."""

    def __init__(self) -> None:
        self.visited: list[tuple[str, bool]] = []
        self.due: datetime | None = None
        self.problem: Exception | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.under_way = 0

    async def waits_until(self, identity: str, goal: Goal) -> datetime | None:
        if self.problem is not None:
            raise self.problem
        return self.due

    async def visit(self, station: Any, goal: Goal, *, force: bool = False) -> StationTrust:
        self.under_way += 1
        await self.go_on.wait()
        self.under_way -= 1
        self.visited.append((station.identity, force))
        return StationTrust(station.identity, again_at=NOON + WEEK)


class Desk:
    def __init__(self, time: FakeTime) -> None:
        self.time = time
        self.visits = Visits()
        self.upgrading: set[str] = set()
        self.owned = Owned()
        self.joined: list[float] = []
        self.rounds = TrustRounds(
            self.visits,  # type: ignore[arg-type]  # stands for it
            self.goal,
            is_upgrading=self.upgrading.__contains__,
            spawn=self.owned.spawn,
            clock=time,
            now=lambda: NOON + timedelta(seconds=time.now),
            jitter=lambda: 0.5,
            sleep=time.sleep,
        )

    async def goal(self, station: Any, joined_at: float) -> Goal:
        self.joined.append(joined_at)
        return Goal(Wanted())

    async def at(self, seconds: float) -> list[tuple[str, bool]]:
        """Let time pass, and return who was visited in it."""
        self.visits.visited.clear()
        self.time.now += seconds
        self.rounds.begin_due()
        await settle()
        return list(self.visits.visited)


@pytest.fixture
async def desk(time: FakeTime) -> AsyncIterator[Desk]:
    desk = Desk(time)
    yield desk
    await desk.owned.cancel()


FIRST = SETTLES_WITHIN + SPREAD / 2


async def test_a_station_is_visited_a_while_after_it_came_and_then_weekly(desk: Desk) -> None:
    desk.time.now = 5.0
    desk.rounds.welcome(RootStation())
    assert await desk.at(FIRST - 1) == []
    assert await desk.at(1) == [("CS1", False)]
    assert desk.joined == [5.0]
    assert await desk.at(WEEK.total_seconds() - FIRST) == []
    assert await desk.at(FIRST + SPREAD) == [("CS1", False)]


async def test_one_that_was_visited_lately_waits_for_its_time(desk: Desk) -> None:
    desk.visits.due = NOON + timedelta(hours=1)
    desk.rounds.welcome(RootStation())
    assert await desk.at(FIRST) == []
    desk.visits.due = None
    assert await desk.at(1800) == []
    assert await desk.at(1800 + SPREAD) == [("CS1", False)]


async def test_everybody_is_visited_when_something_changed(desk: Desk) -> None:
    desk.rounds.welcome(RootStation())
    await desk.at(FIRST)
    desk.rounds.everybody()
    assert await desk.at(SPREAD / 2) == [("CS1", False)]


@pytest.mark.parametrize("by_hand", [False, True])
async def test_what_changes_during_a_visit_brings_another_one(desk: Desk, by_hand: bool) -> None:
    desk.visits.go_on.clear()
    desk.rounds.welcome(RootStation())
    if by_hand:
        asked = asyncio.create_task(desk.rounds.visit_now("CS1"))
        await settle()
        desk.rounds.everybody()
        desk.visits.go_on.set()
        await asked
    else:
        await desk.at(FIRST)
        desk.rounds.everybody()
        desk.visits.go_on.set()
        await settle()
    assert len(desk.visits.visited) == 1
    assert await desk.at(SPREAD) == [("CS1", False)]


async def test_changes_leave_nothing_behind(desk: Desk) -> None:
    gone = RootStation("CS-gone")
    for station in (RootStation(), gone):
        desk.rounds.welcome(station)
    await desk.at(FIRST)
    gone.is_connected = False
    for _ in range(100):
        desk.rounds.everybody()
    assert list(desk.rounds._guests) == ["CS1"]
    assert len(desk.rounds._queue) == 1


async def test_a_station_that_comes_again_and_again_leaves_nothing_behind(desk: Desk) -> None:
    left = [RootStation() for _ in range(10)]
    for station in left:
        desk.rounds.welcome(station)
        await desk.at(FIRST)  # its next visit is due in a week
        station.is_connected = False
    desk.rounds.forget()
    assert not desk.rounds._guests
    assert not desk.rounds._queue


@pytest.mark.parametrize("why", ["boot", "provisional", "upgrade"])
async def test_one_that_is_not_ready_is_left_alone_until_it_is(desk: Desk, why: str) -> None:
    station = RootStation()
    if why == "boot":
        station.gate = BootGate(BootStatus.PENDING)
    elif why == "provisional":
        station.proof = Proof(3, provisional=Provisional.FACTORY)
    else:
        desk.upgrading.add("CS1")
    desk.rounds.welcome(station)
    assert await desk.at(FIRST) == []
    with pytest.raises(NotVisited):
        await desk.rounds.visit_now("CS1")
    station.gate, station.proof = BootGate(BootStatus.ACCEPTED), Proof(3)
    desk.upgrading.clear()
    assert await desk.at(1.5 * LOOK_AGAIN) == [("CS1", False)]


async def test_whoever_has_left_is_forgotten_and_welcome_again(desk: Desk) -> None:
    station = RootStation()
    desk.rounds.welcome(station)
    station.is_connected = False
    assert await desk.at(FIRST) == []
    assert desk.rounds._guests == {}
    with pytest.raises(NotVisited, match="not connected"):
        await desk.rounds.visit_now("CS1")
    desk.rounds.welcome(RootStation())
    desk.rounds.welcome(RootStation())
    assert await desk.at(FIRST) == [("CS1", False)], "once, though it came twice"


async def test_a_few_at_a_time(desk: Desk) -> None:
    desk.visits.go_on.clear()
    for number in range(VISITS_AT_ONCE + 3):
        desk.rounds.welcome(RootStation(f"CS{number}"))
    await desk.at(FIRST)
    assert desk.visits.under_way == VISITS_AT_ONCE
    desk.visits.go_on.set()
    await settle()
    assert len(desk.visits.visited) == VISITS_AT_ONCE + 3


async def test_one_is_not_visited_twice_at_once(desk: Desk) -> None:
    desk.visits.go_on.clear()
    desk.rounds.welcome(RootStation())
    await desk.at(FIRST)
    desk.rounds.everybody()
    await desk.at(SPREAD)
    assert desk.visits.under_way == 1
    with pytest.raises(NotVisited, match="being visited already"):
        await desk.rounds.visit_now("CS1")
    desk.visits.go_on.set()
    await settle()


async def test_a_person_may_ask_for_a_visit_at_once(desk: Desk) -> None:
    desk.rounds.welcome(RootStation())
    assert (await desk.rounds.visit_now("CS1")).identity == "CS1"
    assert desk.visits.visited == [("CS1", True)]
    assert await desk.at(FIRST) == [], "that was its visit"


async def test_a_store_that_is_away_is_waited_for(desk: Desk) -> None:
    desk.visits.problem = StoreAway("locked")
    desk.rounds.welcome(RootStation())
    assert await desk.at(FIRST) == []
    desk.visits.problem = None
    assert await desk.at(1.5 * LOOK_AGAIN) == [("CS1", False)]


async def test_it_goes_round_for_ever(desk: Desk) -> None:
    desk.owned.spawn(desk.rounds.run(), "rounds")
    desk.rounds.welcome(RootStation())
    await settle()
    await desk.time.pass_by(FIRST)
    assert desk.visits.visited == [("CS1", False)]
