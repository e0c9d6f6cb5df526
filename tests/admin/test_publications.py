"""What was published, as the API shows it: nothing secret of it."""

from typing import Any

import pytest

from gateway.admin.openapi import document
from gateway.session.firmware import PublicationRecord, PublicationState, Publisher
from tests.admin.conftest import NOON

URL = "/api/v1/stations/CS1/publications"
OWN = PublicationRecord(
    1,
    "CS1",
    Publisher.GATEWAY,
    7,
    "0" * 32,
    "https://user:secret@example.com/fw.bin?token=secret",
    3,
    PublicationState.PUBLISHED,
    untold=False,
    published=(),
    created_at=NOON,
    changed_at=NOON,
)
STATIONS = PublicationRecord(
    2,
    "CS1",
    Publisher.STATION,
    8,
    None,
    None,
    None,
    PublicationState.PUBLISHED,
    untold=False,
    published=("https://lc/fw",),
    created_at=NOON,
    changed_at=NOON,
)


@pytest.mark.usefixtures("station")
async def test_what_was_published(client: Any, office: Any) -> None:
    assert await (await client.get(URL)).json() == {"publications": []}
    office.publications.records["CS1"] = [OWN, STATIONS]

    answer = await client.get(URL)
    text = await answer.text()
    own, stations = (await answer.json())["publications"]

    assert "secret" not in text
    assert own["location"].startswith("https://example.com/fw.bin")
    assert (own["publisher"], own["status"], own["image_id"], own["checksum"]) == ("gateway", "Published", 3, "0" * 32)
    assert (stations["publisher"], stations["published"], stations["location"]) == ("station", ["https://lc/fw"], None)
    described = document()["components"]["schemas"]["Publication"]["properties"]
    assert own.keys() == stations.keys() == described.keys()


async def test_of_a_station_that_is_not_registered(client: Any) -> None:
    assert (await client.get(URL)).status == 404
