"""Logs put together: from the order, through the upload, to the place that the backend named; over a restart, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.app.problems import StartFailed
from gateway.app.station_logs import LogParts
from gateway.app.tasks import Tasks
from gateway.bridge.ports import LogOrdered
from gateway.config.firmware import Logs
from gateway.config.values import FOLDER
from gateway.session.firmware import LogState
from gateway.session.security import SecurityEvent
from gateway.store.database import Database
from gateway.wire.versions import Version
from tests.services.log_house import TEXT, FakeStation, Links

PATIENCE = 20.0
"""Seconds after which a test has failed."""


class Noted:
    """A security log that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[SecurityEvent] = []

    def note(self, event: SecurityEvent) -> None:
        self.events.append(event)


class Place:
    """Where a backend wants logs."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((request.path, await request.read()))
        return web.Response(status=201)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made, app = Place(), web.Application()
    app.router.add_put("/{path:.*}", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


def section(folder: Path, **keys: Any) -> Logs:
    return Logs.model_validate(keys, context={FOLDER: folder})


class Gateway:
    """What of a gateway has to do with logs, with one station."""

    def __init__(self, config: Logs, database: Database) -> None:
        self.station: Any = FakeStation()
        self.tasks = Tasks()
        self.security = Noted()
        self.parts = LogParts(
            config, database, Links(), self.security, self.tasks, live=lambda _: (self.station, "csms")
        )

    async def idle(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while running := [task for task in self.tasks._running if task.get_name() != "logs"]:
                await asyncio.wait(running)

    async def order(self, location: str) -> int:
        """The backend orders a log; return its number."""
        ordered = LogOrdered("GetLog", "SecurityLog", location, 7, 12)
        desk = self.parts.desk(self.station)
        assert await desk.place(ordered) is not None
        await desk.answered(ordered, is_accepted=True, file_name="a.zip")
        return (await self.parts.book.list())[-1].id

    async def upload(self, number: int) -> None:
        upload = await self.parts.uploads.begin(number, "CS1", None, len(TEXT))
        await upload.write(TEXT)
        await upload.finish()


@asynccontextmanager
async def running(config: Logs, folder: Path) -> AsyncIterator[Gateway]:
    database = await Database.open(f"sqlite+aiosqlite:///{folder}/voltgate.db", exclusive=True)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        gateway = Gateway(config, database)
        stack.push_async_callback(gateway.tasks.close)
        await gateway.parts.prepare(stack)
        await gateway.parts.load()
        gateway.parts.start()
        yield gateway


async def test_a_log_is_brought_to_where_the_backend_wants_it(place: Place, tmp_path: Path) -> None:
    config = section(tmp_path, destinations=[place.url], trusted_networks=["127.0.0.1/32"])
    async with running(config, tmp_path) as gateway:
        number = await gateway.order(f"{place.url}/in/")
        await gateway.upload(number)
        await gateway.idle()

        assert place.taken == [("/in/a.zip", TEXT)]
        assert gateway.station.told == [("LogStatusNotification", {"status": "Uploaded", "requestId": 12})]
        record = await gateway.parts.for_operators.find(number)
        assert record is not None
        assert record.state is LogState.HANDED_OVER
        assert gateway.parts.for_operators.path(number).stat().st_size == len(TEXT)


async def test_a_log_goes_on_over_a_restart(place: Place, tmp_path: Path) -> None:
    config = section(tmp_path, destinations=[place.url], trusted_networks=["127.0.0.1/32"])
    async with running(config, tmp_path) as killed:
        number = await killed.order(f"{place.url}/in/")
        killed.parts._hand_over.begin = lambda _: None  # type: ignore[assignment,method-assign]  # killed before it could begin
        await killed.upload(number)

    async with running(config, tmp_path) as gateway:
        await gateway.idle()
        assert place.taken == [("/in/a.zip", TEXT)]
        assert [payload["status"] for _, payload in gateway.station.told] == ["Uploaded"]


async def test_a_place_that_is_not_on_the_list_gets_nothing(place: Place, tmp_path: Path) -> None:
    config = section(tmp_path, destinations=["logs.example.com"])
    async with running(config, tmp_path) as gateway:
        number = await gateway.order(f"{place.url}/in/")
        await gateway.upload(number)
        await gateway.idle()

        assert place.taken == []
        assert [event.kind for event in gateway.security.events] == ["UnsafeLocation"]
        assert [payload["status"] for _, payload in gateway.station.told] == ["UploadFailure"]
        assert gateway.parts.files.path(number).exists()


async def test_what_stations_say_of_logs_is_heard_here(tmp_path: Path) -> None:
    async with running(section(tmp_path), tmp_path) as gateway:
        assert set(gateway.parts.by_action) == {
            (Version.V16, "DiagnosticsStatusNotification"),
            *((version, "LogStatusNotification") for version in Version),
        }
        gateway.parts.joined(gateway.station)
        await gateway.idle()


async def test_what_can_not_be_had_is_said_before_anything_is_served(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartFailed, match=r"logs\.directory: .*file"):
        async with running(section(tmp_path, directory="file"), tmp_path):
            pass
    with pytest.raises(StartFailed, match=r"logs\.roots: .*no\.pem"):
        async with running(section(tmp_path, destinations=["h"], roots="no.pem"), tmp_path):
            pass
