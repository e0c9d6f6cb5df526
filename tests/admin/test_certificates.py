"""The inventory by API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

CERTIFICATES = "/api/v1/certificates"


@pytest.fixture
def issued(office: Any) -> None:
    office.inventory.issue("CS1", "a1")
    office.inventory.issue("CS2", "b2")


@pytest.mark.usefixtures("issued")
async def test_list_and_show(client: Any) -> None:
    listed = await (await client.get(CERTIFICATES)).json()
    assert [each["serial"] for each in listed["certificates"]] == ["a1", "b2"]
    listed = await (await client.get(f"{CERTIFICATES}?identity=CS2")).json()
    assert [each["serial"] for each in listed["certificates"]] == ["b2"]
    assert "chain" not in listed["certificates"][0]
    shown = await (await client.get(f"{CERTIFICATES}/0A:1")).json()
    assert shown == {
        "identity": "CS1",
        "serial": "a1",
        "subject": "CN=CS1",
        "fingerprint": "a1" * 32,
        "not_before": "2026-03-01T12:00:00+00:00",
        "not_after": "2026-03-01T12:00:00+00:00",
        "state": "installed",
        "reason": None,
        "issued_at": "2026-03-01T12:00:00+00:00",
        "changed_at": "2026-03-01T12:00:00+00:00",
        "usage": "station",
        "profile": "charging_station",
        "authority_told": True,
        "last_seen": None,
        "id": 1,
        "chain": "PEM",
        "history": [
            {"state": "issued", "at": "2026-03-01T12:00:00+00:00", "detail": ""},
            {"state": "installed", "at": "2026-03-01T12:00:00+00:00", "detail": "accepted"},
        ],
    }


@pytest.mark.usefixtures("issued")
async def test_pages(client: Any) -> None:
    for query, serials, following in (("", ["a1", "b2"], None), ("?limit=1", ["a1"], 1), ("?limit=2", ["a1", "b2"], 2)):
        listed = await (await client.get(CERTIFICATES + query)).json()
        assert ([each["serial"] for each in listed["certificates"]], listed["next"]) == (serials, following)
    listed = await (await client.get(f"{CERTIFICATES}?after=1&limit=1000")).json()
    assert [each["serial"] for each in listed["certificates"]] == ["b2"]


async def test_filters(client: Any, office: Any) -> None:
    asked_at = datetime.now(UTC)
    answer = await client.get(f"{CERTIFICATES}?state=in_use,expired&usage=v2g&expiring=30d")
    assert answer.status == 200
    (wanted,) = office.inventory.asked
    until = wanted.pop("expiring_before")
    assert timedelta() <= until - asked_at - timedelta(days=30) < timedelta(minutes=1)
    assert wanted == {"states": ["in_use", "expired"], "usage": "v2g", "after_id": 0, "limit": 1000}


@pytest.mark.parametrize(
    "query",
    [
        "state=",
        "state=lost",
        "state=in_use,",
        "usage=stations",
        "expiring=30",
        "expiring=",
        "limit=0",
        "limit=1001",
        "after=-1",
        f"after={2**63}",
    ],
)
async def test_a_filter_that_is_none(client: Any, office: Any, query: str) -> None:
    answer = await client.get(f"{CERTIFICATES}?{query}")
    assert answer.status == 400
    assert (await answer.json())["error"]["message"].startswith(query.partition("=")[0])
    assert office.inventory.asked == []


@pytest.mark.usefixtures("issued")
async def test_revoke_once_and_again(client: Any, office: Any) -> None:
    for query in ("?reason=keyCompromise", ""):
        answer = await client.delete(f"{CERTIFICATES}/A1{query}")
        assert answer.status == 200
        shown = await answer.json()
        assert (shown["state"], shown["reason"], shown["authority_problem"]) == ("revoked", "keyCompromise", None)
    assert office.inventory.reasons == ["keyCompromise", "unspecified"]


@pytest.mark.usefixtures("issued")
async def test_an_authority_that_was_not_told_is_said(client: Any, office: Any) -> None:
    office.inventory.problem = "the CA's folder can't be written"
    shown = await (await client.delete(f"{CERTIFICATES}/a1")).json()
    assert (shown["state"], shown["authority_problem"]) == ("revoked", "the CA's folder can't be written")


@pytest.mark.usefixtures("issued")
@pytest.mark.parametrize("method", ["get", "delete"])
async def test_which_one(client: Any, method: str) -> None:
    for serial, status, code in (
        ("c3", 404, "unknown_certificate"),
        ("xyz", 400, "invalid_request"),
        ("77", 409, "ambiguous_serial"),
    ):
        answer = await client.request(method, f"{CERTIFICATES}/{serial}")
        assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)


@pytest.mark.usefixtures("issued")
@pytest.mark.parametrize("reason", ["removeFromCRL", "certificateHold", "cACompromise", "because", ""])
async def test_a_reason_that_is_none(client: Any, office: Any, reason: str) -> None:
    answer = await client.delete(f"{CERTIFICATES}/a1?reason={reason}")
    assert answer.status == 400
    assert (await answer.json())["error"]["message"].startswith("reason: ")
    assert office.inventory.reasons == []
