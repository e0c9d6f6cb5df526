"""The timeline: plain lines without a terminal, a live table on one."""

import asyncio
import io

import pytest
from rich.console import Console

from gateway.demo.timeline import HEADING, LINES_PER_STEP, Outcome, Timeline


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def timeline_on(*, terminal: bool, height: int = 60) -> tuple[Timeline, Clock, io.StringIO]:
    clock, screen = Clock(), io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=100, height=height, legacy_windows=False)
    return Timeline(console, clock), clock, screen


def test_without_a_terminal_each_step_is_a_line_when_it_ends() -> None:
    timeline, clock, screen = timeline_on(terminal=False)

    with timeline:
        with timeline.step("station", "voltgate", "connects [profile 2]") as step:
            clock.now += 1.5
            assert screen.getvalue() == ""
            step.detail = "TLSv1.3"
        with timeline.step("backend", "", "listens"):
            clock.now += 0.25

    assert screen.getvalue().splitlines() == [
        "  1.50 s  OK      station -> voltgate    connects [profile 2]: TLSv1.3",
        "  1.75 s  OK      backend                listens",
    ]


def test_a_step_that_raises_has_failed() -> None:
    timeline, _, screen = timeline_on(terminal=False)

    with timeline, pytest.raises(RuntimeError, match="no answer"), timeline.step("station", "voltgate", "boots"):
        raise RuntimeError("no answer")

    assert "FAILED  station -> voltgate    boots" in screen.getvalue()
    assert timeline.steps[0].outcome is Outcome.FAILED


def test_a_step_that_is_cancelled_has_not_failed() -> None:
    timeline, _, screen = timeline_on(terminal=False)

    with timeline, pytest.raises(asyncio.CancelledError), timeline.step("station", "", "powers up"):
        raise asyncio.CancelledError

    assert "ended   station                powers up" in screen.getvalue()


def test_on_a_terminal_the_table_is_live_and_whole_at_the_end() -> None:
    timeline, clock, screen = timeline_on(terminal=True)

    with timeline, timeline.step("station", "voltgate", "boots") as step:
        clock.now += 2
        running = Console(width=100)
        with running.capture() as shown:
            running.print(timeline.table())
        step.detail = "Accepted"

    assert "2.00" in shown.get()
    assert "OK" not in shown.get()
    last = screen.getvalue()[screen.getvalue().rindex("Voltgate between") :]
    assert "boots" in last
    assert "Accepted" in last
    assert "OK" in last


def test_while_live_the_newest_steps_fit_on_the_screen() -> None:
    timeline, _, screen = timeline_on(terminal=True, height=HEADING + 2 * LINES_PER_STEP)

    with timeline:
        for number in range(4):
            with timeline.step("station", "voltgate", f"step {number}"):
                pass
        with timeline.step("station", "voltgate", "step 4"):
            newest = Console(width=100)
            with newest.capture() as shown:
                newest.print(timeline._newest())

    assert [f"step {number}" in shown.get() for number in range(5)] == [False, False, False, True, True]
    last = screen.getvalue()[screen.getvalue().rindex("Voltgate between") :]
    assert all(f"step {number}" in last for number in range(5))
