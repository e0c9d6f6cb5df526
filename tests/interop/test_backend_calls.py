"""What a strict 1.6 backend asks of a strict 2.0.1 station, and what it is answered."""

from typing import TYPE_CHECKING, Final

import pytest

from gateway.bridge.actions_16 import SECURITY_OF_A_CENTRAL_SYSTEM
from tests.interop.test_station_messages import HASH

if TYPE_CHECKING:
    from tests.interop.child import Json
    from tests.interop.conftest import NewStation
    from tests.interop.peers import Backend, Station

ACCEPTED: Final = {"status": "Accepted"}
EVSE: Final = {"id": 1, "connectorId": 1}
PERIODS: Final = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]}
DEFAULT: Final = {"stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative"}
CARD: Final = {"idToken": "04A2B3C4", "type": "ISO14443"}
LOCATION: Final = "https://logs.example.com/"
ROOT: Final = {"certificateType": "ManufacturerRootCertificate"}
FIRMWARE: Final = {
    "location": LOCATION,
    "retrieveDateTime": "2026-01-01T00:00:00Z",
    "signingCertificate": "PEM",
    "signature": "c2ln",
}
WHITE_PAPER: "Final[dict[str, Json]]" = {
    "CertificateSigned": {"certificateChain": "PEM"},
    "DeleteCertificate": {"certificateHashData": HASH},
    "ExtendedTriggerMessage": {"requestedMessage": "Heartbeat"},
    "GetInstalledCertificateIds": ROOT,
    "GetLog": {"logType": "DiagnosticsLog", "requestId": 3, "log": {"remoteLocation": LOCATION}},
    "InstallCertificate": {**ROOT, "certificate": "PEM"},
    "SignedUpdateFirmware": {"requestId": 4, "firmware": FIRMWARE},
}
DIALOGUES: "Final[list[tuple[str, Json, str, Json, Json, Json]]]" = [
    # the backend's CALL, what the station is asked, what it answers, what the backend hears
    ("Reset", {"type": "Hard"}, "Reset", {"type": "Immediate"}, ACCEPTED, ACCEPTED),
    ("Reset", {"type": "Soft"}, "Reset", {"type": "OnIdle"}, {"status": "Scheduled"}, ACCEPTED),
    ("Reset", {"type": "Hard"}, "Reset", {"type": "Immediate"}, {"status": "Rejected"}, {"status": "Rejected"}),
    (
        *("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
        *("ChangeAvailability", {"operationalStatus": "Inoperative"}),
        *(ACCEPTED, ACCEPTED),
    ),
    (
        *("ChangeAvailability", {"connectorId": 1, "type": "Operative"}),
        *("ChangeAvailability", {"operationalStatus": "Operative", "evse": EVSE}),
        *({"status": "Scheduled"}, {"status": "Scheduled"}),
    ),
    (
        *("UnlockConnector", {"connectorId": 1}, "UnlockConnector", {"evseId": 1, "connectorId": 1}),
        *({"status": "Unlocked"}, {"status": "Unlocked"}),
    ),
    ("ClearCache", {}, "ClearCache", {}, ACCEPTED, ACCEPTED),
    (
        *("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        *("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        *({"status": "NotImplemented"}, {"status": "NotImplemented"}),
    ),
    (
        *("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1}),
        *("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": EVSE}),
        *(ACCEPTED, ACCEPTED),
    ),
    (
        *("DataTransfer", {"vendorId": "com.example", "messageId": "set", "data": '{"a":[1,2]}'}),
        *("DataTransfer", {"vendorId": "com.example", "messageId": "set", "data": {"a": [1, 2]}}),
        *({"status": "Accepted", "data": "done"}, {"status": "Accepted", "data": "done"}),
    ),
    (
        *("DataTransfer", {"vendorId": "com.example", "data": "plain"}),
        *("DataTransfer", {"vendorId": "com.example", "data": "plain"}),
        *({"status": "UnknownVendorId"}, {"status": "UnknownVendorId"}),
    ),
    (
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 7, **DEFAULT, "chargingSchedule": PERIODS}},
        "SetChargingProfile",
        {"evseId": 1, "chargingProfile": {"id": 7, **DEFAULT, "chargingSchedule": [{"id": 7, **PERIODS}]}},
        *(ACCEPTED, ACCEPTED),
    ),
    (
        *("GetCompositeSchedule", {"connectorId": 1, "duration": 60}),
        *("GetCompositeSchedule", {"evseId": 1, "duration": 60}),
        {
            "status": "Accepted",
            "schedule": {"evseId": 1, "duration": 60, "scheduleStart": "2026-01-01T08:00:00Z", **PERIODS},
        },
        {
            "status": "Accepted",
            "connectorId": 1,
            "scheduleStart": "2026-01-01T08:00:00Z",
            "chargingSchedule": {"duration": 60, **PERIODS},
        },
    ),
    (
        *("ClearChargingProfile", {"id": 7}, "ClearChargingProfile", {"chargingProfileId": 7}),
        *({"status": "Unknown"}, {"status": "Unknown"}),
    ),
    (
        "SendLocalList",
        {
            "listVersion": 3,
            "updateType": "Full",
            "localAuthorizationList": [{"idTag": CARD["idToken"], "idTagInfo": ACCEPTED}],
        },
        "SendLocalList",
        {
            "versionNumber": 3,
            "updateType": "Full",
            "localAuthorizationList": [{"idToken": CARD, "idTokenInfo": ACCEPTED}],
        },
        *(ACCEPTED, ACCEPTED),
    ),
    ("GetLocalListVersion", {}, "GetLocalListVersion", {}, {"versionNumber": 3}, {"listVersion": 3}),
    (
        "ReserveNow",
        {"connectorId": 1, "expiryDate": "2099-01-01T08:00:00Z", "idTag": CARD["idToken"], "reservationId": 5},
        "ReserveNow",
        {"id": 5, "expiryDateTime": "2099-01-01T08:00:00Z", "idToken": CARD, "evseId": 1},
        *({"status": "Occupied"}, {"status": "Occupied"}),
    ),
    (
        *("CancelReservation", {"reservationId": 5}, "CancelReservation", {"reservationId": 5}),
        *({"status": "Rejected"}, {"status": "Rejected"}),
    ),
]


