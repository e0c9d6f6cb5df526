"""How often one may fail: token buckets per address and per identity (attacks A1, A5).

A password that is compared takes a token *before* the work and gets it back when it fitted, so that guesses made at
once count like guesses made in turn. Who has none left hears 429, for a known and an unknown identity alike.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, Self, TypeVar

from gateway.transport import household

BUCKETS_MAX: Final = 65_536
"""Keys that one set of buckets remembers, the last used ones; some 200 bytes each. A forgotten one is full again."""
OWN_TRIES_PER_MINUTE: Final = 2.0
"""Tries that each address has of its own for an identity whose bucket others have emptied: one in 30 s."""
ADMISSIONS_PER_MINUTE: Final = 60.0
"""Connections that one station may open in a minute, as many at once: each costs a write to the store, or a probe of
the one before it."""
ADDRESS_FAILED: Final = "TOO_MANY"
"""The code of a connection that was turned away at the accept (``transport.Refused``)."""

Key = TypeVar("Key", bound=Hashable)


class Buckets(Generic[Key]):
    """One bucket per key: ``burst`` tokens at first, ``per_minute`` new ones a minute up to ``burst``."""

    def __init__(
        self, per_minute: float, burst: float, *, most: int = BUCKETS_MAX, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``clock`` gives seconds and never goes back."""
        self._rate = per_minute / 60.0
        self._burst = burst
        self._most = most
        self._clock = clock
        self._levels: OrderedDict[Key, tuple[float, float]] = OrderedDict()
        """Key -> tokens, and when that was; the longest untouched first. A full bucket isn't kept."""

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, key: Key) -> bool:
        """Take a token; False when there is none."""
        level = self._level(key)
        if level < 1.0:
            return False
        self._set(key, level - 1.0)
        return True

    def give_back(self, key: Key) -> None:
        """Return a token that was taken."""
        self._set(key, self._level(key) + 1.0)

    def wait(self, key: Key) -> float:
        """Return the seconds until there is a token: 0 when there is one."""
        return max(0.0, (1.0 - self._level(key)) / self._rate)

    def _level(self, key: Key) -> float:
        known = self._levels.get(key)
        if known is None:
            return self._burst
        tokens, at = known
        return min(self._burst, tokens + (self._clock() - at) * self._rate)

    def _set(self, key: Key, tokens: float) -> None:
        if tokens >= self._burst:
            self._levels.pop(key, None)
            return
        self._levels[key] = (tokens, self._clock())
        self._levels.move_to_end(key)
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)


class TooManyAtOnce(Exception):
    """Most of the address's tokens are taken by passwords that are still being compared: they may all fit."""


class TooManyFailures(Exception):
    """No token is left. ``wait``: seconds until there is one."""

    def __init__(self, text: str, wait: float) -> None:
        super().__init__(text)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Reservation:
    """The tokens of one comparison. A context manager: at its end the comparison is over, whatever came of it."""

    _back: tuple[Callable[[], None], ...]
    _over: Callable[[], None]

    def give_back(self) -> None:
        """The password fitted, or was never compared. To be called once at most."""
        for each in self._back:
            each()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over()


@dataclass(frozen=True, slots=True)
class FailureLimits:
    """Failures that are free in a minute; as many may come at once."""

    connections_per_address: int
    passwords_per_address: int
    passwords_per_identity: int


class Failures:
    """What failed of late, for all listeners together. All of an IPv6 /64 counts as one address."""

    def __init__(self, limits: FailureLimits, *, clock: Callable[[], float] = time.monotonic) -> None:
        def buckets(each: int) -> Buckets[str | bytes]:
            return Buckets(each, each, clock=clock)

        self._limits = limits
        self._connections = buckets(limits.connections_per_address)
        self._addresses = buckets(limits.passwords_per_address)
        self._identities = buckets(limits.passwords_per_identity)
        self._own_tries: Buckets[tuple[str | bytes, str]] = Buckets(OWN_TRIES_PER_MINUTE, 1.0, clock=clock)
        self._admissions: Buckets[str] = Buckets(ADMISSIONS_PER_MINUTE, ADMISSIONS_PER_MINUTE, clock=clock)
        self._compared: Counter[str | bytes] = Counter()
        """By address: passwords that are being compared now."""

    def screen(self, address: str) -> str | None:
        """Return ``ADDRESS_FAILED`` when an address has failed too often to be heard, else None."""
        return ADDRESS_FAILED if self._connections.wait(household(address)) else None

    def connection_failed(self, address: str) -> None:
        """Count a connection that ended in its TLS handshake, in its request, or was refused by the door."""
        self._connections.take(household(address))

    def count_admission(self, identity: str) -> None:
        """Count a connection of a station that has proven to be it. Raises :class:`TooManyFailures`."""
        if not self._admissions.take(identity):
            raise TooManyFailures("it connects too often", self._admissions.wait(identity))

    def reserve(self, address: str, identity: str) -> Reservation:
        """Take the tokens for one comparison of a password. Raises :class:`TooManyFailures`, :class:`TooManyAtOnce`.

        Where strangers have emptied the identity's bucket, each address has a few tries of its own.
        """
        key = household(address)
        if not self._addresses.take(key):
            if self._compared[key] * 2 >= self._limits.passwords_per_address:
                raise TooManyAtOnce(f"{self._compared[key]} passwords of this address are being compared")
            raise TooManyFailures("too many wrong passwords from this address", self._addresses.wait(key))
        if self._identities.take(identity):
            return self._reserved(key, lambda: self._identities.give_back(identity))
        own = (key, identity)
        if self._own_tries.take(own):
            return self._reserved(key, lambda: self._own_tries.give_back(own))
        self._addresses.give_back(key)
        wait = min(self._identities.wait(identity), self._own_tries.wait(own))
        raise TooManyFailures("too many wrong passwords for this identity", wait)

    def _reserved(self, key: str | bytes, give_back: Callable[[], None]) -> Reservation:
        self._compared[key] += 1

        def over() -> None:
            self._compared[key] -= 1
            if not self._compared[key]:
                del self._compared[key]

        return Reservation((lambda: self._addresses.give_back(key), give_back), over)
