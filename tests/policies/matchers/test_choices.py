"""one_of and owned."""

from collections.abc import Callable
from typing import Any

import pytest

Ask = Callable[..., Any]


@pytest.mark.parametrize(
    ("kind", "values", "good", "bad"),
    [
        ("string", ["a", "b"], ["a", "b"], ["A", "", "ab"]),
        ("words", ["Hard"], ["Hard"], ["Soft"]),
        ("integer", [0, 1], [0, 1], [2]),
        ("number", [0.5, 1], [0.5, 1.0, 1], [2]),
        ("boolean", [True], [True], [False]),
        ("any", ["1", 1, True], ["1", 1, True], [0, False, "true", None, [], {"1": 1}]),
        ("any", [1], [1, 1.0], [True, "1", [1]]),
        ("any", [False], [False], [0, "", None]),
    ],
)
def test_one_of_is_exact(holds: Ask, kind: str, values: list[Any], good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not holds({"one_of": values}, kind, value)] == []
    assert [value for value in bad if holds({"one_of": values}, kind, value)] == []
    assert [value for value in bad if not holds({"not": {"one_of": values}}, kind, value)] == []


@pytest.mark.parametrize(
    ("kind", "argument", "where", "complaint"),
    [
        ("string", [], ("one_of",), "must be a list of values that isn't empty, not []"),
        ("string", "a", ("one_of",), "must be a list of values that isn't empty, not 'a'"),
        ("string", ["a", 5], ("one_of", 1), "5 can't be there: a.text is a string"),
        ("integer", [True], ("one_of", 0), "true can't be there: seqNo is an integer"),
        ("integer", [1.5], ("one_of", 0), "1.5 can't be there"),
        ("integer", ["1"], ("one_of", 0), "'1' can't be there"),
        ("boolean", [1], ("one_of", 0), "1 can't be there"),
        ("number", [True], ("one_of", 0), "true can't be there"),
        ("words", ["hard"], ("one_of", 0), "'hard' can't be there (did you mean Hard?): a.word is one of Hard, Soft"),
        ("any", [["a"]], ("one_of", 0), "['a'] can't be there: data is of any type"),
        ("any", [None], ("one_of", 0), "null can't be there"),
        ("object", ["a"], ("one_of",), "`one_of` is for single values, and evse is an object"),
        ("array", ["a"], ("one_of",), "`one_of` is for single values, and list is a list"),
        ("string", [5 * 10**60], ("one_of", 0), f"5{'0' * 39}... can't be there"),
    ],
)
def test_what_can_be_none_of_them(
    refusal: Ask, kind: str, argument: object, where: tuple[Any, ...], complaint: str
) -> None:
    at, text = refusal({"one_of": argument}, kind)

    assert at == where
    assert complaint in text


def test_transactions_of_the_station(holds: Ask) -> None:
    assert holds({"owned": True}, "string", "mine")
    assert holds({"owned": True}, "integer", 7)
    assert holds({"not": {"owned": True}}, "string", "another's")
    assert not holds({"owned": True}, "any", 8)


@pytest.mark.parametrize("kind", ["number", "boolean", "object", "array", "words", "date-time"])
def test_owned_is_of_transactions(refusal: Ask, kind: str) -> None:
    where, text = refusal({"owned": True}, kind)

    assert where == ("owned",)
    assert text.startswith("`owned` is for a transactionId, and ")


def test_owned_has_no_other_argument(refusal: Ask) -> None:
    assert refusal({"owned": False}, "string") == (("owned",), "must be true; the opposite is written with `not`")
