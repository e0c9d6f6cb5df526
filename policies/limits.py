"""Limits: token buckets by station, address, action, or one for all.

A bucket holds up to ``burst`` tokens, full at first, and is refilled continuously at ``rate``; each message takes one.
Buckets belong to a rule's id: a policy that is loaded anew finds them, and clamps them to its own burst.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from policies.words import RuleError, Surroundings, Target

BUCKETS_MAX: Final = 50_000
"""Buckets of one memory, that of a station or that of all. See ``_make_room`` for what goes when they are more."""

TOKENS_MAX: Final = 1_000_000
"""The largest count of a rate, and the largest burst."""

_WINDOW: Final = 64
"""Buckets that are looked at to make room for a new one."""

_WHOLE: Final = 1 - 1e-9
"""What counts as a token: six seconds at ten per minute may come out a rounding error short of one."""

_PERIODS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE: Final = re.compile(r"([0-9]{1,7})/(second|minute|hour|day)")

Where = tuple[str | int, ...]


class By(StrEnum):
    """Whose bucket it is."""

    STATION = "station"
    ADDRESS = "address"
    """The peer's address: of all stations behind one NAT."""
    ACTION = "action"
    """One for each action, over all stations."""
    GLOBAL = "global"


_STATION, _ADDRESS = By.STATION, By.ADDRESS


@dataclass(frozen=True, slots=True)
class Level:
    """What is in a bucket, for a person."""

    tokens: float
    burst: int
    wait: float
    """Seconds until there is a token; 0.0 where there is one."""


class _Bucket:
    __slots__ = ("at", "limit", "tokens")

    def __init__(self, limit: "Limit", at: float) -> None:
        self.limit = limit
        self.tokens: float = limit.burst
        self.at = at

    def tokens_at(self, now: float) -> float:
        """Return what it holds. A clock that ran back takes nothing away, and owes nothing."""
        elapsed = now - self.at
        tokens = self.tokens + elapsed * self.limit.rate if elapsed > 0 else self.tokens
        return min(tokens, self.limit.burst)

    def until_full(self, now: float) -> float:
        """Return the seconds after which it is as good as a new one."""
        return (self.limit.burst - self.tokens_at(now)) / self.limit.rate


class Limit:
    """One rule's limit. ``rate`` is in tokens per second."""

    __slots__ = ("_key", "burst", "by", "rate")

    def __init__(self, by: By, rate: float, burst: int, key: tuple[str, ...]) -> None:
        self.by = by
        self.rate = rate
        self.burst = burst
        self._key = key

    def take(self, target: Target, surroundings: Surroundings) -> bool:  # noqa: ARG002 - compiled for one already
        """Take a token. Return False when there is none: the message is over the limit."""
        if self.by is _STATION:
            buckets, key = surroundings.memory.buckets, self._key
        elif self.by is _ADDRESS:
            buckets, key = surroundings.shared.buckets, (*self._key, surroundings.facts().address)
        else:
            buckets, key = surroundings.shared.buckets, self._key
        now = surroundings.monotonic()
        bucket = buckets.get(key)
        if bucket is None:
            bucket = self._first(buckets, key, now)
        elif bucket.limit is not self:
            bucket.tokens, bucket.at, bucket.limit = bucket.tokens_at(now), now, self
        elapsed = now - bucket.at
        tokens = bucket.tokens
        if elapsed > 0:
            tokens += elapsed * self.rate
        if tokens > self.burst:  # noqa: PLR1730 - min() costs a sixth of what all of this does
            tokens = self.burst
        bucket.at = now
        if tokens < _WHOLE:
            bucket.tokens = tokens
            return False
        bucket.tokens = tokens - 1 if tokens > 1 else 0.0
        return True

    def peek(self, target: Target, surroundings: Surroundings) -> Level:  # noqa: ARG002 - the same
        """Look into a bucket without taking anything; nothing is remembered of it either."""
        memory = surroundings.memory if self.by is _STATION else surroundings.shared
        key = (*self._key, surroundings.facts().address) if self.by is _ADDRESS else self._key
        now = surroundings.monotonic()
        bucket = memory.buckets.get(key)
        tokens = min(bucket.tokens_at(now), self.burst) if bucket is not None else self.burst
        return Level(tokens, self.burst, 0.0 if tokens >= _WHOLE else (1 - tokens) / self.rate)

    def _first(self, buckets: dict[Any, Any], key: tuple[str, ...], now: float) -> _Bucket:
        if len(buckets) >= BUCKETS_MAX:
            _make_room(buckets, now)
        bucket = buckets[key] = _Bucket(self, now)
        return bucket


def _make_room(buckets: dict[Any, _Bucket], now: float) -> None:
    """Forget buckets that are full, which a new one replaces without a difference; else the one that is so the soonest.

    Each time the next few are looked at, in a round. Who comes under ever new names to have an empty bucket forgotten
    fills the memory with fuller ones, and loses these.
    """
    window = list(islice(buckets.items(), _WINDOW))
    waits = {key: bucket.until_full(now) for key, bucket in window}
    soonest = max(min(waits.values()), 0.0)
    for key, bucket in window:
        del buckets[key]
        if waits[key] > soonest:
            buckets[key] = bucket  # behind all others: the next look is at the next ones


def compile_limit(rule_id: str, spec: Mapping[str, Any], target: Target, where: Where = ("limit",)) -> Limit:
    """Return the limit that a rule's ``{by, rate, burst}`` says, for one kind of its messages.

    Limits of one rule share their buckets, but for ``by: action``. Without ``burst`` it is the count of the rate;
    ``over`` is the engine's. Raises :class:`RuleError` for what isn't a limit.
    """
    unknown = sorted(str(key) for key in spec.keys() - {"by", "rate", "burst", "over"})
    if unknown:
        raise RuleError((*where, unknown[0]), f"unknown key {unknown[0]!r}; a limit has by, rate, burst and over")
    by = spec.get("by")
    if by not in [each.value for each in By]:
        raise RuleError((*where, "by"), f"`by` must be one of {', '.join(By)}")
    count, seconds = _rate(spec.get("rate"), (*where, "rate"))
    burst = spec.get("burst", count)
    if not isinstance(burst, int) or isinstance(burst, bool) or not 1 <= burst <= TOKENS_MAX:
        raise RuleError((*where, "burst"), f"`burst` must be a whole number from 1 to {TOKENS_MAX}")
    key = (rule_id, target.action) if by == By.ACTION else (rule_id,)
    return Limit(By(by), count / seconds, burst, key)


def _rate(text: object, where: Where) -> tuple[int, int]:
    found = _RATE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise RuleError(where, '`rate` must be a count per second, minute, hour or day: "10/hour"')
    count = int(found[1])
    if not 1 <= count <= TOKENS_MAX:
        raise RuleError(where, f"`rate` must be 1 to {TOKENS_MAX} per {found[2]}")
    return count, _PERIODS[found[2]]
