"""After a failure: how long to leave it alone."""

from typing import Final

FIRST: Final = 1.0
LAST: Final = 60.0


class Backoff:
    """Counts failures in a row: after each the pause is twice as long, up to LAST seconds."""

    def __init__(self, first: float = FIRST, last: float = LAST) -> None:
        self._first = first
        self._last = last
        self._pause = 0.0
        self._until = float("-inf")
        self.reason = ""
        """Of the failure that it waits after."""

    def waits(self, now: float) -> float:
        """Return the seconds until the next try, 0 when one may be made."""
        return max(0.0, self._until - now)

    def failed(self, now: float, reason: str = "") -> None:
        """Begin the next pause; failures within a pause are the same one."""
        if not self.waits(now):
            self._pause = min(self._last, 2 * self._pause or self._first)
            self._until = now + self._pause
            self.reason = reason

    def succeeded(self) -> None:
        """Forget the failures."""
        self._pause = 0.0
        self._until = float("-inf")
