"""The whole message table, end to end, with a strict station and a strict backend that knows the white paper.

Every row is played, and all that it says comes of a message is heard. A row that nobody has played fails, and one that
promises what never comes. That neither side finds fault with a schema is asserted after each test
(conftest.new_station).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.bridge.v201_v16.message_table import FROM_BACKEND, FROM_STATION, Row
from tests.interop.conftest import assert_healthy
from tests.interop.gateway_process import Gateway
from tests.interop.peers import OPERATOR, Backend, Refusal, make_csr
from tests.interop.test_backend_calls import DIALOGUES, LOCATION, ROOT, WHITE_PAPER
from tests.interop.test_station_messages import HASH, MESSAGES

if TYPE_CHECKING:
    from tests.interop.child import Json
    from tests.interop.conftest import NewStation
    from tests.interop.peers import Station

ACCEPTED: Final = {"status": "Accepted"}
EVSE: Final = {"id": 1, "connectorId": 1}
TOKEN: Final = {"idToken": "04A1B2C3", "type": "ISO14443"}
AT: Final = "2026-01-01T09:00:00.000Z"
OF_VOLTGATE: Final = frozenset({"CertificateSigned", "GetBaseReport", "SetVariables"})
"""What Voltgate may ask of a station by itself at any time; a CALL of the backend that becomes one of them shows it."""
OF_OTHER_BACKENDS: Final = {("UpdateFirmware", "FirmwareStatusNotification"), ("Authorize", "DataTransfer")}
"""What only a backend hears that doesn't know the white paper (test_backend_calls), or knows the Plug & Charge note
(tests/system/test_conformance_plug_and_charge.py)."""
AVAILABLE: Final = {"timestamp": AT, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
UNFIT: Final = f"{LOCATION}{'x' * 512}"
"""Longer than 2.0.1 has room for: what no policy minds."""
PROFILE: Final = {
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]},
}
LIST: Final = [{"idTag": tag, "idTagInfo": ACCEPTED} for tag in ("04A1B2C3", "04A1B2C4")]
FOUND: Final = {
    "status": "Accepted",
    "certificateHashDataChain": [{**ROOT, "certificateHashData": HASH}],
}


DEEDS: "Final[list[tuple[str, Json, str, Json, Json]]]" = [
    # the backend's CALL; what the station is asked last, and answers, if it is asked; what the backend hears
    ("CertificateSigned", WHITE_PAPER["CertificateSigned"], "", {}, {"status": "Rejected"}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "77"}, "", {}, ACCEPTED),
    ("DeleteCertificate", WHITE_PAPER["DeleteCertificate"], "", {}, {"status": "Failed"}),
    ("ExtendedTriggerMessage", WHITE_PAPER["ExtendedTriggerMessage"], "TriggerMessage", ACCEPTED, ACCEPTED),
    ("GetConfiguration", {"key": ["NoSuchKey"]}, "", {}, {"unknownKey": ["NoSuchKey"]}),
    ("GetConfiguration", {"key": ["ConnectionTimeOut"]}, "", {}, {"unknownKey": ["ConnectionTimeOut"]}),
    ("GetDiagnostics", {"location": LOCATION}, "GetLog", {**ACCEPTED, "filename": "a.zip"}, {"fileName": "a.zip"}),
    (
        *("GetInstalledCertificateIds", ROOT, "GetInstalledCertificateIds", FOUND),
        {**ACCEPTED, "certificateHashData": [HASH]},
    ),
    ("GetLog", WHITE_PAPER["GetLog"], "GetLog", {**ACCEPTED, "filename": "b.zip"}, {**ACCEPTED, "filename": "b.zip"}),
    ("InstallCertificate", WHITE_PAPER["InstallCertificate"], "", {}, {"status": "Rejected"}),
    ("RemoteStartTransaction", {"idTag": "APP"}, "RequestStartTransaction", ACCEPTED, ACCEPTED),
    (
        *("SendLocalList", {"listVersion": 9, "updateType": "Full", "localAuthorizationList": LIST}),
        *("SendLocalList", ACCEPTED, ACCEPTED),
    ),
    (
        *("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 21, **PROFILE}}),
        *("SetChargingProfile", ACCEPTED, ACCEPTED),
    ),
    (
        *("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 22, **PROFILE}}),
        *("SetChargingProfile", ACCEPTED, ACCEPTED),
    ),
    ("SignedUpdateFirmware", WHITE_PAPER["SignedUpdateFirmware"], "", {}, {"status": "Rejected"}),
]


class Play:
    """Plays messages, and writes down what came of each: at the other side, and at the sender's own."""

    def __init__(self, station: "Station", backend: Backend) -> None:
        self.station = station
        self.backend = backend
        self.came: dict[tuple[str, str], set[str]] = {}
        """(sender, action) -> the actions that came of it."""
        self._counts = self._heard()

    def up(self, action: str, request: "Json") -> "Json":
        """The station sends a CALL; return its answer."""
        answer = self.station.call(action, request)
        self._enter("station", action)
        return answer

    def down(self, action: str, request: "Json", then: str | None = None) -> "Json | Refusal":
        """The backend sends a CALL; return its answer. ``then``: what it hears after it."""
        number = self.backend.begin("call", identity=self.station.identity, action=action, payload=request)
        answer: Json | Refusal = self.backend.end(number)
        if then is not None:
            self.backend.event("call", identity=self.station.identity, action=then)
        self._enter("backend", action)
        return answer

    def lacks(self, sender: str, rows: Mapping[str, Row]) -> list[tuple[str, str]]:
        """Return what a row promises that never came, and (action, "") for what was never played."""
        promised = {(action, each) for action, row in rows.items() for each in (*row.becomes, *row.asks)}
        came = {(action, each) for action in rows for each in self.came.get((sender, action), ())}
        unplayed = {(action, "") for action in rows if (sender, action) not in self.came}
        return sorted(unplayed | (promised - came - OF_OTHER_BACKENDS))

    def beside(self, sender: str, rows: Mapping[str, Row]) -> list[tuple[str, str]]:
        """Return what came of a message without its row saying so."""
        return sorted(
            (action, each)
            for action, row in rows.items()
            for each in self.came.get((sender, action), ())
            if each not in {*row.becomes, *row.asks, *OF_VOLTGATE}
        )

    def _enter(self, sender: str, action: str) -> None:
        before, self._counts = self._counts, self._heard()
        came = self.came.setdefault((sender, action), set())
        came |= {each for each, count in self._counts.items() if count > before.get(each, 0)}

    def _heard(self) -> dict[str, int]:
        identity, counts = self.station.identity, dict[str, int]()
        for said in (*self.backend.everything(identity), *self.station.everything()):
            counts[said] = counts.get(said, 0) + 1
        return counts


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
def play(new_station: "NewStation", backend: Backend) -> Play:
    """A station that has connected and says nothing yet."""
    station = new_station(2)
    station.connect()
    return Play(station, backend)


