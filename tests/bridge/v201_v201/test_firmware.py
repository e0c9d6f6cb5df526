"""UpdateFirmware of a 2.0.1 backend: it goes to the desk or nowhere, and hears of its own orders under its own ids."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.ports import UNVERIFIED_FIRMWARE, UpdateHeard
from gateway.bridge.v201_v201.relaying import OWN_REQUESTS
from gateway.wire.errors import CallError, ErrorCode
from tests.bridge.firmware_desk import FakeFirmwareDesk

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World

FIRMWARE = {"location": "https://example.com/fw.bin", "retrieveDateTime": "2026-05-01T12:00:00Z"}
UPDATE = {"requestId": 7, "firmware": FIRMWARE}


@pytest.mark.parametrize("status", ["Accepted", "AcceptedCanceled", "InvalidCertificate", "RevokedCertificate"])
async def test_an_order_goes_to_the_desk(world: "World", status: str) -> None:
    desk = world.context.firmware = FakeFirmwareDesk(status)

    assert await world.from_backend("UpdateFirmware", UPDATE) == {"status": status}

    assert [(each.action, each.request_id, each.signature) for each in desk.orders] == [("UpdateFirmware", 7, None)]
    assert desk.proceeded == 0
    await world.follow_ups.pop()()
    assert desk.proceeded == 1
    assert (world.dialogue, world.reports) == ([], [])


async def test_what_nobody_can_verify_is_rejected(world: "World") -> None:
    world.context.firmware = FakeFirmwareDesk("Rejected")

    answer = await world.from_backend("UpdateFirmware", UPDATE)

    assert answer["status"] == "Rejected"
    assert (world.dialogue, [kind for kind, _ in world.reports]) == ([], [UNVERIFIED_FIRMWARE])


async def test_a_request_id_of_ours_is_not_the_backends(world: "World") -> None:
    desk = world.context.firmware = FakeFirmwareDesk()

    with pytest.raises(CallError) as refused:
        await world.from_backend("UpdateFirmware", {**UPDATE, "requestId": OWN_REQUESTS[0]})

    assert refused.value.code is ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
    assert desk.orders == []


@pytest.mark.parametrize(
    ("whose", "told"),
    [
        (UpdateHeard("UpdateFirmware", 7), [{"status": "Installed", "requestId": 7}]),
        (UpdateHeard(None), []),
        (UpdateHeard("UpdateFirmware"), []),
        (None, [{"status": "Installed", "requestId": 501}]),
    ],
    ids=["its own", "ours", "of its time as a backend of 1.6", "unknown here"],
)
async def test_it_hears_of_its_own_updates(world: "World", whose: UpdateHeard | None, told: list[object]) -> None:
    desk = world.context.firmware = FakeFirmwareDesk(known={} if whose is None else {501: whose})
    world.backend.answers["FirmwareStatusNotification"] = {}
    payload = {"status": "Installed", "requestId": 501}

    assert await world.from_station("FirmwareStatusNotification", payload) == {}

    assert [payload for _, payload in world.heard()] == told
    assert desk.told == [payload]


async def test_the_station_is_answered_while_the_backend_is_away(world: "World") -> None:
    world.context.firmware = FakeFirmwareDesk(known={501: UpdateHeard("UpdateFirmware", 7)})
    world.backend.up = False

    assert await world.from_station("FirmwareStatusNotification", {"status": "Installed", "requestId": 501}) == {}
