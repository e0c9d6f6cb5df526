"""What the services of logs need of the store, and the words that they share."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from gateway.bridge.books import Json
from gateway.session.firmware import LogRecord, LogState, NewLog
from gateway.wire.versions import Version

FILE_NAME_MAX: Final = 100
"""Characters kept of a file's name."""
ARRIVED: Final = frozenset({LogState.HANDED_OVER, LogState.KEPT})
"""What its backend hears as Uploaded, when the log is over."""

_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")


class LogBook(Protocol):
    """The logs on record. Every method raises StoreAway."""

    async def add(self, new: NewLog) -> tuple[LogRecord, Sequence[LogRecord]]:
        """Keep a log that a station is asked for; and those that are waited for no more for it."""

    async def number(self, log_id: int, request_id: int) -> LogRecord:
        """Enter the requestId that the station is asked under."""

    async def find(self, log_id: int) -> LogRecord | None:
        """Return one log, or None."""

    async def newest(self, identity: str, *, request_id: int | None, action: str | None = None) -> LogRecord | None:
        """Return the station's last log under ``request_id``, one that is waited for before one that isn't; or None."""

    async def list(
        self,
        *,
        identity: str | None = None,
        states: Collection[LogState] | None = None,
        after_id: int = 0,
        limit: int | None = None,
    ) -> Sequence[LogRecord]:
        """Return the logs that fit, in the order in which they were asked for; None: any."""

    async def untold(self, identity: str) -> Sequence[LogRecord]:
        """Return the station's logs that are over and whose backend hasn't heard so."""

    async def unchanged_since(self, at: datetime, states: Collection[LogState], *, limit: int) -> Sequence[LogRecord]:
        """Return logs that have been in one of these states since ``at`` or longer."""

    async def oldest_files(self, *, limit: int) -> Sequence[LogRecord]:
        """Return the logs that are here and that nobody waits for, the oldest first."""

    async def total_size(self, states: Collection[LogState] | None = None) -> int:
        """Return the bytes of all files that are here, or of those in these states."""

    async def move(
        self, log_id: int, was: Collection[LogState], state: LogState, *, reason: str | None = None, **values: Any
    ) -> LogRecord | None:
        """Give a log its next state and other ``values``; None when it isn't in one of ``was``."""

    async def told(self, log_id: int) -> None:
        """Its backend has heard what has become of it, or isn't to."""

    async def named(self, log_id: int, file_name: str) -> None:
        """The station has said how the file is called."""

    async def forget(self, before: datetime) -> None:
        """Forget the logs without a file that are over and unchanged since."""


class LogShelf(Protocol):
    """Where the files lie."""

    def path(self, log_id: int) -> Path:
        """Return where a log lies, or would."""

    async def remove(self, log_id: int) -> None:
        """Delete a log's file, if it is there. Raises OSError."""


def file_name_of(text: str | None) -> str | None:
    """Return a peer's word for a file as a name alone: no path, no hidden file, no odd character; None for nothing."""
    name = _UNFIT.sub("_", re.split(r"[/\\]", text or "")[-1])[-FILE_NAME_MAX:].lstrip(".-_")
    return name or None


def name_for(record: LogRecord) -> str:
    """Return the name by which a log is handed on."""
    return record.file_name or f"{file_name_of(record.identity) or 'station'}-{record.log_type}-{record.id}.log"


def fate(version: Version, record: LogRecord) -> tuple[str, Json]:
    """Return the message by which a station of ``version`` would tell what has become of a log that is over."""
    has_arrived = record.state in ARRIVED
    if version is Version.V16 and record.action == "GetDiagnostics":
        return "DiagnosticsStatusNotification", {"status": "Uploaded" if has_arrived else "UploadFailed"}
    status = "Uploaded" if has_arrived else "UploadFailure"
    return "LogStatusNotification", {"status": status, "requestId": record.request_id}
