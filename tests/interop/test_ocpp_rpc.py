"""npm's ocpp-rpc on both sides, in strict mode: third parties that know the schemas and nothing of Voltgate.

That neither side finds fault with a schema, and that the gateway's log has no fault of its own, is asserted after each
test (conftest.new_station).
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from tests.interop.child import Json
    from tests.interop.conftest import NewStation
    from tests.interop.peers import Backend, Station

EVSE: Final = {"id": 1, "connectorId": 1}
TOKEN: Final = {"idToken": "04A1B2C3", "type": "ISO14443"}
ID_TAG: Final = TOKEN["idToken"]


def at(minute: int) -> str:
    """A moment of the session."""
    return f"2026-01-01T09:{minute:02}:00.000Z"


def register(energy: float, context: str, **unit: Any) -> "list[Json]":
    """A meterValue with the energy register alone."""
    sampled = {"value": energy, "context": context, "measurand": "Energy.Active.Import.Register"}
    return [{"timestamp": at(0), "sampledValue": [{**sampled, **({"unitOfMeasure": unit} if unit else {})}]}]


class Dialogue:
    """One transaction at a station; each call sends one TransactionEvent and returns the answer."""

    def __init__(self, station: "Station", transaction: str = "8f2e-1") -> None:
        self.station = station
        self.transaction = transaction
        self.seq_no = 0

    def __call__(self, kind: str, trigger: str, *, info: "Json | None" = None, **fields: Any) -> "Json":
        event: Json = {
            "eventType": kind,
            "timestamp": at(self.seq_no),
            "triggerReason": trigger,
            "seqNo": self.seq_no,
            "transactionInfo": {"transactionId": self.transaction, **(info or {})},
            **fields,
        }
        for value in event.get("meterValue", ()):
            value["timestamp"] = event["timestamp"]  # a meter that gives so much at one moment would be no meter
        self.seq_no += 1
        return self.station.call("TransactionEvent", event)


def start(id_tag: str, wh: int) -> "Json":
    """The StartTransaction.req that is right: as of the Started event, whenever the token came."""
    return {"connectorId": 1, "idTag": id_tag, "meterStart": wh, "timestamp": at(0)}


def energy_of(meter_values: "Json") -> list[int]:
    """The energy registers of a MeterValues.req, in Wh."""
    sampled = [value for entry in meter_values["meterValue"] for value in entry["sampledValue"]]
    return [
        round(float(value["value"]) * {"Wh": 1, "kWh": 1000}[value.get("unit", "Wh")])
        for value in sampled
        if value.get("measurand", "Energy.Active.Import.Register") == "Energy.Active.Import.Register"
    ]


Course = Callable[[Dialogue], None]


# --- sessions


def token_first(event: Dialogue) -> None:
    """The driver shows the card, then plugs in; Wh."""
    began = event("Started", "Authorized", idToken=TOKEN, evse=EVSE, meterValue=register(1200, "Transaction.Begin"))
    assert began["idTokenInfo"]["status"] == "Accepted"
    event("Updated", "CablePluggedIn", info={"chargingState": "EVConnected"})
    event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    event("Updated", "MeterValuePeriodic", meterValue=register(2500, "Sample.Periodic"))
    ended = {"chargingState": "EVConnected", "stoppedReason": "Local"}
    last = register(4200, "Transaction.End")
    assert (
        event("Ended", "StopAuthorized", info=ended, idToken=TOKEN, meterValue=last)["idTokenInfo"]["status"]
        == "Accepted"
    )


def cable_first(event: Dialogue) -> None:
    """The driver plugs in, then shows the card: the backend hears of it when there is somebody to bill."""
    plugged = {"chargingState": "EVConnected"}
    event("Started", "CablePluggedIn", info=plugged, evse=EVSE, meterValue=register(1200, "Transaction.Begin"))
    assert event("Updated", "Authorized", info=plugged, idToken=TOKEN)["idTokenInfo"]["status"] == "Accepted"
    event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    event("Updated", "MeterValuePeriodic", meterValue=register(2500, "Sample.Periodic", unit="Wh"))
    ended = {"chargingState": "Idle", "stoppedReason": "EVDisconnected"}
    event("Ended", "EVCommunicationLost", info=ended, meterValue=register(4200, "Transaction.End"))


def in_kilowatt_hours(event: Dialogue) -> None:
    """The meter counts kWh, and tenths of them in the middle (multiplier)."""
    first = register(1.2, "Transaction.Begin", unit="kWh")
    began = event("Started", "Authorized", idToken=TOKEN, evse=EVSE, meterValue=first)
    assert began["idTokenInfo"]["status"] == "Accepted"
    event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    event("Updated", "MeterValuePeriodic", meterValue=register(25, "Sample.Periodic", unit="kWh", multiplier=-1))
    ended = {"chargingState": "EVConnected", "stoppedReason": "EVDisconnected"}
    event("Ended", "EVDeparted", info=ended, meterValue=register(4.2, "Transaction.End", unit="kWh"))


@pytest.mark.parametrize(
    ("profile", "course", "reason"),
    [(1, cable_first, "EVDisconnected"), (2, token_first, "Local"), (3, in_kilowatt_hours, "EVDisconnected")],
    ids=["profile 1, cable first", "profile 2, token first", "profile 3, kWh"],
)
def test_a_session(profile: int, course: Course, reason: str, new_station: "NewStation", backend: "Backend") -> None:
    station = new_station(min(profile, 2), by_command=profile == 2)
    station.come_up()
    if profile == 3:
        station.enrol()
        station.come_up()
    assert station.call("Authorize", {"idToken": TOKEN})["idTokenInfo"]["status"] == "Accepted"
    event = Dialogue(station)
    course(event)

    (begin, began), *between, (end, ended) = backend.ledger(station.identity)
    assert (begin, began) == ("StartTransaction", start(ID_TAG, 1200))
    assert [(action, energy_of(payload)) for action, payload in between] == [("MeterValues", [2500])]
    assert {payload["transactionId"] for _, payload in between} == {ended["transactionId"]}
    assert end == "StopTransaction"
    assert (ended["meterStop"], ended["timestamp"]) == (4200, at(event.seq_no - 1))
    assert ended.get("reason", "Local") == reason


def test_what_the_backend_hears_around_a_session(new_station: "NewStation", backend: "Backend") -> None:
    station = new_station(2)
    station.come_up()
    token_first(Dialogue(station))

    [(_, boot)] = backend.calls(station.identity, "BootNotification")
    assert boot == {
        "chargePointModel": "Third",
        "chargePointVendor": "Party & Sons",
        "chargePointSerialNumber": station.serial,
        "firmwareVersion": "1.0",
    }
    told = [payload for _, payload in backend.calls(station.identity, "StatusNotification")]
    assert [(payload["connectorId"], payload["status"]) for payload in told] == [
        (1, "Available"),
        (1, "Preparing"),
        (1, "Charging"),
        (1, "Finishing"),
    ]


def test_a_token_that_the_backend_refuses(new_station: "NewStation", backend: "Backend") -> None:
    station = new_station(2)
    station.come_up()
    blocked = {"idToken": "DEADBEEF", "type": "ISO14443"}
    backend.answer("Authorize", {"idTagInfo": {"status": "Blocked", "parentIdTag": "FLEET", "expiryDate": at(59)}})
    info = station.call("Authorize", {"idToken": blocked})["idTokenInfo"]

    assert (info["status"], info["groupIdToken"]["idToken"]) == ("Blocked", "FLEET")
    assert datetime.fromisoformat(info["cacheExpiryDateTime"]) == datetime.fromisoformat(at(59))


def test_a_session_that_the_backend_refuses(new_station: "NewStation", backend: "Backend") -> None:
    station = new_station(2)
    station.come_up()
    backend.answer("StartTransaction", {"transactionId": 77, "idTagInfo": {"status": "ConcurrentTx"}})
    event = Dialogue(station)

    began = event("Started", "Authorized", idToken=TOKEN, evse=EVSE, meterValue=register(1200, "Transaction.Begin"))
    assert began["idTokenInfo"]["status"] == "ConcurrentTx"
    ended = {"chargingState": "Idle", "stoppedReason": "DeAuthorized"}
    event("Ended", "Deauthorized", info=ended, meterValue=register(1200, "Transaction.End"))
    *_, (action, stopped) = backend.ledger(station.identity)
    assert (action, stopped["transactionId"], stopped["reason"]) == ("StopTransaction", 77, "DeAuthorized")


def test_a_repeated_event(new_station: "NewStation", backend: "Backend") -> None:
    """A station that got no answer sends the event again (E04): the backend hears of it once."""
    station = new_station(2)
    station.come_up()
    event = Dialogue(station)
    first = register(1200, "Transaction.Begin")
    answers = []
    for _ in range(2):
        event.seq_no = 0
        answers.append(event("Started", "Authorized", idToken=TOKEN, evse=EVSE, meterValue=first))
    for _ in range(2):
        event.seq_no = 1
        event("Ended", "EVDeparted", info={"stoppedReason": "Local"}, meterValue=register(4200, "Transaction.End"))

    assert answers[0] == answers[1]
    assert [action for action, _ in backend.ledger(station.identity)] == ["StartTransaction", "StopTransaction"]


def test_messages_outside_a_session(new_station: "NewStation", backend: "Backend") -> None:
    station = new_station(2)
    station.come_up()
    sent = {"vendorId": "com.example", "messageId": "hello", "data": {"list": [1, 2.5, None], "text": "straße"}}

    assert station.call("Heartbeat", {})["currentTime"]
    assert station.call("MeterValues", {"evseId": 1, "meterValue": register(77, "Sample.Clock")}) == {}
    assert station.call("SecurityEventNotification", {"type": "StartupOfTheDevice", "timestamp": at(0)}) == {}
    assert station.call("DataTransfer", sent) == {"status": "Accepted", "data": "from the backend"}
    [(_, received)] = backend.calls(station.identity, "DataTransfer")
    assert {**received, "data": json.loads(received["data"])} == sent
    [(_, meter)] = backend.calls(station.identity, "MeterValues")
    assert (meter["connectorId"], energy_of(meter), "transactionId" in meter) == (1, [77], False)
