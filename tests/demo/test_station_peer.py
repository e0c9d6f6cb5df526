"""What the station answers to its CSMS."""

import json
from typing import Any

import pytest

from gateway.demo.charging import RemoteStart
from gateway.demo.device_model import DeviceModel
from gateway.demo.station_folder import StationFolder
from gateway.demo.station_peer import StationPeer
from tests.firmware_pki import FirmwarePki, Signer, manufacturer


class Wire:
    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, text: str) -> None:
        self.sent.append(json.loads(text))


class Side:
    """A station that agrees, and keeps what it was told to do."""

    identity = "CS001"

    def __init__(self, folder: StationFolder, tell: Any) -> None:
        self.folder = folder
        self.variables = DeviceModel(identity="CS001", operator="Example CPO")
        self.tell = tell
        self.agrees = True
        self.done: list[Any] = []

    def remote_start(self, start: RemoteStart) -> bool:
        self.done.append(start)
        return self.agrees

    def follow_remote_start(self) -> None:
        self.done.append("remote start")

    def may_stop(self, transaction_id: str) -> bool:
        return transaction_id == "T1"

    def follow_remote_stop(self, transaction_id: str) -> None:
        self.done.append(f"stop {transaction_id}")

    def triggered(self, message: str) -> None:
        self.done.append(message)

    def report_inventory(self, request_id: int) -> None:
        self.done.append(f"report {request_id}")

    def certificate_installed(self) -> None:
        self.done.append("installed")

    def certificate_refused(self, why: str) -> None:
        self.done.append(why)

    def signer_refused(self, why: str) -> None:
        self.done.append(why)

    def update(self, request_id: int, firmware: dict[str, Any]) -> None:
        self.done.append(f"update {request_id} {firmware['location']}")

    def upload_log(self, request_id: int, location: str) -> None:
        self.done.append(f"log {request_id} {location}")


@pytest.fixture
def side(folder: StationFolder, told: Any) -> Side:
    return Side(folder, told)


async def asked(side: Side, action: str, payload: dict[str, Any]) -> Any:
    """Send a CALL to the station and return the payload of its CALLRESULT, or the CALLERROR's code."""
    wire = Wire()
    await StationPeer(side, wire).route_message(json.dumps([2, "1", action, payload]))
    (answer,) = wire.sent
    return answer[2]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("SignChargingStationCertificate", "Accepted"),
        ("Heartbeat", "Accepted"),
        ("SignV2GCertificate", "NotImplemented"),
    ],
)
async def test_trigger_message(side: Side, message: str, status: str) -> None:
    assert await asked(side, "TriggerMessage", {"requestedMessage": message}) == {"status": status}
    assert side.done == ([message] if status == "Accepted" else [])


async def test_a_good_certificate(side: Side, told: Any, operator_ca: Any) -> None:
    chain = operator_ca.sign(side.folder.new_csr())

    assert await asked(side, "CertificateSigned", {"certificateChain": chain}) == {"status": "Accepted"}
    assert side.done == ["installed"]
    assert told.events[0]["subject"] == "CN=SN-1,O=Example CPO"


async def test_a_certificate_of_a_strange_ca(side: Side, told: Any, stranger_ca: Any) -> None:
    chain = stranger_ca.sign(side.folder.new_csr())

    answer = await asked(side, "CertificateSigned", {"certificateChain": chain})

    assert answer["status"] == "Rejected"
    assert answer["statusInfo"]["reasonCode"] == "InvalidCertificate"
    assert side.done == [told.events[0]["why"]]
    assert not side.folder.has_certificate


@pytest.mark.parametrize(("agrees", "status"), [(True, "Accepted"), (False, "Rejected")])
async def test_remote_start(side: Side, agrees: bool, status: str) -> None:
    side.agrees = agrees
    token = {"idToken": "D0A1B2C3", "type": "ISO14443"}

    answer = await asked(side, "RequestStartTransaction", {"idToken": token, "remoteStartId": 3, "evseId": 1})

    assert answer == {"status": status}
    assert side.done == [RemoteStart({"id_token": "D0A1B2C3", "type": "ISO14443"}, 3), "remote start"]


@pytest.mark.parametrize(("transaction", "status"), [("T1", "Accepted"), ("T2", "Rejected")])
async def test_remote_stop(side: Side, transaction: str, status: str) -> None:
    assert await asked(side, "RequestStopTransaction", {"transactionId": transaction}) == {"status": status}
    assert side.done == [f"stop {transaction}"]


@pytest.mark.parametrize(
    ("base", "status", "done"),
    [
        ("FullInventory", "Accepted", ["report 7"]),
        ("ConfigurationInventory", "NotSupported", []),
        ("SummaryInventory", "NotSupported", []),
    ],
)
async def test_base_report(side: Side, base: str, status: str, done: list[str]) -> None:
    assert await asked(side, "GetBaseReport", {"requestId": 7, "reportBase": base}) == {"status": status}
    assert side.done == done


async def test_variables(side: Side) -> None:
    named = {"component": {"name": "AuthCtrlr"}, "variable": {"name": "AuthorizeRemoteStart"}}

    written = await asked(side, "SetVariables", {"setVariableData": [named | {"attributeValue": "false"}]})
    read = await asked(side, "GetVariables", {"getVariableData": [named]})

    assert written == {"setVariableResult": [named | {"attributeStatus": "Accepted"}]}
    assert read == {"getVariableResult": [named | {"attributeStatus": "Accepted", "attributeValue": "false"}]}


def update_firmware(signer: Signer) -> dict[str, Any]:
    signed = signer.sign(b"image")
    firmware = {
        "location": "https://localhost/fw",
        "retrieveDateTime": "2026-01-01T00:00:00Z",
        "signingCertificate": signed.signing_certificate,
        "signature": signed.signature,
    }
    return {"requestId": 7, "firmware": firmware}


async def test_an_update_by_a_signer_of_its_manufacturer(side: Side, maker_known: Any, maker: FirmwarePki) -> None:
    assert await asked(side, "UpdateFirmware", update_firmware(maker.ec)) == {"status": "Accepted"}
    assert side.done == ["update 7 https://localhost/fw"]


@pytest.mark.parametrize("wrong", ["foreign", "expired", "missing"])
async def test_an_update_by_anybody_else(
    side: Side, told: Any, maker_known: Any, maker: FirmwarePki, wrong: str
) -> None:
    order = update_firmware(manufacturer("Another").ec if wrong == "foreign" else maker.expired)
    if wrong == "missing":
        del order["firmware"]["signingCertificate"]

    assert await asked(side, "UpdateFirmware", order) == {"status": "InvalidCertificate"}
    assert side.done == [told.events[0]["why"]]


@pytest.mark.parametrize(
    ("log_type", "answer", "done"),
    [
        ("DiagnosticsLog", {"status": "Accepted", "filename": "diagnostics.json"}, ["log 7 https://localhost/l/"]),
        ("SecurityLog", {"status": "Rejected"}, []),
    ],
)
async def test_get_log(side: Side, log_type: str, answer: dict[str, str], done: list[str]) -> None:
    order = {"logType": log_type, "requestId": 7, "log": {"remoteLocation": "https://localhost/l/"}}

    assert await asked(side, "GetLog", order) == answer
    assert side.done == done


async def test_what_it_does_not_know(side: Side) -> None:
    assert await asked(side, "Reset", {"type": "Immediate"}) == "NotImplemented"
