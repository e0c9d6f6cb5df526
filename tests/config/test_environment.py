"""VOLTGATE__ variables over a tree: what was there, what is set, what comes out."""

from typing import Any

import pytest

from gateway.config.environment import override
from gateway.config.source import ConfigError, KeyPath, Source

LISTENERS = [{"bind": "a:1"}, {"bind": "b:2"}]


def takes_text(path: KeyPath) -> bool:
    return path[-1] in {"bind", "operator", "url"}


def overlay(data: dict[str, Any], environ: dict[str, str]) -> Source:
    source = Source("voltgate.yaml", data)
    override(source, environ, defaults={"listeners": LISTENERS}, is_text=takes_text)
    return source


@pytest.mark.parametrize(
    ("before", "environ", "after"),
    [
        ({}, {"VOLTGATE__OPERATOR": "CPO"}, {"operator": "CPO"}),
        ({"operator": "A"}, {"VOLTGATE__operator": "B"}, {"operator": "B"}),
        ({}, {"VOLTGATE__LIMITS__CALL_TIMEOUT": "5"}, {"limits": {"call_timeout": 5}}),
        ({"limits": None}, {"VOLTGATE__LIMITS__X": "1"}, {"limits": {"x": 1}}),
        ({}, {"VOLTGATE__OPERATOR": "123"}, {"operator": "123"}),
        ({}, {"VOLTGATE__OPERATOR": "'123'"}, {"operator": "123"}),
        ({}, {"VOLTGATE__ADMIN__BIND": "[::]:80"}, {"admin": {"bind": "[::]:80"}}),
        ({}, {"VOLTGATE__ADMIN": "{token: env:X}"}, {"admin": {"token": "env:X"}}),
        (
            {"backends": {"Legacy": {"url": "a"}}},
            {"VOLTGATE__BACKENDS__LEGACY__URL": "b"},
            {"backends": {"Legacy": {"url": "b"}}},
        ),
        ({}, {"VOLTGATE__BACKENDS__NEW__URL": "b"}, {"backends": {"new": {"url": "b"}}}),
        ({"listeners": [{"bind": "x"}]}, {"VOLTGATE__LISTENERS__0__BIND": "y"}, {"listeners": [{"bind": "y"}]}),
        (
            {"listeners": [{"bind": "x"}]},
            {"VOLTGATE__LISTENERS__1__BIND": "y"},
            {"listeners": [{"bind": "x"}, {"bind": "y"}]},
        ),
        ({}, {"VOLTGATE__LISTENERS__1__BIND": "y"}, {"listeners": [{"bind": "a:1"}, {"bind": "y"}]}),
        ({}, {"VOLTGATE__X__0": "1", "VOLTGATE__X__1": "2"}, {"x": [1, 2]}),
        ({"x": []}, {f"VOLTGATE__X__{n}": str(n) for n in range(11, -1, -1)}, {"x": list(range(12))}),
        ({}, {"VOLTGATE__X__B": "2", "VOLTGATE__X": "{a: 1}"}, {"x": {"a": 1, "b": 2}}),
        ({}, {"VOLTGATE_ADMIN_TOKEN": "t", "voltgate__x": "1", "OTHER": "1"}, {}),
    ],
)
def test_what_a_variable_sets(before: dict[str, Any], environ: dict[str, str], after: dict[str, Any]) -> None:
    assert overlay(before, environ).data == after


def test_the_defaults_stay_as_they_are() -> None:
    overlay({}, {"VOLTGATE__LISTENERS__0__BIND": "y"})

    assert LISTENERS[0] == {"bind": "a:1"}


def test_places_name_the_variable() -> None:
    source = overlay({}, {"VOLTGATE__A__B__C": "1", "VOLTGATE__LISTENERS__0__BIND": "y"})

    assert source.place(("a",)) == source.place(("a", "b", "c")) == "VOLTGATE__A__B__C"
    assert source.place(("listeners", 0, "bind")) == "VOLTGATE__LISTENERS__0__BIND"


def test_a_replaced_section_forgets_its_lines() -> None:
    source = Source("f", {"a": {"b": 1}}, {("a",): "f:1", ("a", "b"): "f:2"})

    override(source, {"VOLTGATE__A": "{b: 2}"}, defaults={}, is_text=takes_text)

    assert source.place(("a", "b")) == "VOLTGATE__A"


@pytest.mark.parametrize(
    ("before", "environ", "line"),
    [
        ({}, {"VOLTGATE__": "x"}, "VOLTGATE__: isn't a key path; write VOLTGATE__SECTION__KEY"),
        ({}, {"VOLTGATE__A____B": "x"}, "VOLTGATE__A____B: isn't a key path; write VOLTGATE__SECTION__KEY"),
        ({"x": [1]}, {"VOLTGATE__X__2": "1"}, "VOLTGATE__X__2: x is a list of 1; its items are numbered from 0"),
        ({"x": [1]}, {"VOLTGATE__X__A": "1"}, "VOLTGATE__X__A: x is a list of 1; its items are numbered from 0"),
        ({"x": 1}, {"VOLTGATE__X__A": "1"}, "VOLTGATE__X__A: x is a single value and has no key 'a'"),
        (
            {"x": {"A": 1, "a": 2}},
            {"VOLTGATE__X__A": "1"},
            "VOLTGATE__X__A: fits several keys of x: A, a; change it in the",
        ),
        (
            {},
            {"VOLTGATE__A": "1", "VOLTGATE__a": "2"},
            "VOLTGATE__a: sets the same key as VOLTGATE__A; unset one of them",
        ),
        ({}, {"VOLTGATE__A": "["}, "VOLTGATE__A: isn't valid YAML: expected the node content"),
        ({}, {"VOLTGATE__A": "{b: 1, b: 2}"}, "VOLTGATE__A: b: stands here twice"),
    ],
)
def test_what_is_refused(before: dict[str, Any], environ: dict[str, str], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overlay(before, environ)

    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(line)
