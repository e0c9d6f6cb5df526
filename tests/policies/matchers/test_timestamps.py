"""timestamp."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.matchers.timestamps import TIMESTAMP_MAX, seconds

Ask = Callable[..., Any]

NO_TIMES = [
    "",
    "now",
    "2027-01-15",
    "20270115T080000Z",
    "2027-W02-5T08:00:00Z",
    "2027-01-15T08:00Z",
    "2027-01-15T08:00:00+25:00",
    "2027-01-15T08:00:00+2500",
    "2027-01-15T08:00:00+1",
    "2027-01-15T08:00:00+010",
    "2027-01-15T08:00:00,Z",
    "2027-01-15T08:00:00 Z",
    "2027-13-15T08:00:00Z",
    "2027-02-30T08:00:00Z",
    "2027-01-15T24:00:00Z",
    "2027-01-15T08:00:61Z",
    "2027-01-15_08:00:00Z",
    "\uff12\uff10\uff12\uff17-01-15T08:00:00Z",
    "2027-01-15T08:00:00Z\n",
    " 2027-01-15T08:00:00Z",
    "2027-01-15T08:00:00.Z",
    "2027-01-15T08:00:00." + "0" * TIMESTAMP_MAX + "Z",
    "0000-01-01T00:00:00Z",
]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-15T08:00:00Z", 1_800_000_000.0),
        ("2027-01-15T08:00:00", 1_800_000_000.0),
        ("2027-01-15t08:00:00.25z", 1_800_000_000.25),
        ("2027-01-15 08:00:00.123456789Z", 1_800_000_000.123456),
        ("2027-01-15T09:00:00+01:00", 1_800_000_000.0),
        ("2027-01-15T09:00:00+0100", 1_800_000_000.0),
        ("2027-01-15T06:30:00.5-0130", 1_800_000_000.5),
        ("2027-01-15T09:00:00+01", 1_800_000_000.0),
        ("2027-01-15T08:00:00,25Z", 1_800_000_000.25),
        ("2027-01-15T08:59:60,5+0100", 1_800_000_000.5),
        ("2027-01-15T07:59:60Z", 1_800_000_000.0),
        ("1970-01-01T00:00:00Z", 0.0),
        ("0001-01-01T00:00:00+00:00", -62135596800.0),
    ],
)
def test_times(text: str, moment: float) -> None:
    assert seconds(text) == pytest.approx(moment, abs=1e-6)


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(holds: Ask, text: str) -> None:
    assert seconds(text) is None
    for kind in ("date-time", "string", "any"):
        assert not holds({"timestamp": {}}, kind, text)
        assert not holds({"timestamp": {"past": 1e12, "future": 1e12}}, kind, text)
        assert holds({"not": {"timestamp": {"past": 1e12}}}, kind, text)


@settings(deadline=None)
@given(st.datetimes(timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))))
def test_every_time_is_read(moment: datetime) -> None:
    assert seconds(moment.isoformat()) == pytest.approx(moment.timestamp(), abs=1e-3)


@pytest.mark.parametrize(
    ("near", "offset", "does"),
    [
        ({"past": 60, "future": 5}, -60, True),
        ({"past": 60, "future": 5}, -61, False),
        ({"past": 60, "future": 5}, 5, True),
        ({"past": 60, "future": 5}, 6, False),
        ({"future": 5}, -1e9, True),
        ({"future": 5}, 6, False),
        ({"past": 60}, 1e9, True),
        ({"past": 60}, -61, False),
        ({"past": 0, "future": 0}, 0, True),
    ],
)
def test_how_far_from_now(holds: Ask, near: dict[str, int], offset: float, does: bool) -> None:
    text = datetime.fromtimestamp(1_800_000_000 + offset, UTC).isoformat()

    assert holds({"timestamp": near}, "date-time", text) is does
    assert holds({"not": {"timestamp": near}}, "date-time", text) is not does


@pytest.mark.parametrize("value", [5, None, [], {"a": 1}])
def test_where_any_value_may_stand_none_but_a_string_is_a_time(holds: Ask, value: object) -> None:
    assert not holds({"timestamp": {"past": 5}}, "any", value)
    assert not holds({"timestamp": {}}, "any", value)


@pytest.mark.parametrize("kind", ["integer", "boolean", "object", "array", "words"])
def test_timestamp_is_of_texts(refusal: Ask, kind: str) -> None:
    assert refusal({"timestamp": {}}, kind)[0] == ("timestamp",)


@pytest.mark.parametrize(
    ("argument", "where"),
    [
        (5, ("timestamp",)),
        ({"past": -1}, ("timestamp", "past")),
        ({"future": "5"}, ("timestamp", "future")),
        ({"futur": 5}, ("timestamp", "futur")),
    ],
)
def test_what_is_no_distance(refusal: Ask, argument: object, where: tuple[str, ...]) -> None:
    assert refusal({"timestamp": argument}, "date-time")[0] == where
