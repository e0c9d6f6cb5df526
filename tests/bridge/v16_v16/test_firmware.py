"""Firmware of a 1.6 station: updates refused, statuses told to who asked."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.ports import UNVERIFIED_FIRMWARE, PeerUnavailable
from gateway.bridge.requests import Request, Work, begin
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from gateway.bridge.books import Json
    from tests.bridge.v16_v16.conftest import World

UPDATE = {"location": "https://example.com/fw.bin", "retrieveDate": "2026-05-01T12:00:00Z"}


async def test_no_firmware_of_the_backend_reaches_the_station(world: "World") -> None:
    assert await world.from_backend("UpdateFirmware", UPDATE) == {}

    assert world.dialogue == [("backend", "FirmwareStatusNotification", {"status": "DownloadFailed"})]
    assert [kind for kind, _ in world.reports] == [UNVERIFIED_FIRMWARE]


async def test_who_knows_the_white_paper_hears_not_supported(known_world: "World") -> None:
    with pytest.raises(CallError) as refused:
        await known_world.from_backend("UpdateFirmware", UPDATE)

    assert refused.value.code is ErrorCode.NOT_SUPPORTED
    assert known_world.dialogue == []


async def test_who_asked_for_the_update_hears_of_it(known_world: "World") -> None:
    begin(known_world.books, Work.FIRMWARE, 7, Request("SignedUpdateFirmware", 7))
    payload = {"status": "InvalidSignature", "requestId": 7}

    assert await known_world.from_station("SignedFirmwareStatusNotification", payload) == {}

    assert known_world.heard() == [("SignedFirmwareStatusNotification", payload)]


async def test_nobody_else_does(known_world: "World") -> None:
    payload = {"status": "Installing", "requestId": 8}

    assert await known_world.from_station("SignedFirmwareStatusNotification", payload) == {}
    assert known_world.dialogue == []


@pytest.mark.parametrize(
    ("payload", "expected"),
    [({"status": "Idle"}, {"status": "Idle"}), ({"status": "Installing", "requestId": 8}, {"status": "Idle"})],
)
async def test_a_triggered_status_is_told_once(known_world: "World", payload: "Json", expected: "Json") -> None:
    await known_world.from_backend("ExtendedTriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})
    known_world.dialogue.clear()

    for _ in range(2):
        assert await known_world.from_station("SignedFirmwareStatusNotification", payload) == {}

    assert known_world.heard() == [("SignedFirmwareStatusNotification", expected)]


async def test_the_station_is_answered_while_the_backend_is_away(known_world: "World") -> None:
    await known_world.from_backend("ExtendedTriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})
    known_world.backend.answers["SignedFirmwareStatusNotification"] = PeerUnavailable("gone")

    assert await known_world.from_station("SignedFirmwareStatusNotification", {"status": "Idle"}) == {}
