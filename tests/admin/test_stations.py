"""The registry by API, as a customer's script uses it and as an attacker tries it."""

from typing import Any

import pytest

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
        "group": None,
        "boot_status": "None",
        "version": None,
        "pinned_version": None,
        "allow_expired": False,
        "allow_downgrade": False,
        "password_rotation": "settled",
        "route": {"backend": "legacy", "by": "default_backend", "in_use": None, "waits_for": None},
        "connected": False,
        "connected_profile": None,
        "provisional": None,
        "backend_connected": False,
        "upgrade": None,
        "renewals": [],
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
        ({"identity": "CS1", "profile": 2, "pinned_version": "ocpp2.1"}, "pinned_version"),
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
    for query in ("?force=perhaps", "?forced=true", "?force=true&force=true"):
        assert (await client.delete(f"{STATIONS}/BUSY{query}")).status == 400
    assert (await client.delete(f"{STATIONS}/BUSY?force=true")).status == 204


async def test_what_can_never_be_is_no_conflict(client: Any) -> None:
    answer = await client.post(STATIONS, json={"identity": "CS:1", "profile": 2})
    assert answer.status == 400
    assert (await answer.json())["error"] == {"code": "invalid", "message": "identity: holds a colon"}


async def test_change(client: Any) -> None:
    await client.post(STATIONS, json={"identity": "CS1", "profile": 3, "pinned_version": "ocpp1.6"})
    for change in (
        {"allow_expired": True},
        {"allow_downgrade": True, "allow_expired": False},
        {"serial": "SN1", "pinned_version": "ocpp2.0.1"},
        {"serial": None, "pinned_version": None},
        {"group": "depot-north", "backend": "other"},
        {"group": None},
    ):
        answer = await client.patch(f"{STATIONS}/CS1", json=change)
        assert answer.status == 200
        shown = await answer.json()
        assert {key: shown[key] for key in change} == change
    assert (shown["allow_expired"], shown["allow_downgrade"]) == (False, True)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({}, 400, "body: name one of allow_expired, allow_downgrade, serial, backend, group, pinned_version"),
        ({"profile": 1}, 400, "profile: "),
        ({"allow_expired": "yes"}, 400, "allow_expired: "),
        ({"serial": "TAKEN"}, 409, "one station"),
        ({"group": 7}, 400, "group: "),
        ({"backend": "nowhere"}, 400, "no backend 'nowhere'"),
    ],
)
async def test_a_change_that_is_refused(client: Any, change: Any, status: int, words: str) -> None:
    await client.post(STATIONS, json={"identity": "CS1", "profile": 2})
    answer = await client.patch(f"{STATIONS}/CS1", json=change)
    assert answer.status == status
    assert words in (await answer.json())["error"]["message"]
    assert (await client.patch(f"{STATIONS}/CS9", json={"serial": "SN1"})).status == 404
