"""Windows of the day: read, written, and who is in them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.campaign_windows import DAY, check_window, is_in_window, read_window, window_text
from gateway.session.firmware import FirmwareInvalid, NewCampaign

PLAN = NewCampaign("autumn", 1, group="depot")
MINUTES = st.integers(0, DAY - 1)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ("09:00-17:30", [at(9), at(17, 29)], [at(8, 59), at(17, 30), at(0)]),
        ("22:00-05:30", [at(22), at(0), at(5, 29)], [at(21, 59), at(5, 30), at(12)]),
        ("00:00-23:59", [at(0), at(23, 58)], [at(23, 59)]),
    ],
)
def test_it_begins_with_its_first_minute_and_ends_before_its_last(
    window: str, inside: list[datetime], outside: list[datetime]
) -> None:
    begin, end = read_window(window)
    plan = replace(PLAN, window_from=begin, window_until=end)
    assert window_text(plan) == window
    assert [is_in_window(plan, each) for each in inside] == [True] * len(inside)
    assert [is_in_window(plan, each) for each in outside] == [False] * len(outside)


def test_without_one_it_is_always_time() -> None:
    assert is_in_window(PLAN, at(3))
    assert window_text(PLAN) is None


@given(MINUTES, MINUTES, MINUTES)
def test_each_minute_is_in_a_window_or_in_the_rest_of_the_day(begin: int, end: int, now: int) -> None:
    if begin == end:
        return
    moment = at(now // 60, now % 60)
    window, rest = (replace(PLAN, window_from=a, window_until=b) for a, b in ((begin, end), (end, begin)))
    assert is_in_window(window, moment) is not is_in_window(rest, moment)
    assert read_window(window_text(window) or "") == (begin, end)


@pytest.mark.parametrize(
    "text", ["", "22:00", "24:00-05:00", "22:60-05:00", "2:00-5:00", "22:00-05:00 ", "\u0662\u0662:00-05:00"]
)
def test_what_can_not_be_read(text: str) -> None:
    with pytest.raises(FirmwareInvalid, match="is no window; write 22:00-05:30, in UTC"):
        read_window(text)


@pytest.mark.parametrize(
    ("begin", "end", "why"),
    [
        (0, None, "both"),
        (None, 0, "both"),
        (-1, 5, "00:00 to 23:59"),
        (5, DAY, "00:00 to 23:59"),
        (60, 60, "leave it out"),
    ],
)
def test_what_can_not_be(begin: int | None, end: int | None, why: str) -> None:
    with pytest.raises(FirmwareInvalid, match=why):
        check_window(begin, end)
