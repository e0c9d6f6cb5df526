"""Reading what stands behind a test's key in a policy file.

Each function raises :class:`RuleError` with the place in the rule for what isn't that.
"""

import difflib
import math
from collections.abc import Collection, Mapping
from typing import Any, Final

from policies.vocabulary import ANY, NUMBERS, STRING, Field
from policies.words import RuleError

Where = tuple[str | int, ...]
"""The path to a key within a rule."""

Number = int | float

SHOWN_MAX: Final = 40
"""Characters of an argument in an error."""


def keys_of(argument: object, known: Collection[str], where: Where) -> Mapping[str, Any]:
    """Return a mapping that has no other keys than ``known``."""
    if not isinstance(argument, Mapping):
        raise RuleError(where, f"must be a mapping with {_listed(known)}")
    for key in argument:
        if key not in known:
            raise RuleError((*where, key), f"unknown key {key!r}{meant(str(key), known)}; known are {_listed(known)}")
    return argument


def number(argument: object, where: Where) -> Number:
    """Return a finite number."""
    if isinstance(argument, bool) or not isinstance(argument, int | float) or not math.isfinite(argument):
        raise RuleError(where, f"must be a finite number, not {shown(argument)}")
    return argument


def amount(argument: object, where: Where) -> Number:
    """Return a finite number that isn't negative."""
    found = number(argument, where)
    if found < 0:
        raise RuleError(where, "must not be negative")
    return found


def count(argument: object, where: Where) -> int:
    """Return a whole number that isn't negative."""
    if isinstance(argument, bool) or not isinstance(argument, int) or argument < 0:
        raise RuleError(where, f"must be a whole number from 0, not {shown(argument)}")
    return argument


def truth(argument: object, where: Where) -> bool:
    if not isinstance(argument, bool):
        raise RuleError(where, f"must be true or false, not {shown(argument)}")
    return argument


def only_true(argument: object, where: Where) -> None:
    """Return when a test that has no argument is asked for."""
    if argument is not True:
        raise RuleError(where, "must be true; the opposite is written with `not`")


def text(argument: object, where: Where) -> str:
    if not isinstance(argument, str):
        raise RuleError(where, f"must be a text, not {shown(argument)}")
    return argument


def texts(argument: object, where: Where) -> tuple[str, ...]:
    """Return the texts of a list that has one at least, or the one text that stands there instead."""
    many = [argument] if isinstance(argument, str) else argument
    if not isinstance(many, list | tuple) or not many:
        raise RuleError(where, f"must be a list of texts that isn't empty, not {shown(argument)}")
    return tuple(text(each, (*where, place)) for place, each in enumerate(many))


def one_word_of(argument: object, known: Collection[str], where: Where) -> str:
    if not isinstance(argument, str) or argument not in known:
        raise RuleError(where, f"must be {_listed(known, 'or')}, not {shown(argument)}{meant(str(argument), known)}")
    return argument


def fits_texts(field: Field, test: str, where: Where) -> None:
    """Return when ``field`` may hold a string that isn't one of a few words."""
    if field.type not in {STRING, ANY}:
        raise RuleError(where, f"`{test}` is for texts, and {field}")
    if field.enum is not None:
        raise RuleError(where, f"`{test}` is for texts, and {field}: use one_of")


def fits_numbers(field: Field, test: str, where: Where) -> None:
    """Return when ``field`` may hold a number, or a string that is one."""
    if field.type not in {*NUMBERS, STRING, ANY} or field.enum is not None or field.format is not None:
        raise RuleError(where, f"`{test}` is for numbers, and {field}")


def meant(word: str, known: Collection[str]) -> str:
    """Return what may have been meant, as an addition to an error."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def shown(argument: object) -> str:
    """Write what stands in a policy file, cut short."""
    written = "null" if argument is None else str(argument).lower() if isinstance(argument, bool) else repr(argument)
    return written if len(written) <= SHOWN_MAX else f"{written[:SHOWN_MAX]}..."


def _listed(words: Collection[str], joint: str = "and") -> str:
    *most, last = words
    return f"{', '.join(most)} {joint} {last}" if most else last
