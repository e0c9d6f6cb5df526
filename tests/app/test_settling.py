"""Stations that have come in are asked when they are quiet, one task for each, until nothing is left to ask."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from gateway.app.settling import APART, LATEST, QUIET, SettlingIn
from gateway.app.tasks import Tasks
from gateway.session.ports import StoreAway

if TYPE_CHECKING:
    from gateway.session.station import Station


class FakeStation:
    """A station that takes as many looks as it is told to."""

    identity = "CS1"

    def __init__(self, *outcomes: bool | Exception) -> None:
        self.outcomes = [*outcomes]
        self.settled = asyncio.Event()

    async def settle_in(self) -> bool:
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.settled.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def begin(settling: SettlingIn, station: FakeStation) -> None:
    settling.begin(cast("Station", station))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that somebody wanted to sleep; nobody does."""
    found: list[float] = []
    sleep = asyncio.sleep

    async def waiting(seconds: float) -> None:
        found.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", waiting)
    return found


async def test_it_is_looked_at_until_it_has_settled(waits: list[float]) -> None:
    tasks, station = Tasks(), FakeStation(False, False, True)
    begin(SettlingIn(tasks), station)
    await station.settled.wait()

    assert waits == [QUIET] * 3
    await tasks.close()


async def test_of_those_that_are_due_at_once_one_is_asked_after_the_other(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 100.0)
    tasks, stations = Tasks(), [FakeStation(True) for _ in range(3)]
    settling = SettlingIn(tasks)
    for station in stations:
        begin(settling, station)
    for station in stations:
        await station.settled.wait()

    assert waits == pytest.approx([QUIET, QUIET + APART, QUIET + 2 * APART])
    await tasks.close()


async def test_however_many_come_and_go_nobody_waits_for_ever(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 100.0)
    monkeypatch.setattr("gateway.app.settling.APART", LATEST / 3)
    tasks, stations = Tasks(), [FakeStation(True) for _ in range(6)]
    settling = SettlingIn(tasks)
    for station in stations:
        begin(settling, station)
    for station in stations:
        await station.settled.wait()

    assert waits == pytest.approx([QUIET, *(QUIET + n * LATEST / 3 for n in (1, 2)), *[LATEST] * 3])
    await tasks.close()


async def test_who_has_left_is_not_kept_until_its_turn() -> None:
    tasks, station, stays = Tasks(), FakeStation(True), FakeStation(True)
    settling = SettlingIn(tasks)
    begin(settling, station)
    begin(settling, stays)
    await asyncio.sleep(0)
    settling.end(cast("Station", station))
    settling.end(cast("Station", station))
    await asyncio.sleep(0)
    assert [task.get_name() for task in asyncio.all_tasks()].count("settle in CS1") == 1
    await tasks.close()


async def test_who_comes_back_meanwhile_has_one_task_and_afterwards_another() -> None:
    tasks, station = Tasks(), FakeStation(True)
    settling = SettlingIn(tasks, 0)
    begin(settling, station)
    begin(settling, station)
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert names.count("settle in CS1") == 1
    await station.settled.wait()
    await asyncio.sleep(0)

    station.outcomes.append(True)
    station.settled.clear()
    begin(settling, station)
    await station.settled.wait()
    assert station.outcomes == []
    await tasks.close()


async def test_a_store_that_is_away_is_said_and_ends_it() -> None:
    tasks, station = Tasks(), FakeStation(StoreAway("disk full"))
    with capture_logs() as logs:
        begin(SettlingIn(tasks, 0), station)
        await station.settled.wait()
        await asyncio.sleep(0)

    lines: list[Any] = [(line["event"], line["identity"], line["reason"]) for line in logs]
    assert lines == [("station_not_settled", "CS1", "disk full")]
    await tasks.close()
