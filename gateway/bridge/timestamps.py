"""Timestamps, re-emitted the way both versions take them: RFC 3339, UTC, ``Z``, at most three decimals."""

import functools
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.wire.errors import CallError, ErrorCode

TIMESTAMP_MAX: Final = 64
"""Characters of a timestamp; those with nanoseconds and an offset have 35."""

_RFC_3339: Final = re.compile(
    r"(?P<minute>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}):(?P<second>[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]+))?(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})",
    re.IGNORECASE,
)
_USUAL: Final = re.compile(
    r"(?!0000)[0-9]{4}-"
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{3})?Z"
)
"""What nearly all peers write, and what :func:`utc` writes itself: nothing is to be changed, so it takes a tenth of the
time to see that than to read it. A leap day is for the general way."""
_NO_MILLISECONDS: Final = ".000Z"
_LEAP_SECOND: Final = "60"
_TO_THE_SECOND: Final = len("2026-05-01T08:00:00")


def utc(text: str, where: str) -> str:
    """Return the RFC 3339 timestamp ``text`` in UTC; what is finer than a millisecond is cut off.

    Raises :class:`CallError` FormatViolation, naming the field ``where``, when it is no such timestamp, above all when
    it has no zone: OCPP 2.0.1 Part 2 asks for RFC 3339, and a guess could move a session by hours.
    """
    if _USUAL.fullmatch(text):
        return text
    written = _in_utc(text) if len(text) <= TIMESTAMP_MAX else None
    if written is None:
        raise CallError(ErrorCode.FORMAT_VIOLATION, f"{where} is not an RFC 3339 timestamp with a zone")
    return written


def backend_utc(text: str) -> str | None:
    """Return a backend's timestamp in UTC, or None when it is unreadable. 1.6 lets the zone be missing: that is UTC."""
    if _USUAL.fullmatch(text):
        return text if not text.endswith(_NO_MILLISECONDS) else f"{text[:_TO_THE_SECOND]}Z"
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return spell(moment)


def spell(moment: datetime) -> str:
    """Write an aware time."""
    moment = moment.astimezone(UTC)
    return _spell(moment, f"{moment.microsecond:06}" if moment.microsecond else None)


def in_order(text: str) -> str:
    """Return a sort key for a timestamp that :func:`utc` wrote: ``...:00Z`` comes before ``...:00.500Z``."""
    return text.removesuffix("Z")


@functools.lru_cache(maxsize=512)
def _in_utc(text: str) -> str | None:
    """Return ``text`` in UTC, or None. Cached because one message says the same time in several of its fields."""
    found = _RFC_3339.fullmatch(text)
    if found is None:
        return None
    minute, second, fraction, zone = found.groups()
    is_leap = second == _LEAP_SECOND
    try:
        moment = datetime.fromisoformat(f"{minute}:{'59' if is_leap else second}{zone.upper()}")
        return _spell(moment.astimezone(UTC) + timedelta(seconds=is_leap), fraction)
    except (ValueError, OverflowError):
        return None


def _spell(moment: datetime, fraction: str | None) -> str:
    decimals = f".{fraction[:3]:0<3}" if fraction else ""
    return f"{moment.isoformat(timespec='seconds')[:_TO_THE_SECOND]}{decimals}Z"
