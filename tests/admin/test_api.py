"""The API as a customer's script uses it, and as an attacker tries it."""

from typing import Any

import pytest

from gateway.wire.errors import CallError, ErrorCode

STATIONS = "/api/v1/stations"


async def test_create_list_show_remove(client: Any, office: Any) -> None:
    created = await client.post(STATIONS, json={"identity": "CS1", "profile": 2, "serial": "SN1"})
    assert created.status == 201
    assert created.headers["Location"] == f"{STATIONS}/CS1"
    assert await created.json() == {
        "identity": "CS1",
        "profile": 2,
        "serial": "SN1",
        "backend": None,
        "boot_status": "None",
        "connected": False,
        "connected_profile": None,
        "backend_connected": False,
        "password": "generated",
    }
    shown = await (await client.get(f"{STATIONS}/CS1")).json()
    assert "password" not in shown
    assert "hash" not in str(shown)
    assert await (await client.get(STATIONS)).json() == {"stations": [shown]}
    assert (await client.delete(f"{STATIONS}/CS1")).status == 204
    assert (await client.get(f"{STATIONS}/CS1")).status == 404


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"profile": 2}, "identity"),
        ({"identity": "CS1"}, "profile"),
        ({"identity": "CS1", "profile": 4}, "profile"),
        ({"identity": "CS1", "profile": "2"}, "profile"),
        ({"identity": "CS1", "profile": 2, "admin": True}, "admin"),
        ({"identity": "CS1", "profile": 2, "password": 5}, "password"),
        ([], "body"),
    ],
)
async def test_a_bad_body_names_the_field(client: Any, body: Any, place: str) -> None:
    answer = await client.post(STATIONS, json=body)
    assert answer.status == 400
    assert (await answer.json())["error"]["message"].startswith(f"{place}: ")


async def test_not_json_and_too_large(client: Any) -> None:
    assert (await client.post(STATIONS, data=b"{")).status == 400
    assert (await client.post(STATIONS, data=b" " * 70_000)).status == 413


async def test_a_given_password_never_comes_back_in_an_error(client: Any) -> None:
    answer = await client.post(STATIONS, json={"identity": "CS1", "profile": 9, "password": "hunter2hunter2hunter2"})
    assert "hunter2" not in await answer.text()


async def test_what_registration_refuses_is_a_conflict(client: Any) -> None:
    await client.post(STATIONS, json={"identity": "BUSY", "profile": 2})
    again = await client.post(STATIONS, json={"identity": "BUSY", "profile": 2})
    assert again.status == 409
    assert (await again.json())["error"]["code"] == "refused"
    assert (await client.delete(f"{STATIONS}/BUSY")).status == 409
    assert (await client.delete(f"{STATIONS}/BUSY?force=true")).status == 204


async def _registered(client: Any, office: Any) -> Any:
    await client.post(STATIONS, json={"identity": "CS1", "profile": 2})
    return office.connect("CS1")


async def test_call(client: Any, office: Any) -> None:
    station = await _registered(client, office)
    answer = await client.post(f"{STATIONS}/CS1/calls", json={"action": "Reset", "payload": {"type": "OnIdle"}})
    assert answer.status == 200
    assert await answer.json() == {"action": "Reset", "payload": {"status": "Accepted"}}
    assert station.asked == [("Reset", {"type": "OnIdle"})]
    shown = await (await client.get(f"{STATIONS}/CS1")).json()
    assert (shown["connected"], shown["connected_profile"], shown["backend_connected"]) == (True, 3, True)


async def test_a_call_that_breaks_the_schema_is_not_sent(client: Any, office: Any) -> None:
    station = await _registered(client, office)
    for body, code in (
        ({"action": "Reset", "payload": {}}, "OccurrenceConstraintViolation"),
        ({"action": "Explode"}, "NotImplemented"),
        ({"action": "Heartbeat"}, "NotSupported"),
    ):
        answer = await client.post(f"{STATIONS}/CS1/calls", json=body)
        assert answer.status == 400
        assert (await answer.json())["error"]["ocpp_code"] == code
    assert station.asked == []


async def test_a_station_that_does_not_answer_or_refuses(client: Any, office: Any, no_answer: Exception) -> None:
    station = await _registered(client, office)
    body = {"action": "Reset", "payload": {"type": "OnIdle"}}
    station.answer = no_answer
    assert (await client.post(f"{STATIONS}/CS1/calls", json=body)).status == 504
    station.answer = CallError(ErrorCode.NOT_SUPPORTED, "no reset here", {"why": "vendor"})
    answer = await client.post(f"{STATIONS}/CS1/calls", json=body)
    assert answer.status == 502
    assert (await answer.json())["error"] == {
        "code": "call_error",
        "message": "no reset here",
        "ocpp_code": "NotSupported",
        "ocpp_details": {"why": "vendor"},
    }


async def test_not_connected_and_not_registered(client: Any, office: Any) -> None:
    body = {"action": "Reset", "payload": {"type": "OnIdle"}}
    assert (await client.post(f"{STATIONS}/CS9/calls", json=body)).status == 404
    station = await _registered(client, office)
    station.is_connected = False
    assert (await client.post(f"{STATIONS}/CS1/calls", json=body)).status == 409
    assert (await client.post(f"{STATIONS}/CS1/certificate")).status == 409


async def test_renew(client: Any, office: Any, refused_renewal: Exception) -> None:
    station = await _registered(client, office)
    assert (await client.post(f"{STATIONS}/CS1/certificate")).status == 202
    assert station.asked == [("TriggerMessage", {})]
    office.renewal = refused_renewal
    answer = await client.post(f"{STATIONS}/CS1/certificate")
    assert answer.status == 409
    assert "NotImplemented" in (await answer.json())["error"]["message"]
