"""Strikes over a sliding window."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.session.strikes import Strikes, StrikesByIdentity


def test_at_the_limit_and_one_past_it() -> None:
    strikes = Strikes(most=3, window=10.0)
    assert [strikes.one_more(now) for now in (0.0, 1.0, 2.0, 9.9)] == [False, False, False, True]


def test_the_window_slides() -> None:
    strikes = Strikes(most=3, window=10.0)
    assert [strikes.one_more(now) for now in (0.0, 1.0, 2.0, 10.0, 10.9, 12.0)] == [
        False,
        False,
        False,
        False,
        True,
        False,
    ]


@given(st.lists(st.floats(0, 100), max_size=60).map(sorted), st.integers(1, 5))
def test_it_says_what_a_count_of_the_window_says(times: list[float], most: int) -> None:
    strikes = Strikes(most=most, window=10.0)
    for place, now in enumerate(times):
        before = [each for each in times[:place] if now - each < 10.0]
        assert strikes.one_more(now) is (len(before) >= most)


def test_each_station_is_counted_by_itself() -> None:
    strikes = StrikesByIdentity(most=2, window=10.0)
    asked = [("CS1", 0.0), ("CS1", 1.0), ("CS2", 2.0), ("CS1", 3.0), ("CS2", 4.0), ("CS1", 20.0)]
    assert [strikes.one_more(*each) for each in asked] == [False, False, False, True, False, False]


def test_those_that_are_quiet_are_forgotten() -> None:
    strikes = StrikesByIdentity(most=2, window=10.0)
    for number in range(100):
        strikes.one_more(f"CS{number}", number / 100)
    strikes.one_more("CS-last", 9.0)
    assert len(strikes) == 101
    assert not strikes.one_more("CS0", 12.0)
    assert len(strikes) == 2  # CS-last's window isn't over