@pytest.fixture
def station(new_station: "NewStation") -> "Station":
    """A station that has booted and has one connector."""
    station = new_station(2)
    station.come_up()
    return station


def test_control(station: "Station", backend: "Backend") -> None:
    for call, request, asked, expected, answer, heard in DIALOGUES:
        station.answer(asked, answer)
        assert (call, backend.call(station.identity, call, request)) == (call, heard)
        assert station.asked(asked) == expected


def test_configuration(station: "Station", backend: "Backend") -> None:
    interval = {"key": "HeartbeatInterval", "value": "77"}

    assert backend.call(station.identity, "ChangeConfiguration", interval) == ACCEPTED
    [asked] = station.asked("SetVariables")["setVariableData"]
    assert (asked["component"]["name"], asked["variable"]["name"]) == ("OCPPCommCtrlr", "HeartbeatInterval")
    assert asked["attributeValue"] == "77"

    keys = ["HeartbeatInterval", "ConnectionTimeOut", "NoSuchKey"]
    told = backend.call(station.identity, "GetConfiguration", {"key": keys})
    assert [(each["key"], each["value"]) for each in told["configurationKey"]] == [("HeartbeatInterval", "77")]
    assert sorted(told["unknownKey"]) == ["ConnectionTimeOut", "NoSuchKey"]

    everything = backend.call(station.identity, "GetConfiguration", {})
    assert ("HeartbeatInterval", "77") in [(each["key"], each.get("value")) for each in everything["configurationKey"]]

    unknown = {"key": "NoSuchKey", "value": "1"}
    assert backend.call(station.identity, "ChangeConfiguration", unknown) == {"status": "NotSupported"}


def test_a_session_that_the_backend_starts_and_stops(station: "Station", backend: "Backend") -> None:
    station.answer("RequestStartTransaction", ACCEPTED)
    station.answer("RequestStopTransaction", ACCEPTED)

    def event(kind: str, trigger: str, seq_no: int, info: "Json", **fields: object) -> "Json":
        transaction = {"transactionId": "remote-1", **info}
        moment = f"2026-01-01T10:0{seq_no}:00.000Z"
        head = {"eventType": kind, "timestamp": moment, "triggerReason": trigger, "seqNo": seq_no}
        return station.call("TransactionEvent", {**head, "transactionInfo": transaction, **fields})

    wish = {"idTag": "APP-USER-7", "connectorId": 1}
    assert backend.call(station.identity, "RemoteStartTransaction", wish) == ACCEPTED
    asked = station.asked("RequestStartTransaction")
    assert (asked["idToken"]["idToken"], asked["evseId"]) == ("APP-USER-7", 1)

    remote = {"remoteStartId": asked["remoteStartId"], "chargingState": "Charging"}
    begin = [{"timestamp": "2026-01-01T10:00:00Z", "sampledValue": [{"value": 10, "context": "Transaction.Begin"}]}]
    began = event("Started", "RemoteStart", 0, remote, idToken=asked["idToken"], evse=EVSE, meterValue=begin)
    assert began["idTokenInfo"]["status"] == "Accepted"
    started = backend.event("call", identity=station.identity, action="StartTransaction")
    assert (started["payload"]["idTag"], started["payload"]["meterStart"]) == ("APP-USER-7", 10)

    number = started["answer"]["transactionId"]
    assert backend.call(station.identity, "RemoteStopTransaction", {"transactionId": number}) == ACCEPTED
    assert station.asked("RequestStopTransaction") == {"transactionId": "remote-1"}
    end = [{"timestamp": "2026-01-01T10:01:00Z", "sampledValue": [{"value": 3010, "context": "Transaction.End"}]}]
    event("Ended", "RemoteStop", 1, {"stoppedReason": "Remote"}, meterValue=end)
    *_, (action, stopped) = backend.ledger(station.identity)
    assert (action, stopped["transactionId"], stopped["meterStop"]) == ("StopTransaction", number, 3010)
    assert stopped["reason"] == "Remote"


