"""npm's ocpp-rpc in strict mode as a 2.0.1 backend before 2.0.1 stations: each message passes as it is, or is refused.

That neither side finds fault with a schema is asserted after each test (conftest.new_station).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.bridge.v201_v201.station_security import REFUSALS
from tests.bridge.v201_v201.messages import DOWN, UP
from tests.interop.conftest import assert_healthy
from tests.interop.gateway_process import Gateway
from tests.interop.peers import Backend

if TYPE_CHECKING:
    from tests.interop.child import Json
    from tests.interop.conftest import NewStation
    from tests.interop.peers import Station

PROTOCOL: Final = "ocpp2.0.1"
ACCEPTED: Final = {"status": "Accepted"}
HASH: Final = {"hashAlgorithm": "SHA256", "issuerNameHash": "a1", "issuerKeyHash": "b2", "serialNumber": "c3"}
HEARTBEAT: Final = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
PASSWORD: Final = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
REFUSED: "Final[dict[str, Json]]" = {
    "CertificateSigned": {"certificateChain": "PEM"},
    "DeleteCertificate": {"certificateHashData": HASH},
    "InstallCertificate": {"certificateType": "CSMSRootCertificate", "certificate": "PEM"},
    "PublishFirmware": {"location": "https://x", "checksum": "0", "requestId": 1},
    "UnpublishFirmware": {"checksum": "0"},
    "UpdateFirmware": {
        "requestId": 1,
        "firmware": {"location": "https://x", "retrieveDateTime": "2026-05-01T12:00:00Z"},
    },
}


@pytest.fixture(scope="module")
def backend(ocpp_rpc: None) -> Iterator[Backend]:  # skips where there is no ocpp-rpc
    """In place of the 1.6 one."""
    backend = Backend(PROTOCOL)
    yield backend
    assert backend.stop() == 0


@pytest.fixture(scope="module")
def gateway(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for the stations of this file."""
    gateway = Gateway(tmp_path_factory.mktemp("interop") / "d", backend.port, PROTOCOL)
    yield gateway
    assert gateway.stop() == 0
    assert_healthy(gateway.news())


@pytest.fixture
def station(new_station: "NewStation", backend: Backend) -> "Station":
    """A station that is up, and whose backend knows it."""
    station = new_station(2)
    station.come_up()
    backend.event("call", identity=station.identity, action="StatusNotification")
    return station


def event(kind: str, seq_no: int, **fields: Any) -> "Json":
    """A TransactionEventRequest."""
    return {
        "eventType": kind,
        "timestamp": f"2026-01-01T09:{seq_no:02}:00.000Z",
        "triggerReason": "Trigger",
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": "8f2e-1"},
        **fields,
    }


def test_every_message_of_a_station(station: "Station", backend: Backend) -> None:
    for action, (request, answer) in UP.items():
        backend.answer(action, answer)
        assert (action, station.call(action, request)) == (action, answer)
        assert backend.event("call", identity=station.identity, action=action)["payload"] == request


def test_every_message_of_a_backend(station: "Station", backend: Backend) -> None:
    begun = {**event("Started", 0), "transactionInfo": {"transactionId": "TX-1"}}  # the one that they are about
    assert station.call("TransactionEvent", begun) == {}
    for action, (request, answer) in DOWN.items():
        station.answer(action, answer)
        assert (action, backend.call(station.identity, action, request)) == (action, answer)
        assert station.asked(action) == request


def test_what_is_not_the_backends_business(station: "Station", backend: Backend) -> None:
    assert REFUSED.keys() == REFUSALS.keys()
    for action, request in REFUSED.items():
        assert (action, backend.call(station.identity, action, request)["status"]) == (action, REFUSALS[action])
    items = [{**PASSWORD, "attributeValue": "x" * 20}, {**HEARTBEAT, "attributeValue": "60"}]
    told = backend.call(station.identity, "SetVariables", {"setVariableData": items})["setVariableResult"]
    assert [each["attributeStatus"] for each in told] == ["Rejected", "Accepted"]
    told = backend.call(station.identity, "GetVariables", {"getVariableData": [HEARTBEAT, PASSWORD]})
    assert [each.get("attributeValue") for each in told["getVariableResult"]] == ["60", None]
    assert [action for action, _ in station.calls(*REFUSED, "SetVariables", "GetVariables")] == [
        "SetVariables",
        "GetVariables",
    ]


def test_a_session_while_the_backend_is_away(station: "Station", backend: Backend) -> None:
    token = {"idToken": "04A1B2C3", "type": "ISO14443"}
    started, updated, ended = event("Started", 0, idToken=token), event("Updated", 1), event("Ended", 2)
    assert station.call("TransactionEvent", started)["idTokenInfo"] == ACCEPTED
    assert station.call("Authorize", {"idToken": token})["idTokenInfo"] == ACCEPTED
    backend.do("leave")
    backend.event("disconnected", identity=station.identity)
    assert station.call("TransactionEvent", updated) == {}
    assert station.call("TransactionEvent", ended) == {}
    assert station.call("Authorize", {"idToken": token})["idTokenInfo"]["status"] == "Unknown"
    assert "currentTime" in station.call("Heartbeat", {})
    status = {"timestamp": "2026-01-01T10:00:00Z", "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
    assert station.call("StatusNotification", status) == {}
    backend.do("return")
    told = backend.event("call", identity=station.identity, action="StatusNotification")
    assert told["payload"] == status
    heard = [payload for _, payload in backend.calls(station.identity, "TransactionEvent")]
    assert heard == [started, updated, ended]


def test_a_transaction_of_nobody(station: "Station", backend: Backend) -> None:
    answer = backend.call(station.identity, "RequestStopTransaction", {"transactionId": "nobody"})
    assert answer == {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
    assert station.calls("RequestStopTransaction") == []
