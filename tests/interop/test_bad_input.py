"""What a station must not do, and how a third party sees the gateway's no."""

import base64
import http.client
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tests.interop.child import Json
    from tests.interop.conftest import NewStation
    from tests.interop.gateway_process import Gateway
    from tests.interop.peers import Station

SHAPE: "Final[list[tuple[str, Json, str]]]" = [
    # action, payload, errorCode (OCPP-J 2.0.1 Part 4, 4.3)
    ("Teleport", {}, "NotImplemented"),
    ("RemoteStartTransaction", {"idTag": "1.6 is not spoken here"}, "NotImplemented"),
    ("Heartbeat", {"colour": "red"}, "FormatViolation"),
    ("BootNotification", {"reason": "PowerUp"}, "OccurrenceConstraintViolation"),
    ("Authorize", {"idToken": {"idToken": 7, "type": "Central"}}, "TypeConstraintViolation"),
    ("Authorize", {"idToken": {"idToken": "7", "type": "Telepathy"}}, "PropertyConstraintViolation"),
    ("Authorize", {"idToken": {"idToken": "7" * 37, "type": "Central"}}, "PropertyConstraintViolation"),
    ("SecurityEventNotification", {"type": "x", "timestamp": "yesterday"}, "FormatViolation"),
]


@pytest.fixture
def lax(new_station: "NewStation") -> "Station":
    """A station that is up, on a client that doesn't look at what it sends."""
    station = new_station(2)
    station.connect(strict=False)
    assert station.boot()["status"] == "Accepted"
    return station


def test_payloads_that_break_the_schema(lax: "Station") -> None:
    for action, payload, code in SHAPE:
        refusal = lax.refused(action, payload)
        assert (action, payload, refusal.name, refusal.code) == (action, payload, refusal.name, code)
        assert len(refusal.message) <= 255
    assert lax.call("Heartbeat", {})["currentTime"]


@pytest.mark.parametrize(
    ("text", "message_id", "code"),
    [
        ('{"broken', "-1", "RpcFrameworkError"),
        ("[]", "-1", "RpcFrameworkError"),
        ('{"a": 1}', "-1", "RpcFrameworkError"),
        ('[2, 17, "Heartbeat", {}]', "-1", "RpcFrameworkError"),
        ('[2, "here", "Heartbeat"]', "here", "FormatViolation"),
        ('[2, "here", "Heartbeat", []]', "here", "FormatViolation"),
        ('[7, "here", "Heartbeat", {}]', "here", "MessageTypeNotSupported"),
    ],
)
def test_frames_that_are_none(lax: "Station", text: str, message_id: str, code: str) -> None:
    lax.send(text)
    # ocpp-rpc calls it bad, for it knows of no CALL with that messageId.
    details = lax.event("bad_message")["error"]["details"]
    assert (details["msgId"], details["errorCode"]) == (message_id, code)
    assert lax.call("Heartbeat", {})["currentTime"]


def test_a_call_before_the_boot_was_accepted(new_station: "NewStation") -> None:
    """OCPP 2.0.1 B01.FR.10."""
    station = new_station(2)
    station.connect()
    assert station.refused("Heartbeat", {}).code == "SecurityError"
    assert station.boot()["status"] == "Accepted"
    assert station.call("Heartbeat", {})["currentTime"]


@pytest.mark.parametrize("change", [{"identity": "CS-NOBODY"}, {"password": "not-the-password"}, {"password": None}])
def test_who_is_not_let_in(new_station: "NewStation", change: "Json") -> None:
    refusal = new_station(2).try_to_connect(**change)
    assert (refusal.name, refusal.code, refusal.message) == ("Error", 401, "Unauthorized")


def test_an_unknown_station_and_a_wrong_password_look_the_same(new_station: "NewStation") -> None:
    """Attack A1: which identities exist isn't told."""
    station = new_station(2)
    unknown = upgrade(station.gateway, "CS-NOBODY", station.password)
    assert upgrade(station.gateway, station.identity, "not-the-password") == unknown
    assert unknown[0] == 401


@pytest.mark.parametrize("protocols", [["ocpp1.5"], ["ocpp2.1", "soap"]])
def test_no_version_in_common(new_station: "NewStation", protocols: list[str]) -> None:
    """OCPP-J 2.0.1 Part 4, 3.1.2: the handshake ends without a subprotocol, and the connection with it."""
    refusal = new_station(2).try_to_connect(protocols=protocols, strict=False)
    assert refusal.message == "Server sent no subprotocol"


def test_the_clients_order_of_versions_holds(new_station: "NewStation") -> None:
    station = new_station(2)
    assert station.connect(protocols=["ocpp2.1", "ocpp2.0.1", "ocpp1.6"])["protocol"] == "ocpp2.0.1"


def test_another_stations_serial_number(new_station: "NewStation") -> None:
    """OCPP 2.0.1 B01.FR.12."""
    station = new_station(2)
    station.connect()
    names = {"model": "Third", "vendorName": "Party", "serialNumber": "SN.STOLEN"}
    refusal = station.refused("BootNotification", {"reason": "PowerUp", "chargingStation": names})
    assert refusal.message == "Client disconnected"
    assert station.event("closed")["code"] == 1008


def upgrade(gateway: "Gateway", identity: str, password: str) -> tuple[int, dict[str, str], bytes]:
    """Ask for a WebSocket under profile 2; return status, headers but the date, and body of the answer."""
    url = urlsplit(gateway.endpoints[2])
    tls = ssl.create_default_context(cadata=gateway.ca)
    connection = http.client.HTTPSConnection(url.hostname or "", url.port, context=tls, timeout=10)
    credentials = base64.b64encode(f"{identity}:{password}".encode()).decode()
    headers = {
        "Authorization": f"Basic {credentials}",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "ocpp2.0.1",
        "Sec-WebSocket-Version": "13",
        "Upgrade": "websocket",
    }
    try:
        connection.request("GET", f"{url.path}/{identity}", headers=headers)
        response = connection.getresponse()
        return response.status, {k: v for k, v in response.getheaders() if k.lower() != "date"}, response.read()
    finally:
        connection.close()
