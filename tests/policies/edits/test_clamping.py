"""Values brought within bounds: the form stays, and bounds that make no sense are refused."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.edits.clamping import SECONDS_MAX, clamp
from policies.vocabulary import ANY, ARRAY, OBJECT, STRING, Field
from policies.words import NOBODY, RuleError, Surroundings

NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z
SURROUNDINGS = Surroundings(lambda: NOW, lambda: 0.0, lambda: NOBODY, lambda _: False)

INTEGER = Field(("n",), "integer")
NUMBER = Field(("n",), "number")
TEXT = Field(("n",), STRING, max_length=5)
OPEN = Field(("n",), ANY)
TIME = Field(("t",), STRING, format="date-time")


def clamped(value: Any, field: Field, **bounds: Any) -> Any:
    return clamp({"clamp": "n", **bounds}, field, ())(value, SURROUNDINGS)


@pytest.mark.parametrize(
    ("value", "field", "bounds", "result"),
    [
        (5, INTEGER, {"min": 1, "max": 5}, 5),
        (6, INTEGER, {"min": 1, "max": 5}, 5),
        (0, INTEGER, {"min": 1, "max": 5}, 1),
        (-9, INTEGER, {"max": 5}, -9),
        (9, INTEGER, {"max": 5.0}, 5),
        (9, NUMBER, {"max": 5.5}, 5.5),
        (9.25, NUMBER, {"max": 5}, 5),
        (9.25, OPEN, {"max": 5}, 5),
        (True, OPEN, {"max": 0}, True),
        (None, OPEN, {"max": 0}, None),
        ("9", OPEN, {"max": 5}, "5"),
        ("5", TEXT, {"max": 5}, "5"),
        ("6", TEXT, {"max": 5}, "5"),
        ("6.50", TEXT, {"max": 5}, "5.00"),
        (" 6.50 ", TEXT, {"max": 5}, "5.00"),
        ("6.5", TEXT, {"max": 5.25}, "5.25"),
        ("6.125", TEXT, {"max": 5.25}, "5.250"),
        ("6.1250", TEXT, {"max": 5.25}, "5.25"),
        ("-1", TEXT, {"min": 0}, "0"),
        ("-1", TEXT, {"min": 0.5}, "0.5"),
        ("1e3", TEXT, {"max": 500}, "500"),
        ("1.5e3", TEXT, {"max": 500}, "500.0"),
        ("1", TEXT, {"min": 1e3}, "1000"),
        ("nan", TEXT, {"max": 5}, "nan"),
        ("1e999", TEXT, {"max": 5}, "1e999"),
        ("", TEXT, {"max": 5}, ""),
        ("x", TEXT, {"max": 5}, "x"),
    ],
)
def test_a_number_keeps_its_form(value: Any, field: Field, bounds: dict[str, Any], result: Any) -> None:
    found = clamped(value, field, **bounds)

    assert found == result
    assert type(found) is type(result)


@given(st.integers(-999, 999) | st.floats(-999, 999), st.integers(-99, 99), st.integers(0, 99))
def test_a_number_lies_within_afterwards(value: float, low: int, width: int) -> None:
    high = low + width

    found = clamped(value, NUMBER, min=low, max=high)

    assert low <= found <= high
    assert found == value or not low <= value <= high


@given(st.decimals(-999, 999, places=2).map(str), st.integers(-99, 99), st.integers(0, 99))
def test_a_number_in_a_text_lies_within_afterwards(value: str, low: int, width: int) -> None:
    found = clamped(value, Field(("n",), STRING), min=low, max=low + width)

    assert low <= float(found) <= low + width
    assert found is value or len(found.partition(".")[2]) == len(value.partition(".")[2])


@pytest.mark.parametrize(
    ("time", "result"),
    [
        ("2026-09-21T14:13:20Z", None),
        ("2026-09-21T14:12:20Z", None),
        ("2026-09-21T14:12:19.999Z", "2026-09-21T14:12:20.000Z"),
        ("2026-09-21T16:13:20+02:00", None),
        ("2026-09-21T14:13:20", None),
        ("2026-09-21T14:13:50Z", None),
        ("2026-09-21T14:13:51Z", "2026-09-21T14:13:50.000Z"),
        ("0001-01-01T00:00:00Z", "2026-09-21T14:12:20.000Z"),
        ("9999-12-31T23:59:59-14:00", "2026-09-21T14:13:50.000Z"),
        ("2026-W39-1T14:13:20Z", "2026-09-21T14:13:20.000Z"),
        ("2026-02-30T00:00:00Z", "2026-09-21T14:13:20.000Z"),
        ("", "2026-09-21T14:13:20.000Z"),
    ],
)
def test_a_time_lies_near_now_afterwards(time: str, result: str | None) -> None:
    assert clamped(time, TIME, past=60, future=30) == (result or time)


@pytest.mark.parametrize(
    ("bounds", "time"), [({"past": 60}, "2099-01-01T00:00:00Z"), ({"future": 60}, "1999-01-01T00:00:00Z")]
)
def test_one_bound_leaves_the_other_side(bounds: dict[str, int], time: str) -> None:
    assert clamped(time, TIME, **bounds) is time


@pytest.mark.parametrize(
    ("field", "bounds", "where", "words"),
    [
        (INTEGER, {}, (), "wants `min` and `max`"),
        (INTEGER, {"past": 5}, (), "wants `min` and `max`"),
        (INTEGER, {"min": 1, "past": 5}, (), "wants `min` and `max`"),
        (INTEGER, {"min": 5, "max": 4}, ("min",), "above `max`"),
        (INTEGER, {"min": 0.5}, ("min",), "must be whole"),
        (INTEGER, {"min": True}, ("min",), "finite number"),
        (INTEGER, {"min": "1"}, ("min",), "finite number"),
        (INTEGER, {"max": math.inf}, ("max",), "finite number"),
        (INTEGER, {"max": math.nan}, ("max",), "finite number"),
        (TEXT, {"max": 123456}, ("max",), "the bound is longer"),
        (Field(("n",), STRING, enum=("1", "2")), {"max": 1}, (), "only a number"),
        (Field(("n",), "boolean"), {"max": 1}, (), "only a number"),
        (Field(("n",), OBJECT), {"max": 1}, (), "only a number"),
        (Field(("n",), ARRAY), {"max": 1}, (), "only a number"),
        (TIME, {}, (), "wants `past` and `future`"),
        (TIME, {"min": 1}, (), "wants `past` and `future`"),
        (TIME, {"min": 1, "past": 1}, (), "wants `past` and `future`"),
        (TIME, {"past": -1}, ("past",), "must be 0 to"),
        (TIME, {"future": SECONDS_MAX + 1}, ("future",), "must be 0 to"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(
    field: Field, bounds: dict[str, Any], where: tuple[str, ...], words: str
) -> None:
    with pytest.raises(RuleError, match=words) as refused:
        clamp({"clamp": "n", **bounds}, field, ())

    assert refused.value.where == where
