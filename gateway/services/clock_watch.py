"""Does the machine's clock go as time does? One that was set anew makes every date look near, or far."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

JUMP: Final = 300.0
"""Seconds by which the clock may be set between two looks without a word; leap seconds and NTP's steps are below."""
HOLD: Final = 3600.0
"""Seconds after a jump in which nothing is done by the date, so that a wrong clock is set right first."""

log = structlog.get_logger(__name__)


class ClockWatch:
    """Compares the clock with the seconds that have passed. One that was off when the process began isn't noticed."""

    def __init__(self, clock: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._last: tuple[datetime, float] | None = None
        self._off = 0.0
        """Seconds by which the clock is ahead of what it should say by what it said before it jumped."""
        self._held_until = float("-inf")

    def is_steady(self) -> bool:
        """Look at the clock: False for ``HOLD`` seconds after it jumped, unless it jumps back before that."""
        now, seconds = self._clock(), self._monotonic()
        if self._last is not None:
            drift = (now - self._last[0]).total_seconds() - (seconds - self._last[1])
            if abs(drift) > JUMP:
                self._jumped(drift, seconds)
        self._last = now, seconds
        if seconds >= self._held_until:
            self._off = 0.0
            return True
        return False

    def _jumped(self, drift: float, seconds: float) -> None:
        self._off += drift
        if abs(self._off) <= JUMP:
            log.warning("clock_is_back", seconds=round(drift))
            self._held_until = float("-inf")
        else:
            log.error("clock_jumped", seconds=round(drift), nothing_by_date_for=HOLD)
            self._held_until = seconds + HOLD
