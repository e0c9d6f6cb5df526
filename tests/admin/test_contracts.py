"""Contracts by API: registered, changed, removed, and many at once or none."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.admin.contracts import IMPORT_BODY_MAX
from gateway.session.contracts import BatchRefused, ContractInvalid, ContractRefused, ContractUnknown

CONTRACTS = "/api/v1/contracts"
CAR, EMAID = "WVWZZZ1KZAW000123", "DE8EXC12345678"
SHOWN = {
    "pcid": CAR,
    "emaid": EMAID,
    "valid_from": None,
    "valid_until": "2027-01-01T00:00:00+00:00",
    "default": True,
    "added_at": "2026-03-01T12:00:00+00:00",
    "added_by": "API",
    "changed_at": "2026-03-01T12:00:00+00:00",
    "changed_by": "API",
    "id": 1,
}


@pytest.fixture
async def added(client: Any) -> None:
    body = {"pcid": CAR.lower(), "emaid": "de-8ex-c12345678", "valid_until": "2026-12-31", "default": True}
    answer = await client.post(CONTRACTS, json=body)
    assert (answer.status, await answer.json()) == (201, SHOWN)


@pytest.mark.usefixtures("added")
async def test_show_and_list(client: Any, office: Any) -> None:
    assert await (await client.get(f"{CONTRACTS}/{CAR.lower()}/de-8ex-c12345678")).json() == SHOWN
    assert await (await client.get(CONTRACTS)).json() == {"contracts": [SHOWN], "next": None}
    answer = await client.get(f"{CONTRACTS}?pcid={CAR.lower()}&emaid=de-8ex-c12345678-o&after=3&limit=1")
    assert (await answer.json())["next"] == 1
    assert office.contracts.asked[-1] == {"pcid": CAR, "emaid": "de-8ex-c12345678-o", "after_id": 3, "limit": 1}


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ({"default": False}, {"is_default": False}),
        ({"valid_until": None}, {"valid_until": None}),
        (
            {"valid_from": "2026-01-01", "valid_until": "2026-01-31"},
            {"valid_from": datetime(2026, 1, 1, tzinfo=UTC), "valid_until": datetime(2026, 2, 1, tzinfo=UTC)},
        ),
        ({}, {}),
    ],
)
async def test_what_is_not_given_stays(client: Any, office: Any, body: Any, changes: Any) -> None:
    answer = await client.patch(f"{CONTRACTS}/{CAR}/{EMAID}", json=body)
    assert (answer.status, (await answer.json())["changed_by"]) == (200, "API")
    assert office.contracts.asked[-1] == changes


@pytest.mark.usefixtures("added")
async def test_remove(client: Any, office: Any) -> None:
    assert (await client.delete(f"{CONTRACTS}/{CAR}/{EMAID}")).status == 204
    assert office.contracts.kept == []


@pytest.mark.parametrize(
    "body",
    [
        {"pcid": CAR},
        {"pcid": "short", "emaid": EMAID},
        {"pcid": CAR, "emaid": EMAID + "A"},
        {"pcid": CAR, "emaid": EMAID, "valid_from": "soon"},
        {"pcid": CAR, "emaid": EMAID, "valid_from": 7},
        {"pcid": CAR, "emaid": EMAID, "valid_from": "2027-01-01", "valid_until": "2026-01-01"},
        {"pcid": CAR, "emaid": EMAID, "default": "yes"},
        {"pcid": CAR, "emaid": EMAID, "note": "x"},
    ],
)
async def test_what_is_no_contract(client: Any, office: Any, body: Any) -> None:
    answer = await client.post(CONTRACTS, json=body)
    assert answer.status == 400
    assert (await answer.json())["error"]["code"] in {"invalid", "invalid_request"}
    assert office.contracts.kept == []


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (ContractRefused("it is there"), 409, "refused"),
        (ContractInvalid("never valid"), 400, "invalid"),
        (ContractUnknown("none"), 404, "unknown_contract"),
    ],
)
async def test_what_the_store_refuses(client: Any, office: Any, problem: Exception, status: int, code: str) -> None:
    office.contracts.problem = problem
    answer = await client.patch(f"{CONTRACTS}/{CAR}/{EMAID}", json={"default": True})
    told = (await answer.json())["error"]
    assert (answer.status, told["code"], told["message"]) == (status, code, str(problem))


@pytest.mark.parametrize("path", [f"{CAR}/DE8EXC99999999", f"short/{EMAID}", f"{CAR}/short"])
async def test_what_is_not_there(client: Any, path: str) -> None:
    answer = await client.get(f"{CONTRACTS}/{path}")
    assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_contract")


@pytest.mark.parametrize("query", ["pcid=short", "emaid=short", "limit=0", "limit=1001", "driver=1"])
async def test_wrong_filters(client: Any, query: str) -> None:
    assert (await client.get(f"{CONTRACTS}?{query}")).status == 400


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps({"contracts": [{"pcid": CAR, "emaid": EMAID}, {"pcid": "W" * 17, "emaid": EMAID}]}), "json"),
        (f"pcid,emaid\n{CAR},{EMAID}\n{'W' * 17},{EMAID}\n", "csv"),
    ],
)
async def test_a_batch(client: Any, office: Any, body: str, kind: str) -> None:
    types = {"json": "application/json", "csv": "text/csv; charset=utf-8"}
    answer = await client.post(f"{CONTRACTS}/import", data=body.encode(), headers={"Content-Type": types[kind]})
    assert (answer.status, await answer.json()) == (200, {"added": 2, "changed": 0, "unchanged": 0})
    assert [(each.pcid, each.added_by) for each in office.contracts.kept] == [(CAR, "API"), ("W" * 17, "API")]


@pytest.mark.parametrize(
    ("body", "kind", "lines"),
    [
        ({"contracts": [{"pcid": CAR, "emaid": EMAID}, {"pcid": "x", "emaid": EMAID}]}, "application/json", [2]),
        (f"pcid,emaid\n{CAR},x\n{CAR},{EMAID}\ny,{EMAID}\n", "text/csv", [2, 4]),
    ],
)
async def test_all_of_a_batch_or_nothing(client: Any, office: Any, body: Any, kind: str, lines: list[int]) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    answer = await client.post(f"{CONTRACTS}/import", data=text.encode(), headers={"Content-Type": kind})
    told = (await answer.json())["error"]
    assert (answer.status, told["code"]) == (400, "invalid")
    assert [each["line"] for each in told["problems"]] == lines
    assert "isn't a" in told["problems"][0]["text"]
    assert office.contracts.kept == []


async def test_what_the_store_refuses_of_a_batch(client: Any, office: Any) -> None:
    office.contracts.problem = BatchRefused([(1, "too many")])
    answer = await client.post(f"{CONTRACTS}/import", json={"contracts": []})
    assert (await answer.json())["error"]["problems"] == [{"line": 1, "text": "too many"}]


@pytest.mark.parametrize(("octets", "status"), [(b"pcid,emaid\n\xff", 400), (b"x" * (IMPORT_BODY_MAX + 1), 413)])
async def test_a_body_that_is_none(client: Any, octets: bytes, status: int) -> None:
    answer = await client.post(f"{CONTRACTS}/import", data=io.BytesIO(octets), headers={"Content-Type": "text/csv"})
    assert answer.status == status


async def test_a_batch_may_be_larger_than_other_bodies(client: Any, office: Any) -> None:
    items = [{"pcid": f"WVW{number:014}", "emaid": EMAID} for number in range(2000)]
    answer = await client.post(f"{CONTRACTS}/import", json={"contracts": items})
    assert (answer.status, len(office.contracts.kept)) == (200, 2000)
