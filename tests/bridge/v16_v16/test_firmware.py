"""Firmware of a 1.6 station: updates go to the desk or nowhere, statuses are told to who asked."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.ports import UNVERIFIED_FIRMWARE, PeerUnavailable, UpdateHeard
from gateway.wire.errors import CallError, ErrorCode
from tests.bridge.firmware_desk import FakeFirmwareDesk

if TYPE_CHECKING:
    from gateway.bridge.books import Json
    from tests.bridge.v16_v16.conftest import World

UPDATE = {"location": "https://example.com/fw.bin", "retrieveDate": "2026-05-01T12:00:00Z"}
FIRMWARE = {"location": "https://example.com/fw.bin", "retrieveDateTime": "2026-05-01T12:00:00Z"}
SIGNED = {"requestId": 7, "firmware": {**FIRMWARE, "signingCertificate": "PEM", "signature": "c2ln"}}


@pytest.mark.parametrize("desk", [None, FakeFirmwareDesk("Rejected")], ids=["no desk", "nobody can verify it"])
async def test_what_is_not_verified_does_not_reach_the_station(world: "World", desk: FakeFirmwareDesk | None) -> None:
    world.context.firmware = desk

    assert await world.from_backend("UpdateFirmware", UPDATE) == {}

    assert world.dialogue == [("backend", "FirmwareStatusNotification", {"status": "DownloadFailed"})]
    assert [kind for kind, _ in world.reports] == [UNVERIFIED_FIRMWARE]


@pytest.mark.parametrize("desk", [None, FakeFirmwareDesk("Rejected")], ids=["no desk", "nobody can verify it"])
async def test_who_knows_the_white_paper_hears_not_supported(
    known_world: "World", desk: FakeFirmwareDesk | None
) -> None:
    known_world.context.firmware = desk

    with pytest.raises(CallError) as refused:
        await known_world.from_backend("UpdateFirmware", UPDATE)

    assert refused.value.code is ErrorCode.NOT_SUPPORTED
    assert known_world.heard() == []


async def test_an_order_goes_to_the_desk(known_world: "World") -> None:
    desk = known_world.context.firmware = FakeFirmwareDesk()

    assert await known_world.from_backend("UpdateFirmware", UPDATE) == {}
    desk.status = "InvalidCertificate"
    assert await known_world.from_backend("SignedUpdateFirmware", SIGNED) == {"status": "InvalidCertificate"}

    assert [(each.action, each.request_id) for each in desk.orders] == [
        ("UpdateFirmware", None),
        ("SignedUpdateFirmware", 7),
    ]
    assert desk.proceeded == 2
    assert (known_world.dialogue, known_world.reports) == ([], [])


async def test_without_a_desk_a_signed_one_is_rejected(known_world: "World") -> None:
    assert await known_world.from_backend("SignedUpdateFirmware", SIGNED) == {"status": "Rejected"}

    assert (known_world.dialogue, [kind for kind, _ in known_world.reports]) == ([], [UNVERIFIED_FIRMWARE])


@pytest.mark.parametrize(
    ("whose", "told"),
    [
        (
            UpdateHeard("SignedUpdateFirmware", 7),
            ("SignedFirmwareStatusNotification", {"status": "InvalidSignature", "requestId": 7}),
        ),
        (UpdateHeard("UpdateFirmware"), ("FirmwareStatusNotification", {"status": "InstallationFailed"})),
        (UpdateHeard(None), ("FirmwareStatusNotification", {"status": "InstallationFailed"})),
    ],
    ids=["its own", "its own, ordered plainly", "ours"],
)
async def test_who_ordered_the_update_hears_of_it(known_world: "World", whose: UpdateHeard, told: object) -> None:
    desk = known_world.context.firmware = FakeFirmwareDesk(known={501: whose})
    payload = {"status": "InvalidSignature", "requestId": 501}

    assert await known_world.from_station("SignedFirmwareStatusNotification", payload) == {}

    assert known_world.heard() == [told]
    assert desk.told == [payload]


async def test_a_station_that_was_told_plainly_answers_plainly(known_world: "World") -> None:
    known_world.context.firmware = FakeFirmwareDesk(known={None: UpdateHeard("SignedUpdateFirmware", 7)})

    assert await known_world.from_station("FirmwareStatusNotification", {"status": "Installed"}) == {}

    assert known_world.heard() == [
        ("SignedFirmwareStatusNotification", {"status": "Installed", "requestId": 7}),
    ]


@pytest.mark.parametrize("desk", [None, FakeFirmwareDesk()], ids=["no desk", "an update that it doesn't know"])
async def test_nobody_hears_of_an_update_that_nobody_knows(known_world: "World", desk: FakeFirmwareDesk | None) -> None:
    known_world.context.firmware = desk
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


@pytest.mark.parametrize("action", ["SignedFirmwareStatusNotification", "FirmwareStatusNotification"])
async def test_the_station_is_answered_while_the_backend_is_away(known_world: "World", action: str) -> None:
    await known_world.from_backend("ExtendedTriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})
    known_world.backend.answers[action] = PeerUnavailable("gone")

    assert await known_world.from_station(action, {"status": "Idle"}) == {}
