"""1.6 stations before a 1.6 backend, both npm's ocpp-rpc in strict mode: the whole table of 1.6 and the white paper.

The backend knows the white paper; what one hears that doesn't: tests/system/test_stations_16.py. That neither side
finds fault with a schema is asserted after each test (conftest.new_station).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from gateway.bridge.actions_16 import OF_A_CENTRAL_SYSTEM, OF_A_CHARGE_POINT
from tests.interop.conftest import assert_healthy
from tests.interop.gateway_process import Gateway
from tests.interop.peers import OPERATOR, Backend, make_csr
from tests.interop.test_backend_calls import DEFAULT, LOCATION, PERIODS, WHITE_PAPER
from tests.interop.test_station_messages import HASH

if TYPE_CHECKING:
    from tests.interop.child import Json
    from tests.interop.conftest import NewStation
    from tests.interop.peers import Station

ACCEPTED: Final = {"status": "Accepted"}
REJECTED: Final = {"status": "Rejected"}
AT: Final = "2026-01-01T09:00:00+01:00"
"""As a station writes it: what passes isn't rewritten."""
INFO: Final = {"idTagInfo": ACCEPTED}
SAMPLE: Final = {"timestamp": AT, "sampledValue": [{"value": "1.5", "unit": "kWh", "measurand": "Voltage"}]}
STATUS: Final = {"connectorId": 2, "errorCode": "OtherError", "status": "Faulted", "vendorId": "acme", "info": "x"}
DATA: Final = {"vendorId": "acme", "messageId": "m", "data": '{"a": 1}'}

