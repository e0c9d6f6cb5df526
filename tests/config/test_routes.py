"""Patterns, groups and the connectors of a table: what may be written, and which stations are meant."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.config.routes import GROUP, PATTERN_MAX, ConnectorTable, Group, Pattern, Route, Selection
from gateway.services import registration


@pytest.mark.parametrize(
    ("identity", "group", "fits", "not_these"),
    [
        ("ABB-*", None, [("ABB-", None), ("ABB-1", "x")], [("abb-1", None), ("XABB-1", None), ("ABB", None)]),
        ("CS?", None, [("CS1", None)], [("CS", None), ("CS12", None)]),
        ("CS[1-3]", None, [("CS2", None)], [("CS4", None), ("CS[1-3]", None)]),
        ("CS[!1]", None, [("CS2", None)], [("CS1", None)]),
        ("CS[*]", None, [("CS*", None)], [("CS1", None)]),
        ("[]]", None, [("]", None)], [("[", None)]),
        ("[[]", None, [("[", None)], [("]", None)]),
        ("*", None, [("a", None)], []),
        ("a.b", None, [("a.b", None)], [("axb", None)]),
        (None, "depot", [("a", "depot")], [("a", None), ("a", "Depot"), ("depot", "x")]),
        ("A*", "depot", [("A1", "depot")], [("A1", None), ("B1", "depot")]),
    ],
)
def test_who_is_meant(identity: str | None, group: str | None, fits: Any, not_these: Any) -> None:
    selection = Selection(identity=identity, group=group)
    assert [each for each in fits if not selection.matches(*each)] == []
    assert [each for each in not_these if selection.matches(*each)] == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "1 to 100 characters"),
        ("x" * (PATTERN_MAX + 1), "1 to 100 characters"),
        ("a b", "characters of an identity"),
        ("a\n", "characters of an identity"),
        ("ü*", "characters of an identity"),
        ("CS[1", r"a \[ without"),
        ("CS[]", r"a \[ without"),
        ("CS[!]", r"a \[ without"),
        ("[a]x[", r"a \[ without"),
        ("[z-a]", "runs backwards"),
    ],
)
def test_a_pattern_that_would_mean_something_else(pattern: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(Pattern).validate_python(pattern)
    assert TypeAdapter(Pattern).validate_python("x" * PATTERN_MAX)


@pytest.mark.parametrize("pattern", ["*a" * 50, "[a-z]*" * 16 + "9", "?*" * 50])
def test_no_pattern_costs_much(pattern: str) -> None:
    """Backtracking over so many stars would take years: this ends, or the test's time does."""
    assert not Selection(identity=pattern).matches("a" * 47 + "!", None)


@pytest.mark.parametrize("group", ["", "a b", "-a", "x" * 65, "depot\n", "*"])
def test_a_group_has_a_plain_name(group: str) -> None:
    with pytest.raises(ValidationError, match="isn't a group's name"):
        TypeAdapter(Group).validate_python(group)


def test_a_group_of_the_registry_can_be_written_in_a_route() -> None:
    assert registration.GROUP.pattern == GROUP.pattern


@pytest.mark.parametrize(
    ("first", "second", "covered"),
    [
        ({"identity": "A*"}, {"identity": "A*"}, True),
        ({"group": "g"}, {"group": "g"}, True),
        ({"group": "g"}, {"group": "g", "identity": "A*"}, True),
        ({"identity": "*"}, {"identity": "A*"}, True),
        ({"identity": "*"}, {"group": "g"}, True),
        ({"identity": "*", "group": "g"}, {"group": "g"}, True),
        ({"identity": "A*", "group": "g"}, {"identity": "A*"}, False),
        ({"identity": "A*", "group": "g"}, {"identity": "A*", "group": "h"}, False),
        ({"identity": "A*"}, {"identity": "AB*"}, False),
        ({"group": "g"}, {"identity": "A*"}, False),
    ],
)
def test_what_plainly_means_the_same_stations(first: Any, second: Any, covered: bool) -> None:
    assert Selection(**first).covers(Selection(**second)) is covered


def test_where_the_connectors_of_a_table_are() -> None:
    table = ConnectorTable(identity="A*", connectors={"1.1": 1, "1.2": 2, "12.3": 3, "x": 4})
    assert table.places == {(1, 1): 1, (1, 2): 2, (12, 3): 3}
    assert [key for key, place in table.named() if place is None] == ["x"]


def test_a_route_has_a_backend() -> None:
    assert Route(group="g", backend="north").backend == "north"
    with pytest.raises(ValidationError, match="backend"):
        Route(group="g")  # type: ignore[call-arg]  # that is what is wrong
