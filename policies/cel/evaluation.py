"""common-expression-language: loaded when a policy has a condition, and how its failures are told.

Its errors bear values of the payload, so that nothing of their text is passed on.
"""

import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from policies.cel.lexer import Where
from policies.words import RuleError, RuleFailed

if TYPE_CHECKING:
    from types import ModuleType

Run = Callable[[dict[str, Any]], Any]

PATTERN_COMPILE_MAX: Final = 0.0005
"""Seconds for compiling one pattern: it is done at each evaluation."""

_PANIC: Final = "PanicException"
"""pyo3's exception for a panic in Rust: a BaseException, and importable from nowhere."""

_UNKNOWN: Final = re.compile(r"Undefined variable or function: '(\w+)'")
_FUNCTION: Final = re.compile(r"Function '(\w+)' error")
_WORDS: Final[Mapping[type[BaseException], str]] = {
    TypeError: "the types of two values don't go together",
    IndexError: "a list has fewer elements",
    ZeroDivisionError: "a division by zero",
    OverflowError: "a number is too large",
}


@cache
def _library() -> "ModuleType":
    import cel  # noqa: PLC0415 - it brings a command line with it, 0.1 s to load: who has no conditions doesn't wait

    return cel


def compiled(text: str, where: Where) -> Run:
    """Return what evaluates a condition. Raises :class:`RuleError` for what isn't CEL."""
    try:
        run: Run = _library().compile(text).execute
    except BaseException as error:  # noqa: BLE001 - so is a panic; it is told apart
        _pass_on(error)
        raise RuleError(where, f"not CEL: {_first_words(error)}") from None
    return run


def _first_words(error: BaseException) -> str:
    """Return what the library says of a text, without the text itself and its drawings."""
    lines = [line for line in str(error).splitlines() if "ERROR: <input>:" in line]
    return lines[0].partition("ERROR: <input>:")[2] if lines else "it can't be parsed"


def _pass_on(error: BaseException) -> None:
    """Raise again what isn't a failure of the library: the end of the process."""
    if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
        raise error


def failure(error: BaseException, paths: Mapping[str, str]) -> RuleFailed:
    """Return why an evaluation failed, without a value; ``paths``: slot -> what the condition calls it.

    What isn't a failure of the evaluation (KeyboardInterrupt) is raised again.
    """
    _pass_on(error)
    if isinstance(error, RuleFailed):
        return error
    if isinstance(error, KeyError):
        return RuleFailed(f"{paths.get(str(error.args[0]), 'a field')} is missing")
    unknown = _UNKNOWN.match(str(error))
    if unknown is not None and unknown[1] in paths:
        return RuleFailed(f"{paths[unknown[1]]} is missing")
    function = _FUNCTION.match(str(error)) or unknown
    if function is not None:
        return RuleFailed(f"{function[1]}() can't take the value that it was given")
    return RuleFailed(_WORDS.get(type(error), "the evaluation failed"))


def pattern_fault(pattern: str) -> str | None:
    """Return what is wrong with the pattern of matches(); None when nothing is."""
    run = _library().compile("text.matches(pattern)").execute
    values = {"text": "", "pattern": pattern}
    took = []
    for _ in range(3):
        began = time.thread_time()
        try:
            run(values)
        except BaseException as error:  # noqa: BLE001 - so is a panic; it is told apart
            _pass_on(error)
            return "the pattern isn't a regular expression, or too large a one"
        took.append(time.thread_time() - began)
    if min(took) > PATTERN_COMPILE_MAX:
        return f"the pattern takes {min(took) * 1000:.1f} ms to compile, at each message; at most 0.5: use fewer {{n}}"
    return None