UP: "Final[list[tuple[str, Json, Json]]]" = [
    # the station's CALL, which the backend hears as it is; the answer, which the station hears as it is
    ("Authorize", {"idTag": "CARD"}, {"idTagInfo": {"status": "Blocked", "parentIdTag": "FLEET", "expiryDate": AT}}),
    ("DataTransfer", DATA, {"status": "UnknownMessageId", "data": "y"}),
    ("DiagnosticsStatusNotification", {"status": "Uploading"}, {}),
    ("FirmwareStatusNotification", {"status": "Idle"}, {}),
    ("Heartbeat", {}, {"currentTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}),
    ("MeterValues", {"connectorId": 0, "meterValue": [SAMPLE]}, {}),
    ("SecurityEventNotification", {"type": "StartupOfTheDevice", "timestamp": AT, "techInfo": "x"}, {}),
    (
        *("StartTransaction", {"connectorId": 1, "idTag": "CARD", "meterStart": 10, "timestamp": AT}),
        {"transactionId": 7, **INFO},
    ),
    ("MeterValues", {"connectorId": 1, "transactionId": 7, "meterValue": [SAMPLE]}, {}),
    ("StatusNotification", STATUS, {}),
    (
        "StopTransaction",
        {"transactionId": 7, "meterStop": 20, "timestamp": AT, "reason": "Remote", "transactionData": [SAMPLE]},
        INFO,
    ),
]
ASKED_FOR: Final = {"LogStatusNotification", "SignedFirmwareStatusNotification"}
"""What a station says of something that the backend has asked for: played with the question."""
OF_VOLTGATE: Final = {"BootNotification", "SignCertificate"}
"""What Voltgate answers, or answers first."""

PROFILE: Final = {"chargingProfileId": 7, **DEFAULT, "chargingSchedule": PERIODS}
SCHEDULE: Final = {"status": "Accepted", "connectorId": 1, "scheduleStart": AT, "chargingSchedule": PERIODS}
KEY: Final = {"key": "HeartbeatInterval", "readonly": False, "value": "300"}
RESERVATION: Final = {"connectorId": 1, "expiryDate": AT, "idTag": "CARD", "reservationId": 5, "parentIdTag": "FLEET"}
LIST: Final = [{"idTag": "CARD", "idTagInfo": {**ACCEPTED, "expiryDate": AT}}, {"idTag": "GONE"}]
FOUND: Final = {**ACCEPTED, "certificateHashData": [HASH]}
DOWN: "Final[dict[str, tuple[Json, Json]]]" = {
    # the backend's CALL, which the station hears as it is; the answer, which the backend hears as it is
    "CancelReservation": ({"reservationId": 5}, REJECTED),
    "ChangeAvailability": ({"connectorId": 0, "type": "Inoperative"}, {"status": "Scheduled"}),
    "ChangeConfiguration": ({"key": "BlinkRepeat", "value": "3"}, {"status": "RebootRequired"}),
    "ClearCache": ({}, ACCEPTED),
    "ClearChargingProfile": ({"chargingProfilePurpose": "TxProfile", "stackLevel": 1}, {"status": "Unknown"}),
    "DataTransfer": (DATA, {"status": "UnknownVendorId"}),
    "ExtendedTriggerMessage": ({"requestedMessage": "FirmwareStatusNotification"}, ACCEPTED),
    "GetCompositeSchedule": ({"connectorId": 1, "duration": 60, "chargingRateUnit": "A"}, SCHEDULE),
    "GetConfiguration": ({"key": ["HeartbeatInterval", "Odd"]}, {"configurationKey": [KEY], "unknownKey": ["Odd"]}),
    "GetDiagnostics": ({"location": LOCATION, "startTime": AT, "retries": 1}, {"fileName": "a.zip"}),
    "GetInstalledCertificateIds": (WHITE_PAPER["GetInstalledCertificateIds"], FOUND),
    "GetLocalListVersion": ({}, {"listVersion": -1}),
    "GetLog": (WHITE_PAPER["GetLog"], {**ACCEPTED, "filename": "b.zip"}),
    "RemoteStartTransaction": ({"connectorId": 1, "idTag": "CARD"}, ACCEPTED),
    "RemoteStopTransaction": ({"transactionId": 7}, ACCEPTED),
    "ReserveNow": (RESERVATION, {"status": "Occupied"}),
    "Reset": ({"type": "Soft"}, ACCEPTED),
    "SendLocalList": (
        {"listVersion": 3, "updateType": "Differential", "localAuthorizationList": LIST},
        {"status": "VersionMismatch"},
    ),
    "SetChargingProfile": ({"connectorId": 1, "csChargingProfiles": PROFILE}, {"status": "NotSupported"}),
    "TriggerMessage": ({"requestedMessage": "MeterValues", "connectorId": 1}, {"status": "NotImplemented"}),
    "UnlockConnector": ({"connectorId": 1}, {"status": "UnlockFailed"}),
}
REFUSED: Final = {
    "CertificateSigned": REJECTED,
    "DeleteCertificate": {"status": "Failed"},
    "InstallCertificate": REJECTED,
    "SignedUpdateFirmware": REJECTED,
}
"""What never reaches a station, and what the backend hears."""
UPDATE: Final = {"location": LOCATION, "retrieveDate": AT}
"""UpdateFirmware, whose refusal is a CALLERROR."""


@pytest.fixture(scope="module")
def backend(ocpp_rpc: None) -> Iterator[Backend]:  # skips where there is no ocpp-rpc
    """One that knows the white paper."""
    backend = Backend()
    yield backend
    assert backend.stop() == 0


@pytest.fixture(scope="module")
def gateway(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One that knows that the backend does."""
    gateway = Gateway(tmp_path_factory.mktemp("interop") / "d", backend.port, security_extension=True)
    yield gateway
    assert gateway.stop() == 0
    assert_healthy(gateway.news())


@pytest.fixture
def station(new_station: "NewStation", backend: Backend) -> "Station":
    """A station that has booted, and whose backend knows it."""
    station = new_station(2, "ocpp1.6")
    station.come_up()
    boot = backend.event("call", identity=station.identity, action="BootNotification")["payload"]
    assert boot["chargePointSerialNumber"] == station.serial
    backend.event("call", identity=station.identity, action="StatusNotification")
    return station


def heard(backend: Backend, station: "Station", action: str) -> "Json":
    """Wait for a CALL of the station at the backend and return its payload."""
    payload: Json = backend.event("call", identity=station.identity, action=action)["payload"]
    return payload


def test_every_message_of_1_6_is_played() -> None:
    """An action without a dialogue here would be a promise that no third party has tried."""
    assert {action for action, *_ in UP} | ASKED_FOR | OF_VOLTGATE == OF_A_CHARGE_POINT | {"DataTransfer"}
    assert DOWN.keys() | REFUSED.keys() | {"UpdateFirmware"} == OF_A_CENTRAL_SYSTEM | {"DataTransfer"}


def test_every_message_of_a_station(station: "Station", backend: Backend) -> None:
    for action, request, answer in UP:
        backend.answer(action, answer)
        assert (action, station.call(action, request)) == (action, answer)
        assert (action, heard(backend, station, action)) == (action, request)


def test_a_certificate(station: "Station", backend: Backend) -> None:
    _, csr = make_csr(station.serial, OPERATOR)
    station.answer("CertificateSigned", ACCEPTED)
    assert station.call("SignCertificate", {"csr": csr}) == ACCEPTED
    assert station.asked("CertificateSigned")["certificateChain"].startswith("-----BEGIN CERTIFICATE-----")
    assert backend.calls(station.identity, "SignCertificate") == []


def test_every_message_of_a_backend(station: "Station", backend: Backend) -> None:
    backend.answer("StartTransaction", {"transactionId": 7, **INFO})
    station.call("StartTransaction", {"connectorId": 1, "idTag": "CARD", "meterStart": 10, "timestamp": AT})
    for action, (request, answer) in DOWN.items():
        station.answer(action, answer)
        assert (action, backend.call(station.identity, action, request)) == (action, answer)
        assert (action, station.asked(action)) == (action, request)


def test_what_the_backend_has_asked_for(station: "Station", backend: Backend) -> None:
    station.answer("GetLog", ACCEPTED)
    station.answer("ExtendedTriggerMessage", ACCEPTED)
    backend.call(station.identity, "GetLog", WHITE_PAPER["GetLog"])
    told = {"status": "UploadFailure", "requestId": station.asked("GetLog")["requestId"]}
    assert station.call("LogStatusNotification", told) == {}
    assert heard(backend, station, "LogStatusNotification") == told
    backend.call(station.identity, "ExtendedTriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})
    assert station.call("SignedFirmwareStatusNotification", {"status": "Idle"}) == {}
    assert heard(backend, station, "SignedFirmwareStatusNotification") == {"status": "Idle"}


def test_what_is_not_the_backends_business(station: "Station", backend: Backend) -> None:
    for action, answer in REFUSED.items():
        assert (action, backend.call(station.identity, action, WHITE_PAPER[action])) == (action, answer)
    assert backend.refused(station.identity, "UpdateFirmware", UPDATE).code == "NotSupported"
    assert station.calls(*REFUSED, "UpdateFirmware") == []


def test_the_wrong_way(station: "Station", backend: Backend) -> None:
    assert station.refused("Reset", {"type": "Hard"}).code == "NotSupported"
    assert backend.refused(station.identity, "Heartbeat", {}).code == "NotSupported"
