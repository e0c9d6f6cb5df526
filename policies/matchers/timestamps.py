"""``timestamp``: a string that is a time, and not too far from now."""

import functools
import math
import re
from datetime import UTC, datetime
from typing import Any, Final

from policies.matchers.arguments import Where, amount, fits_texts, keys_of
from policies.matchers.predicates import Marks, Predicate, if_text, of_text
from policies.vocabulary import Field
from policies.words import Surroundings

TIMESTAMP_MAX: Final = 64
"""Characters of a timestamp; those with nanoseconds and an offset have 35."""

_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:)([0-9]{2})"
    r"((?:[.,][0-9]+)?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)"
)
"""RFC 3339, and what C's ``%z`` and locales make of it."""
_LEAP_SECOND: Final = "60"
_USUAL: Final = len("2026-01-01T00:00:00.000Z")


def seconds(text: str) -> float | None:
    """Return a timestamp of RFC 3339 in seconds since 1970, or None.

    1.6 asks for ISO 8601 only, and lets the zone be missing: then it is UTC. So an offset may be ``+0200`` or ``+02``
    (C writes ``%z`` so), and a fraction may begin with a comma. A leap second is the second after :59.
    """
    return _seconds(text) if len(text) <= TIMESTAMP_MAX else None


@functools.lru_cache(maxsize=1024)
def _seconds(text: str) -> float | None:
    """Cached, because a message says the same time in several fields, and is looked at on both legs."""
    if len(text) == _USUAL and text[23] == "Z" and text[7] == "-" and text[10] == "T" and text[13] == ":":
        try:  # the form that nearly all write: Python reads the rest of it as strictly, but for an hour 24
            return datetime.fromisoformat(text).timestamp() if text[11:13] != "24" else None
        except ValueError:
            pass
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    minute, second, rest = found.groups()
    is_leap = second == _LEAP_SECOND
    try:
        moment = datetime.fromisoformat(f"{minute}59{rest.upper()}" if is_leap else text.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() + is_leap
    except (ValueError, OverflowError):
        return None


def compile_timestamp(argument: object, field: Field, where: Where) -> Predicate:
    """``timestamp``: it can be read, and lies at most ``past`` seconds back and ``future`` seconds ahead."""
    fits_texts(field, "timestamp", where)
    keys = keys_of(argument, ("past", "future"), where)
    past = amount(keys["past"], (*where, "past")) if "past" in keys else math.inf
    future = amount(keys["future"], (*where, "future")) if "future" in keys else math.inf
    if not keys:
        return of_text(lambda value: seconds(value) is not None, field)

    def is_near(yes: int, no: int) -> Marks:
        def mark(value: Any, surroundings: Surroundings) -> int:
            if len(value) <= TIMESTAMP_MAX:
                moment = _seconds(value)
                return yes if moment is not None and -past <= moment - surroundings.now() <= future else no
            return no

        return mark

    return if_text(Predicate(is_near), field)
