"""Values of a rule: what JSON can't hold is refused at load, and $now becomes the time."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.literals import DEPTH_MAX, INTEGER_MAX, filled, has_now, is_same, plain, time_text
from policies.words import RuleError

NOON = 1_790_000_000.25
PLAIN = st.recursive(
    st.text(max_size=5) | st.integers(-9, 9) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels - 1):
        value = [value]
    return value


@given(PLAIN)
def test_what_json_holds_is_taken_as_it_is(value: Any) -> None:
    assert plain(value, ("set",)) == value


@pytest.mark.parametrize("value", [INTEGER_MAX, -INTEGER_MAX, deep(DEPTH_MAX), (1, 2)])
def test_up_to_the_limits(value: Any) -> None:
    assert plain(value, ()) == (list(value) if isinstance(value, tuple) else value)


@pytest.mark.parametrize(
    ("value", "where", "words"),
    [
        (None, ("to",), "not null"),
        (date(2026, 1, 1), ("to",), "not date"),
        (b"x", ("to",), "not bytes"),
        ({1, 2}, ("to",), "not set"),
        (float("nan"), ("to",), "finite"),
        (float("inf"), ("to",), "finite"),
        (INTEGER_MAX + 1, ("to",), "must lie within"),
        (-INTEGER_MAX - 1, ("to",), "must lie within"),
        ({True: "x"}, ("to",), "the key True must be text"),
        ({"a": [{"b": None}]}, ("to", "a", 0, "b"), "not null"),
        (deep(DEPTH_MAX + 1), ("to",), f"deeper than {DEPTH_MAX} levels"),
    ],
)
def test_the_rest_is_refused_at_its_place(value: Any, where: tuple[str | int, ...], words: str) -> None:
    with pytest.raises(RuleError, match=words) as refused:
        plain(value, ("to",))

    assert refused.value.where == where


def test_what_contains_itself_is_refused() -> None:
    knot: dict[str, Any] = {}
    knot["a"] = knot

    with pytest.raises(RuleError, match="deeper"):
        plain(knot, ())


@given(PLAIN)
def test_a_value_is_filled_into_a_copy(value: Any) -> None:
    copy = filled(value, NOON)

    assert copy == value
    assert copy is not value or not isinstance(value, dict | list)
    assert not has_now(value)


def test_now_is_the_time_at_every_depth() -> None:
    value = {"a": ["$now", "$nowhere"], "b": {"c": "$now"}}

    assert has_now(value)
    assert filled(value, NOON) == {"a": [time_text(NOON), "$nowhere"], "b": {"c": time_text(NOON)}}


@pytest.mark.parametrize(("now", "text"), [(NOON, "2026-09-21T14:13:20.250Z"), (0.0, "1970-01-01T00:00:00.000Z")])
def test_a_time_has_milliseconds_and_a_zone(now: float, text: str) -> None:
    assert time_text(now) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (1, "1"),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"b": 1}),
        ([1], [1, 2]),
        ([1], [True]),
        ({}, []),
    ],
)
def test_what_only_python_holds_for_equal_is_not_the_same(one: Any, other: Any) -> None:
    assert not is_same(one, other)


@given(PLAIN)
def test_a_copy_is_the_same(value: Any) -> None:
    assert is_same(value, plain(value, ()))
