"""SecurityEventNotification, told to a backend that takes it."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

AT = "2026-05-01T08:00:00Z"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("CsmsFailedToAuthenticate", "CentralSystemFailedToAuthentication"),
        ("FailedToAuthenticateAtCsms", "FailedToAuthenticationAtCentralSystem"),
        ("InvalidChargingStationCertificate", "InvalidChargePointCertificate"),
        ("InvalidCsmsCertificate", "InvalidCentralSystemCertificate"),
        ("MaintenanceLoginFailed", "MaintenanceLoginFailed"),
        ("TamperDetectionActivated", "TamperDetectionActivated"),
        ("acme.DoorOpen", "acme.DoorOpen"),
        ("x" * 50, "x" * 50),
    ],
)
async def test_an_event_is_told_under_its_name_of_1_6(known_world: "World", kind: str, expected: str) -> None:
    event = {"type": kind, "timestamp": "2026-05-01T10:00:00.5+02:00", "techInfo": "t" * 255}

    assert await known_world.from_station("SecurityEventNotification", event) == {}

    told = {"type": expected, "timestamp": "2026-05-01T08:00:00.500Z", "techInfo": "t" * 255}
    assert known_world.heard() == [("SecurityEventNotification", told)]


async def test_what_was_not_said_is_not_made_up_but_for_a_time_without_meaning(known_world: "World") -> None:
    await known_world.bridge.from_station(
        "SecurityEventNotification", {"type": "MemoryExhaustion", "timestamp": "0001-01-01T00:00:00+02:00"}
    )

    event = {"type": "MemoryExhaustion", "timestamp": "2026-05-01T12:00:00Z"}
    assert known_world.heard() == [("SecurityEventNotification", event)]


@pytest.mark.parametrize("error", [PeerUnavailable("gone"), CallError(ErrorCode.NOT_IMPLEMENTED, "what?")])
async def test_the_answer_does_not_depend_on_the_backend(known_world: "World", error: Exception) -> None:
    known_world.backend.answers["SecurityEventNotification"] = error

    assert await known_world.from_station("SecurityEventNotification", {"type": "x", "timestamp": AT}) == {}


async def test_who_does_not_know_the_white_paper_hears_nothing(world: "World") -> None:
    assert await world.from_station("SecurityEventNotification", {"type": "x", "timestamp": AT}) == {}
    assert world.dialogue == []
