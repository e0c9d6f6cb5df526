"""The interval of BootNotification's answer, whatever a backend says."""

from typing import Final

INTERVAL_MAX: Final = 86_400
"""Seconds: a station sends a Heartbeat, or tries to boot again, once a day at least, whatever the backend says."""


def sane_interval(seconds: int) -> int:
    """Return ``seconds`` brought between 0, which leaves it to the station, and a day."""
    return min(max(seconds, 0), INTERVAL_MAX)
