"""How often the connection of one identity may be replaced: two stations with one identity take turns else (A4)."""

from collections import OrderedDict, deque
from typing import Final

FREE: Final = 5
"""Replacements in ``WINDOW`` that need no wait: a station on a bad line comes back while its old socket hangs."""
WINDOW: Final = 300.0
"""Seconds over which they are counted."""
WAIT_FIRST: Final = 30.0
"""Seconds before the next one beyond them; each further one doubles the wait."""
WAIT_MAX: Final = 300.0
"""Longest wait in seconds."""
IDENTITIES_MAX: Final = 10_000
"""Identities that are remembered, the last replaced ones."""


class Replacements:
    """Counts by identity; times are seconds of any monotonic clock."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, identity: str, now: float) -> float:
        """Return for how many seconds the present connection must not be replaced; 0 when it may."""
        times = self._recent(identity, now)
        excess = len(times) - FREE
        if excess < 0:
            return 0.0
        pause = min(WAIT_FIRST * 2.0**excess, WAIT_MAX)
        return max(0.0, times[-1] + pause - now)

    def happened(self, identity: str, now: float) -> None:
        """One was replaced."""
        self._times[identity] = self._recent(identity, now)
        self._times[identity].append(now)
        self._times.move_to_end(identity)
        while len(self._times) > IDENTITIES_MAX:
            self._times.popitem(last=False)

    def _recent(self, identity: str, now: float) -> deque[float]:
        times = self._times.get(identity, deque(maxlen=FREE * 2))
        while times and times[0] <= now - WINDOW:
            times.popleft()
        return times
