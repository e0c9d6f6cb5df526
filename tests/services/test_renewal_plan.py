"""When renewals begin and alerts are due: a table of lifetimes, and the spread of a crowd."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.services.renewal_plan import RenewalRules, pause_after
from gateway.session.renewals import HeldCertificate

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
RULES = RenewalRules(1 / 3, 0.5, (14 * DAY, 3 * DAY))


def held(identity: str = "CS1", lifetime: timedelta = 360 * DAY, usage: str = "station") -> HeldCertificate:
    return HeldCertificate(identity, usage, "a1", START, START + lifetime)


def test_a_crowd_of_one_day_is_spread_evenly_over_the_first_half_of_the_window() -> None:
    left = sorted((START + 360 * DAY - RULES.begins_at(held(f"CS{each}"))) / DAY for each in range(1000))
    assert 60 <= left[0] < 61
    assert 119 < left[-1] <= 120
    for begin in range(60, 120, 10):
        assert 100 < sum(begin <= each < begin + 10 for each in left) < 235


def test_a_stations_place_is_its_own_for_each_usage_and_lasts() -> None:
    assert RULES.begins_at(held()) == RULES.begins_at(held())
    assert RULES.begins_at(held()) != RULES.begins_at(held("CS2"))
    assert RULES.begins_at(held()) != RULES.begins_at(held(usage="v2g"))


def test_without_jitter_all_begin_when_the_window_does() -> None:
    rules = RenewalRules(0.25, 0, ())
    assert {rules.begins_at(held(f"CS{each}")) for each in range(20)} == {START + 270 * DAY}


@pytest.mark.parametrize(
    ("lifetime", "before_the_end"),
    [
        (360 * DAY, (14 * DAY, 3 * DAY)),
        (90 * DAY, (14 * DAY, 3 * DAY)),
        (30 * DAY, (5 * DAY, 2.5 * DAY)),
        (24 * HOUR, (4 * HOUR, 2 * HOUR)),
    ],
)
def test_alerts_come_when_the_last_station_has_had_its_turn(
    lifetime: timedelta, before_the_end: tuple[timedelta, ...]
) -> None:
    end = START + lifetime
    alerts = RULES.alerts_at(START, end)
    assert [round((end - each) / HOUR, 3) for each in alerts] == [each / HOUR for each in before_the_end]


def test_alerts_are_in_order_however_they_were_written() -> None:
    rules = RenewalRules(1 / 3, 0.5, (3 * DAY, 14 * DAY))
    assert rules.alerts_at(START, START + 360 * DAY) == RULES.alerts_at(START, START + 360 * DAY)


@given(
    window=st.floats(0.05, 0.9),
    jitter=st.floats(0, 0.9),
    hours=st.integers(1, 100_000),
    identity=st.text(min_size=1, max_size=48),
)
def test_a_renewal_begins_within_its_window_and_before_any_alert(
    window: float, jitter: float, hours: int, identity: str
) -> None:
    rules, lifetime = RenewalRules(window, jitter, (14 * DAY, 3 * DAY)), hours * HOUR
    begins = rules.begins_at(held(identity, lifetime))
    slack = timedelta(seconds=1)
    assert START + lifetime * (1 - window) - slack <= begins <= START + lifetime
    alerts = rules.alerts_at(START, START + lifetime)
    assert begins <= alerts[0] + slack
    assert alerts[0] <= alerts[1] < START + lifetime


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 900), (2, 1800), (7, 57_600), (8, 86_400), (10**9, 86_400)])
def test_pauses_double_up_to_the_longest(attempts: int, seconds: float) -> None:
    assert pause_after(attempts, 900, 86_400) == seconds
