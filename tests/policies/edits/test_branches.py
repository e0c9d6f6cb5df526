"""The way of a transform through a payload: copies what it changes, shares the rest."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.edits.branches import DROPPED, Branch, Edit
from policies.paths import EACH, WITHIN, Steps
from policies.words import NOBODY, Surroundings

SURROUNDINGS = Surroundings(lambda: 0.0, lambda: 0.0, lambda: NOBODY, lambda _: False)


def tree(*edits: tuple[Steps, Edit]) -> Branch:
    root = Branch()
    for steps, edit in edits:
        root.at(steps).edits(edit)
    return root


def gone(value: Any, _: Surroundings) -> Any:
    return DROPPED


def doubled(value: Any, _: Surroundings) -> Any:
    return value if isinstance(value, dict) else value * 2


def kept(value: Any, _: Surroundings) -> Any:
    return value


@pytest.mark.parametrize(
    ("edits", "value", "result"),
    [
        ([(("a",), doubled)], {"a": 1, "b": 1}, {"a": 2, "b": 1}),
        ([(("a",), doubled)], {"b": 1}, {"b": 1}),
        ([(("a",), doubled)], [], []),
        ([(("a", "b"), doubled)], {"a": {"b": 1}}, {"a": {"b": 2}}),
        ([(("a", "b"), doubled)], {"a": 1}, {"a": 1}),
        ([(("a", EACH), doubled)], {"a": [1, 2]}, {"a": [2, 4]}),
        ([(("a", EACH), doubled)], {"a": {"b": 1}}, {"a": {"b": 1}}),
        ([(("a", EACH, EACH), doubled)], {"a": [[1], [], [2]]}, {"a": [[2], [], [4]]}),
        ([(("a", EACH), gone)], {"a": [1, 2]}, {"a": []}),
        ([(("a",), gone), (("b",), gone)], {"a": 1, "b": 2}, {}),
        ([(("a",), doubled), (("a", EACH), gone)], {"a": [1]}, {"a": []}),
        ([(("a",), doubled), (("b", "c"), doubled)], {"a": 1, "b": {"c": 1}}, {"a": 2, "b": {"c": 2}}),
        ([(("a", WITHIN), doubled)], {"a": {"k": ["x", 1, {"y": "z"}]}}, {"a": {"k": ["xx", 1, {"y": "zz"}]}}),
        ([(("a", WITHIN), doubled)], {"a": "x"}, {"a": "xx"}),
        ([(("a", WITHIN), doubled)], {"a": None}, {"a": None}),
    ],
)
def test_what_is_at_the_path_is_edited(edits: list[tuple[Steps, Edit]], value: Any, result: Any) -> None:
    before = copy.deepcopy(value)

    assert tree(*edits).apply(value, SURROUNDINGS) == result
    assert value == before


def test_a_missing_field_is_made_where_its_object_is() -> None:
    root = Branch()
    root.at(("a", EACH, "b")).edits(kept, lambda _: 7)

    assert root.apply({"a": [{}, {"b": 1}, 5]}, SURROUNDINGS) == {"a": [{"b": 7}, {"b": 1}, 5]}


def test_two_missing_fields_are_made() -> None:
    root = Branch()
    root.at(("b",)).edits(kept, lambda _: 1)
    root.at(("c",)).edits(kept, lambda _: 2)

    assert root.apply({}, SURROUNDINGS) == {"b": 1, "c": 2}


def test_a_list_that_was_empty_before_does_not_fall() -> None:
    root = tree((("a", EACH), gone))
    root.at(("a",)).falls_when_empty()
    payload: dict[str, Any] = {"a": []}

    assert root.apply(payload, SURROUNDINGS) is payload
    assert root.apply({"a": [1]}, SURROUNDINGS) == {}


def test_a_check_guards_what_is_below() -> None:
    root = tree((("a", EACH, "b"), doubled))
    root.at(("a", EACH)).checks(lambda value, _: value["b"] > 1)

    assert root.apply({"a": [{"b": 1}, {"b": 2}]}, SURROUNDINGS) == {"a": [{"b": 1}, {"b": 4}]}


JSON = st.recursive(
    st.text("xy", max_size=2) | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)
STEPS = st.lists(st.sampled_from(["a", "b", "c", EACH]), min_size=1, max_size=4).map(tuple)


@given(JSON, st.lists(st.tuples(STEPS, st.sampled_from([gone, doubled, kept])), max_size=4))
def test_any_value_goes_through_any_tree_unchanged(value: Any, edits: list[tuple[Steps, Edit]]) -> None:
    before = copy.deepcopy(value)

    result = tree(*edits).apply(value, SURROUNDINGS)

    assert value == before
    if all(edit is kept for _, edit in edits):
        assert result is value


@given(JSON)
def test_a_text_at_any_depth_is_found_and_what_has_none_is_the_same(value: Any) -> None:
    root = tree((("d", WITHIN), doubled))
    payload = {"d": value}

    result = root.apply(payload, SURROUNDINGS)

    assert (result is payload) == (result == payload)
