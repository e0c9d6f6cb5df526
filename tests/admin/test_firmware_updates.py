"""Updates of stations by API: ordered, listed, shown, canceled."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.admin.firmware_updates import update_shown
from gateway.session.firmware import (
    FirmwareConflict,
    FirmwareInvalid,
    FirmwareUnknown,
    UpdateRecord,
    UpdateSource,
    UpdateState,
)
from tests.admin.conftest import NOON

OF_STATION = "/api/v1/stations/CS1/firmware"
UPDATES = "/api/v1/firmware/updates"


def update_of(number: int = 1, **fields: Any) -> UpdateRecord:
    values: dict[str, Any] = dict.fromkeys(UpdateRecord.__slots__)
    values |= {"id": number, "identity": "CS1", "image_id": 4, "source": UpdateSource.BACKEND, "by": "old"}
    values |= {"location": "https://user:secret@fw.example.com/fw.bin?key=secret", "state": UpdateState.SENT}
    return UpdateRecord(**(values | {"created_at": NOON, "changed_at": NOON, "untold": False} | fields))


class Updates:
    """What is ordered is written down; ``raises`` is raised by all that is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.records = [update_of(1), update_of(2, state=UpdateState.REFUSED, status="InvalidSignature", reason="no")]
        self.raises: Exception | None = None

    async def order(self, identity: str, image_id: int, **fields: Any) -> UpdateRecord:
        self._note(identity, image_id, fields)
        return update_of(3, identity=identity, image_id=image_id, state=UpdateState.PREPARING, **fields)

    async def cancel(self, update_id: int) -> UpdateRecord:
        self._note(update_id)
        return update_of(update_id, state=UpdateState.CANCELED)

    async def find(self, update_id: int) -> UpdateRecord:
        self._note(update_id)
        return self.records[update_id - 1]

    async def list(self, **wanted: Any) -> list[UpdateRecord]:
        self._note(wanted)
        return self.records[: wanted.get("at_most")]

    def _note(self, *asked: Any) -> None:
        self.asked.append(asked)
        if self.raises is not None:
            raise self.raises


@pytest.fixture
def updates(office: Any) -> Updates:
    office.updates = Updates()
    return office.updates  # type: ignore[no-any-return]  # the office holds Any


@pytest.fixture
async def api(office: Any, updates: Updates) -> AsyncIterator[Any]:
    assert updates.asked == []
    async with office.client() as made:
        await made.post("/api/v1/stations", json={"identity": "CS1", "profile": 2})
        yield made


async def test_one_is_ordered(api: Any, updates: Updates) -> None:
    later = NOON + timedelta(hours=1)
    body = {"image_id": 4, "retrieve_at": NOON.isoformat(), "install_at": later.isoformat()}

    answer = await api.post(OF_STATION, json=body)

    assert answer.status == 202
    shown = await answer.json()
    assert (shown["id"], shown["state"], shown["install_at"]) == (3, "preparing", later.isoformat())
    fields = {"source": UpdateSource.OPERATOR, "by": "API", "retrieve_at": NOON, "install_at": later}
    assert updates.asked == [("CS1", 4, fields)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"image_id": 0},
        {"image_id": "4"},
        {"image_id": 2**63},
        {"image_id": 4, "retrieve_at": "2026-03-01T12:00:00"},
        {"image_id": 4, "x": 1},
    ],
)
async def test_what_can_not_be_meant(api: Any, updates: Updates, body: Any) -> None:
    assert (await api.post(OF_STATION, json=body)).status == 400
    assert updates.asked == []


@pytest.mark.parametrize(
    ("raised", "status"),
    [(FirmwareUnknown("no image 4"), 404), (FirmwareInvalid("too early"), 400), (FirmwareConflict("withdrawn"), 409)],
)
async def test_what_is_not_ordered_says_why(api: Any, updates: Updates, raised: Exception, status: int) -> None:
    updates.raises = raised

    answer = await api.post(OF_STATION, json={"image_id": 4})

    assert answer.status == status
    assert (await answer.json())["error"]["message"] == str(raised)


async def test_a_station_has_its_own(api: Any, updates: Updates) -> None:
    listed = await (await api.get(OF_STATION)).json()

    assert [each["id"] for each in listed["updates"]] == [1, 2]
    assert updates.asked == [({"identity": "CS1"},)]
    assert (await api.get("/api/v1/stations/CS9/firmware")).status == 404


async def test_all_are_listed_in_pages(api: Any, updates: Updates) -> None:
    first = await (await api.get(f"{UPDATES}?limit=1&state=sent,refused&identity=CS1&campaign=7&after=3")).json()
    whole = await (await api.get(UPDATES)).json()

    assert ([each["id"] for each in first["updates"]], first["next"]) == ([1], 1)
    assert (len(whole["updates"]), whole["next"]) == (2, None)
    wanted = updates.asked[0][0]
    assert (wanted["identity"], wanted["campaign_id"], wanted["after"]) == ("CS1", 7, 3)
    assert wanted["states"] == {UpdateState.SENT, UpdateState.REFUSED}


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "limit=1001", "campaign=0", "x=1"])
async def test_a_page_that_is_none(api: Any, query: str) -> None:
    assert (await api.get(f"{UPDATES}?{query}")).status == 400


async def test_one_is_shown_and_canceled(api: Any, updates: Updates) -> None:
    assert (await (await api.get(f"{UPDATES}/2")).json())["reason"] == "no"
    assert (await (await api.delete(f"{UPDATES}/1")).json())["state"] == "canceled"
    updates.raises = FirmwareConflict("it is over")
    assert (await api.delete(f"{UPDATES}/1")).status == 409
    updates.raises = FirmwareUnknown("none")
    assert (await api.get(f"{UPDATES}/9")).status == 404
    assert (await api.get(f"{UPDATES}/{2**64}")).status == 404


async def test_without_the_section_there_is_nothing(client: Any, station: Any) -> None:
    assert station.is_connected
    for answer in (await client.get(UPDATES), await client.post(OF_STATION, json={"image_id": 4})):
        assert answer.status == 409
        assert (await answer.json())["error"]["code"] == "not_configured"


def test_what_is_shown_holds_no_secret() -> None:
    shown = update_shown(update_of())

    assert "secret" not in str(shown)
    assert shown["location"].startswith("https://fw.example.com/fw.bin")
    assert update_shown(update_of(location=""))["location"] is None
