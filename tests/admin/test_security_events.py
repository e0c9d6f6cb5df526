"""The security events by API."""

from datetime import UTC, datetime
from typing import Any

import pytest

EVENTS = "/api/v1/security-events"


async def test_what_is_shown(client: Any) -> None:
    listed = await (await client.get(EVENTS)).json()
    assert [each["id"] for each in listed["security_events"]] == [3, 2, 1]
    assert listed["security_events"][0] == {
        "id": 3,
        "at": "2026-03-01T12:00:00+00:00",
        "type": "InvalidMessages",
        "source": "gateway",
        "identity": "CS1",
        "remote": "10.0.0.1",
        "detail": "60 malformed frames",
        "presented": {"version": "ocpp1.6"},
        "count": 1,
        "last_at": "2026-03-01T12:00:00+00:00",
    }


async def test_what_is_asked_for(client: Any, office: Any) -> None:
    nothing = {"identity": None, "kind": None, "since": None, "before_id": None, "limit": 100}
    await client.get(EVENTS)
    await client.get(
        EVENTS,
        params={"identity": "CS1", "type": "X", "since": "2026-01-01T01:00:00+01:00", "before": "7", "limit": "1000"},
    )
    assert office.events.asked == [
        nothing,
        {
            "identity": "CS1",
            "kind": "X",
            "since": datetime(2026, 1, 1, tzinfo=UTC),
            "before_id": 7,
            "limit": 1000,
        },
    ]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("since=2026-01-01T00:00:00", "since"),
        ("since=yesterday", "since"),
        ("before=0", "before"),
        (f"before={2**63}", "before"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("kind=X", "kind"),
    ],
)
async def test_what_cannot_be_asked(client: Any, query: str, place: str) -> None:
    answer = await client.get(f"{EVENTS}?{query}")
    assert answer.status == 400
    assert (await answer.json())["error"]["message"].startswith(f"{place}: ")
