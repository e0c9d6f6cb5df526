"""Security events and the white paper's trigger, between a 1.6 station and a backend that knows them."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v16_v16.conftest import World

EVENT = {"type": "InvalidChargePointCertificate", "timestamp": "2026-05-01T08:00:00Z", "techInfo": "x"}


async def test_an_event_is_told_as_it_is(known_world: "World") -> None:
    assert await known_world.from_station("SecurityEventNotification", EVENT) == {}
    assert known_world.heard() == [("SecurityEventNotification", EVENT)]


@pytest.mark.parametrize("error", [PeerUnavailable("gone"), CallError(ErrorCode.NOT_IMPLEMENTED, "what?")])
async def test_the_answer_does_not_depend_on_the_backend(known_world: "World", error: Exception) -> None:
    known_world.backend.answers["SecurityEventNotification"] = error

    assert await known_world.from_station("SecurityEventNotification", EVENT) == {}


@pytest.mark.parametrize("status", ["Accepted", "Rejected", "NotImplemented"])
@pytest.mark.parametrize("asked", ["BootNotification", "LogStatusNotification", "FirmwareStatusNotification"])
async def test_a_trigger_is_relayed(known_world: "World", asked: str, status: str) -> None:
    known_world.station.answers["ExtendedTriggerMessage"] = {"status": status}
    request = {"requestedMessage": asked, "connectorId": 1}

    assert await known_world.from_backend("ExtendedTriggerMessage", request) == {"status": status}

    assert known_world.heard("station") == [("ExtendedTriggerMessage", request)]
    memory = known_world.context.memory
    assert memory.log_asked is (status == "Accepted" and asked == "LogStatusNotification")
    assert memory.firmware_asked is (status == "Accepted" and asked == "FirmwareStatusNotification")


async def test_a_trigger_for_a_certificate_is_not_the_backends_business(known_world: "World") -> None:
    answer = await known_world.from_backend(
        "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}
    )

    assert answer == {"status": "NotImplemented"}
    assert [kind for kind, _ in known_world.reports] == ["ReconfigurationOfSecurityParameters"]
    assert known_world.dialogue == []


async def test_a_trigger_of_a_station_that_is_away(known_world: "World") -> None:
    known_world.station.up = False

    with pytest.raises(PeerUnavailable):
        await known_world.from_backend("ExtendedTriggerMessage", {"requestedMessage": "Heartbeat"})


async def test_certificates_do_not_reach_a_station_in_a_data_transfer_either(world: "World") -> None:
    request = {"vendorId": "iso15118", "messageId": "InstallCertificate", "data": "{}"}
    answer = await world.from_backend("DataTransfer", request)
    assert answer == {"status": "Accepted", "data": '{"status":"Rejected"}'}
    assert [kind for kind, _ in world.reports] == ["ReconfigurationOfSecurityParameters"]
    assert world.dialogue == []


async def test_another_vendors_data_transfer_is_relayed(world: "World") -> None:
    world.station.answers["DataTransfer"] = {"status": "UnknownMessageId", "data": "y"}
    request = {"vendorId": "acme", "messageId": "InstallCertificate", "data": "x"}
    assert await world.from_backend("DataTransfer", request) == {"status": "UnknownMessageId", "data": "y"}
    assert world.heard("station") == [("DataTransfer", request)]
