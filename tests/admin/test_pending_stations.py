"""Onboarding by API."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.wire.versions import Version

PENDING = "/api/v1/pending-stations"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def waiting(office: Any) -> None:
    office.registry.waiting["CS 7"] = SimpleNamespace(
        identity="CS 7",
        first_seen=NOON,
        last_seen=NOON,
        times=3,
        remote="10.0.0.7",
        profile=3,
        serial="SN7",
        subject="CN=SN7",
        fingerprint="f" * 64,
        version=Version.V16,
    )


async def test_list(client: Any) -> None:
    assert await (await client.get(PENDING)).json() == {
        "pending_stations": [
            {
                "identity": "CS 7",
                "first_seen": "2026-03-01T12:00:00+00:00",
                "last_seen": "2026-03-01T12:00:00+00:00",
                "times": 3,
                "remote": "10.0.0.7",
                "profile": 3,
                "serial": "SN7",
                "subject": "CN=SN7",
                "fingerprint": "f" * 64,
                "version": "ocpp1.6",
            }
        ]
    }


async def test_approve(client: Any, office: Any) -> None:
    approved = await client.post(f"{PENDING}/CS%207", json={"profile": 2, "serial": "SN7", "group": "g"})
    assert approved.status == 201
    shown = await approved.json()
    assert shown["group"] == "g"
    assert (shown["identity"], shown["profile"], shown["serial"], shown["password"]) == ("CS 7", 2, "SN7", "generated")
    assert approved.headers["Location"] == "/api/v1/stations/CS%207"
    assert "CS 7" in office.registry.records
    assert (await client.post(f"{PENDING}/CS%207", json={"profile": 2})).status == 404


async def test_dismiss(client: Any, office: Any) -> None:
    assert (await client.delete(f"{PENDING}/CS%207")).status == 204
    again = await client.delete(f"{PENDING}/CS%207")
    assert (again.status, (await again.json())["error"]["code"]) == (404, "not_pending")
    assert office.registry.records == {}


@pytest.mark.parametrize("body", [{}, {"profile": 0}, {"profile": 2, "password": "x" * 20}])
async def test_an_approval_that_says_nothing(client: Any, office: Any, body: Any) -> None:
    assert (await client.post(f"{PENDING}/CS%207", json=body)).status == 400
    assert "CS 7" in office.registry.waiting
