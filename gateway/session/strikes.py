"""How often something may go wrong in a while, before it is no accident any more."""

from typing import Final

STRIKES_MAX: Final = 60
"""Malformed frames, and answers to nothing, that a peer may send in ``STRIKES_WINDOW``."""
STRIKES_WINDOW: Final = 60.0
"""Seconds over which they are counted."""


class Strikes:
    """Counts over a sliding window; times are seconds of any monotonic clock."""

    __slots__ = ("_most", "_times", "_window")

    def __init__(self, most: int = STRIKES_MAX, window: float = STRIKES_WINDOW) -> None:
        self._most = most
        self._window = window
        self._times: tuple[float, ...] = ()

    def one_more(self, now: float) -> bool:
        """Count one; return whether that is more than may be."""
        times = self._times
        is_full = len(times) == self._most
        is_too_many = is_full and now - times[0] < self._window
        self._times = (*times[is_full:], now)
        return is_too_many

    def is_quiet(self, now: float) -> bool:
        """Return whether nothing was counted in the last window."""
        return not self._times or now - self._times[-1] >= self._window


class StrikesByIdentity:
    """Counts each station by itself, and forgets those that have been quiet, removed ones among them."""

    def __init__(self, most: int, window: float) -> None:
        self._most = most
        self._window = window
        self._counted: dict[str, Strikes] = {}
        self._look_at = float("-inf")

    def __len__(self) -> int:
        """Return how many stations are remembered."""
        return len(self._counted)

    def one_more(self, identity: str, now: float) -> bool:
        """Count one; return whether that is more than this station may."""
        if now >= self._look_at:
            self._counted = {name: each for name, each in self._counted.items() if not each.is_quiet(now)}
            self._look_at = now + self._window
        strikes = self._counted.get(identity)
        if strikes is None:
            strikes = self._counted[identity] = Strikes(self._most, self._window)
        return strikes.one_more(now)
