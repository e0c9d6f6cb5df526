"""How a setting is compared and a finding told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.vault.bootstrap_findings import State, attention, different, right, seconds, settled


def nothing() -> None:
    pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3600", 3600),
        ("3600s", 3600),
        ("1h", 3600),
        ("71h45m", 258_300),
        ("71h45m0s", 258_300),
        ("90d", 7_776_000),
        ("0s", 0),
        ("", None),
        ("h", None),
        ("1h ", None),
        ("-1h", None),
        ("1.5h", None),
        ("any", None),
    ],
)
def test_durations(text: str, expected: int | None) -> None:
    assert seconds(text) == expected


@given(st.text())
def test_any_text_is_a_duration_or_none(text: str) -> None:
    found = seconds(text)
    assert found is None or found >= 0


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("1h", 3600),
        ("1h", "3600s"),
        ([], None),
        (["a", "b"], ["b", "a"]),
        (False, False),
        ("any", "any"),
    ],
    ids=str,
)
def test_what_means_the_same(wanted: Any, found: Any) -> None:
    assert different({"key": wanted}, {"key": found}) == []


@pytest.mark.parametrize(
    ("wanted", "found"), [("1h", 3601), ([], ["a"]), (True, False), (["a"], None), ("any", "rsa")], ids=str
)
def test_what_means_something_else(wanted: Any, found: Any) -> None:
    assert different({"key": wanted}, {"key": found}) == ["key"]


def test_a_setting_that_this_server_doesnt_have_is_passed_over() -> None:
    """not_after_bound is OpenBao's; Vault has no such setting."""
    assert settled("role", {"not_after_bound": "forbid"}, {"ttl": 1}, nothing).state is State.RIGHT


def test_findings_as_they_are_told() -> None:
    found = settled("role", {"a": True, "b": ["x"], "ttl": "1h"}, {"a": False, "b": None, "ttl": 60}, nothing)

    assert str(found) == "role: a false -> true, b None -> [x], ttl 60 -> 1h"
    assert str(settled("role", {}, None, nothing)) == "role: created"
    assert str(settled("urls", {}, None, nothing, done="set")) == "urls: set"
    assert str(right("engine")) == "engine"
    assert (str(attention("ca", "expired")), attention("ca", "").apply) == ("ca: expired", None)
