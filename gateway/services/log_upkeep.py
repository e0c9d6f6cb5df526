"""What isn't uploaded in time, what is kept too long, and what is too much."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.services.clock_watch import ClockWatch
from gateway.services.log_book import LogBook, LogShelf
from gateway.services.looking import look_once
from gateway.session.firmware import FirmwareConflict, FirmwareUnknown, LogRecord, LogState

UPLOADED_WITHIN: Final = timedelta(days=1)
"""From when a station is asked; one that has retries takes its time."""
LOOK_EVERY: Final = 300.0
"""Seconds between two looks."""
BATCH: Final = 100
"""Logs that are read at a time."""

_HELD: Final = frozenset({LogState.HANDED_OVER, LogState.KEPT, LogState.FAILED})
"""States of logs whose files may be here, and that nobody waits for."""

log = structlog.get_logger(__name__)


class LogUpkeep:
    """Deleted is for good: by age nothing is for an hour after the machine's clock has jumped."""

    def __init__(  # noqa: PLR0913 - what it looks at, each by its name
        self,
        book: LogBook,
        shelf: LogShelf,
        *,
        keep: timedelta,
        total_size: int,
        over: Callable[[LogRecord], Awaitable[None]],
        is_coming: Callable[[int], bool],
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``await over(record)`` hears of each that isn't waited for any more; ``is_coming(id)``: it is on its way."""
        self._book = book
        self._shelf = shelf
        self._keep = keep
        self._total_size = total_size
        self._over = over
        self._is_coming = is_coming
        self._now = now
        self._clock = ClockWatch(now, monotonic)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await look_once(self.look, "logs_not_looked_after")
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """End what is overdue, and delete what is old or too much. Raises StoreAway, OSError."""
        if self._clock.is_steady():
            await self._end_overdue()
            await self._delete_old()
        await self.make_room()

    async def make_room(self) -> None:
        """Delete the oldest until what is kept is no more than it may be. Raises StoreAway, OSError."""
        surplus = await self._book.total_size() - self._total_size
        while surplus > 0 and (oldest := await self._book.oldest_files(limit=1)):
            await self._delete(oldest[0], "to make room for newer ones (logs.total_size)")
            surplus -= oldest[0].size or 0

    async def delete(self, log_id: int) -> LogRecord:
        """Delete a log's file, as a person wants it. Raises FirmwareUnknown, FirmwareConflict, StoreAway, OSError."""
        record = await self._book.find(log_id)
        if record is None:
            raise FirmwareUnknown(f"there is no log {log_id}")
        if record.is_waited_for:
            raise FirmwareConflict(f"log {log_id} is {record.state.value}: wait until it is handed over, or has failed")
        if record.sha256 is None:
            raise FirmwareConflict(f"log {log_id} has no file")
        await self._delete(record, "by an operator")
        return await self._book.find(log_id) or record

    async def _end_overdue(self) -> None:
        since = self._now() - UPLOADED_WITHIN
        for record in await self._book.unchanged_since(since, {LogState.ASKED}, limit=BATCH):
            if self._is_coming(record.id):
                continue
            reason = f"nothing has come within {UPLOADED_WITHIN.days} day"
            failed = await self._book.move(record.id, {LogState.ASKED}, LogState.FAILED, reason=reason)
            if failed is not None:
                await self._shelf.remove(record.id)  # what came, and was lost when the gateway was killed
                await self._over(failed)

    async def _delete_old(self) -> None:
        since = self._now() - self._keep
        await self._book.forget(since)
        for record in await self._book.unchanged_since(since, _HELD, limit=BATCH):
            await self._delete(record, f"after {self._keep} (logs.keep)")

    async def _delete(self, record: LogRecord, why: str) -> None:
        await self._shelf.remove(record.id)
        reason = f"deleted {why}"
        await self._book.move(record.id, _HELD, LogState.DELETED, reason=reason, sha256=None, is_told=True)
        log.info("log_deleted", identity=record.identity, log=record.id, reason=reason)
