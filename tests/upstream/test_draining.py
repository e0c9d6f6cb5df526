"""One drain at a time, now or in a while, and none when it is over."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.session.ports import StaleEpoch
from gateway.upstream.draining import Drains


class Desk(SimpleNamespace):
    """What is drained, and how it fails."""

    def __init__(self) -> None:
        super().__init__(up=True, dues=0, drained=0, fault=None, gate=None)
        self.drains = Drains("CS1", self.drain, self.due, lambda: self.up)

    async def drain(self) -> None:
        self.drained += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault

    def due(self) -> None:
        self.dues += 1


@pytest.fixture
async def desk() -> AsyncIterator[Any]:
    made = Desk()
    yield made
    await made.drains.stop()


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_at_a_time(desk: Any) -> None:
    desk.gate = asyncio.Event()
    desk.drains.now()
    await _turns()
    desk.drains.now()
    desk.gate.set()
    await _turns()
    assert (desk.drained, desk.dues) == (1, 0)
    desk.drains.now()
    await _turns()
    assert desk.drained == 2


async def test_a_sooner_time_takes_the_place_of_a_later_one(desk: Any) -> None:
    desk.drains.after(1000.0)
    later = desk.drains._timer
    desk.drains.after(2000.0)
    assert desk.drains._timer is later
    desk.drains.after(0.0)
    await asyncio.sleep(0.01)
    assert later.cancelled()
    assert (desk.drained, desk.dues) == (1, 1)


async def test_nothing_is_planned_while_the_backend_is_away(desk: Any) -> None:
    desk.up = False
    desk.drains.after(0.0)
    assert desk.drains._timer is None


@pytest.mark.parametrize("fault", [StaleEpoch("x"), OSError("disk")])
async def test_a_drain_that_fails_is_not_the_last(desk: Any, fault: Exception) -> None:
    desk.fault = fault
    desk.drains.now()
    await _turns()
    desk.drains.now()
    await _turns()
    assert desk.drained == 2


async def test_it_stops_with_what_is_under_way(desk: Any) -> None:
    desk.gate = asyncio.Event()
    desk.drains.now()
    await _turns()
    desk.drains.after(1000.0)
    await desk.drains.stop()
    assert (desk.drains._timer, desk.drains._task.cancelled()) == (None, True)


async def test_drains_that_were_stopped_deliver_nothing(desk: Any) -> None:
    await desk.drains.stop()
    desk.drains.after(0.0)
    await asyncio.sleep(0.01)  # the time that has come is the loop's own
    await _turns()
    desk.drains.now()
    await _turns()
    assert (desk.drained, desk.dues) == (0, 0)
