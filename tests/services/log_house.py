"""Logs on a real store and a real folder; links, stations and places to send to are stand-ins that write down."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.ports import LogOrdered
from gateway.services.log_uploads import LogUploads
from gateway.services.station_logs import StationLogs
from gateway.session.firmware import LogRecord, LogState, NewLog
from gateway.session.ports import StoreAway
from gateway.session.turn import Turn
from gateway.store.database import Database
from gateway.store.log_files import LogFiles
from gateway.store.station_logs import StationLogs as Book
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FTP = "ftp://user:secret@files.example.com/in/"
TEXT = b"what the station has to say"


class Links:
    """Makes links of an upload that can be read; those that were closed are known."""

    def __init__(self) -> None:
        self.closed: list[int] = []
        self.is_away = False

    async def upload(self, identity: str, log_id: int) -> str:
        if self.is_away:
            raise StoreAway("no store")
        return f"https://gateway.example.com/logs/{identity}-{log_id}/"

    async def close_log(self, log_id: int) -> None:
        self.closed.append(log_id)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"logs have no business with {name}")


class Leg:
    """A backend's leg."""

    def __init__(self) -> None:
        self.is_up = True

    async def wait_up(self, timeout: float) -> bool:
        del timeout
        return self.is_up


class FakeStation:
    """A station, its leg and its bridge: what the bridge is handed is ``told``."""

    def __init__(self, version: Version = Version.V201, identity: str = "CS1") -> None:
        self.identity = identity
        self.version = version
        self.turn = Turn()
        self.backend = Leg()
        self.books = Books()
        self.books.page(Page.BACKEND)["name"] = "csms"
        self.bridge = self
        self.told: list[tuple[str, Json]] = []
        self.fails: list[Exception] = []
        self.asked: list[tuple[str, Json]] = []
        self.answer: Json | Exception = {"status": "Accepted", "filename": "a.zip"}

    async def from_station(self, action: str, payload: Json) -> Json:
        operation(self.version, action).request.check(payload)
        if self.fails:
            raise self.fails.pop(0)
        self.told.append((action, payload))
        return {}

    async def call_station(self, action: str, payload: Json) -> Json:
        operation(self.version, action).request.check(payload)
        self.asked.append((action, payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class House:
    """The parts of one gateway that have to do with logs."""

    def __init__(self, database: Database, files: LogFiles) -> None:
        self.now = NOW
        self.book = Book(database, lambda: self.now)
        self.files = files
        self.links = Links()
        self.station: Any = FakeStation()
        self.received: list[LogRecord] = []
        self.uploads = LogUploads(self.book, files, total_size=1000, hands_over=True, received=self.received.append)
        self._tasks: list[asyncio.Task[None]] = []
        self.logs = self.service()

    def service(self) -> StationLogs:
        return StationLogs(self.book, self.links, live=self._live, spawn=self.spawn, is_coming=self.uploads.is_coming)

    def _live(self, identity: str) -> Any:
        return self.station if self.station is not None and identity == self.station.identity else None

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def settled(self) -> None:
        """Wait for all that was begun."""
        while self._tasks:
            await self._tasks.pop(0)

    async def order(self, number: int | None = 12, *, action: str = "GetLog", backend_id: int | None = 7) -> LogRecord:
        """The backend orders a log, and the station agrees."""
        ordered = LogOrdered(action, "DiagnosticsLog", FTP, backend_id, number)
        desk = self.logs.desk(self.station)
        assert await desk.place(ordered) is not None
        await desk.answered(ordered, is_accepted=True, file_name=None)
        return (await self.book.list())[-1]

    async def own(self) -> LogRecord:
        """An operator asks."""
        return (await self.book.add(NewLog(identity="CS1", by="api", action="GetLog", log_type="SecurityLog")))[0]

    async def upload(self, record: LogRecord, text: bytes = TEXT, name: str | None = None) -> LogRecord:
        """The station uploads it whole."""
        upload = await self.uploads.begin(record.id, record.identity, name, None)
        await upload.write(text)
        await upload.finish()
        return await self.found(record.id)

    async def says(self, status: str, number: int | None = 12) -> list[tuple[str, Json]]:
        """The station tells of it; return what its backend hears at once, and then when all is settled."""
        self.station.told.clear()
        if self.station.version is Version.V16 and number is None:
            await self.logs.diagnostics_status(self.station, {"status": status})
        else:
            payload = {"status": status} if number is None else {"status": status, "requestId": number}
            await self.logs.log_status(self.station, payload)
        await self.settled()
        return list(self.station.told)

    async def found(self, log_id: int) -> LogRecord:
        record = await self.book.find(log_id)
        assert record is not None
        return record

    async def moved(self, record: LogRecord, state: LogState, **values: Any) -> LogRecord:
        moved = await self.book.move(record.id, set(LogState), state, **values)
        assert moved is not None
        return moved


def migrated(folder: Path) -> Path:
    """Return a store that is empty and as it is to be: a copy of it opens in no time."""

    async def make() -> None:
        await (await Database.open(f"sqlite+aiosqlite:///{folder}/voltgate.db", exclusive=True)).close()

    asyncio.run(make())
    return folder / "voltgate.db"


@asynccontextmanager
async def log_house(folder: Path, store: Path) -> AsyncIterator[House]:
    """Open a house in ``folder``, with a copy of ``store``."""
    shutil.copy(store, folder / "voltgate.db")
    database = await Database.open(f"sqlite+aiosqlite:///{folder}/voltgate.db", exclusive=True)
    files = LogFiles(folder / "logs", max_size=100)
    await files.prepare()
    house = House(database, files)
    try:
        yield house
        await house.settled()
    finally:
        await database.close()
