"""Sends the logs that have come on to where their backends want them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from gateway.services.log_book import LogBook, LogShelf, name_for
from gateway.session.firmware import LogRecord, LogState
from gateway.session.ports import StoreAway
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from pki.destinations import DestinationRefused
from pki.uploading import UploadFailed

AT_ONCE: Final = 4
RETRIES_AFTER: Final = (10.0, 60.0, 300.0, 900.0, 1800.0)
"""Seconds between one attempt and the next."""
STORE_AWAY: Final = 15.0
"""Seconds until a store that was away is asked again."""

log = structlog.get_logger(__name__)


class Sender(Protocol):
    """Sends files."""

    async def send(self, location: str, file: Path, file_name: str) -> None:
        """Send ``file``. Raises DestinationRefused, UploadFailed, OSError."""


class LogHandOver:
    """The way of each log from here to its backend's place."""

    def __init__(
        self,
        book: LogBook,
        shelf: LogShelf,
        sender: Sender,
        security: SecurityLog,
        *,
        over: Callable[[LogRecord], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None], str], object],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``await over(record)`` hears of each that is through, well or not."""
        self._book = book
        self._shelf = shelf
        self._sender = sender
        self._security = security
        self._over = over
        self._spawn = spawn
        self._sleep = sleep
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        for record in await self._book.list(states={LogState.RECEIVED}):
            self.begin(record)

    def begin(self, record: LogRecord) -> None:
        """A log is here that is to be handed over, or only kept."""
        self._spawn(self._bring(record), f"log {record.id} of {record.identity}")

    async def _bring(self, record: LogRecord) -> None:
        failure = await self._failure(record) if record.state is LogState.RECEIVED else None
        while True:
            try:
                moved = await self._settle(record, failure) if record.state is LogState.RECEIVED else record
                if moved is not None:
                    await self._over(moved)
            except StoreAway as away:
                log.error("store_unavailable", reason=str(away), again_in=STORE_AWAY)  # noqa: TRY400 - it says it all
                await self._sleep(STORE_AWAY)
            else:
                return

    async def _failure(self, record: LogRecord) -> str | None:
        """Hand a log over; return why it can't be, or None when it is there."""
        for after in (*RETRIES_AFTER, None):
            try:
                async with self._turns:
                    await self._sender.send(record.destination or "", self._shelf.path(record.id), name_for(record))
            except DestinationRefused as refused:
                text = f"the log isn't handed over: {refused} (logs.destinations, logs.trusted_networks)"
                self._security.note(SecurityEvent(Kind.UNSAFE_LOCATION, text, record.identity))
                return f"{refused}; see logs.destinations and logs.trusted_networks"
            except OSError as error:
                return f"the file can't be read: {error.strerror}"
            except UploadFailed as failed:
                about = {"identity": record.identity, "log": record.id, "reason": str(failed)}
                if failed.is_final or after is None:
                    log.warning("log_not_handed_over", **about)
                    return str(failed)
                log.info("log_hand_over_again", again_in=after, **about)
                await self._sleep(after)
            else:
                return None
        raise AssertionError  # the last round returns

    async def _settle(self, record: LogRecord, failure: str | None) -> LogRecord | None:
        """Enter what has become of it. Raises StoreAway."""
        state = LogState.HANDED_OVER if failure is None else LogState.FAILED
        reason = None if failure is None else f"it is kept here, and could not be handed over: {failure}"
        return await self._book.move(record.id, {LogState.RECEIVED}, state, reason=reason)
