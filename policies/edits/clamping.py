"""Values brought within bounds: numbers, numbers written as text, and times."""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from policies.edits.branches import Edit
from policies.literals import time_text
from policies.matchers.arguments import number
from policies.matchers.numbers import decimal
from policies.matchers.timestamps import seconds
from policies.vocabulary import ANY, NUMBERS, STRING, Field
from policies.words import RuleError, Surroundings

SECONDS_MAX: Final = 10 * 366 * 86_400
"""The widest ``past`` or ``future``: ten years."""


def clamp(spec: Mapping[str, Any], field: Field, where: tuple[str | int, ...]) -> Edit:
    """Compile ``min`` and ``max`` for a number, ``past`` and ``future`` for a time. Raises :class:`RuleError`."""
    bounds = {key: number(spec[key], (*where, key)) for key in ("min", "max", "past", "future") if key in spec}
    is_time = field.format == "date-time"
    if is_time != bounds.keys().isdisjoint({"min", "max"}) or is_time == bounds.keys().isdisjoint({"past", "future"}):
        wanted = "`past` and `future` (seconds)" if is_time else "`min` and `max`"
        raise RuleError(where, f"{field}: clamp wants {wanted}, one of them at least")
    if is_time:
        return _clamp_time(bounds, where)
    low, high = bounds.get("min", -math.inf), bounds.get("max", math.inf)
    if low > high:
        raise RuleError((*where, "min"), "is above `max`")
    if field.type in NUMBERS:
        _check_whole(field, bounds, where)
        return _clamp_number(low, high)
    if field.type not in {STRING, ANY} or field.enum is not None:
        raise RuleError(where, f"{field}: only a number, or text that may hold one, can be clamped")
    _check_length(field, bounds, where)
    by_text = _clamp_text(low, high, field.max_length)
    by_number = _clamp_number(low, high)
    return lambda value, around: (by_text if isinstance(value, str) else by_number)(value, around)


def _check_whole(field: Field, bounds: Mapping[str, float], where: tuple[str | int, ...]) -> None:
    for key, bound in bounds.items():
        if field.type == "integer" and bound != int(bound):
            raise RuleError((*where, key), f"{field}: the bound must be whole")


def _check_length(field: Field, bounds: Mapping[str, float], where: tuple[str | int, ...]) -> None:
    for key, bound in bounds.items():
        if field.max_length is not None and len(_text(Decimal(str(bound)), 0)) > field.max_length:
            raise RuleError((*where, key), f"{field} of at most {field.max_length} characters: the bound is longer")


def _clamp_number(low: float, high: float) -> Edit:
    def clamped(value: Any, _: Surroundings) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or low <= value <= high:
            return value
        bound = low if value < low else high
        return int(bound) if bound == int(bound) and isinstance(value, int) else bound

    return clamped


def _clamp_text(low: float, high: float, longest: int | None) -> Edit:
    def clamped(value: Any, _: Surroundings) -> Any:
        number = decimal(value)
        if number is None or low <= number <= high:
            return value
        bound = Decimal(str(low if number < low else high))
        written = _text(bound, _decimals(value.rstrip()))
        return written if longest is None or len(written) <= longest else _text(bound, 0)

    return clamped


def _decimals(number: str) -> int:
    return len(number.lower().partition("e")[0].partition(".")[2])


def _text(bound: Decimal, decimals: int) -> str:
    """Write a number without an exponent, with at least so many decimals."""
    written = f"{bound:f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    missing = decimals - len(written.partition(".")[2])
    if missing <= 0 or not decimals:
        return written
    return written + ("" if "." in written else ".") + "0" * missing


def _clamp_time(bounds: Mapping[str, float], where: tuple[str | int, ...]) -> Edit:
    """Return what brings a time to ``now - past`` or ``now + future``. One that can't be read becomes now."""
    for key, bound in bounds.items():
        if not 0 <= bound <= SECONDS_MAX:
            raise RuleError((*where, key), f"must be 0 to {SECONDS_MAX} seconds")
    past, future = bounds.get("past", math.inf), bounds.get("future", math.inf)

    def clamped(value: Any, around: Surroundings) -> Any:
        now = around.now()
        time = seconds(value) if isinstance(value, str) else None
        if time is None:
            return time_text(now)
        if now - past <= time <= now + future:
            return value
        return time_text(now - past if time < now else now + future)

    return clamped
