"""What acts on a connected station, by API."""

from typing import Any

import pytest

from gateway.admin.ports import Refused, StationRefused
from gateway.bridge.ports import PeerUnavailable
from gateway.session.upgrades import UpgradeUnderWay
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version

STATIONS = "/api/v1/stations"


async def test_call(client: Any, station: Any) -> None:
    answer = await client.post(f"{STATIONS}/CS1/calls", json={"action": "Reset", "payload": {"type": "OnIdle"}})
    assert answer.status == 200
    assert await answer.json() == {"action": "Reset", "payload": {"status": "Accepted"}}
    assert station.asked == [("Reset", {"type": "OnIdle"})]
    shown = await (await client.get(f"{STATIONS}/CS1")).json()
    assert (shown["connected"], shown["connected_profile"], shown["backend_connected"]) == (True, 3, True)


async def test_a_call_that_breaks_the_schema_is_not_sent(client: Any, station: Any) -> None:
    for body, code in (
        ({"action": "Reset", "payload": {}}, "OccurrenceConstraintViolation"),
        ({"action": "Explode"}, "NotImplemented"),
        ({"action": "Heartbeat"}, "NotSupported"),
    ):
        answer = await client.post(f"{STATIONS}/CS1/calls", json=body)
        assert answer.status == 400
        assert (await answer.json())["error"]["ocpp_code"] == code
    assert station.asked == []


@pytest.mark.parametrize("version", [Version.V16, Version.V201])
async def test_firmware_that_nobody_has_verified_is_not_sent(office: Any, version: Version) -> None:
    office.firmware = object()
    async with office.client() as client:
        await client.post(STATIONS, json={"identity": "CS1", "profile": 2})
        station = office.connect("CS1")
        station.version = version
        await _sends_no_update(client, station)


async def _sends_no_update(client: Any, station: Any) -> None:
    for action in ("UpdateFirmware", "SignedUpdateFirmware"):
        answer = await client.post(f"{STATIONS}/CS1/calls", json={"action": action, "payload": {}})
        assert (answer.status, (await answer.json())["error"]["code"]) == (409, "unverified_firmware")
    assert station.asked == []


async def test_a_station_that_does_not_answer_or_refuses(client: Any, station: Any, no_answer: Exception) -> None:
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


async def test_not_connected_and_not_registered(client: Any, station: Any) -> None:
    body = {"action": "Reset", "payload": {"type": "OnIdle"}}
    for what in ("calls", "certificate", "password"):
        assert (await client.post(f"{STATIONS}/CS9/{what}", json=body)).status == 404
    station.is_connected = False
    for what in ("calls", "certificate", "password"):
        answer = await client.post(f"{STATIONS}/CS1/{what}", json=body)
        assert (answer.status, (await answer.json())["error"]["code"]) == (409, "not_connected")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "Reset", "payload": {"type": "Soft"}}, None),
        ({"action": "DataTransfer", "payload": {"vendorId": "V"}}, None),
        ({"action": "Reset", "payload": {"type": "OnIdle"}}, "PropertyConstraintViolation"),
        ({"action": "SetVariables", "payload": {}}, "NotImplemented"),
        ({"action": "Heartbeat"}, "NotSupported"),
    ],
)
async def test_a_call_is_in_the_stations_own_dialect(
    client: Any, office: Any, station: Any, body: Any, code: str | None
) -> None:
    station.version = Version.V16
    answer = await client.post(f"{STATIONS}/CS1/calls", json=body)
    assert answer.status == (200 if code is None else 400)
    if code is not None:
        assert (await answer.json())["error"]["ocpp_code"] == code
    assert len(station.asked) == (1 if code is None else 0)


