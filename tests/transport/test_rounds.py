"""Looks at many, on one timer."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextvars import Context, ContextVar
from functools import partial
from typing import Any, cast

import pytest

from gateway.transport.rounds import SHARE, TURN, Rounds, rounds_of

OF_WHOM: ContextVar[str] = ContextVar("OF_WHOM", default="nobody")


class Clock:
    """The part of an event loop that is needed; time goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[..., None], tuple[Any, ...], Context]] = []
        self.soon: list[Callable[[], None]] = []
        self.turn = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., None], *args: Any, context: Context) -> None:
        self.timers.append((when, callback, args, context))

    def call_soon(self, callback: Callable[..., None], *args: Any) -> None:
        self.soon.append(partial(callback, *args))

    def go_on(self, seconds: float) -> None:
        self.now += seconds
        due = [each for each in self.timers if each[0] <= self.now]
        self.timers = [each for each in self.timers if each[0] > self.now]
        for _, callback, args, context in due:
            context.run(callback, *args)
            while self.soon:
                self.turn += 1
                context.run(self.soon.pop())


class Guest:
    """Notes when it is looked at, and for whom."""

    def __init__(self, clock: Clock, then: Callable[[], object] = lambda: None) -> None:
        self._clock = clock
        self._then = then
        self.looks: list[tuple[float, str]] = []

    def look(self) -> None:
        self.looks.append((self._clock.now, OF_WHOM.get()))
        self._then()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rounds(clock: Clock) -> Rounds:
    return Rounds(cast("asyncio.AbstractEventLoop", clock))


def test_never_early_and_hardly_late(clock: Clock, rounds: Rounds) -> None:
    guests = [Guest(clock) for _ in range(100)]
    for number, guest in enumerate(guests):
        rounds.join(guest, 30.0 + number / 100, 30.0)
    for when, *_ in clock.timers:
        assert 1030.0 <= when <= 1031.0 + 30.0 / SHARE
    assert len(clock.timers) <= 6
    clock.go_on(29.99)
    assert not any(guest.looks for guest in guests)
    clock.go_on(0.01 + 30.0 / SHARE)
    assert guests[0].looks
    assert not guests[99].looks
    clock.go_on(1.0)
    assert all(len(guest.looks) == 1 for guest in guests)


def test_who_takes_itself_out_is_not_looked_at(clock: Clock, rounds: Rounds) -> None:
    gone, there = Guest(clock), Guest(clock)
    joined = rounds.join(gone, 1.0, 1.0)
    assert rounds.join(there, 1.0, 1.0) is joined
    joined.pop(gone)
    clock.go_on(2.0)
    assert (gone.looks, len(there.looks)) == ([], 1)


def test_who_wants_another_look_gets_one(clock: Clock, rounds: Rounds) -> None:
    guest = Guest(clock, lambda: rounds.join(guest, 1.0, 1.0))
    rounds.join(guest, 1.0, 1.0)
    for _ in range(3):
        clock.go_on(1.0 + 1.0 / SHARE)
    assert len(guest.looks) == 3


def test_one_that_fails_keeps_nobody_else_from_it(
    clock: Clock, rounds: Rounds, caplog: pytest.LogCaptureFixture
) -> None:
    guests = [Guest(clock), Guest(clock, lambda: 1 / 0), Guest(clock)]
    for guest in guests:
        rounds.join(guest, 1.0, 1.0)
    with caplog.at_level(logging.ERROR):
        clock.go_on(2.0)
    assert [len(guest.looks) for guest in guests] == [1, 1, 1]
    assert "the look at" in caplog.text


def test_a_look_has_nothing_to_do_with_what_went_on_when_it_was_wanted(clock: Clock, rounds: Rounds) -> None:
    guest = Guest(clock)
    kept = OF_WHOM.set("somebody")
    rounds.join(guest, 1.0, 1.0)
    OF_WHOM.reset(kept)
    clock.go_on(2.0)
    assert [whom for _, whom in guest.looks] == ["nobody"]


def test_a_crowd_holds_nobody_up(clock: Clock, rounds: Rounds) -> None:
    """After a storm all its stations are looked at at one moment: the loop sees to other things between them."""
    turns: Counter[int] = Counter()
    for _ in range(3 * TURN + 1):
        rounds.join(Guest(clock, lambda: turns.update([clock.turn])), 1.0, 1.0)
    clock.go_on(2.0)
    assert list(turns.values()) == [TURN, TURN, TURN, 1]


async def test_each_loop_has_its_own() -> None:
    mine = rounds_of(asyncio.get_running_loop())
    assert rounds_of(asyncio.get_running_loop()) is mine
    assert rounds_of(cast("asyncio.AbstractEventLoop", Clock())) is not mine
