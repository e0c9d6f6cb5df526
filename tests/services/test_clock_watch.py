"""A clock that is set anew while the process runs."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gateway.services.clock_watch import HOLD, JUMP, ClockWatch

YEAR = 365 * 86_400.0


class Clocks:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.date = datetime(2026, 1, 1, tzinfo=UTC)
        self.watch = ClockWatch(lambda: self.date, lambda: self.seconds)

    def later(self, seconds: float, *, set_by: float = 0.0) -> bool:
        """Let time pass, and set the clock by so many seconds. Returns whether it is steady."""
        self.seconds += seconds
        self.date += timedelta(seconds=seconds + set_by)
        return self.watch.is_steady()


@pytest.fixture
def clocks() -> Clocks:
    made = Clocks()
    assert made.later(0)
    return made


@pytest.mark.parametrize("set_by", [JUMP, -JUMP, 1.0, 0.0])
def test_small_steps_are_nothing(clocks: Clocks, set_by: float) -> None:
    with capture_logs() as lines:
        assert clocks.later(15, set_by=set_by)
        assert clocks.later(86_400)
    assert lines == []


@pytest.mark.parametrize("set_by", [YEAR, -YEAR, JUMP + 1, -JUMP - 1])
def test_a_jump_holds_for_an_hour_and_is_said_once(clocks: Clocks, set_by: float) -> None:
    with capture_logs() as lines:
        assert not clocks.later(15, set_by=set_by)
        assert not clocks.later(HOLD - 1)
        assert clocks.later(1)
        assert clocks.later(15)
    assert [line["event"] for line in lines] == ["clock_jumped"]


def test_one_that_is_set_right_again_is_trusted_at_once(clocks: Clocks) -> None:
    assert not clocks.later(15, set_by=YEAR)
    with capture_logs() as lines:
        assert clocks.later(15, set_by=-YEAR)
    assert [line["event"] for line in lines] == ["clock_is_back"]


def test_a_second_jump_begins_the_hour_anew(clocks: Clocks) -> None:
    assert not clocks.later(15, set_by=YEAR)
    assert not clocks.later(HOLD - 1, set_by=YEAR)
    assert not clocks.later(HOLD - 1)
    assert clocks.later(1)
    # What it says by then is the truth: the way back is a jump.
    assert not clocks.later(15, set_by=-2 * YEAR)
