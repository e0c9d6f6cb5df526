"""Firmware: statuses as tables, updates refused."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.firmware_orders import FIRMWARE_STATUSES
from gateway.bridge.ports import UNVERIFIED_FIRMWARE, PeerUnavailable, UpdateHeard
from gateway.wire.errors import CallError, ErrorCode
from tests.bridge.firmware_desk import FakeFirmwareDesk

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((s, s) for s in ("Idle", "Downloading", "Downloaded", "DownloadFailed")),
        *((s, s) for s in ("Installing", "Installed", "InstallationFailed")),
        ("DownloadScheduled", "Idle"),
        ("DownloadPaused", "Downloading"),
        ("InstallScheduled", "Downloaded"),
        ("InstallRebooting", "Installing"),
        ("SignatureVerified", "Installing"),
        ("InvalidSignature", "InstallationFailed"),
        ("InstallVerificationFailed", "InstallationFailed"),
    ],
)
async def test_a_firmware_status_is_relayed(world: "World", status: str, expected: str) -> None:
    assert await world.from_station("FirmwareStatusNotification", {"status": status, "requestId": 1}) == {}

    assert world.heard() == [("FirmwareStatusNotification", {"status": expected})]


async def test_the_station_is_answered_while_the_backend_is_away(world: "World") -> None:
    world.backend.answers["FirmwareStatusNotification"] = PeerUnavailable("gone")

    assert await world.from_station("FirmwareStatusNotification", {"status": "Installed", "requestId": 1}) == {}


@pytest.mark.parametrize("status", sorted(FIRMWARE_STATUSES))
async def test_who_asked_by_signed_update_firmware_hears_all_fourteen(known_world: "World", status: str) -> None:
    known_world.context.firmware = FakeFirmwareDesk(known={501: UpdateHeard("SignedUpdateFirmware", 7)})

    await known_world.from_station("FirmwareStatusNotification", {"status": status, "requestId": 501})

    assert known_world.heard() == [("SignedFirmwareStatusNotification", {"status": status, "requestId": 7})]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"status": "Idle"}, {"status": "Idle"}),
        ({"status": "Installing", "requestId": 1}, {"status": "Idle"}),
    ],
    ids=["nothing to do", "an update of Voltgate's own"],
)
async def test_who_triggered_the_status_hears_it_once(
    known_world: "World", payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    await known_world.from_backend("ExtendedTriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})
    assert known_world.heard("station") == [("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})]

    for _ in range(2):
        await known_world.from_station("FirmwareStatusNotification", payload)

    plain = FIRMWARE_STATUSES[payload["status"]]
    assert known_world.heard() == [
        ("SignedFirmwareStatusNotification", expected),
        ("FirmwareStatusNotification", {"status": plain}),
    ]


UPDATE = {"location": "https://example.com/fw.bin", "retrieveDate": "2026-05-01T12:00:00Z", "retries": 3}


SIGNED = {
    "requestId": 7,
    "firmware": {
        "location": "https://example.com/fw.bin",
        "retrieveDateTime": "2026-05-01T12:00:00Z",
        "signingCertificate": "PEM",
        "signature": "c2ln",
    },
}


async def test_an_order_goes_to_the_desk(known_world: "World") -> None:
    desk = known_world.context.firmware = FakeFirmwareDesk()

    assert await known_world.from_backend("UpdateFirmware", UPDATE) == {}
    assert await known_world.from_backend("SignedUpdateFirmware", SIGNED) == {"status": "Accepted"}

    assert [(each.action, each.retries, each.request_id) for each in desk.orders] == [
        ("UpdateFirmware", 3, None),
        ("SignedUpdateFirmware", None, 7),
    ]
    assert desk.proceeded == 2
    assert (known_world.dialogue, known_world.reports) == ([], [])


async def test_without_a_desk_a_signed_one_is_rejected(known_world: "World") -> None:
    assert await known_world.from_backend("SignedUpdateFirmware", SIGNED) == {"status": "Rejected"}

    assert (known_world.dialogue, [kind for kind, _ in known_world.reports]) == ([], [UNVERIFIED_FIRMWARE])


@pytest.mark.parametrize("desk", [None, FakeFirmwareDesk("Rejected")], ids=["no desk", "nobody can verify it"])
async def test_what_is_not_verified_does_not_reach_the_station(world: "World", desk: FakeFirmwareDesk | None) -> None:
    world.context.firmware = desk

    assert await world.from_backend("UpdateFirmware", UPDATE) == {}

    assert world.dialogue == [("backend", "FirmwareStatusNotification", {"status": "DownloadFailed"})]
    assert [kind for kind, _ in world.reports] == [UNVERIFIED_FIRMWARE]


async def test_that_it_failed_is_said_after_the_answer(world: "World") -> None:
    assert await world.bridge.from_backend("UpdateFirmware", UPDATE) == {}

    assert world.dialogue == []
    assert len(world.follow_ups) == 1


async def test_who_knows_the_white_paper_hears_not_supported(known_world: "World") -> None:
    with pytest.raises(CallError) as refused:
        await known_world.from_backend("UpdateFirmware", UPDATE)

    assert refused.value.code is ErrorCode.NOT_SUPPORTED
    assert known_world.dialogue == []
    assert [kind for kind, _ in known_world.reports] == [UNVERIFIED_FIRMWARE]
