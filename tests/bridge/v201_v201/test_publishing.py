"""PublishFirmware and UnpublishFirmware of a 2.0.1 backend: the desk answers, and no station hears of them."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.bridge.v201_v201.relaying import OWN_REQUESTS
from gateway.wire.errors import CallError, ErrorCode
from tests.bridge.firmware_desk import FakeFirmwareDesk

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World

MD5 = "0123456789abcdef0123456789abcdef"
PUBLISH: Json = {"location": "https://example.com/fw.bin", "checksum": MD5, "requestId": 7}
STATUS = "PublishFirmwareStatusNotification"
TRIGGER = {"requestedMessage": STATUS}


class PublishingDesk(FakeFirmwareDesk):
    """Answers as it is told."""

    def __init__(self, status: str = "Accepted") -> None:
        super().__init__()
        self.answer = status
        self.asked: list[Json] = []
        self.stands: Json = {"status": "Idle"}

    async def publish(self, payload: Json) -> str:
        self.asked.append(payload)
        return self.answer

    async def unpublish(self, payload: Json) -> str:
        self.asked.append(payload)
        return self.answer

    async def publication(self) -> Json:
        return self.stands


@pytest.mark.parametrize("status", ["Accepted", "Rejected"])
async def test_it_is_the_desks_and_begins_after_the_answer(world: "World", status: str) -> None:
    desk = world.context.firmware = PublishingDesk(status)

    assert await world.from_backend("PublishFirmware", PUBLISH) == {"status": status}

    assert (desk.asked, desk.proceeded, world.dialogue) == ([PUBLISH], 0, [])
    await world.follow_ups.pop()()
    assert desk.proceeded == 1


@pytest.mark.parametrize("status", ["Unpublished", "NoFirmware", "DownloadOngoing"])
async def test_so_is_what_is_published_no_more(world: "World", status: str) -> None:
    desk = world.context.firmware = PublishingDesk(status)
    assert await world.from_backend("UnpublishFirmware", {"checksum": MD5}) == {"status": status}
    assert (desk.asked, world.dialogue) == ([{"checksum": MD5}], [])


@pytest.mark.parametrize("stands", [{"status": "Idle"}, {"status": "Downloading", "requestId": 7}])
async def test_the_status_is_told_on_request_and_after_the_answer(world: "World", stands: Json) -> None:
    world.context.firmware = desk = PublishingDesk()
    desk.stands = stands
    world.backend.answers[STATUS] = {}

    assert await world.from_backend("TriggerMessage", TRIGGER) == {"status": "Accepted"}

    assert world.dialogue == []
    await world.follow_ups.pop()()
    assert world.heard() == [(STATUS, stands)]


@pytest.mark.parametrize("trouble", ["away", "refuses"])
async def test_a_backend_that_goes_before_it_is_told(world: "World", trouble: str) -> None:
    world.context.firmware = PublishingDesk()
    world.backend.up = trouble == "refuses"
    world.backend.answers[STATUS] = CallError(ErrorCode.INTERNAL_ERROR, "no")
    assert (await world.from_backend("TriggerMessage", TRIGGER))["status"] == "Accepted"
    await world.follow_ups.pop()()
    assert world.follow_ups == []


async def test_other_triggers_go_where_they_went(world: "World") -> None:
    world.context.firmware = PublishingDesk()
    await world.from_backend("TriggerMessage", {"requestedMessage": "Heartbeat"})
    assert world.heard("station") == [("TriggerMessage", {"requestedMessage": "Heartbeat"})]
    refused = await world.from_backend("TriggerMessage", {"requestedMessage": "SignV2GCertificate"})
    assert refused["status"] == "Rejected"


async def test_without_a_catalogue_all_is_as_it_was(world: "World") -> None:
    assert (await world.from_backend("PublishFirmware", PUBLISH))["status"] == "Rejected"
    assert (await world.from_backend("UnpublishFirmware", {"checksum": MD5}))["status"] == "NoFirmware"
    assert world.dialogue == []
    assert await world.from_backend("TriggerMessage", TRIGGER) == {"status": "Accepted"}
    assert world.heard("station") == [("TriggerMessage", TRIGGER)]


async def test_a_request_id_of_ours_is_not_the_backends(world: "World") -> None:
    desk = world.context.firmware = PublishingDesk()
    with pytest.raises(CallError) as refused:
        await world.from_backend("PublishFirmware", {**PUBLISH, "requestId": OWN_REQUESTS[0]})
    assert refused.value.code is ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
    assert desk.asked == []
