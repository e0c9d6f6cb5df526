"""``length``, ``pattern``, ``like`` and ``text``: what a string consists of."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from policies.matchers.arguments import Where, count, fits_texts, keys_of, one_word_of, text, texts
from policies.matchers.patterns import any_glob, search
from policies.matchers.predicates import Marks, Predicate, if_text, of_text, plain
from policies.vocabulary import ANY, ARRAY, Field
from policies.words import RuleError

IDENTIFIER: Final = re.compile(r"[A-Za-z0-9*\-_=:+|@.]*")
"""What an identifierString consists of (OCPP 2.0.1 Part 2, 3.2); how many there must be is for ``length``."""

_NO_BREAKS: Final = str.maketrans("", "", "\t\n\r")


def _is_multiline(yes: int, no: int) -> Marks:
    return lambda value, _: yes if value.isprintable() or value.translate(_NO_BREAKS).isprintable() else no


CHARSETS: Final[Mapping[str, Predicate]] = {
    "printable": plain(str.isprintable),
    "printable_ascii": Predicate(lambda yes, no: lambda v, _: yes if v.isascii() and v.isprintable() else no),
    "identifier": plain(IDENTIFIER.fullmatch),
    "multiline": Predicate(_is_multiline, sure=str.isprintable),
}
"""Word behind ``text`` -> whether a string consists of such characters only; an empty one does."""


def compile_text(argument: object, field: Field, where: Where) -> Predicate:
    """``text``: the characters that may be there.

    No control, format or private character is printable, nor is any blank but the one of ASCII.
    """
    fits_texts(field, "text", where)
    return if_text(CHARSETS[one_word_of(argument, CHARSETS, where)], field)


def compile_pattern(argument: object, field: Field, where: Where) -> Predicate:
    """``pattern``: a regular expression, searched for."""
    fits_texts(field, "pattern", where)
    return of_text(search(text(argument, where), where), field)


def compile_like(argument: object, field: Field, where: Where) -> Predicate:
    """``like``: globs; letter case and blanks around don't count, since many a backend doesn't look at them either."""
    fits_texts(field, "like", where)
    matches = any_glob([glob.strip().casefold() for glob in texts(argument, where)], where)
    return of_text(lambda value: matches(value.strip().casefold()), field)


def compile_length(argument: object, field: Field, where: Where) -> Predicate:
    """``length``: characters of a string or elements of a list, from ``min`` to ``max``."""
    if field.type != ARRAY:
        fits_texts(field, "length", where)
    keys = keys_of(argument, ("min", "max"), where)
    least = count(keys["min"], (*where, "min")) if "min" in keys else 0
    most = count(keys["max"], (*where, "max")) if "max" in keys else None
    if not keys or (most is not None and least > most):
        raise RuleError(where, "needs min or max, and min not above max")
    if field.type == ANY:
        return plain(lambda value: isinstance(value, str | list) and _is_within(value, least, most))
    high = math.inf if most is None else most
    return Predicate(
        lambda yes, no: lambda value, _: yes if least <= len(value) <= high else no,
        bounds=(least, high),
        is_of_length=True,
    )


def _is_within(value: Any, least: int, most: int | None) -> bool:
    return len(value) >= least and (most is None or len(value) <= most)
