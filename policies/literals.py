"""Values that a rule carries and writes into messages: plain JSON, where ``"$now"`` stands for the time."""

import math
from datetime import UTC, datetime
from typing import Any, Final

from policies.words import RuleError

NOW: Final = "$now"
"""As a whole string: the time, filled in when the message is made."""
SAMPLE_TIME: Final = 1_790_000_000.0
"""What ``$now`` is while a rule is checked; seconds since 1970."""
DEPTH_MAX: Final = 16
"""Levels of a value; OCPP's deepest message has eight."""
INTEGER_MAX: Final = 2**63 - 1
"""What the encoder of messages can write."""


def plain(value: Any, where: tuple[str | int, ...]) -> Any:
    """Return ``value``, which came out of YAML, when JSON can hold it. Raises :class:`RuleError`."""
    return _plain(value, where, DEPTH_MAX)


def _plain(value: Any, where: tuple[str | int, ...], depth: int) -> Any:
    if not depth:
        raise RuleError(where[:-DEPTH_MAX], f"is deeper than {DEPTH_MAX} levels")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise RuleError(where, f"the key {key!r} must be text: put it in quotation marks")
        return {key: _plain(part, (*where, key), depth - 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, (*where, place), depth - 1) for place, part in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise RuleError(where, "must be a finite number")
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise RuleError(where, f"must lie within {-INTEGER_MAX} and {INTEGER_MAX}")
    if value is None or not isinstance(value, str | int | float):
        text = "null" if value is None else type(value).__name__
        raise RuleError(where, f"must be text, a number, true, false, a list or a mapping, not {text}")
    return value


def has_now(value: Any) -> bool:
    """Return whether ``$now`` stands somewhere in a plain value."""
    if isinstance(value, dict):
        return any(map(has_now, value.values()))
    if isinstance(value, list):
        return any(map(has_now, value))
    return bool(value == NOW)


def filled(value: Any, now: float) -> Any:
    """Return a copy of a plain value of one's own, ``$now`` being ``now`` (seconds since 1970)."""
    if isinstance(value, dict):
        return {key: filled(part, now) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, now) for part in value]
    return time_text(now) if value == NOW else value


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are the same JSON: ``1`` isn't ``true``, and isn't ``1.0``."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(part, other[key]) for key, part in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def time_text(now: float) -> str:
    """Return a time as messages carry it: RFC 3339, UTC, milliseconds."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