async def test_renew(client: Any, office: Any, station: Any) -> None:
    assert (await client.post(f"{STATIONS}/CS1/certificate")).status == 202
    assert (await client.post(f"{STATIONS}/CS1/certificate?usage=v2g")).status == 202
    assert station.asked == [("TriggerMessage", {"for": "station"}), ("TriggerMessage", {"for": "v2g"})]
    assert (await client.post(f"{STATIONS}/CS1/certificate?usage=server")).status == 400
    office.commands.fails = StationRefused("the station answered TriggerMessage: NotImplemented")
    answer = await client.post(f"{STATIONS}/CS1/certificate")
    assert answer.status == 409
    assert (await answer.json())["error"] == {
        "code": "station_refused",
        "message": "the station answered TriggerMessage: NotImplemented",
    }


async def test_rotate_the_password(client: Any, office: Any, station: Any) -> None:
    answer = await client.post(f"{STATIONS}/CS1/password")
    assert (answer.status, await answer.json()) == (200, {"identity": "CS1", "password_rotation": "settled"})
    office.commands.needs_reboot = True
    answer = await client.post(f"{STATIONS}/CS1/password?force=true")
    assert (answer.status, await answer.json()) == (202, {"identity": "CS1", "password_rotation": "awaiting reboot"})
    assert office.commands.forced == [False, True]
    assert (await client.post(f"{STATIONS}/CS1/password?password=mine")).status == 400


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Refused("a new password is being sent already"), 409, "refused"),
        (StationRefused("the station answered SetVariables: Rejected"), 409, "station_refused"),
        (PeerUnavailable("both passwords are accepted until it uses one"), 504, "no_answer"),
    ],
)
async def test_a_password_that_is_not_settled(
    client: Any, office: Any, station: Any, failure: Exception, status: int, code: str
) -> None:
    office.commands.fails = failure
    answer = await client.post(f"{STATIONS}/CS1/password")
    assert answer.status == status
    assert (await answer.json())["error"] == {"code": code, "message": str(failure)}


async def test_upgrade(client: Any, office: Any, station: Any) -> None:
    profile = f"{STATIONS}/CS1/security-profile"
    assert await (await client.get(profile)).json() == {"identity": "CS1", "profile": 2, "upgrade": None}
    begun = await client.post(profile, json={"profile": 3, "interface": "Wired1"})
    assert (begun.status, office.upgrades.records["CS1"].data) == (202, {"interface": "Wired1"})
    shown = await begun.json()
    assert shown == await (await client.get(profile)).json()
    assert (shown["upgrade"]["target_profile"], shown["upgrade"]["step"]) == (3, "roots")
    assert (shown["upgrade"]["is_over"], shown["upgrade"]["has_failed"]) == (False, False)
    assert "Wired1" not in str(shown)
    office.commands.fails = UpgradeUnderWay(office.upgrades.records["CS1"])
    again = await client.post(profile, json={"profile": 3})
    assert (again.status, (await again.json())["error"]["code"]) == (409, "upgrade_under_way")
    cancelled = await client.delete(profile)
    assert cancelled.status == 200
    upgrade = (await cancelled.json())["upgrade"]
    assert (upgrade["is_over"], upgrade["has_failed"]) == (True, True)
    assert (await client.delete(profile)).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"profile": 1},
        {"profile": 4},
        {"profile": "3"},
        {"profile": 3, "slot": 1},
        {"profile": 3, "interface": "Any"},
    ],
)
async def test_an_upgrade_that_can_never_be(client: Any, station: Any, body: Any) -> None:
    assert (await client.post(f"{STATIONS}/CS1/security-profile", json=body)).status == 400


async def test_an_upgrade_of_a_station_that_is_away(client: Any, office: Any, station: Any) -> None:
    station.is_connected = False
    answer = await client.post(f"{STATIONS}/CS1/security-profile", json={"profile": 3})
    assert (answer.status, (await answer.json())["error"]["code"]) == (409, "not_connected")
    assert office.upgrades.records == {}


async def test_an_upgrade_of_nobody(client: Any) -> None:
    profile = f"{STATIONS}/CS9/security-profile"
    assert (await client.post(profile, json={"profile": 3})).status == 404
    assert (await client.get(profile)).status == 404
    assert (await client.delete(profile)).status == 404
