"""The security log: what the gateway sees and what stations report, in one store, one log and one metric (A04)."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from gateway.bridge.books import Json
from gateway.bridge.security_event_names import FROM_16
from gateway.services.peer_text import printable
from gateway.services.security_event_names import label
from gateway.services.security_floods import Floods
from gateway.services.station_commands import ConnectedStation
from gateway.session.ports import StoreAway
from gateway.session.security import KIND_MAX, EventRow, SecurityEvent, Source
from gateway.session.tally import Tally
from gateway.wire.versions import Version

TEXT_MAX: Final = 255
"""Characters kept of a detail, a techInfo or a presented value (SecurityEventNotificationRequest.techInfo)."""
NAME_MAX: Final = 64
"""Characters kept of an identity, an address or the name of what was presented."""
PRESENTED_MAX: Final = 12
"""Members kept of what was presented."""
QUEUE_MAX: Final = 10_000
"""Rows that wait for the store; beyond them the oldest are lost, and counted."""
BATCH_MAX: Final = 500
"""Rows written in one SQL transaction."""
WRITE_EVERY: Final = 1.0
"""Seconds from an event of the gateway's own to its row."""
TRIM_EVERY: Final = 1_000
"""Rows written between two looks at how many are kept."""
LOST: Final = "LostEvents"
"""The kind of a row that stands for events which the store could not take."""

log = structlog.get_logger(__name__)


class EventStore(Protocol):
    """Where events are kept. Both raise StoreAway."""

    async def add_many(self, rows: Sequence[EventRow]) -> None:
        """Keep events, all of them or none; durable on return."""

    async def trim(self, keep: int) -> int:
        """Delete the oldest events beyond the newest ``keep``; return how many went."""


class SecurityEventLog:
    """Fulfils :class:`gateway.session.security.SecurityLog`."""

    def __init__(
        self,
        store: EventStore,
        tally: Tally,
        *,
        keep: int,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``keep``: rows that the store keeps (``limits.security_events``)."""
        self._store = store
        self._tally = tally
        self._keep = keep
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._floods = Floods(clock())
        self._queue: deque[EventRow] = deque()
        self._batch: list[EventRow] = []
        """Rows that are being written; they stay until the store has said that it has them."""
        self._writing = asyncio.Lock()
        self._lost = 0
        self._until_trim = 0
        self._is_away = False

    def note(self, event: SecurityEvent) -> None:
        """Take an event that the gateway saw: a line in the log, one more in the metric, a row within a second or two.

        Of alike events in a minute (``security_floods``) the first is kept, and then their number.
        """
        at = self._now()
        event = _clean(event, at)
        self._count(event)
        self._turn(at)
        if self._floods.take_noted(event, at):
            self._keep_row(EventRow(event))

    async def record(self, event: SecurityEvent) -> None:
        """Keep an event that a station reported: durable on return (A04.FR.02), as far as one is kept by itself.

        Raises StoreAway; then the event waits in memory, should the station not repeat it.
        """
        at = self._now()
        event = _clean(replace(event, source=Source.STATION), at)
        self._count(event)
        self._turn(at)
        if not self._floods.take_reported(event.identity or ""):
            return
        row = EventRow(event)
        _say(row)
        try:
            await self._store.add_many([row])
        except StoreAway:
            self._enqueue(row)
            raise
        self._until_trim -= 1

    async def notification(self, station: ConnectedStation, payload: Json) -> Json:
        """Answer SecurityEventNotification.req of either version with its empty response (A04.FR.03).

        Raises StoreAway.
        """
        kind = payload["type"]
        if station.version is Version.V16:
            kind = FROM_16.get(kind, kind)
        at = _moment(payload["timestamp"])
        presented = {} if at is not None else {"timestamp": payload["timestamp"]}
        await self.record(
            SecurityEvent(kind, payload.get("techInfo", ""), station.identity, presented=presented, at=at)
        )
        return {}

    async def run(self) -> None:
        """Write what waits, again and again. Never returns; to be cancelled, and :meth:`flush` called after it."""
        while True:
            await self._sleep(WRITE_EVERY)
            self._turn(self._now())
            await self._write_all()

    async def flush(self) -> None:
        """Write all that waits, what was only counted so far included: the end. What can't be written is logged."""
        for row in self._floods.counted(self._now()):
            self._keep_row(row)
        await self._write_all()
        left = self._lost + len(self._batch) + len(self._queue)
        if left:
            log.error("security_events_lost", count=left)

    @property
    def waiting(self) -> int:
        """Rows that the store doesn't have yet."""
        return len(self._batch) + len(self._queue)

    def _count(self, event: SecurityEvent) -> None:
        self._tally.security_events[label(event.kind), event.source.value] += 1

    def _turn(self, at: datetime) -> None:
        for row in self._floods.turn(self._clock(), at):
            self._keep_row(row)

    def _keep_row(self, row: EventRow) -> None:
        _say(row)
        self._enqueue(row)

    def _enqueue(self, row: EventRow) -> None:
        if len(self._queue) >= QUEUE_MAX:
            self._queue.popleft()
            self._lost += 1
        self._queue.append(row)

    async def _write_all(self) -> None:
        async with self._writing:
            try:
                while self._batch or self._queue or self._lost:
                    await self._write_some()
                if self._until_trim <= 0:
                    await self._store.trim(self._keep)
                    self._until_trim = TRIM_EVERY
            except StoreAway as away:
                if not self._is_away:
                    log.error("security_events_wait", count=self.waiting, reason=str(away))  # noqa: TRY400 - it says it
                self._is_away = True
                return
            except Exception:
                # Each has its line in the log; a row that can't be written must not keep all later ones from it.
                log.exception("security_events_refused", count=len(self._batch))
                self._batch = []
            self._is_away = False

    async def _write_some(self) -> None:
        if not self._batch:
            if self._lost:
                text = "the store was away for so long that these events could not be kept"
                self._batch.append(EventRow(SecurityEvent(LOST, text, at=self._now()), self._lost))
                self._lost = 0
            while self._queue and len(self._batch) < BATCH_MAX:
                self._batch.append(self._queue.popleft())
        await self._store.add_many(self._batch)
        self._until_trim -= len(self._batch)
        self._batch = []


def _say(row: EventRow) -> None:
    event = row.event
    known = {"identity": event.identity, "remote": event.remote, "presented": dict(event.presented) or None}
    log.warning(
        "security_event",
        kind=event.kind,
        source=event.source.value,
        detail=event.detail,
        count=row.count,
        **{name: value for name, value in known.items() if value is not None},
    )


def _clean(event: SecurityEvent, now: datetime) -> SecurityEvent:
    """Return the event with a time, aware, and with every text of it printable and bounded (attack C7)."""
    at = event.at or now
    return replace(
        event,
        at=at if at.tzinfo is not None else at.replace(tzinfo=UTC),
        kind=printable(event.kind, KIND_MAX),
        detail=printable(event.detail, TEXT_MAX),
        identity=None if event.identity is None else printable(event.identity, NAME_MAX),
        remote=None if event.remote is None else printable(event.remote, NAME_MAX),
        presented=_presented(event.presented),
    )


def _presented(presented: Mapping[str, str]) -> Mapping[str, str]:
    first = list(presented.items())[:PRESENTED_MAX]
    return {printable(name, NAME_MAX): printable(value, TEXT_MAX) for name, value in first}


def _moment(text: str) -> datetime | None:
    """Return a station's timestamp, aware, in UTC; None where it has no meaning (year 1 east of Greenwich, second 60).

    1.6 lets the zone be missing: then it is UTC.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
