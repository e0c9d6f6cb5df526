"""``range`` and ``number``: numbers, and strings that are written as one (1.6 sends its meter values so)."""

import math
import re
from typing import Any, Final

from policies.matchers.arguments import Number, Where, fits_numbers, keys_of, number, only_true
from policies.matchers.predicates import Marks, Predicate, plain
from policies.vocabulary import NUMBERS, STRING, Field
from policies.words import RuleError, Surroundings

DECIMAL_MAX: Final = 64
"""Characters of a string that is read as a number."""

_DECIMAL: Final = re.compile(r" *[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *")


def decimal(text: str) -> float | None:
    """Read a finite decimal number, or return None.

    ``nan``, ``1e400``, ``1_000`` and digits of other scripts make none. Blanks around don't count: C's ``%7.2f`` writes
    them.
    """
    if len(text) > DECIMAL_MAX or _DECIMAL.fullmatch(text) is None:
        return None
    found = float(text)
    return found if math.isfinite(found) else None


def number_in(value: object) -> Number | None:
    """Return the number that a JSON value is, or is written as; None for any other. ``true`` is none."""
    if isinstance(value, str):
        return decimal(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def compile_number(argument: object, field: Field, where: Where) -> Predicate:
    """``number: true``: a number, or a string that is a finite decimal one."""
    fits_numbers(field, "number", where)
    only_true(argument, where)
    return plain(lambda value: number_in(value) is not None)


def compile_range(argument: object, field: Field, where: Where) -> Predicate:
    """``range``: from ``min`` to ``max``, or ``above`` and ``below`` without the bound itself."""
    fits_numbers(field, "range", where)
    keys = keys_of(argument, ("min", "max", "above", "below"), where)
    bounds = {key: number(value, (*where, key)) for key, value in keys.items()}
    lower = [bounds[key] for key in ("min", "above") if key in bounds]
    upper = [bounds[key] for key in ("max", "below") if key in bounds]
    if not bounds or len(lower) > 1 or len(upper) > 1:
        raise RuleError(where, "needs min or above, or max or below, and at most one of either pair")
    low, high = lower[0] if lower else -math.inf, upper[0] if upper else math.inf
    is_open = "above" in bounds or "below" in bounds
    if low > high or (is_open and low == high):
        raise RuleError(where, "no number lies in it: the lower bound is above the upper one")
    within = _within(low, high, has_low="above" not in bounds, has_high="below" not in bounds)
    if field.type in NUMBERS:
        return within
    read = decimal if field.type == STRING else number_in
    holds = within.holds()

    def of_written(yes: int, no: int) -> Marks:
        def mark(value: Any, surroundings: Surroundings) -> int:
            found = read(value)
            return yes if found is not None and holds(found, surroundings) else no

        return mark

    return Predicate(of_written)


def _within(low: Number, high: Number, *, has_low: bool, has_high: bool) -> Predicate:
    if has_low and has_high:
        return Predicate(lambda yes, no: lambda value, _: yes if low <= value <= high else no, bounds=(low, high))
    if has_low:
        return Predicate(lambda yes, no: lambda value, _: yes if low <= value < high else no)
    if has_high:
        return Predicate(lambda yes, no: lambda value, _: yes if low < value <= high else no)
    return Predicate(lambda yes, no: lambda value, _: yes if low < value < high else no)
