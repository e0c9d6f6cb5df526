"""Payloads of cases: what `with` and `repeat` make of a base."""

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.case_payloads import ABSENT, LENGTH_MAX, PathRefused, changed, differing, steps_of

BASE: dict[str, Any] = {
    "idToken": {"idToken": "A1", "type": "Central"},
    "meterValue": [{"sampledValue": [{"value": 1}]}],
}


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        ("a[0].b", ("a", 0, "b")),
        ("a[0][12]", ("a", 0, 12)),
        ("a-b.c d", ("a-b", "c d")),
    ],
)
def test_a_path(path: str, steps: tuple[str | int, ...]) -> None:
    assert steps_of(path) == steps


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "a[]", "a[x]", "a[0", "a]", "a[-1]", "a[0]b", "a[9999999]"]
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(PathRefused, match="is no path"):
        steps_of(path)


@pytest.mark.parametrize(
    ("overrides", "result"),
    [
        ({}, BASE),
        ({"idToken.type": "Local"}, BASE | {"idToken": {"idToken": "A1", "type": "Local"}}),
        ({"idToken": None}, {"meterValue": BASE["meterValue"]}),
        ({"idToken.type": None, "seqNo": 2}, BASE | {"idToken": {"idToken": "A1"}, "seqNo": 2}),
        ({"meterValue[0].sampledValue[0].value": 5}, BASE | {"meterValue": [{"sampledValue": [{"value": 5}]}]}),
        ({"meterValue[1]": {}}, BASE | {"meterValue": [{"sampledValue": [{"value": 1}]}, {}]}),
        ({"meterValue[0]": None}, BASE | {"meterValue": []}),
        ({"evse.id": 1}, BASE | {"evse": {"id": 1}}),
        ({"list[0].a[0]": "x"}, BASE | {"list": [{"a": ["x"]}]}),
    ],
    ids=str,
)
def test_what_differs(overrides: dict[str, Any], result: dict[str, Any]) -> None:
    before = copy.deepcopy(BASE)

    assert changed(BASE, overrides) == result
    assert before == BASE


def test_a_base_is_shared_with_nobody() -> None:
    given_value: dict[str, Any] = {"a": []}
    result = changed(BASE, {"x": given_value})
    result["x"]["a"].append(1)
    result["idToken"]["type"] = "changed"

    assert (given_value, BASE["idToken"]) == ({"a": []}, {"idToken": "A1", "type": "Central"})


def test_what_stands_there_many_times() -> None:
    result = changed(BASE, {"idToken.idToken": "ab"}, {"idToken.idToken": 3, "meterValue": 2})

    assert result["idToken"]["idToken"] == "ababab"
    assert result["meterValue"] == BASE["meterValue"] * 2


@pytest.mark.parametrize(
    ("overrides", "repeats", "words"),
    [
        ({"nothing": None}, {}, "'nothing': there is nothing to take out"),
        ({"meterValue[1]": None}, {}, "nothing to take out"),
        ({"nothing.deeper": None}, {}, "nothing to take out"),
        ({"meterValue[2]": 1}, {}, "no list with an element before [2]"),
        ({"idToken[0]": 1}, {}, "no list"),
        ({"meterValue.x": 1}, {}, "what holds 'x' is no object"),
        ({"idToken.type.x": 1}, {}, "is no object"),
        ({}, {"idToken": 2}, "only a text or a list"),
        ({}, {"nothing": 2}, "there is nothing there"),
        ({}, {"idToken.idToken": LENGTH_MAX // 2 + 1}, "would be longer than"),
    ],
    ids=str,
)
def test_what_leads_nowhere(overrides: dict[str, Any], repeats: dict[str, int], words: str) -> None:
    with pytest.raises(PathRefused, match=re.escape(words)):
        changed(BASE, overrides, repeats)


def test_the_longest_repeat() -> None:
    assert len(changed(BASE, {}, {"idToken.idToken": LENGTH_MAX // 2})["idToken"]["idToken"]) == LENGTH_MAX


@given(st.text("ab.[]01", max_size=12))
def test_any_text_is_a_path_that_can_be_set_or_refused(path: str) -> None:
    try:
        steps_of(path)
        result = changed({}, {path: 1})
    except PathRefused:
        return
    assert changed(result, {path: 2}) != result


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        (BASE, copy.deepcopy(BASE), []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": 1}, {"b": 1}, [("a", 1, ABSENT), ("b", ABSENT, 1)]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}, 3]}, [("a[0].b", 1, 2), ("a[1]", ABSENT, 3)]),
        ({"a": True}, {"a": 1}, [("a", True, 1)]),
        ({"a": 1.0}, {"a": 1}, []),
        ({"a": {}}, {"a": []}, [("a", {}, [])]),
        (None, {}, [("", None, {})]),
    ],
    ids=str,
)
def test_what_two_payloads_differ_in(expected: Any, actual: Any, found: list[Any]) -> None:
    assert list(differing(expected, actual)) == found


def test_a_field_that_isnt_there_by_its_name() -> None:
    assert repr(ABSENT) == "nothing"
