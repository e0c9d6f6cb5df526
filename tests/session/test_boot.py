"""The boot gate as tables over the last answer to BootNotification (OCPP 2.0.1 B01 to B03)."""

import importlib.resources
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operations
from gateway.wire.versions import Version

NONE, PENDING, REJECTED, ACCEPTED = BootStatus.NONE, BootStatus.PENDING, BootStatus.REJECTED, BootStatus.ACCEPTED
CLOSED = [NONE, PENDING, REJECTED]
EVERY_ACTION = sorted(operations(Version.V201))


def passes(gate: BootGate, action: str) -> bool:
    try:
        gate.check_from_station(action)
    except CallError:
        return False
    return True


def test_a_refusal_is_a_security_error() -> None:
    with pytest.raises(CallError) as refusal:
        BootGate(PENDING).check_from_station("Heartbeat")

    assert refusal.value.code is ErrorCode.SECURITY_ERROR
    assert refusal.value.description == "the BootNotification of this station has not been accepted"


@pytest.mark.parametrize("action", EVERY_ACTION)
@pytest.mark.parametrize("status", list(BootStatus))
def test_what_a_station_may_send(status: BootStatus, action: str) -> None:
    """B01.FR.10, B02.FR.09, B03.FR.07: before Accepted nothing but BootNotification."""
    assert passes(BootGate(status), action) is (status is ACCEPTED or action == "BootNotification")


@pytest.mark.parametrize(
    ("status", "action", "may"),
    [
        (NONE, "GetVariables", False),
        (NONE, "TriggerMessage", False),
        (NONE, "Reset", False),
        (PENDING, "GetVariables", True),
        (PENDING, "SetVariables", True),
        (PENDING, "GetBaseReport", True),
        (PENDING, "GetReport", True),
        (PENDING, "TriggerMessage", True),
        (PENDING, "InstallCertificate", True),
        (PENDING, "RequestStartTransaction", False),
        (PENDING, "RequestStopTransaction", False),
        (REJECTED, "GetVariables", False),
        (REJECTED, "TriggerMessage", False),
        (REJECTED, "RequestStartTransaction", False),
        (ACCEPTED, "GetVariables", True),
        (ACCEPTED, "RequestStartTransaction", True),
        (ACCEPTED, "RequestStopTransaction", True),
    ],
)
def test_what_may_be_sent_to_a_station(status: BootStatus, action: str, may: bool) -> None:
    """B02.FR.01 to 05, B03.FR.03."""
    assert BootGate(status).may_send(action) is may


@pytest.mark.parametrize(
    ("action", "payload", "opened"),
    [
        ("TriggerMessage", {"requestedMessage": "BootNotification"}, "BootNotification"),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}, "Heartbeat"),
        ("TriggerMessage", {"requestedMessage": "StatusNotification"}, "StatusNotification"),
        ("TriggerMessage", {"requestedMessage": "TransactionEvent"}, "TransactionEvent"),
        ("TriggerMessage", {"requestedMessage": "MeterValues"}, "MeterValues"),
        ("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}, "SignCertificate"),
        ("TriggerMessage", {"requestedMessage": "SignV2GCertificate"}, "SignCertificate"),
        ("TriggerMessage", {"requestedMessage": "SignCombinedCertificate"}, "SignCertificate"),
        ("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"}, "NotifyReport"),
        ("GetReport", {"requestId": 1}, "NotifyReport"),
    ],
)
def test_a_pending_station_may_send_what_it_was_asked_for_and_nothing_else(
    action: str, payload: dict[str, Any], opened: str
) -> None:
    gate = BootGate(PENDING)
    gate.agreed(action, payload)

    assert {each for each in EVERY_ACTION if passes(gate, each)} == {"BootNotification", opened}


def triggers() -> list[str]:
    """The values of MessageTriggerEnumType, from the official schema."""
    text = (importlib.resources.files("ocpp.v201") / "schemas" / "TriggerMessageRequest.json").read_text("utf-8-sig")
    found: list[str] = json.loads(text)["definitions"]["MessageTriggerEnumType"]["enum"]
    return found


@pytest.mark.parametrize("trigger", triggers())
def test_every_message_that_can_be_triggered_may_come(trigger: str) -> None:
    gate = BootGate(PENDING)
    gate.agreed("TriggerMessage", {"requestedMessage": trigger})
    action = "SignCertificate" if trigger.startswith("Sign") else trigger

    assert {each for each in EVERY_ACTION if passes(gate, each)} == {"BootNotification", action}


@pytest.mark.parametrize("payload", [{"requestedMessage": "Teapot"}, {"requestedMessage": ""}])
def test_an_unknown_trigger_opens_nothing(payload: dict[str, Any]) -> None:
    gate = BootGate(PENDING)
    gate.agreed("TriggerMessage", payload)

    assert [each for each in [*EVERY_ACTION, "Teapot"] if passes(gate, each)] == ["BootNotification"]


@pytest.mark.parametrize("action", ["Reset", "GetVariables", "SetVariables"])
def test_what_asks_for_no_message_opens_nothing(action: str) -> None:
    gate = BootGate(PENDING)
    gate.agreed(action, {})

    assert [each for each in EVERY_ACTION if passes(gate, each)] == ["BootNotification"]


@pytest.mark.parametrize("status", [NONE, REJECTED])
def test_only_a_pending_station_is_asked(status: BootStatus) -> None:
    gate = BootGate(status)
    gate.agreed("TriggerMessage", {"requestedMessage": "Heartbeat"})

    assert not passes(gate, "Heartbeat")


@pytest.mark.parametrize("status", CLOSED)
def test_each_answer_to_a_boot_ends_what_was_asked_for(status: BootStatus) -> None:
    gate = BootGate(PENDING)
    gate.agreed("TriggerMessage", {"requestedMessage": "Heartbeat"})
    gate.answered(status)
    assert not passes(gate, "Heartbeat")

    gate.answered(PENDING)
    assert not passes(gate, "Heartbeat")


def test_what_is_asked_of_an_accepted_station_is_not_kept_for_a_pending_one() -> None:
    gate = BootGate(ACCEPTED)
    gate.agreed("TriggerMessage", {"requestedMessage": "Heartbeat"})
    gate.answered(PENDING)

    assert not passes(gate, "Heartbeat")


@given(st.lists(st.sampled_from([PENDING, REJECTED, ACCEPTED]), min_size=1))
def test_the_last_answer_counts(answers: list[BootStatus]) -> None:
    gate = BootGate(NONE)
    for status in answers:
        gate.answered(status)

    assert gate.status is answers[-1]
    assert gate.is_open is (answers[-1] is ACCEPTED)
    assert passes(gate, "Heartbeat") is gate.is_open


@pytest.mark.parametrize(("status", "shown"), [(NONE, "<BootGate None>"), (ACCEPTED, "<BootGate Accepted>")])
def test_a_state_shows_in_the_repr(status: BootStatus, shown: str) -> None:
    assert repr(BootGate(status)) == shown
