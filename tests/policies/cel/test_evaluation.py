"""The library at work: what it says of failures without the values in it."""

import subprocess
import sys
from typing import Any

import pytest

from policies.cel.evaluation import compiled, failure, pattern_fault
from policies.words import RuleError, RuleFailed

WHEN = ("when",)
PATHS = {"v0": "payload.idTag", "v1": "m.value"}


def text_of(condition: str, values: dict[str, Any]) -> str:
    run = compiled(condition, WHEN)
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - any failure of the library is told
        run(values)
    return str(failure(raised.value, PATHS))


@pytest.mark.parametrize(
    ("condition", "values", "words"),
    [
        ("v0 == 1", {}, "payload.idTag is missing"),
        ("[{'a': 1}][0].v1 == 1", {}, "m.value is missing"),
        ("v0 + 1 > 1", {"v0": "SECRET"}, "the types of two values don't go together"),
        ("1 / v0 == 1", {"v0": 0}, "a division by zero"),
        ("1 % v0 == 1", {"v0": 0}, "a division by zero"),
        ("v0 + 9223372036854775807 > 1", {"v0": 1}, "a number is too large"),
        ("[1][v0] == 1", {"v0": 5}, "a list has fewer elements"),
        ("int(v0) == 1", {"v0": "SECRET"}, "int() can't take the value that it was given"),
        ("timestamp(v0) == timestamp(v0)", {"v0": "SECRET"}, "timestamp() can't take"),
        ("v0.matches('a')", {"v0": 5}, "matches() can't take"),
        ("v0.size() > 1", {"v0": 5}, "size() can't take"),
        ("v0", {"v0": object()}, "the evaluation failed"),
    ],
)
def test_failures_are_told_without_values(condition: str, values: dict[str, Any], words: str) -> None:
    text = text_of(condition, values)

    assert words in text
    assert "SECRET" not in text


class PanicException(BaseException):
    """What a panic in Rust looks like."""


def test_a_panic_is_a_failure_like_any_other() -> None:
    assert str(failure(PanicException("SECRET"), PATHS)) == "the evaluation failed"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_the_end_of_the_process_is_none(error: BaseException) -> None:
    with pytest.raises(type(error)):
        failure(error, PATHS)


def test_what_failed_already_stays_as_it_is() -> None:
    error = RuleFailed("too long")

    assert failure(error, PATHS) is error


def test_what_isn_t_cel_is_refused_with_the_library_s_words() -> None:
    with pytest.raises(RuleError, match="not CEL: 1:3: Syntax error") as refusal:
        compiled("a b", WHEN)
    assert refusal.value.where == WHEN


@pytest.mark.parametrize("pattern", ["", "a", "^[A-Za-z0-9_.-]{1,20}$", "a|b"])
def test_a_pattern_without_fault(pattern: str) -> None:
    assert pattern_fault(pattern) is None


def test_the_library_is_loaded_with_the_first_condition() -> None:
    program = "import sys, policies.conditions; assert 'cel' not in sys.modules and 'prompt_toolkit' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - our own interpreter and text
