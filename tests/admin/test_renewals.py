"""Renewals by API: one station's, and all of them; and where each stands."""

from typing import Any

import pytest

from gateway.session.renewals import RenewalRecord, RenewalState
from tests.admin.conftest import NOON

STATIONS = "/api/v1/stations"


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({}, ("station", None)),
        ({"usage": "v2g"}, ("v2g", None)),
        ({"group": "depot"}, ("station", "depot")),
    ],
)
async def test_all_are_renewed_and_the_answer_comes_at_once(
    client: Any, office: Any, body: Any, asked: tuple[str, str | None]
) -> None:
    answer = await client.post("/api/v1/renewals", json=body)
    assert answer.status == 202
    assert await answer.json() == {"usage": asked[0], "group": asked[1], "count": 3}
    assert office.renewals.asked == [asked]


@pytest.mark.parametrize("body", [{"usage": "server"}, {"everything": True}, []])
async def test_what_can_not_be_meant(client: Any, office: Any, body: Any) -> None:
    assert (await client.post("/api/v1/renewals", json=body)).status == 400
    assert office.renewals.asked == []


@pytest.mark.usefixtures("station")
async def test_a_station_tells_where_its_renewals_stand(client: Any, office: Any) -> None:
    assert (await (await client.get(f"{STATIONS}/CS1")).json())["renewals"] == []
    office.renewals.plans = [
        RenewalRecord("CS1", "station", "a1", NOON, NOON, RenewalState.FAILED, NOON, 2, "Rejected"),
        RenewalRecord("CS1", "v2g", "b1", NOON, NOON, RenewalState.PLANNED, NOON),
        RenewalRecord("CS2", "station", "c1", NOON, NOON, RenewalState.PLANNED, NOON),
    ]
    shown = (await (await client.get(f"{STATIONS}/CS1")).json())["renewals"]
    assert shown[0] == {
        "usage": "station",
        "serial": "a1",
        "not_after": NOON.isoformat(),
        "state": "failed",
        "due_at": NOON.isoformat(),
        "attempts": 2,
        "problem": "Rejected",
    }
    assert (shown[1]["usage"], shown[1]["state"], shown[1]["problem"], len(shown)) == ("v2g", "planned", None, 2)
