"""Policies by API."""

from typing import Any

import pytest

from policies.words import Kind, Stage

POLICIES, EXPLAIN = "/api/v1/policies", "/api/v1/policies/explain"
BEAT = {"stage": "from_station", "protocol": "ocpp1.6", "action": "Heartbeat", "payload": {}}


async def test_list_and_explain(client: Any, office: Any) -> None:
    assert await (await client.get(POLICIES)).json() == {"policies": [{"name": "legacy-1.6"}]}
    assert await (await client.post(EXPLAIN, json=BEAT)).json() == {"verdict": None}
    assert office.policies.asked == [
        {
            "identity": None,
            "policy": None,
            "stage": Stage.FROM_STATION,
            "kind": Kind.CALL,
            "protocol": "ocpp1.6",
            "action": "Heartbeat",
            "payload": {},
        }
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"stage": "to_nobody"}, "stage"),
        ({"stage": None}, "stage"),
        ({"kind": "question"}, "kind"),
        ({"protocol": "ocpp1.5"}, "protocol"),
        ({"action": ""}, "action"),
        ({"action": "A" * 51}, "action"),
        ({"payload": []}, "payload"),
        ({"identity": "C" * 49}, "identity"),
        ({"identity": 1}, "identity"),
        ({"polizy": "strict"}, "polizy"),
    ],
)
async def test_what_is_no_question(client: Any, office: Any, change: dict[str, Any], field: str) -> None:
    answer = await client.post(EXPLAIN, json={**BEAT, **change})
    error = (await answer.json())["error"]

    assert (answer.status, error["code"]) == (400, "invalid_request")
    assert error["message"].startswith(field)
    assert office.policies.asked == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"stage": "from_station"}'])
async def test_a_body_that_cannot_be_read(client: Any, body: bytes) -> None:
    answer = await client.post(EXPLAIN, data=body)
    assert (answer.status, (await answer.json())["error"]["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (ValueError("action: ocpp1.6 has no action 'Heartbeet'"), 400, "invalid_request"),
        (LookupError("no policy 'x' is in force"), 404, "not_found"),
    ],
)
async def test_what_is_not_there(client: Any, office: Any, problem: Exception, status: int, code: str) -> None:
    office.policies.problem = problem
    answer = await client.post(EXPLAIN, json=BEAT)
    assert (answer.status, await answer.json()) == (status, {"error": {"code": code, "message": str(problem)}})


async def test_nobody_asks_without_the_token(client: Any) -> None:
    for answer in (
        await client.get(POLICIES, headers={"Authorization": "Bearer no"}),
        await client.post(EXPLAIN, json=BEAT, headers={"Authorization": "Bearer no"}),
    ):
        assert answer.status == 401
