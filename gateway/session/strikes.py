"""How often something may go wrong in a while, before it is no accident any more."""

from collections import deque
from typing import Final

STRIKES_MAX: Final = 60
"""Malformed frames, and answers to nothing, that a peer may send in ``STRIKES_WINDOW``."""
STRIKES_WINDOW: Final = 60.0
"""Seconds over which they are counted."""


class Strikes:
    """Counts over a sliding window; times are seconds of any monotonic clock."""

    def __init__(self, most: int = STRIKES_MAX, window: float = STRIKES_WINDOW) -> None:
        self._most = most
        self._window = window
        self._times: deque[float] = deque(maxlen=most)

    def one_more(self, now: float) -> bool:
        """Count one; return whether that is more than may be."""
        is_too_many = len(self._times) == self._most and now - self._times[0] < self._window
        self._times.append(now)
        return is_too_many
