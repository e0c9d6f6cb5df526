"""Firmware and log statuses as tables."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.ports import PeerUnavailable

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


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((s, s) for s in ("Idle", "Uploading", "Uploaded")),
        *(
            (s, "UploadFailed")
            for s in ("BadMessage", "NotSupportedOperation", "PermissionDenied", "UploadFailure", "AcceptedCanceled")
        ),
    ],
)
async def test_a_log_status_is_relayed_to_who_asked_for_it(world: "World", status: str, expected: str) -> None:
    await world.from_backend("TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"})
    world.dialogue.clear()

    for _ in range(2):
        assert await world.from_station("LogStatusNotification", {"status": status}) == {}

    assert world.heard() == [("DiagnosticsStatusNotification", {"status": expected})]


async def test_a_log_status_that_nobody_asked_for_stays_here(world: "World") -> None:
    assert await world.from_station("LogStatusNotification", {"status": "Uploading", "requestId": 1}) == {}
    assert world.heard() == []
