"""Floods of security events, kept as counts: attackers choose how often an event happens, not how much is written.

Pure: time comes in as an argument. Windows follow each other; at the end of one, what was only counted in it becomes a
row each.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateway.session.security import EventRow, SecurityEvent, Source

WINDOW: Final = 60.0
"""Seconds in which alike events of the gateway's own are kept once."""
ROWS_MAX: Final = 600
"""Events of the gateway's own in one window that are kept each by itself; at its end, as many counts of repetitions."""
REPORTS_MAX: Final = 60
"""Events in one window that one station may report before the rest are only counted."""
STATIONS_MAX: Final = 10_000
"""Stations whose reports are counted in one window; what others report then counts as one station's."""
SUPPRESSED: Final = "SuppressedEvents"
"""The kind of a row that stands for events of which nothing more is kept than their number."""


@dataclass(slots=True)
class _Repeated:
    event: SecurityEvent
    more: int
    last_at: datetime


class Floods:
    """Decides of each event whether it is kept by itself, and remembers the number of those that aren't."""

    def __init__(self, now: float) -> None:
        self._ends = now + WINDOW
        self._seen: dict[tuple[str, Source, str | None, str], _Repeated] = {}
        self._suppressed = 0
        self._reports: dict[str, int] = {}

    def take_noted(self, event: SecurityEvent, at: datetime) -> bool:
        """Return whether an event that the gateway saw is kept by itself; else it is counted.

        Alike are those of one kind, identity and address, whatever their detail: a peer may choose that. Without an
        address it is what the gateway or its operator did, and the detail says what.
        """
        key = event.kind, event.source, event.identity, event.remote or event.detail
        repeated = self._seen.get(key)
        if repeated is not None:
            repeated.more += 1
            repeated.last_at = at
            return False
        if len(self._seen) >= ROWS_MAX:
            self._suppressed += 1
            return False
        self._seen[key] = _Repeated(event, 0, at)
        return True

    def take_reported(self, identity: str) -> bool:
        """Return whether an event that this station reported is kept by itself; else it is counted."""
        if identity not in self._reports and len(self._reports) >= STATIONS_MAX:
            identity = ""
        count = self._reports[identity] = self._reports.get(identity, 0) + 1
        return count <= REPORTS_MAX

    def turn(self, now: float, at: datetime) -> list[EventRow]:
        """Return what was only counted in the window that has ended, or nothing while it goes on."""
        if now < self._ends:
            return []
        self._ends = now + WINDOW
        return self.counted(at)

    def counted(self, at: datetime) -> list[EventRow]:
        """Return what was only counted so far, and begin a new window."""
        rows = [
            EventRow(replace(each.event, at=each.event.at or at), each.more, each.last_at)
            for each in self._seen.values()
            if each.more
        ]
        if self._suppressed:
            text = "more kinds of events happened in a minute than are kept each by itself"
            rows.append(EventRow(SecurityEvent(SUPPRESSED, text, at=at), self._suppressed))
        for identity, count in self._reports.items():
            if count > REPORTS_MAX:
                text = f"the station reported more than {REPORTS_MAX} events in a minute"
                event = SecurityEvent(SUPPRESSED, text, identity or None, at=at)
                rows.append(EventRow(event, count - REPORTS_MAX))
        self._seen.clear()
        self._reports.clear()
        self._suppressed = 0
        return rows
