"""The backend leaves and comes back: what a station is told meanwhile, and what the backend learns afterwards."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.interop.child import Json
    from tests.interop.conftest import NewStation
    from tests.interop.peers import Backend, Station

TOKEN: Final = {"idToken": "04A1B2C3", "type": "ISO14443"}


@pytest.fixture
def absence(backend: "Backend") -> Iterator["Backend"]:
    """The backend, which may leave during the test."""
    yield backend
    backend.do("return")


def event(station: "Station", kind: str, trigger: str, seq_no: int, wh: int, **fields: object) -> "Json":
    """Send one TransactionEvent with the energy register."""
    context = {"Started": "Transaction.Begin", "Updated": "Sample.Periodic", "Ended": "Transaction.End"}[kind]
    moment = f"2026-01-01T11:0{seq_no}:00.000Z"
    payload = {
        "eventType": kind,
        "timestamp": moment,
        "triggerReason": trigger,
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": "away-1"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": moment, "sampledValue": [{"value": wh, "context": context}]}],
    }
    return station.call("TransactionEvent", {**payload, **fields})


def gist(ledger: "list[tuple[str, Json]]") -> "list[tuple[str, object]]":
    """What the ledger says of energy: action and register."""
    return [
        (
            action,
            payload.get("meterStart", payload.get("meterStop"))
            if action != "MeterValues"
            else payload["meterValue"][0]["sampledValue"][0]["value"],
        )
        for action, payload in ledger
    ]


def test_a_boot_while_the_backend_is_away(new_station: "NewStation", absence: "Backend") -> None:
    """Pending until somebody who may decide is there (OCPP 2.0.1 B02)."""
    station = new_station(2)
    absence.do("leave")
    station.connect()
    pending = station.boot()
    assert pending["status"] == "Pending"
    assert pending["interval"] > 0
    assert station.refused("Heartbeat", {}).code == "SecurityError"

    absence.do("return")
    absence.event("connected", identity=station.identity)
    assert station.boot()["status"] == "Accepted"
    assert station.call("Heartbeat", {})["currentTime"]


def test_a_session_while_the_backend_is_away(new_station: "NewStation", absence: "Backend") -> None:
    station = new_station(2)
    station.come_up()
    absence.event("connected", identity=station.identity)
    absence.do("leave")
    absence.event("disconnected", identity=station.identity)
    event(station, "Started", "Authorized", 0, 100, idToken=TOKEN)
    event(station, "Updated", "MeterValuePeriodic", 1, 200)
    event(station, "Updated", "MeterValuePeriodic", 2, 300)
    event(station, "Ended", "StopAuthorized", 3, 400, idToken=TOKEN)
    assert absence.ledger(station.identity) == []

    absence.do("return")
    stopped = absence.event("call", identity=station.identity, action="StopTransaction")
    assert stopped["payload"]["timestamp"] == "2026-01-01T11:03:00.000Z"
    assert gist(absence.ledger(station.identity)) == [
        ("StartTransaction", 100),
        ("MeterValues", "200"),
        ("MeterValues", "300"),
        ("StopTransaction", 400),
    ]
    number = absence.event("call", identity=station.identity, action="StartTransaction")["answer"]["transactionId"]
    assert {payload["transactionId"] for _, payload in absence.ledger(station.identity)[1:]} == {number}


def test_the_backend_leaves_in_the_middle_of_a_session(new_station: "NewStation", absence: "Backend") -> None:
    station = new_station(2)
    station.come_up()
    absence.event("connected", identity=station.identity)
    event(station, "Started", "Authorized", 0, 100, idToken=TOKEN)
    absence.do("leave")
    absence.event("disconnected", identity=station.identity)
    event(station, "Updated", "MeterValuePeriodic", 1, 200)
    absence.do("return")
    absence.event("call", identity=station.identity, action="MeterValues")
    event(station, "Ended", "EVDeparted", 2, 400)

    absence.event("call", identity=station.identity, action="StopTransaction")
    assert gist(absence.ledger(station.identity)) == [
        ("StartTransaction", 100),
        ("MeterValues", "200"),
        ("StopTransaction", 400),
    ]


def test_a_session_whose_station_left_before_the_backend_came_back(
    new_station: "NewStation", absence: "Backend"
) -> None:
    """The journal is delivered for a station that isn't there."""
    station = new_station(2)
    station.come_up()
    absence.event("connected", identity=station.identity)
    absence.do("leave")
    absence.event("disconnected", identity=station.identity)
    event(station, "Started", "Authorized", 0, 100, idToken=TOKEN)
    event(station, "Ended", "StopAuthorized", 1, 400, idToken=TOKEN)
    station.leave()

    absence.do("return")
    absence.event("call", identity=station.identity, action="StopTransaction")
    assert gist(absence.ledger(station.identity)) == [("StartTransaction", 100), ("StopTransaction", 400)]


def test_a_token_that_turns_out_to_be_refused(new_station: "NewStation", absence: "Backend") -> None:
    """The station was answered without the backend's word: what it refuses late is stopped by command (E05)."""
    station = new_station(2)
    station.come_up()
    station.answer("RequestStopTransaction", {"status": "Accepted"})
    absence.event("connected", identity=station.identity)
    absence.do("leave")
    absence.event("disconnected", identity=station.identity)
    assert "idTokenInfo" not in event(station, "Started", "Authorized", 0, 100, idToken=TOKEN)

    absence.answer("StartTransaction", {"transactionId": 66, "idTagInfo": {"status": "Blocked"}})
    absence.do("return")
    assert station.asked("RequestStopTransaction") == {"transactionId": "away-1"}