def test_diagnostics_and_firmware(station: "Station", backend: "Backend") -> None:
    station.answer("GetLog", {"status": "Accepted", "filename": "log.zip"})
    location = "ftp://example.com/"

    wish = {"location": location, "startTime": "2026-01-01T01:00:00+01:00"}
    assert backend.call(station.identity, "GetDiagnostics", wish) == {"fileName": "log.zip"}
    asked = station.asked("GetLog")
    assert asked["log"] == {"remoteLocation": location, "oldestTimestamp": "2026-01-01T00:00:00Z"}
    told = {"status": "UploadFailure", "requestId": asked["requestId"]}
    assert station.call("LogStatusNotification", told) == {}
    heard = backend.event("call", identity=station.identity, action="DiagnosticsStatusNotification")
    assert heard["payload"] == {"status": "UploadFailed"}

    update = {"location": location, "retrieveDate": "2026-01-01T00:00:00Z"}
    assert backend.call(station.identity, "UpdateFirmware", update) == {}
    heard = backend.event("call", identity=station.identity, action="FirmwareStatusNotification")
    assert heard["payload"] == {"status": "DownloadFailed"}
    assert station.calls("UpdateFirmware") == []


def test_the_white_paper_where_the_operator_has_not_said_so(station: "Station", backend: "Backend") -> None:
    """With ``security_extension: true``: test_message_table."""
    assert WHITE_PAPER.keys() == SECURITY_OF_A_CENTRAL_SYSTEM
    for action, request in WHITE_PAPER.items():
        assert (action, backend.refused(station.identity, action, request).code) == (action, "NotSupported")
    assert station.calls("TriggerMessage", "GetLog", *WHITE_PAPER) == []


def test_stopping_a_transaction_of_nobody(station: "Station", backend: "Backend") -> None:
    """The station isn't even asked: 1.6 numbers are the backend's own."""
    asked = {"transactionId": 4711}
    assert backend.call(station.identity, "RemoteStopTransaction", asked) == {"status": "Rejected"}
    assert station.calls("RequestStopTransaction") == []


@pytest.mark.parametrize("data", [r'{"a": "\u0060reboot\u0060"}', r'["\u0024(reboot)"]'])
def test_json_text_that_hides_what_it_says(data: str, station: "Station", backend: "Backend") -> None:
    request = {"vendorId": "com.example", "data": data}
    assert backend.call(station.identity, "DataTransfer", request) == {"status": "Rejected"}
    assert station.calls("DataTransfer") == []


def test_a_station_that_refuses_with_an_error(station: "Station", backend: "Backend") -> None:
    """1.6 wants a status where 2.0.1 stations answer CALLERROR."""
    station.answer("Reset", error={"code": "NotSupported", "message": "no reset here"})
    assert backend.call(station.identity, "Reset", {"type": "Hard"}) == {"status": "Rejected"}


def test_the_second_evse(station: "Station", backend: "Backend") -> None:
    """1.6 counts connectors through, in the order in which the station spoke of them."""
    status = {"timestamp": "2026-01-01T08:00:00Z", "connectorStatus": "Occupied", "evseId": 2, "connectorId": 1}
    station.call("StatusNotification", status)
    told = [payload for _, payload in backend.calls(station.identity, "StatusNotification")]
    assert [(each["connectorId"], each["status"]) for each in told] == [(1, "Available"), (2, "Preparing")]

    station.answer("UnlockConnector", {"status": "Unlocked"})
    assert backend.call(station.identity, "UnlockConnector", {"connectorId": 2}) == {"status": "Unlocked"}
    assert station.asked("UnlockConnector") == {"evseId": 2, "connectorId": 1}


def test_a_station_that_has_left(station: "Station", backend: "Backend") -> None:
    """The charge point behind the gateway is gone for the backend too."""
    backend.event("connected", identity=station.identity)
    station.leave()
    assert backend.event("disconnected", identity=station.identity)["code"] == 1000
