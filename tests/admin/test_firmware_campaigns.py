"""Campaigns by API, on a real store."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.admin import firmware_campaigns as module
from gateway.session.firmware import UpdateState
from gateway.store.database import Database
from tests.campaigns import CampaignDesk, add_image

PATH = "/api/v1/firmware/campaigns"
U = UpdateState


@pytest.fixture
async def desk(tmp_path: Path, office: Any) -> AsyncIterator[CampaignDesk]:
    """Stations CS1 to CS3 in the group depot, and an image."""
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=False)
    made = CampaignDesk(database)
    office.campaigns = made.campaigns
    await made.add("CS1", "CS2", "CS3")
    made.image_id = await add_image(database)
    yield made
    await database.close()


async def asked(client: Any, method: str, path: str, status: int, **more: Any) -> Any:
    async with client.request(method, f"{PATH}{path}", **more) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


# ``desk`` comes before ``client``, which takes what the office has.


async def test_from_its_begin_to_its_end(desk: CampaignDesk, client: Any) -> None:
    wanted = {"name": "autumn", "image_id": desk.image_id, "group": "depot", "batch_size": 2, "window": "10:00-14:00"}
    created = await asked(client, "POST", "", 201, json=wanted)
    assert (created["state"], created["total"], created["created_by"]) == ("running", 3, "API")
    assert (created["window"], created["halt_above"], created["stations"]["pending"]) == ("10:00-14:00", 20, 3)

    await desk.later()
    await desk.becomes("CS1", U.FAILED, reason="no space")
    await desk.becomes("CS2", U.SENT, status="Downloading")
    await desk.later()
    shown = await asked(client, "GET", f"/{created['id']}", 200)
    assert shown["stations"] == {
        **dict.fromkeys(shown["stations"], 0),
        "failed": 1,
        "ordered": 2,
    }
    assert await asked(client, "GET", "", 200) == {"campaigns": [shown], "next": None}
    stations = await asked(client, "GET", f"/{created['id']}/stations?state=failed,pending", 200)
    assert [(each["identity"], each["reason"]) for each in stations["stations"]] == [("CS1", "no space")]
    page = await asked(client, "GET", f"/{created['id']}/stations?after=CS1&limit=1", 200)
    assert [(each["identity"], each["status"]) for each in page["stations"]] == [("CS2", "Downloading")]
    assert page["next"] == "CS2"

    paused = await asked(client, "POST", f"/{created['id']}/pause?reason=the+weather", 200)
    assert (paused["state"], paused["reason"], paused["changed_by"]) == ("paused", "the weather", "API")
    resumed = await asked(client, "POST", f"/{created['id']}/resume?retry_failed=true", 200)
    assert (resumed["state"], resumed["stations"]["failed"], resumed["stations"]["pending"]) == ("running", 0, 1)
    canceled = await asked(client, "POST", f"/{created['id']}/cancel", 200)
    assert (canceled["state"], canceled["stations"]["skipped"]) == ("canceled", 1)


async def test_they_are_listed_in_pages(desk: CampaignDesk, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = [await desk.create(name) for name in ("one", "two")]
    await desk.campaigns.cancel(one.id, "ann")
    page = await asked(client, "GET", "?limit=1", 200)
    assert ([each["name"] for each in page["campaigns"]], page["next"]) == (["one"], one.id)
    page = await asked(client, "GET", f"?limit=1&after={one.id}", 200)
    assert ([each["name"] for each in page["campaigns"]], page["next"]) == (["two"], two.id)
    page = await asked(client, "GET", "?state=canceled,done", 200)
    assert [each["name"] for each in page["campaigns"]] == ["one"]


async def test_named_stations_may_be_more_than_other_bodies_hold(desk: CampaignDesk, client: Any) -> None:
    wanted = {"name": "many", "image_id": desk.image_id, "stations": [f"{number:048}" for number in range(15_000)]}
    refused = await asked(client, "POST", "", 400, json=wanted)
    assert refused["error"]["message"].endswith("and 14995 more aren't registered")


@pytest.mark.parametrize(
    ("changes", "status", "code", "says"),
    [
        ({"group": "nobody"}, 400, "invalid", "no station is in the group 'nobody'"),
        ({"name": "7"}, 400, "invalid", "isn't a number"),
        ({"stations": ["CS1"]}, 400, "invalid", "either a group or stations"),
        ({"image_id": 99}, 404, "unknown_image", "there is no image 99"),
        ({"name": "taken"}, 409, "refused", "there is a campaign 'taken' already"),
        ({"window": "22-5"}, 400, "invalid_request", "window: Value error, '22-5' is no window"),
        ({"batch_size": 0}, 400, "invalid_request", "batch_size"),
        ({"batch_size": "3"}, 400, "invalid_request", "batch_size"),
        ({"image_id": 2**63}, 400, "invalid_request", "image_id"),
        ({"more": 1}, 400, "invalid_request", "more"),
    ],
)
async def test_what_can_not_begin(
    desk: CampaignDesk, client: Any, changes: dict[str, Any], status: int, code: str, says: str
) -> None:
    await desk.create("taken")
    wanted = {"name": "autumn", "image_id": desk.image_id, "group": "depot"} | changes
    refused = await asked(client, "POST", "", status, json=wanted)
    assert refused["error"]["code"] == code
    assert says in refused["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/9", 404),
        ("GET", "/9/stations", 404),
        ("POST", "/9/pause", 404),
        ("POST", "/9/resume", 404),
        ("POST", "/9/cancel", 404),
        ("GET", f"/{2**63}", 404),
        ("GET", f"/{'9' * 5000}", 404),
        ("POST", "/1/resume", 409),
        ("POST", "/1/resume?retry_failed=maybe", 400),
        ("POST", "/1/resume?retry_failed=true", 409),
        ("POST", "/1/pause?because=x", 400),
        ("POST", f"/1/pause?reason={'x' * 501}", 400),
        ("GET", "?state=over", 400),
        ("GET", f"?limit={module.LIMIT_MAX + 1}", 400),
        ("GET", "/1/stations?state=gone", 400),
        ("GET", "/1/stations?after=%00", 400),
        ("GET", f"/1/stations?limit={module.STATIONS_LIMIT_MAX + 1}", 400),
    ],
)
async def test_what_can_not_be_asked(desk: CampaignDesk, client: Any, method: str, path: str, status: int) -> None:
    await desk.create()
    await asked(client, method, path, status)


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("GET", "/1"), ("POST", "/1/pause")])
async def test_without_firmware_in_the_configuration(client: Any, method: str, path: str) -> None:
    refused = await asked(client, method, path, 409)
    assert refused["error"]["code"] == "not_configured"
