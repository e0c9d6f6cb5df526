"""Which action is answered how, from either side, and that none is forgotten."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.actions_201 import OF_A_CSMS, OF_A_STATION
from gateway.bridge.books import Page
from gateway.bridge.v201_v201.dialect import FROM_BACKEND, FROM_STATION, NOT_FOR_THE_BRIDGE
from gateway.bridge.v201_v201.station_security import REFUSALS
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operations
from gateway.wire.versions import Version
from tests.bridge.v201_v201.messages import DOWN

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World

ACTIONS = operations(Version.V201).keys()
AT = "2026-05-01T09:00:00Z"
PASSWORD = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
HANDLED = {
    "GetTransactionStatus",
    "GetVariables",
    "RequestStopTransaction",
    "SetChargingProfile",
    "SetNetworkProfile",
    "SetVariables",
    "TriggerMessage",
}
"""What has tests of its own."""


def test_every_action_of_a_station_has_its_place() -> None:
    parts = [FROM_STATION.keys(), OF_A_CSMS, NOT_FOR_THE_BRIDGE]
    assert set().union(*parts) == ACTIONS
    assert sum(map(len, parts)) == len(ACTIONS)


def test_every_action_of_a_backend_has_its_place() -> None:
    parts = [FROM_BACKEND.keys(), OF_A_STATION]
    assert set().union(*parts) == ACTIONS
    assert sum(map(len, parts)) == len(ACTIONS)


def test_the_tables_are_whole() -> None:
    assert DOWN.keys() | HANDLED | REFUSALS.keys() == FROM_BACKEND.keys()


@pytest.mark.parametrize("action", sorted(DOWN))
async def test_what_the_backend_says_reaches_the_station_and_its_answer_the_backend(
    world: "World", action: str
) -> None:
    request, answer = DOWN[action]
    world.station.answers[action] = answer
    assert await world.from_backend(action, request) == answer
    assert world.heard("station") == [(action, request)]


@pytest.mark.parametrize(
    ("action", "code"),
    [
        *((action, ErrorCode.NOT_SUPPORTED) for action in sorted(OF_A_CSMS | NOT_FOR_THE_BRIDGE)),
        ("StartTransaction", ErrorCode.NOT_IMPLEMENTED),
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
    ("action", "code"),
    [
        *((action, ErrorCode.NOT_SUPPORTED) for action in sorted(OF_A_STATION)),
        ("RemoteStartTransaction", ErrorCode.NOT_IMPLEMENTED),
        ("reset", ErrorCode.NOT_IMPLEMENTED),
    ],
)
async def test_what_a_backend_must_not_send(world: "World", action: str, code: ErrorCode) -> None:
    with pytest.raises(CallError) as refused:
        await world.bridge.from_backend(action, {})
    assert refused.value.code is code
    assert world.dialogue == []


async def test_no_secret_reaches_the_backend_by_report_or_event(world: "World") -> None:
    attribute = {"value": "s3cret", "mutability": "WriteOnly"}
    event = {
        "eventId": 1,
        "timestamp": AT,
        "trigger": "Delta",
        "actualValue": "s3cret",
        "eventNotificationType": "CustomMonitor",
        **PASSWORD,
    }
    world.backend.answers |= {"NotifyEvent": {}, "NotifyReport": {}}
    report = {"requestId": 1, "seqNo": 0, "generatedAt": AT}
    await world.from_station("NotifyReport", {**report, "reportData": [{**PASSWORD, "variableAttribute": [attribute]}]})
    await world.from_station("NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": [event]})
    heard = world.heard()
    assert [action for action, _ in heard] == ["NotifyReport", "NotifyEvent"]
    assert "s3cret" not in str(heard)


async def test_what_a_message_changes_is_on_disk_before_its_answer(world: "World") -> None:
    status = {"timestamp": AT, "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
    world.backend.up = False
    await world.from_station("StatusNotification", status)
    assert world.pages == {Page.STATUSES: {"1.1": {"action": "StatusNotification", "payload": status}}}
