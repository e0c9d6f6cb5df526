"""Takes what stations upload: one log to each link, once, and no more in all than there is room for."""

from collections.abc import Callable
from typing import Final, Protocol

import structlog

from gateway.services.log_book import LogBook, LogShelf, file_name_of
from gateway.session.file_links import UploadRefusal, UploadRefused
from gateway.session.firmware import LogRecord, LogState
from gateway.session.ports import StoreAway

log = structlog.get_logger(__name__)


class IncomingFile(Protocol):
    """One file that is being written."""

    @property
    def size(self) -> int:
        """Bytes that have come."""

    async def write(self, chunk: bytes) -> None:
        """Take the next octets. Raises UploadRefused."""

    async def commit(self) -> str:
        """All is here and on disk: return its SHA-256 in hex. Raises UploadRefused; nothing is left then."""

    async def abort(self) -> None:
        """Forget what came."""


class IncomingShelf(LogShelf, Protocol):
    """Where files come to lie."""

    async def begin(self, log_id: int, length: int | None) -> IncomingFile:
        """Begin to write one log. Raises UploadRefused."""


class LogUploads:
    """Fulfils :class:`gateway.session.file_links.Uploads`."""

    def __init__(
        self,
        book: LogBook,
        shelf: IncomingShelf,
        *,
        total_size: int,
        hands_over: bool,
        received: Callable[[LogRecord], None],
    ) -> None:
        """``received(record)`` hears of each log that is here."""
        self.book: Final = book
        self.shelf: Final = shelf
        self._total_size = total_size
        self._hands_over = hands_over
        self._received = received
        self._under_way: set[int] = set()
        self._coming = 0
        """Bytes of what is under way."""

    def is_coming(self, log_id: int) -> bool:
        """Return whether an upload of this log is under way."""
        return log_id in self._under_way

    async def begin(self, log_id: int, identity: str, name: str | None, length: int | None) -> "LogUpload":
        """Begin to take one log. Raises UploadRefused, StoreAway."""
        record = await self.book.find(log_id)
        if record is None or record.identity != identity or record.state is not LogState.ASKED:
            raise UploadRefused(UploadRefusal.CLOSED, f"log {log_id} isn't waited for")
        if log_id in self._under_way:
            raise UploadRefused(UploadRefusal.BUSY, f"another upload of log {log_id} is under way")
        self._under_way.add(log_id)
        try:
            kept = await self.book.total_size({LogState.RECEIVED})
            self.check_room(kept + (length or 0))
            return LogUpload(self, record, name, await self.shelf.begin(log_id, length))
        except BaseException:
            self._under_way.discard(log_id)
            raise

    def check_room(self, more: int) -> None:
        """Return when so many bytes more may come. Raises UploadRefused."""
        if self._coming + more > self._total_size:
            text = f"more is under way than is kept: {self._total_size} bytes (logs.total_size)"
            raise UploadRefused(UploadRefusal.NO_SPACE, text)

    def came(self, count: int) -> None:
        """So many bytes more are under way."""
        self._coming += count

    def ended(self, log_id: int, count: int) -> None:
        """An upload is over, of so many bytes."""
        self._under_way.discard(log_id)
        self._coming -= count

    async def arrived(self, record: LogRecord, file: IncomingFile, name: str | None) -> None:
        """A log is here whole. Raises UploadRefused, StoreAway; then it isn't kept."""
        sha256 = await file.commit()
        is_for_backend = record.destination is not None and self._hands_over
        state = LogState.RECEIVED if is_for_backend else LogState.KEPT
        try:
            known = await self.book.find(record.id) or record  # the station's answer may have named the file meanwhile
            file_name = known.file_name or file_name_of(name)
            moved = await self.book.move(
                record.id, {LogState.ASKED}, state, sha256=sha256, size=file.size, file_name=file_name
            )
        except StoreAway:
            await self.shelf.remove(record.id)
            raise
        if moved is None:
            await self.shelf.remove(record.id)
            raise UploadRefused(UploadRefusal.CLOSED, f"log {record.id} isn't waited for any more")
        log.info("log_received", identity=record.identity, log=record.id, size=file.size, sha256=sha256)
        self._received(moved)


class LogUpload:
    """One upload; fulfils :class:`gateway.session.file_links.Upload`."""

    def __init__(self, uploads: LogUploads, record: LogRecord, name: str | None, file: IncomingFile) -> None:
        self._uploads = uploads
        self._record = record
        self._name = name
        self._file = file
        self._count = 0

    async def write(self, chunk: bytes) -> None:
        """Take the next octets. Raises UploadRefused."""
        self._uploads.check_room(len(chunk))
        self._uploads.came(len(chunk))
        self._count += len(chunk)
        await self._file.write(chunk)

    async def finish(self) -> None:
        """All is here. Raises UploadRefused, StoreAway."""
        try:
            await self._uploads.arrived(self._record, self._file, self._name)
        finally:
            self._uploads.ended(self._record.id, self._count)

    async def abort(self, reason: str) -> None:
        """The station broke off, was too slow, or sent too much: it may try again while the link is good."""
        log.warning("log_upload_broken_off", identity=self._record.identity, log=self._record.id, reason=reason)
        try:
            await self._file.abort()
        finally:
            self._uploads.ended(self._record.id, self._count)
