"""When garbage is looked for, as a table; and what settling down changes, in a process of its own."""

import subprocess
import sys

from gateway.app.interpreter import OVERDUE, SWITCH_INTERVAL, WORTH_IT, YOUNG, QuietTimes


class World:
    def __init__(self) -> None:
        self.came = 0
        self.left = 0
        self.collected = 0
        self.quiet_times = QuietTimes(lambda: self.came, lambda: self.left, collect=self.collect)

    def collect(self) -> None:
        self.collected += 1

    def looks(self, *, came: int = 0, left: int = 0) -> bool:
        self.came += came
        self.left += left
        return self.quiet_times.look()


def test_it_is_collected_when_nobody_comes_or_goes() -> None:
    world = World()
    assert not world.looks(came=WORTH_IT)
    assert not world.looks(left=WORTH_IT)
    assert world.looks()
    assert not world.looks()
    assert world.collected == 1


def test_it_is_not_worth_it_for_a_few() -> None:
    world = World()
    world.looks(left=WORTH_IT - 1)
    assert not world.looks()
    world.looks(left=1)
    assert world.looks()


def test_a_storm_is_not_disturbed_unless_it_is_overdue() -> None:
    world = World()
    while world.left + 1_000 < OVERDUE:
        assert not world.looks(came=1_000, left=1_000)
    assert world.looks(came=1_000, left=1_000)
    assert not world.looks(came=1_000, left=1_000)


def test_settling_down() -> None:
    program = (
        "import gc, sys\n"
        "from gateway.app.interpreter import settle_down\n"
        "settle_down()\n"
        "print(round(sys.getswitchinterval(), 6), gc.get_threshold()[0], gc.get_freeze_count() > 10_000)"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)  # noqa: S603 - our own
    assert ran.stdout.split() == [str(SWITCH_INTERVAL), str(YOUNG), "True"]
