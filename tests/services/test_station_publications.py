"""What a station that is a local controller says is kept, as far as it can be, and goes on."""

import importlib.resources
import json
from collections.abc import Sequence
from typing import Any, cast

from gateway.bridge.books import Json
from gateway.services.station_publications import ACTION, REQUEST_ID_MAX, URL_MAX, StationPublications
from gateway.session.firmware import PublicationState


class Station:
    """Its own bridge, which notes what it is given."""

    identity = "CS1"

    def __init__(self) -> None:
        self.relayed: list[Json] = []
        self.bridge = cast("Any", self)

    async def from_station(self, action: str, payload: Json) -> Json:
        assert action == ACTION
        self.relayed.append(payload)
        return {}


class Book:
    def __init__(self) -> None:
        self.kept: list[tuple[str, int, PublicationState, list[str]]] = []

    async def heard(
        self, identity: str, request_id: int, state: PublicationState, published: Sequence[str] = ()
    ) -> None:
        self.kept.append((identity, request_id, state, [*published]))


async def test_it_is_kept_and_goes_on() -> None:
    station, book = Station(), Book()
    urls = ["https://lc/fw", "https://lc/\x1b[2J" + "x" * URL_MAX]
    payloads: list[Json] = [
        {"status": "Downloading", "requestId": 0},
        {"status": "Published", "requestId": REQUEST_ID_MAX, "location": urls},
        {"status": "Idle"},
        {"status": "Downloading", "requestId": REQUEST_ID_MAX + 1},
        {"status": "Downloading", "requestId": -1},
    ]

    for payload in payloads:
        assert await StationPublications(book).notified(station, payload) == {}

    assert station.relayed == payloads
    (first, second) = book.kept
    assert first == ("CS1", 0, PublicationState.DOWNLOADING, [])
    assert second[:3] == ("CS1", REQUEST_ID_MAX, PublicationState.PUBLISHED)
    assert second[3][0] == urls[0]
    assert second[3][1].isprintable()
    assert len(second[3][1]) <= URL_MAX


def test_every_status_of_the_standard_has_a_state() -> None:
    schema = importlib.resources.files("ocpp") / "v201" / "schemas" / f"{ACTION}Request.json"
    statuses = json.loads(schema.read_text("utf-8-sig"))["definitions"]["PublishFirmwareStatusEnumType"]["enum"]
    assert {each.value for each in PublicationState} == {*statuses, "Unpublished"}
