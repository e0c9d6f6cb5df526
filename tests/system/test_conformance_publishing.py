"""The certification's cases on publishing firmware, TC_L_17 and 19 to 24, as a CSMS: the station is a local controller.

An operator has it publish by hand; what it says of it is kept and shown.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.system.stations import register

pytestmark = pytest.mark.asyncio(loop_scope="module")

VERSION: Final = "ocpp2.0.1"
CHECKSUM: Final = "0123456789abcdef0123456789abcdef"
PUBLISHED: Final = ["http://192.0.2.1/fw.bin", "https://192.0.2.1/fw.bin"]
REQUEST_ID: Final = 2**31 - 1
"""An operator's own."""
UNPUBLISH: Final = ("UnpublishFirmware", {"checksum": CHECKSUM})
PUBLISH: Final = (
    "PublishFirmware",
    {"location": "https://firmware.example.com/fw.bin", "checksum": CHECKSUM, "requestId": REQUEST_ID},
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(new_deployment: Callable[[], AbstractAsyncContextManager[Any]]) -> AsyncIterator[Any]:
    async with new_deployment() as deployed:
        await deployed.start()
        yield deployed


class Controller:
    """A local controller that answers each action as it is told, and says how it gets on."""

    def __init__(self, gateway: Any, connection: Any, identity: str) -> None:
        self._gateway = gateway
        self._connection = connection
        self._identity = identity
        self._answered: dict[str, asyncio.Future[Any]] = {}
        self.status = "Accepted"
        self.asked: list[tuple[str, Any]] = []

    async def answer(self) -> None:
        """Answer what it is asked, until it is cancelled."""
        async for text in self._connection.connection:
            kind, message_id, *rest = json.loads(text)
            if kind != 2:
                self._answered[message_id].set_result([kind, *rest])
                continue
            action, payload = rest
            if action == "GetBaseReport":
                await self._connection.send(json.dumps([4, message_id, "NotSupported", "", {}]))
                continue
            self.asked.append((action, payload))
            await self._connection.send(json.dumps([3, message_id, {"status": self.status}]))

    async def says(self, *statuses: str, location: Sequence[str] = ()) -> None:
        """Tell its statuses, one after the other; ``location`` with the last."""
        for number, status in enumerate(statuses):
            payload: dict[str, Any] = {"status": status, "requestId": REQUEST_ID}
            if location and number == len(statuses) - 1:
                payload["location"] = [*location]
            message_id = f"{self._identity}-{len(self._answered)}"
            answer = self._answered[message_id] = asyncio.get_running_loop().create_future()
            frame = [2, message_id, "PublishFirmwareStatusNotification", payload]
            await self._connection.send(json.dumps(frame))
            assert await asyncio.wait_for(answer, 15.0) == [3, {}]

    async def is_told(self, call: tuple[str, Any], status: str = "Accepted") -> None:
        """An operator sends it a CALL, and sees what it has answered."""
        self.status = status
        action, payload = call
        body = {"action": action, "payload": payload}
        answer = await self._gateway.api("POST", f"stations/{self._identity}/calls", body)
        assert answer == (200, {"action": action, "payload": {"status": status}})
        assert self.asked[-1] == call

    async def shown(self) -> list[tuple[str, int, list[str]]]:
        """Return what an operator sees."""
        status, told = await self._gateway.api("GET", f"stations/{self._identity}/publications")
        assert status == 200
        assert all(each["publisher"] == "station" for each in told["publications"])
        return [(each["status"], each["request_id"], each["published"]) for each in told["publications"]]


@contextlib.asynccontextmanager
async def controller(gateway: Any, case: str) -> AsyncIterator[Controller]:
    made = await register(gateway, case, VERSION)
    async with made.comes() as connection:
        assert await made.boots(connection) == "Accepted"
        found = Controller(gateway, connection, made.identity)
        answering = asyncio.create_task(found.answer(), name="controller")
        yield found
        answering.cancel()
        await asyncio.wait([answering])


async def publishes(gateway: Any, case: str, *statuses: str, location: Sequence[str] = ()) -> None:
    async with controller(gateway, case) as made:
        await made.is_told(PUBLISH)
        for number, status in enumerate(statuses):
            where = location if number == len(statuses) - 1 else ()
            await made.says(status, location=where)
            assert await made.shown() == [(status, REQUEST_ID, [*where])]


async def test_tc_l_17_firmware_is_published(gateway: Any) -> None:
    way = ("Downloading", "Downloaded", "ChecksumVerified", "Published")
    await publishes(gateway, "L17", *way, location=PUBLISHED)


async def test_tc_l_19_the_checksum_is_another(gateway: Any) -> None:
    await publishes(gateway, "L19", "Downloading", "Downloaded", "InvalidChecksum")


async def test_tc_l_20_it_can_not_be_published(gateway: Any) -> None:
    await publishes(gateway, "L20", "Downloading", "Downloaded", "ChecksumVerified", "PublishFailed")


async def test_tc_l_21_it_is_published_no_more(gateway: Any) -> None:
    async with controller(gateway, "L21") as made:
        await made.is_told(PUBLISH)
        await made.says("Published", location=PUBLISHED)
        await made.is_told(UNPUBLISH, "Unpublished")
        assert await made.shown() == [("Published", REQUEST_ID, PUBLISHED)]


async def test_tc_l_22_there_is_none_to_unpublish(gateway: Any) -> None:
    async with controller(gateway, "L22") as made:
        await made.is_told(UNPUBLISH, "NoFirmware")
        assert await made.shown() == []


async def test_tc_l_23_stations_are_still_loading_it(gateway: Any) -> None:
    async with controller(gateway, "L23") as made:
        await made.is_told(PUBLISH)
        await made.says("Published", location=PUBLISHED)
        await made.is_told(UNPUBLISH, "DownloadOngoing")


async def test_tc_l_24_it_can_not_be_loaded(gateway: Any) -> None:
    await publishes(gateway, "L24", "Downloading", "DownloadFailed")