def come_up(play: Play) -> None:
    """Boot, and name the first connector."""
    names = {"model": "Third", "vendorName": "Party & Sons", "serialNumber": play.station.serial}
    boot = {"reason": "PowerUp", "chargingStation": names}
    assert play.up("BootNotification", boot)["status"] == "Accepted"
    assert play.up("StatusNotification", AVAILABLE) == {}


def event(play: Play, kind: str, seq_no: int, tx: str = "t-1", **fields: Any) -> "Json":
    """The station sends a TransactionEvent."""
    head = {"eventType": kind, "timestamp": AT, "triggerReason": fields.pop("trigger", "Trigger"), "seqNo": seq_no}
    info = {"transactionId": tx, **fields.pop("info", {})}
    return play.up("TransactionEvent", {**head, "transactionInfo": info, **fields})


def register(wh: int) -> "list[Json]":
    """A meterValue."""
    return [{"timestamp": AT, "sampledValue": [{"value": wh}]}]


def sessions(play: Play, backend: Backend) -> None:
    """A session with all that comes of it, and one that the backend refuses when only a command can say so."""
    assert play.up("StatusNotification", AVAILABLE) == {}
    assert event(play, "Started", 0, idToken=TOKEN, meterValue=register(1))["idTokenInfo"] == ACCEPTED
    assert event(play, "Updated", 1, evse=EVSE, info={"chargingState": "Charging"}, meterValue=register(2)) == {}
    assert event(play, "Ended", 2, info={"stoppedReason": "Local"}, meterValue=register(3)) == {}
    play.station.answer("RequestStopTransaction", ACCEPTED)
    backend.answer("StartTransaction", {"transactionId": 9, "idTagInfo": {"status": "Blocked"}})
    event(play, "Started", 0, tx="t-2", idToken=TOKEN)
    event(play, "Updated", 1, tx="t-2", evse=EVSE)
    assert play.station.asked("RequestStopTransaction") == {"transactionId": "t-2"}
    event(play, "Ended", 2, tx="t-2", info={"stoppedReason": "DeAuthorized"})


