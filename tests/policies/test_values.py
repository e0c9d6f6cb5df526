"""Named values: what stands for what, and what names nothing."""

from typing import Any

import pytest

from policies.documents import Document, read
from policies.problems import Problem
from policies.values import Values, references


def document(text: str, source: str = "f") -> Document:
    return read(text.encode(), source)


def defined(*texts: str) -> tuple[Values, list[Problem]]:
    problems: list[Problem] = []
    values = Values(problems)
    for place, text in enumerate(texts):
        found = document(text, f"{place}.yaml")
        values.define(
            found.data, Document(found.source, found.data, {("values", *w): p for w, p in found.places.items()})
        )
    return values, problems


@pytest.mark.parametrize(
    ("data", "filled"),
    [
        ("$max", 5),
        ({"range": {"max": "$max"}, "like": ["$max", "a"]}, {"range": {"max": 5}, "like": [5, "a"]}),
        ("$hosts", ["a", "b"]),
        ("$other", "$other"),
        ("$max ", "$max "),
        ("a$max", "a$max"),
        ("$", "$"),
        ("$1", "$1"),
        ({"$max": 1}, {"$max": 1}),
        (None, None),
    ],
)
def test_a_whole_text_that_names_a_value_becomes_the_value(data: Any, filled: Any) -> None:
    values, problems = defined("{max: 5, hosts: [a, b]}")

    assert values.fill(data) == filled
    assert problems == []


def test_a_later_file_overrides_single_values() -> None:
    values, problems = defined("{max: 5, min: 1}", "{max: 7}")

    assert values.all == {"max": 7, "min": 1}
    assert values.origin({"range": {"max": "$max"}}, ("range", "max")) == "$max is set at 1.yaml:1"
    assert values.origin({"range": {"max": 5}}, ("range", "max", "x")) == "with its named values"
    assert problems == []


def test_an_unknown_name_is_told_with_its_place() -> None:
    values, _ = defined("{max: 5}")

    assert list(values.unknown({"fields": [{"like": "$vendors"}, {"range": {"max": "$max"}}]})) == [
        (("fields", 0, "like"), "$vendors")
    ]


def test_now_is_known_only_in_what_is_said() -> None:
    values, _ = defined("{}")

    assert list(values.unknown({"answer": {"currentTime": "$now"}})) == []
    assert list(values.unknown({"limit": {"over": {"answer": {"a": "$now"}}}})) == []
    assert list(values.unknown({"transform": [{"set": "a", "to": "$now"}]})) == []
    assert list(values.unknown({"fields": [{"one_of": ["$now"]}]})) == [(("fields", 0, "one_of", 0), "$now")]


def test_a_value_stands_for_no_other() -> None:
    _, problems = defined("a: 1\nb:\n  c: [$a]\n")

    assert [str(each) for each in problems] == ["0.yaml:2: values.b: a value can't stand for another: write it out"]


def test_a_value_that_nothing_uses_is_a_warning() -> None:
    values, problems = defined("{max: 5, unused: 1}", "{max: 7, mx: 3}")
    values.note_unused(["max"])

    assert sorted((str(each), each.severity.value) for each in problems) == [
        ("0.yaml:1: values.unused: no rule names $unused: take it away, or look for a typing mistake", "warning"),
        ("1.yaml:1: values.mx: no rule names $mx: take it away, or look for a typing mistake", "warning"),
    ]


def test_one_that_overrides_an_unused_one_is_none() -> None:
    values, problems = defined("{max: 5}", "{max: 7}")
    values.note_unused([])

    assert problems == []


def test_all_references_are_found() -> None:
    assert list(references({"a": ["$x", {"b": "$y"}], "c": 3})) == [(("a", 0), "x"), (("a", 1, "b"), "y")]
