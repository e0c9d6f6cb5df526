"""range and number."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.matchers.numbers import DECIMAL_MAX, decimal, number_in

Ask = Callable[..., Any]

NO_DECIMALS = [
    "",
    " ",
    "1 2",
    "- 1",
    "1\n",
    "\u00a01",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1_000",
    "1,5",
    "0x10",
    "1e400",
    "-1e400",
    "١٢",
    "\uff11",
    "1.2.3",
    ".",
    "e5",
    "1e",
    "--1",
    "1" * (DECIMAL_MAX + 1),
]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5.0),
        ("-5.25", -5.25),
        ("+1", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1E-2", 0.01),
        ("  -1.5", -1.5),
        ("1 ", 1.0),
    ],
)
def test_decimals(text: str, value: float) -> None:
    assert decimal(text) == value


@pytest.mark.parametrize("text", NO_DECIMALS)
def test_what_is_no_decimal(holds: Ask, text: str) -> None:
    assert decimal(text) is None
    for kind in ("string", "any"):
        assert not holds({"number": True}, kind, text)
        assert holds({"not": {"number": True}}, kind, text)
        assert not holds({"range": {"min": -1e308}}, kind, text)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_what_is_read_is_finite(text: str) -> None:
    found = decimal(text)

    assert found is None or (math.isfinite(found) and text.isascii() and float(text) == found)


@pytest.mark.parametrize(("value", "number"), [(True, None), (None, None), ([], None), (5, 5), (1.5, 1.5), ("2", 2.0)])
def test_numbers_of_json(value: object, number: float | None) -> None:
    assert number_in(value) == number


@pytest.mark.parametrize(
    ("bounds", "good", "bad"),
    [
        ({"min": 0, "max": 10}, [0, 10, 5.5], [-1, 10.1]),
        ({"above": 0, "below": 10}, [0.1, 9], [0, 10]),
        ({"min": 0, "below": 10}, [0, 9.9], [10]),
        ({"above": 0, "max": 10}, [10, 1], [0, 11]),
        ({"min": 5}, [5, 2**62], [4]),
        ({"below": -1.5}, [-2], [-1.5, 0]),
    ],
)
def test_ranges(holds: Ask, bounds: dict[str, float], good: list[float], bad: list[float]) -> None:
    for value in good:
        assert holds({"range": bounds}, "number", value)
        assert holds({"range": bounds}, "string", str(value))
        assert holds({"range": bounds}, "any", value)
        assert not holds({"not": {"range": bounds}}, "number", value)
    for value in bad:
        assert not holds({"range": bounds}, "number", value)
        assert not holds({"range": bounds}, "string", str(value))
        assert holds({"not": {"range": bounds}}, "string", str(value))


def test_true_is_no_number(holds: Ask) -> None:
    assert not holds({"range": {"min": 0}}, "any", True)
    assert not holds({"number": True}, "any", True)


@pytest.mark.parametrize("kind", ["boolean", "object", "array", "words", "date-time", "uri"])
def test_tests_of_numbers_fit_numbers_only(refusal: Ask, kind: str) -> None:
    assert refusal({"range": {"min": 0}}, kind)[0] == ("range",)
    where, text = refusal({"number": True}, kind)
    assert where == ("number",)
    assert text.startswith("`number` is for numbers, and ")


@pytest.mark.parametrize(
    ("spec", "where", "complaint"),
    [
        ({"range": {}}, ("range",), "needs min or above, or max or below"),
        ({"range": {"min": 0, "above": 0}}, ("range",), "at most one of either pair"),
        ({"range": {"min": 5, "max": 4}}, ("range",), "no number lies in it"),
        ({"range": {"min": 5, "below": 5}}, ("range",), "no number lies in it"),
        ({"range": {"min": "5"}}, ("range", "min"), "must be a finite number, not '5'"),
        ({"range": {"max": math.inf}}, ("range", "max"), "must be a finite number, not inf"),
        ({"range": {"max": math.nan}}, ("range", "max"), "must be a finite number, not nan"),
        ({"range": {"max": True}}, ("range", "max"), "must be a finite number, not true"),
        ({"range": {"maximum": 5}}, ("range", "maximum"), "unknown key 'maximum'"),
        ({"range": 5}, ("range",), "must be a mapping"),
        ({"number": False}, ("number",), "must be true; the opposite is written with `not`"),
    ],
)
def test_what_is_no_test_of_numbers(refusal: Ask, spec: dict[str, Any], where: tuple[Any, ...], complaint: str) -> None:
    at, text = refusal(spec, "number")

    assert at == where
    assert complaint in text
