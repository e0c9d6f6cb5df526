"""Which action is answered how, from either side, and that none is forgotten."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.actions_16 import OF_A_CENTRAL_SYSTEM, OF_A_CHARGE_POINT, SECURITY_OF_A_CENTRAL_SYSTEM
from gateway.bridge.books import Json, Transaction
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v16_v16.dialect import (
    FROM_BACKEND,
    FROM_STATION,
    NOT_FOR_THE_BRIDGE,
    RELAYED_TO_BACKEND,
    RELAYED_TO_STATION,
    check_direction,
)
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operations
from gateway.wire.versions import Version

if TYPE_CHECKING:
    from tests.bridge.v16_v16.conftest import World

ACTIONS = operations(Version.V16).keys()
RELAYED_DOWN: dict[str, tuple[Json, Json]] = {
    "CancelReservation": ({"reservationId": 5}, {"status": "Rejected"}),
    "ChangeAvailability": ({"connectorId": 0, "type": "Operative"}, {"status": "Scheduled"}),
    "ClearCache": ({}, {"status": "Accepted"}),
    "ClearChargingProfile": ({"id": 3}, {"status": "Unknown"}),
    "GetCompositeSchedule": ({"connectorId": 1, "duration": 60}, {"status": "Rejected"}),
    "GetInstalledCertificateIds": ({"certificateType": "CentralSystemRootCertificate"}, {"status": "NotFound"}),
    "GetLocalListVersion": ({}, {"listVersion": 7}),
    "RemoteStartTransaction": ({"idTag": "TAG", "connectorId": 1}, {"status": "Accepted"}),
    "RemoteStopTransaction": ({"transactionId": 4711}, {"status": "Rejected"}),
    "ReserveNow": (
        {"connectorId": 1, "expiryDate": "2026-05-01T13:00:00Z", "idTag": "TAG", "reservationId": 5},
        {"status": "Occupied"},
    ),
    "Reset": ({"type": "Soft"}, {"status": "Accepted"}),
    "SendLocalList": ({"listVersion": 8, "updateType": "Full"}, {"status": "VersionMismatch"}),
    "SetChargingProfile": (
        {
            "connectorId": 1,
            "csChargingProfiles": {
                "chargingProfileId": 1,
                "stackLevel": 0,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Relative",
                "chargingSchedule": {
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}],
                },
            },
        },
        {"status": "NotSupported"},
    ),
    "TriggerMessage": ({"requestedMessage": "Heartbeat"}, {"status": "NotImplemented"}),
    "UnlockConnector": ({"connectorId": 1}, {"status": "UnlockFailed"}),
}
RELAYED_UP: dict[str, tuple[Json, Json]] = {
    "DataTransfer": ({"vendorId": "acme", "messageId": "m", "data": "x"}, {"status": "UnknownVendorId"}),
    "DiagnosticsStatusNotification": ({"status": "Uploaded"}, {}),
}


def test_every_action_of_a_station_has_its_place() -> None:
    parts = [set(FROM_STATION), RELAYED_TO_BACKEND - {"DataTransfer"}, NOT_FOR_THE_BRIDGE]

    assert set().union(*parts) == OF_A_CHARGE_POINT
    assert sum(map(len, parts)) == len(OF_A_CHARGE_POINT)
    assert set().union(*parts) | RELAYED_TO_BACKEND | OF_A_CENTRAL_SYSTEM == ACTIONS


def test_every_action_of_a_backend_has_its_place() -> None:
    parts = [set(FROM_BACKEND), RELAYED_TO_STATION, OF_A_CHARGE_POINT]

    assert set().union(*parts) == ACTIONS
    assert sum(map(len, parts)) == len(ACTIONS)


def test_the_tables_below_are_whole() -> None:
    assert RELAYED_DOWN.keys() == RELAYED_TO_STATION | {"RemoteStopTransaction", "SetChargingProfile"}
    assert RELAYED_UP.keys() == RELAYED_TO_BACKEND


@pytest.mark.parametrize("action", sorted(RELAYED_DOWN))
async def test_what_the_backend_says_reaches_the_station_and_its_answer_the_backend(
    known_world: "World", action: str
) -> None:
    world = known_world
    request, answer = RELAYED_DOWN[action]
    world.station.answers[action] = answer

    assert await world.from_backend(action, request) == answer
    assert world.heard("station") == [(action, request)]


@pytest.mark.parametrize("action", sorted(RELAYED_UP))
async def test_what_the_station_says_reaches_the_backend_and_its_answer_the_station(
    world: "World", action: str
) -> None:
    request, answer = RELAYED_UP[action]
    world.backend.answers[action] = answer

    assert await world.from_station(action, request) == answer
    assert world.heard() == [(action, request)]


async def test_who_can_not_be_reached_is_not_spoken_for(known_world: "World") -> None:
    world = known_world
    world.station.up = world.backend.up = False
    for action, (request, _) in RELAYED_DOWN.items():
        with pytest.raises(PeerUnavailable):
            await world.from_backend(action, request)
    for action, (request, _) in RELAYED_UP.items():
        with pytest.raises(PeerUnavailable):
            await world.from_station(action, request)


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("LogStatusNotification", {"status": "Uploaded", "requestId": 1}),
        ("SecurityEventNotification", {"type": "MemoryExhaustion", "timestamp": "2026-05-01T08:00:00Z"}),
        ("SignedFirmwareStatusNotification", {"status": "Installed", "requestId": 1}),
    ],
)
async def test_the_security_extension_ends_here(world: "World", action: str, payload: Json) -> None:
    assert await world.from_station(action, payload) == {}
    assert world.dialogue == []


@pytest.mark.parametrize(
    ("action", "code"),
    [
        *((action, ErrorCode.NOT_SUPPORTED) for action in sorted(OF_A_CENTRAL_SYSTEM | NOT_FOR_THE_BRIDGE)),
        ("TransactionEvent", ErrorCode.NOT_IMPLEMENTED),
        ("authorize", ErrorCode.NOT_IMPLEMENTED),
        ("", ErrorCode.NOT_IMPLEMENTED),
    ],
)
async def test_what_a_station_must_not_send(world: "World", action: str, code: ErrorCode) -> None:
    with pytest.raises(CallError) as refused:
        await world.bridge.from_station(action, {})

    assert refused.value.code is code
    assert world.dialogue == []


@pytest.mark.parametrize(
    ("action", "code", "why"),
    [
        *((action, ErrorCode.NOT_SUPPORTED, "charge point") for action in sorted(OF_A_CHARGE_POINT)),
        *((action, ErrorCode.NOT_SUPPORTED, "security") for action in sorted(SECURITY_OF_A_CENTRAL_SYSTEM)),
        ("TransactionEvent", ErrorCode.NOT_IMPLEMENTED, "no such action"),
        ("reset", ErrorCode.NOT_IMPLEMENTED, "no such action"),
    ],
)
async def test_what_a_backend_must_not_send(world: "World", action: str, code: ErrorCode, why: str) -> None:
    with pytest.raises(CallError, match=why) as refused:
        await world.bridge.from_backend(action, {})

    assert refused.value.code is code
    assert world.dialogue == []


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("CertificateSigned", "Rejected"),
        ("DeleteCertificate", "Failed"),
        ("InstallCertificate", "Rejected"),
        ("SignedUpdateFirmware", "Rejected"),
    ],
)
async def test_what_no_backend_may_do(known_world: "World", action: str, status: str) -> None:
    assert await known_world.bridge.from_backend(action, {}) == {"status": status}

    assert known_world.dialogue == []
    assert len(known_world.reports) == 1


@pytest.mark.parametrize(
    ("action", "is_ours"),
    [
        ("Reset", True),
        ("CertificateSigned", True),
        ("DataTransfer", True),
        ("Heartbeat", False),
        ("GetBaseReport", False),
    ],
)
def test_the_direction_of_an_action(action: str, is_ours: bool) -> None:
    if is_ours:
        check_direction(action)
        return
    with pytest.raises(CallError) as refused:
        check_direction(action)
    assert refused.value.code is ErrorCode.NOT_SUPPORTED


@pytest.mark.parametrize(("status", "is_noted"), [("Accepted", False), ("Blocked", True)])
async def test_a_late_start_of_the_time_when_the_station_spoke_2_0_1(
    world: "World", status: str, is_noted: bool
) -> None:
    tx = Transaction("TX-1")

    await world.bridge.started_late(tx, {"transactionId": 7, "idTagInfo": {"status": status}})

    assert tx.deauthorized is is_noted
    assert bool(world.notes) is is_noted
    assert world.dialogue == []