def test_every_message_of_a_station(play: Play, backend: Backend) -> None:
    come_up(play)
    for action, request, answer in MESSAGES:
        assert (action, play.up(action, request)) == (action, answer)
    play.up("Heartbeat", {})
    assert play.up("Authorize", {"idToken": TOKEN}) == {"idTokenInfo": ACCEPTED}
    assert play.up("DataTransfer", {"vendorId": "acme", "data": [1]})["status"] == "Accepted"
    sessions(play, backend)
    for log, told in (("GetDiagnostics", {"location": LOCATION}), ("GetLog", None)):
        play.station.answer("GetLog", ACCEPTED)
        play.down(log, told or {"logType": "SecurityLog", "requestId": 7, "log": {"remoteLocation": LOCATION}})
        status = {"status": "Uploaded", "requestId": play.station.asked("GetLog")["requestId"]}
        assert play.up("LogStatusNotification", status) == {}
    play.station.answer("TriggerMessage", ACCEPTED)
    play.down("ExtendedTriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})
    assert play.up("FirmwareStatusNotification", {"status": "SignatureVerified", "requestId": 1}) == {}
    _, csr = make_csr(play.station.serial, OPERATOR)
    play.station.answer("CertificateSigned", ACCEPTED)
    assert play.up("SignCertificate", {"csr": csr, "certificateType": "ChargingStationCertificate"}) == ACCEPTED
    play.station.asked("CertificateSigned")

    assert play.lacks("station", FROM_STATION) == []
    assert play.beside("station", FROM_STATION) == []


def test_every_message_of_a_backend(play: Play, backend: Backend) -> None:
    come_up(play)
    for action, request, asked, expected, answer, heard in DIALOGUES:
        play.station.answer(asked, answer)
        assert (action, play.down(action, request)) == (action, heard)
        assert play.station.asked(asked) == expected
    for action, request, asked, answer, heard in DEEDS:
        if asked:
            play.station.answer(asked, answer)
        assert (action, play.down(action, request)) == (action, heard)
    assert play.down("GetDiagnostics", {"location": UNFIT}, "DiagnosticsStatusNotification") == {}
    refused = play.down("UpdateFirmware", {"location": LOCATION, "retrieveDate": AT})
    assert isinstance(refused, Refusal)
    assert refused.code == "NotSupported"
    event(play, "Started", 0, idToken=TOKEN, evse=EVSE)
    for asked, answer in (
        ("UnlockConnector", {"status": "OngoingAuthorizedTransaction"}),
        ("RequestStopTransaction", ACCEPTED),
    ):
        play.station.answer(asked, answer)
    assert play.down("UnlockConnector", {"connectorId": 1}) == {"status": "UnlockFailed"}
    started = backend.event("call", identity=play.station.identity, action="StartTransaction")
    assert play.down("RemoteStopTransaction", {"transactionId": started["answer"]["transactionId"]}) == ACCEPTED

    assert play.lacks("backend", FROM_BACKEND) == []
    assert play.beside("backend", FROM_BACKEND) == []
