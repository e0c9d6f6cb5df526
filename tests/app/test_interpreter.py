"""When garbage is looked for, as a table; and what settling down changes, in a process of its own."""

import subprocess
import sys

from gateway.app.interpreter import (
    AT_MOST,
    OVERDUE,
    REFUSED_FOR_ONE,
    STORMS,
    SWITCH_INTERVAL,
    TIMES_GIVEN_BACK,
    WORTH_IT,
    YOUNG,
    QuietTimes,
)


class World:
    def __init__(self, here: int = 0) -> None:
        self.came = 0
        self.left = 0
        self.here = here
        self.refused = 0
        self.collected = 0
        self.given_back = 0
        self.quiet_times = QuietTimes(
            lambda: self.came,
            lambda: self.left,
            lambda: self.here,
            refused=lambda: self.refused,
            collect=self.collect,
            give_back=self.give_back,
        )

    def collect(self) -> None:
        self.collected += 1

    def give_back(self) -> None:
        self.given_back += 1

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


def test_a_few_that_come_and_go_all_the_time_are_collected_in_the_end() -> None:
    world = World(here=10)
    while world.left + 100 < OVERDUE:
        assert not world.looks(came=100, left=100)
    assert world.looks(came=100, left=100)
    assert not world.looks(came=100, left=100)


def test_what_refused_connections_leave_is_collected_in_the_end() -> None:
    world = World()
    world.refused = REFUSED_FOR_ONE * OVERDUE - 1
    assert not world.looks()
    world.refused += 1
    assert world.looks()


def test_a_storm_is_not_disturbed() -> None:
    stations = 2_000
    world = World(here=stations)
    assert not world.looks(came=stations)
    world.here = 0
    assert not world.looks(left=stations)
    world.here = stations
    assert not world.looks(came=stations)
    assert not world.looks(left=(STORMS - 2) * stations)
    assert world.looks(left=stations), "the sixth storm in a row, with no quiet between"


def test_of_very_many_not_all_may_leave_so_often() -> None:
    world = World(here=10_000)
    assert not world.looks(came=10_000, left=AT_MOST - 1)
    assert world.looks(left=1)


def test_what_coming_stations_left_free_is_given_back_when_it_is_quiet() -> None:
    world = World()
    for _ in range(3):
        world.looks(came=WORTH_IT)
    assert world.given_back == 0, "not amid a storm"
    for _ in range(TIMES_GIVEN_BACK + 2):
        world.looks()
    assert world.given_back == TIMES_GIVEN_BACK
    world.looks(came=WORTH_IT - 1)
    world.looks()
    assert world.given_back == TIMES_GIVEN_BACK, "not for a few"


def test_settling_down() -> None:
    program = (
        "import gc, sys\n"
        "from gateway.app.interpreter import settle_down\n"
        "settle_down()\n"
        "print(round(sys.getswitchinterval(), 6), gc.get_threshold()[0], gc.get_freeze_count() > 10_000)"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)  # noqa: S603 - our own
    assert ran.stdout.split() == [str(SWITCH_INTERVAL), str(YOUNG[0]), "True"]


def test_nothing_new_is_looked_through_twice() -> None:
    program = (
        "import gc\n"
        "from gateway.app.interpreter import settle_down\n"
        "settle_down()\n"
        "seen = []\n"
        "gc.callbacks.append(lambda phase, found: seen.append(found['generation']) if phase == 'start' else None)\n"
        "kept = [[each] for each in range(5_000)]\n"
        "middle = len(gc.get_objects(generation=1))\n"
        "print(set(seen), len(seen) >= 4, middle, len(gc.get_objects(generation=2)) > 4_000)"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)  # noqa: S603 - our own
    assert ran.stdout.split() == ["{1}", "True", "0", "True"]
