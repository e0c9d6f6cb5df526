"""What tests of matchers need: fields of each type, a station's surroundings, and the question whether a test holds."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from policies.matchers.specs import compile_tests
from policies.vocabulary import Field
from policies.words import NOBODY, RuleError, Surroundings

NOW = 1_800_000_000.0
"""2027-01-15T08:00:00Z"""

FIELDS = {
    "string": Field(("a", "text"), "string", 50),
    "words": Field(("a", "word"), "string", enum=("Hard", "Soft")),
    "date-time": Field(("timestamp",), "string", format="date-time"),
    "uri": Field(("location",), "string", format="uri"),
    "integer": Field(("seqNo",), "integer"),
    "number": Field(("limit",), "number"),
    "boolean": Field(("offline",), "boolean"),
    "object": Field(("evse",), "object"),
    "array": Field(("list",), "array"),
    "any": Field(("data",), "any"),
}


@pytest.fixture
def surroundings() -> Surroundings:
    return Surroundings(
        now=lambda: NOW, monotonic=lambda: 0.0, facts=lambda: NOBODY, owns=lambda each: each in {"mine", 7}
    )


Holds = Callable[[Mapping[str, Any], str, object], bool]


@pytest.fixture
def holds(surroundings: Surroundings) -> Holds:
    """Tell whether tests hold of a value in a field of some type."""

    def holds(spec: Mapping[str, Any], kind: str, value: object) -> bool:
        return compile_tests(spec, FIELDS[kind], ("fields", 0))(value, surroundings)

    return holds


Refusal = Callable[[Mapping[str, Any], str], tuple[tuple[str | int, ...], str]]


@pytest.fixture
def refusal() -> Refusal:
    """Return the place and the text of the refusal of tests for a field of some type."""

    def refusal(spec: Mapping[str, Any], kind: str) -> tuple[tuple[str | int, ...], str]:
        with pytest.raises(RuleError) as refused:
            compile_tests(spec, FIELDS[kind], ())
        return refused.value.where, str(refused.value)

    return refusal
