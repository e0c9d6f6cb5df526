"""The quarantine by API: looked at, released, discarded."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.session.quarantine import QuarantinedMessage, ReleaseRefused, Selection, State
from gateway.session.tally import Leg

QUARANTINE = "/api/v1/quarantine"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def kept(office: Any) -> None:
    for number in (1, 2):
        office.quarantine.kept.append(
            QuarantinedMessage(
                number,
                f"CS{number}",
                State.HELD,
                Leg.STATION,
                "ocpp1.6",
                "17",
                "StopTransaction",
                {"meterStop": 9},
                "no-big-ids",
                "idTag: too long",
                {},
                False,
                0,
                "",
                NOON,
                NOON,
                None,
                "",
                "",
            )
        )


async def test_list(client: Any, office: Any) -> None:
    first = {
        "id": 1,
        "identity": "CS1",
        "state": "held",
        "leg": "station",
        "protocol": "ocpp1.6",
        "transaction": "17",
        "action": "StopTransaction",
        "rule": "no-big-ids",
        "reason": "idTag: too long",
        "recorded_at": "2026-03-01T12:00:00+00:00",
        "kept_at": "2026-03-01T12:00:00+00:00",
        "attempts": 0,
        "last_error": None,
        "decided_at": None,
        "decided_by": None,
        "decision": None,
    }
    answer = await (await client.get(QUARANTINE)).json()
    assert (answer["quarantine"][0], len(answer["quarantine"]), answer["next"]) == (first, 2, None)
    assert (await (await client.get(f"{QUARANTINE}?limit=1")).json())["next"] == 1
    asked = "identity=CS1&state=held,discarded&rule=r&transaction=17&after=5&limit=7"
    assert (await client.get(f"{QUARANTINE}?{asked}")).status == 200
    assert office.quarantine.asked[-1] == (
        "CS1",
        {"states": {State.HELD, State.DISCARDED}, "rule": "r", "station_tx": "17", "after_id": 5, "limit": 7},
    )
    assert (await (await client.get(f"{QUARANTINE}/1")).json()) == first | {"payload": {"meterStop": 9}, "answer": {}}


@pytest.mark.parametrize(
    ("body", "selection"),
    [
        ({"ids": [1, 2]}, Selection([1, 2])),
        ({"identity": "CS1", "transaction": "17"}, Selection([], "CS1", "17")),
        ({"rule": "no-big-ids"}, Selection([], rule="no-big-ids")),
    ],
)
async def test_release(client: Any, office: Any, body: Any, selection: Selection) -> None:
    answer = await client.post(f"{QUARANTINE}/release", json=body)
    assert (answer.status, await answer.json()) == (202, {"released": [1]})
    assert office.quarantine.decided == [("release", selection, "API")]


async def test_discard(client: Any, office: Any) -> None:
    answer = await client.delete(f"{QUARANTINE}/1?reason=a%20test")
    assert (answer.status, await answer.json()) == (200, {"discarded": [1]})
    assert office.quarantine.decided == [("discard", Selection([1]), "API", "a test")]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(ReleaseRefused("it is released already"), 409, "not_decidable"), (LookupError("none"), 404, "unknown_message")],
)
async def test_what_can_not_be_decided(client: Any, office: Any, error: Exception, status: int, code: str) -> None:
    office.quarantine.problem = error
    for answer in (
        await client.post(f"{QUARANTINE}/release", json={"ids": [1]}),
        await client.delete(f"{QUARANTINE}/1?reason=x"),
    ):
        told = (await answer.json())["error"]
        assert (answer.status, told["code"], told["message"]) == (status, code, str(error))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": [0]},
        {"ids": ["1"]},
        {"ids": [1] * 1001},
        {"ids": [1], "rule": "r"},
        {"identity": "CS1"},
        {"transaction": "17"},
        {"identity": "", "transaction": ""},
        {"everything": True},
    ],
)
async def test_what_is_no_release(client: Any, office: Any, body: Any) -> None:
    assert (await client.post(f"{QUARANTINE}/release", json=body)).status == 400
    assert office.quarantine.decided == []


@pytest.mark.parametrize("query", ["state=open", "limit=0", "limit=1001", "after=-1", "everything=1"])
async def test_what_is_no_filter(client: Any, query: str) -> None:
    assert (await client.get(f"{QUARANTINE}?{query}")).status == 400


@pytest.mark.parametrize("number", ["9", "x", "-1", "9" * 30])
async def test_what_is_not_there(client: Any, number: str) -> None:
    assert (await client.get(f"{QUARANTINE}/{number}")).status == 404


@pytest.mark.parametrize("query", ["", "?reason=", f"?reason={'x' * 1001}"])
async def test_a_discard_has_its_reason(client: Any, office: Any, query: str) -> None:
    assert (await client.delete(f"{QUARANTINE}/1{query}")).status == 400
    assert office.quarantine.decided == []
