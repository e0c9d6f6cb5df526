"""What a transform may do to one value, and what is refused because it could never fit."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from policies.edits.branches import DROPPED, Edit
from policies.edits.redaction import Meter
from policies.edits.values import TABLE_MAX, WITH_MAX, Where, digest, drop, mapped, truncate
from policies.edits.values import redact as redact_within
from policies.vocabulary import ANY, ARRAY, OBJECT, STRING, Field
from policies.words import NOBODY, RuleError, RuleFailed, Surroundings

SURROUNDINGS = Surroundings(lambda: 0.0, lambda: 0.0, lambda: NOBODY, lambda _: False)

TEXT = Field(("f",), STRING, max_length=5)
LONG = Field(("f",), STRING)
WORDS = Field(("f",), STRING, enum=("A", "B"))
TIME = Field(("f",), STRING, format="date-time")
ADDRESS = Field(("f",), STRING, format="uri")
NUMBER = Field(("f",), "number")
LIST = Field(("f",), ARRAY, schema={"minItems": 2})
THING = Field(("f",), OBJECT)
OPEN = Field(("f",), ANY)

Compile = Callable[[Mapping[str, Any], Field, tuple[str | int, ...]], Edit]


def redact(spec: Mapping[str, Any], field: Field, where: Where) -> Edit:
    return redact_within(spec, field, where, Meter())


def edited(compile_: Compile, spec: dict[str, Any], field: Field, value: Any) -> Any:
    return compile_(spec, field, ())(value, SURROUNDINGS)


def test_anything_can_be_dropped() -> None:
    assert drop({"a": 1}, SURROUNDINGS) is DROPPED


@pytest.mark.parametrize(
    ("compile_", "spec", "field", "value", "result"),
    [
        (truncate, {"to": 2}, TEXT, "abc", "ab"),
        (truncate, {"to": 0}, TEXT, "abc", ""),
        (truncate, {"to": 1}, ADDRESS, "abc", "a"),
        (truncate, {"to": 2}, LIST, [1, 2, 3], [1, 2]),
        (truncate, {"to": 2}, OPEN, "abc", "ab"),
        (truncate, {"to": 2}, OPEN, [1, 2, 3], [1, 2]),
        (redact, {}, TEXT, "abc", "***"),
        (redact, {"with": ""}, TEXT, "abc", ""),
        (redact, {}, OPEN, {"a": 1}, "***"),
        (redact, {"pattern": "b+"}, TEXT, "abbc", "a***c"),
        (redact, {"pattern": "[bc]"}, TEXT, "abc", "a****"),
        (redact, {"pattern": "[bc]"}, LONG, "abc", "a******"),
        (redact, {"pattern": "//[^/@]*@", "with": "//"}, ADDRESS, "ftp://u:p@h", "ftp://h"),
        (digest, {}, TEXT, "A", hashlib.sha256(b"A").hexdigest()[:5]),
        (digest, {}, LONG, "Ä\ud800", hashlib.sha256("Ä\ud800".encode("utf-8", "surrogatepass")).hexdigest()),
        (mapped, {"table": {"A": "B"}}, WORDS, "A", "B"),
        (mapped, {"table": {"A": "B"}, "other": "A"}, WORDS, "C", "A"),
        (mapped, {"table": {"A": 1}}, OPEN, "A", 1),
        (mapped, {"table": {"A": 1}, "other": "x"}, OPEN, [], "x"),
        (mapped, {"table": {"A": 1}, "other": True}, OPEN, 1, True),
    ],
)
def test_a_value_is_edited(compile_: Compile, spec: dict[str, Any], field: Field, value: Any, result: Any) -> None:
    found = edited(compile_, spec, field, value)

    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("compile_", "spec", "field", "value"),
    [
        (truncate, {"to": 3}, TEXT, "abc"),
        (truncate, {"to": 3}, LIST, [1, 2, 3]),
        (truncate, {"to": 0}, OPEN, 5),
        (truncate, {"to": 0}, OPEN, {"a": 1}),
        (redact, {}, TEXT, "***"),
        (redact, {"pattern": "x"}, TEXT, "abc"),
        (redact, {"pattern": "x", "with": "x"}, TEXT, "axc"),
        (redact, {"pattern": "x"}, OPEN, ["x"]),
        (mapped, {"table": {"A": "B"}}, WORDS, "B"),
        (mapped, {"table": {"A": "A"}}, WORDS, "A"),
        (mapped, {"table": {"1": "x"}}, OPEN, 1),
    ],
)
def test_what_needs_no_edit_stays_the_same_object(
    compile_: Compile, spec: dict[str, Any], field: Field, value: Any
) -> None:
    assert edited(compile_, spec, field, value) is value


def test_what_can_not_be_hashed_fails() -> None:
    with pytest.raises(RuleFailed, match="no text"):
        edited(digest, {}, OPEN, 5)


@pytest.mark.parametrize(
    ("compile_", "spec", "field", "where", "words"),
    [
        (truncate, {}, TEXT, ("to",), "whole number"),
        (truncate, {"to": -1}, TEXT, ("to",), "whole number"),
        (truncate, {"to": 1.0}, TEXT, ("to",), "whole number"),
        (truncate, {"to": True}, TEXT, ("to",), "whole number"),
        (truncate, {"to": 1}, NUMBER, ("truncate",), "only text and lists"),
        (truncate, {"to": 1}, WORDS, ("truncate",), "only text and lists"),
        (truncate, {"to": 1}, TIME, ("truncate",), "only text and lists"),
        (truncate, {"to": 1}, THING, ("truncate",), "only text and lists"),
        (truncate, {"to": 1}, LIST, ("to",), "at least 2 elements"),
        (redact, {"with": 5}, TEXT, ("with",), "must be text"),
        (redact, {"with": "x" * (WITH_MAX + 1)}, LONG, ("with",), f"at most {WITH_MAX}"),
        (redact, {"with": "xxxxxx"}, TEXT, ("with",), "at most 5 characters"),
        (redact, {"with": "A"}, WORDS, ("redact",), "only free text"),
        (redact, {}, TIME, ("redact",), "only free text"),
        (redact, {}, NUMBER, ("redact",), "only free text"),
        (redact, {}, LIST, ("redact",), "only free text"),
        (redact, {"pattern": 5}, TEXT, ("pattern",), "must be text"),
        (redact, {"pattern": "(a"}, TEXT, ("pattern",), "pattern '\\(a': '\\('"),
        (digest, {}, NUMBER, ("hash",), "only free text"),
        (digest, {}, WORDS, ("hash",), "only free text"),
        (digest, {}, ADDRESS, ("hash",), "only free text"),
        (digest, {}, LIST, ("hash",), "only free text"),
        (mapped, {}, WORDS, ("table",), "mapping of 1 to"),
        (mapped, {"table": {}}, WORDS, ("table",), "mapping of 1 to"),
        (mapped, {"table": ["A"]}, WORDS, ("table",), "mapping of 1 to"),
        (mapped, {"table": {str(n): "A" for n in range(TABLE_MAX + 1)}}, LONG, ("table",), "mapping of 1 to"),
        (mapped, {"table": {"C": "A"}}, WORDS, ("table", "C"), "f is never 'C': A, B"),
        (mapped, {"table": {True: "A"}}, WORDS, ("table",), "quotation marks"),
        (mapped, {"table": {"1": 2}}, NUMBER, ("map",), "only words"),
        (mapped, {"table": {"x": "y"}}, TIME, ("map",), "only words"),
    ],
)
def test_what_could_never_fit_is_refused(
    compile_: Compile, spec: dict[str, Any], field: Field, where: tuple[str, ...], words: str
) -> None:
    with pytest.raises(RuleError, match=words) as refused:
        compile_(spec, field, ())

    assert refused.value.where == where
