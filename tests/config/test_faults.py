"""What the type check says, in a person's words."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import ConfigDict, ValidationError

from gateway.config.faults import annotation_at, describe
from gateway.config.source import KeyPath
from gateway.config.tree import Config
from gateway.config.values import Address, List, Named, Section, Text


class Inner(Section):
    text: Text = "x"
    kind: Literal["a", "b"] = "a"
    count: int = 0


class Outer(Section):
    model_config = ConfigDict(title="outer")

    inner: Inner
    maybe: Inner | None = None
    several: List[Inner] = ()
    named: Named[Inner] = {}  # noqa: RUF012  # pydantic copies defaults
    number: Annotated[int, "metadata"] = 1
    either: int | str = 1


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, (("inner",), "is missing; add it")),
        ({"inner": 1}, (("inner",), "must be a mapping of keys")),
        ({"inner": None}, (("inner",), "must be a mapping of keys")),
        ({"inner": {"txt": 1}}, (("inner", "txt"), "isn't a key here; did you mean text?")),
        ({"inner": {"TEXT": 1}}, (("inner", "TEXT"), "isn't a key here; did you mean text?")),
        ({"inner": {"zzz": 1}}, (("inner", "zzz"), "isn't a key here; the keys are text, kind, count")),
        ({"inner": {"kind": "c"}}, (("inner", "kind"), "must be 'a' or 'b'")),
        ({"inner": {"text": 1}}, (("inner", "text"), "must be text; put it in quotes")),
        ({"inner": {"text": ""}}, (("inner", "text"), "must not be empty")),
        ({"inner": {"text": "a\x1b"}}, (("inner", "text"), "must not hold control characters")),
        ({"inner": {"count": "1"}}, (("inner", "count"), "must be a valid integer")),
        ({"inner": {"count": True}}, (("inner", "count"), "must be a valid integer")),
        ({"inner": {}, "several": {}}, (("several",), "must be a list")),
        ({"inner": {}, "several": [{"text": 1}]}, (("several", 0, "text"), "must be text; put it in quotes")),
        ({"inner": {}, "named": []}, (("named",), "must be a mapping of keys")),
        (
            {"inner": {}, "named": {"n": {"conut": 1}}},
            (("named", "n", "conut"), "isn't a key here; did you mean count?"),
        ),
    ],
)
def test_how_an_error_reads(data: dict[str, Any], fault: tuple[KeyPath, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(data)

    assert [describe(Outer, detail) for detail in caught.value.errors()] == [fault]


@pytest.mark.parametrize(
    ("path", "annotation"),
    [
        ((), Config),
        (("operator",), str),
        (("listeners", 0, "bind"), Address),
        (("listeners", 3, "tls", "certificates", 0, "chain"), Path),
        (("backends", "any", "url"), str),
        (("limits", "call_timeout"), float),
        (("policy",), str | Path),
        (("listeners", "x"), None),
        (("operator", "x"), None),
        (("nothing",), None),
        (("nothing", "below"), None),
    ],
)
def test_the_declared_type_at_a_path(path: KeyPath, annotation: Any) -> None:
    assert annotation_at(Config, path) == annotation
