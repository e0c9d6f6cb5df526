"""Heartbeat and StatusNotification, with the backend there, away, and back."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v201.availability import PLACES_MAX
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World

TROUBLE = CallError(ErrorCode.INTERNAL_ERROR, "database down")


def status(evse: int, word: str, connector: int = 1) -> Json:
    return {
        "timestamp": "2026-05-01T09:00:00Z",
        "connectorStatus": word,
        "evseId": evse,
        "connectorId": connector,
    }


def kept(payload: Json, action: str = "StatusNotification") -> Json:
    return {"action": action, "payload": payload}


def state(word: str, component: str = "Connector", variable: str = "AvailabilityState", **evse: int) -> Json:
    return {
        "eventId": 1,
        "timestamp": "2026-05-01T09:00:00Z",
        "trigger": "Delta",
        "actualValue": word,
        "eventNotificationType": "HardWiredNotification",
        "component": {"name": component, **({"evse": evse} if evse else {})},
        "variable": {"name": variable},
    }


def event(*states: Json, seq_no: int = 0) -> Json:
    return {"generatedAt": "2026-05-01T09:00:00Z", "seqNo": seq_no, "eventData": list(states)}


async def test_the_backends_time_is_told(world: "World") -> None:
    assert await world.from_station("Heartbeat", {}) == {"currentTime": "2026-05-01T11:59:59Z"}


@pytest.mark.parametrize("fault", [TROUBLE, PeerUnavailable("gone")])
async def test_without_an_answer_our_own_clock_speaks(world: "World", fault: Exception) -> None:
    world.backend.answers["Heartbeat"] = fault
    assert await world.from_station("Heartbeat", {}) == {"currentTime": "2026-05-01T12:00:00Z"}


async def test_a_status_that_is_heard_is_not_kept(world: "World") -> None:
    assert await world.from_station("StatusNotification", status(1, "Occupied")) == {}
    assert world.heard() == [("StatusNotification", status(1, "Occupied"))]
    assert world.pages == {}
    await world.bridge.backend_connected()
    assert world.heard() == []


async def test_the_last_status_of_each_connector_is_told_when_the_backend_is_back_and_once(world: "World") -> None:
    world.backend.up = False
    for said in (status(1, "Occupied"), status(2, "Occupied"), status(1, "Available"), status(1, "Faulted", 2)):
        assert await world.from_station("StatusNotification", said) == {}
    world.restart()
    world.backend.up = True
    await world.bridge.backend_connected()
    told = [payload for _, payload in world.heard()]
    assert told == [status(2, "Occupied"), status(1, "Available"), status(1, "Faulted", 2)]
    world.restart()
    await world.bridge.backend_connected()
    assert world.heard() == []


async def test_what_is_out_of_date_is_not_told(world: "World") -> None:
    world.backend.up = False
    await world.from_station("StatusNotification", status(1, "Occupied"))
    world.backend.up = True
    await world.from_station("StatusNotification", status(1, "Available"))
    await world.bridge.backend_connected()
    assert [payload for _, payload in world.heard()] == [status(1, "Available")]
    assert world.pages[Page.STATUSES] == {}


async def test_what_comes_while_the_old_one_is_being_told_is_kept(world: "World") -> None:
    world.backend.up = False
    await world.from_station("StatusNotification", status(1, "Occupied"))
    world.backend.up = True
    newer = kept(status(1, "Available"))
    world.backend.before_answer = lambda: world.books.page(Page.STATUSES).update({"1.1": newer})
    await world.bridge.backend_connected()
    assert world.books.page(Page.STATUSES) == {"1.1": newer}


async def test_what_was_said_meanwhile_outdates_the_next_ones(world: "World") -> None:
    world.backend.up = False
    await world.from_station("StatusNotification", status(1, "Occupied"))
    await world.from_station("StatusNotification", status(2, "Occupied"))
    world.backend.up = True
    world.backend.before_answer = lambda: world.books.page(Page.STATUSES).pop("2.1", None)
    await world.bridge.backend_connected()
    assert [payload for _, payload in world.heard()] == [status(1, "Occupied")]


async def test_a_backend_that_leaves_again_hears_the_rest_the_next_time(world: "World") -> None:
    world.backend.up = False
    await world.from_station("StatusNotification", status(1, "Occupied"))
    await world.bridge.backend_connected()
    assert world.pages[Page.STATUSES] == {"1.1": kept(status(1, "Occupied"))}


async def test_a_status_that_the_backend_refuses_is_not_repeated(world: "World") -> None:
    world.backend.up = False
    await world.from_station("StatusNotification", status(1, "Occupied"))
    world.backend.up = True
    world.backend.answers["StatusNotification"] = TROUBLE
    await world.bridge.backend_connected()
    assert world.pages[Page.STATUSES] == {}
    assert "status-refused" in world.notes
    with pytest.raises(CallError, match="database down"):
        await world.from_station("StatusNotification", status(1, "Available"))


async def test_a_station_that_makes_connectors_up_is_answered_and_not_kept(world: "World") -> None:
    world.backend.up = False
    for evse in range(PLACES_MAX + 1):
        assert await world.from_station("StatusNotification", status(evse, "Occupied")) == {}
    assert len(world.pages[Page.STATUSES]) == PLACES_MAX


async def test_of_events_what_they_say_of_availability_is_kept_and_the_newest_word_counts(world: "World") -> None:
    world.backend.answers["NotifyEvent"] = {}
    world.backend.up = False
    await world.from_station("StatusNotification", status(1, "Available"))
    await world.from_station("StatusNotification", status(3, "Available"))
    occupied, unavailable = state("Occupied", id=1, connectorId=1), state("Unavailable", "EVSE", id=2)
    said = event(occupied, state("21", "TemperatureSensor", "Temperature", id=1), unavailable, seq_no=5)
    assert await world.from_station("NotifyEvent", said) == {}
    await world.from_station("NotifyEvent", event(state("Faulted", "ChargingStation", "AVAILABILITYSTATE")))
    await world.from_station("StatusNotification", status(2, "Available", 0))
    world.restart()
    world.backend.up = True
    await world.bridge.backend_connected()
    assert world.heard() == [
        ("StatusNotification", status(3, "Available")),
        ("NotifyEvent", event(occupied)),
        ("NotifyEvent", event(state("Faulted", "ChargingStation", "AVAILABILITYSTATE"))),
        ("StatusNotification", status(2, "Available", 0)),
    ]
