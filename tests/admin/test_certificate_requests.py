"""Requests for certificates by API: looked at, approved, refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.session.certificate_requests import CertificateRequest, RequestState

REQUESTS = "/api/v1/certificate-requests"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def asked(office: Any) -> None:
    for number, (identity, state) in enumerate((("CS1", "waiting"), ("CS2", "delivered")), start=1):
        office.requests.kept[number] = CertificateRequest(
            number, identity, "station", RequestState(state), "PEM", "f" * 64, {"name": "SN1"}, None, 0, "", NOON, NOON
        )


async def test_list(client: Any) -> None:
    first = {
        "id": 1,
        "identity": "CS1",
        "usage": "station",
        "state": "waiting",
        "name": "SN1",
        "key_fingerprint": "f" * 64,
        "serial": None,
        "attempts": 0,
        "detail": "",
        "requested_at": "2026-03-01T12:00:00+00:00",
        "changed_at": "2026-03-01T12:00:00+00:00",
        "csr": "PEM",
    }
    assert await (await client.get(f"{REQUESTS}?identity=CS1")).json() == {"certificate_requests": [first]}
    assert await (await client.get(f"{REQUESTS}/1")).json() == first


@pytest.mark.parametrize(
    ("query", "ids"),
    [("", [1, 2]), ("?state=waiting", [1]), ("?state=waiting,delivered", [1, 2]), ("?identity=CS2&state=failed", [])],
)
async def test_filters(client: Any, query: str, ids: list[int]) -> None:
    shown = await (await client.get(f"{REQUESTS}{query}")).json()
    assert [each["id"] for each in shown["certificate_requests"]] == ids


async def test_a_state_that_there_is_not(client: Any) -> None:
    answer = await client.get(f"{REQUESTS}?state=lost")
    assert (answer.status, "must be one of" in (await answer.json())["error"]["message"]) == (400, True)


async def test_approve_once(client: Any) -> None:
    answer = await client.post(f"{REQUESTS}/1/approve")
    assert (answer.status, (await answer.json())["state"]) == (200, "requested")
    again = await client.post(f"{REQUESTS}/1/approve")
    assert (again.status, (await again.json())["error"]["code"]) == (409, "not_waiting")


async def test_refuse_with_a_reason(client: Any) -> None:
    assert (await client.post(f"{REQUESTS}/1/refuse", json={})).status == 400
    shown = await (await client.post(f"{REQUESTS}/1/refuse", json={"reason": "not ours"})).json()
    assert (shown["state"], shown["detail"]) == ("refused", "not ours")


@pytest.mark.parametrize("number", ["3", "x", "0", "-1", "9" * 30, "%C2%B2"])
async def test_what_there_is_not(client: Any, number: str) -> None:
    for answer in (
        await client.get(f"{REQUESTS}/{number}"),
        await client.post(f"{REQUESTS}/{number}/approve"),
        await client.post(f"{REQUESTS}/{number}/refuse", json={"reason": "x"}),
    ):
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_request")
