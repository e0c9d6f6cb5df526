"""Heartbeat and StatusNotification, with the backend there, away, and back."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Books, Connector, Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v16_v16.availability import CONNECTOR_ID_MAX
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v16_v16.conftest import World


def status(connector: int, state: str, **fields: str) -> Json:
    return {"connectorId": connector, "errorCode": "NoError", "status": state, **fields}


async def tell(world: "World", *payloads: Json) -> None:
    for payload in payloads:
        assert await world.from_station("StatusNotification", payload) == {}


async def test_the_backends_heartbeat(world: "World") -> None:
    assert await world.from_station("Heartbeat", {}) == {"currentTime": "2026-05-01T11:59:59Z"}


@pytest.mark.parametrize("trouble", [PeerUnavailable("no answer"), CallError(ErrorCode.INTERNAL_ERROR)])
async def test_a_heartbeat_without_the_backend_is_answered_by_our_own_clock(world: "World", trouble: Exception) -> None:
    world.backend.answers["Heartbeat"] = trouble

    assert await world.from_station("Heartbeat", {}) == {"currentTime": "2026-05-01T12:00:00Z"}


async def test_a_state_that_the_backend_hears_is_relayed_as_it_is_and_costs_no_write(world: "World") -> None:
    payload = status(1, "Faulted", vendorErrorCode="E7", vendorId="acme", timestamp="2026-05-01T09:00:00")

    await tell(world, payload, payload)

    assert world.heard() == [("StatusNotification", payload)] * 2
    assert world.writes == 0


async def test_a_backend_that_refuses_a_state_is_quoted(world: "World") -> None:
    world.backend.answers["StatusNotification"] = CallError(ErrorCode.NOT_SUPPORTED, "no such connector")

    with pytest.raises(CallError, match="no such connector"):
        await world.from_station("StatusNotification", status(9, "Available"))


@pytest.mark.parametrize("killed", [False, True])
async def test_the_last_state_of_each_connector_is_told_to_a_backend_that_is_back(world: "World", killed: bool) -> None:
    world.backend.up = False
    last = [status(0, "Available"), status(1, "Preparing"), status(2, "Faulted", info="hot")]
    await tell(world, last[2], status(1, "Available"), last[1], last[0])
    if killed:
        world.restart()
    await world.bridge.backend_connected()
    assert world.heard() == []

    world.backend.up = True
    await world.bridge.backend_connected()
    assert world.heard() == [("StatusNotification", payload) for payload in last]

    world.restart()
    await world.bridge.backend_connected()
    assert world.heard() == []


@pytest.mark.parametrize("killed", [False, True])
async def test_what_the_station_has_said_since_is_what_counts(world: "World", killed: bool) -> None:
    world.backend.up = False
    await tell(world, status(1, "Preparing"))
    world.backend.up = True
    await tell(world, status(1, "Available"))
    world.heard()
    if killed:
        world.restart()

    await world.bridge.backend_connected()

    assert world.heard() == []


async def test_a_state_said_while_the_older_one_is_being_told_is_not_lost(world: "World") -> None:
    world.backend.up = False
    await tell(world, status(1, "Preparing"))
    world.backend.up = True
    newer = status(1, "Faulted")
    kept = world.books.connectors[-1, 1]

    def away_again() -> None:
        kept.reported = newer

    world.backend.before_answer = away_again
    await world.bridge.backend_connected()
    world.backend.before_answer = lambda: None
    world.heard()

    await world.bridge.backend_connected()
    assert world.heard() == [("StatusNotification", newer)]


async def test_a_refused_state_is_not_repeated_and_those_behind_it_are_told(world: "World") -> None:
    world.backend.up = False
    await tell(world, status(1, "Preparing"), status(2, "Preparing"))
    world.backend.up = True
    world.backend.answers["StatusNotification"] = CallError(ErrorCode.INTERNAL_ERROR, "no")

    await world.bridge.backend_connected()
    assert [payload["connectorId"] for _, payload in world.heard()] == [1, 2]
    assert set(world.notes) == {"status-refused"}

    await world.bridge.backend_connected()
    assert world.heard() == []


@pytest.mark.parametrize(
    ("connector", "is_kept"), [(-1, False), (0, True), (CONNECTOR_ID_MAX, True), (CONNECTOR_ID_MAX + 1, False)]
)
async def test_connectors_that_can_not_be_are_answered_and_not_kept(
    world: "World", connector: int, is_kept: bool
) -> None:
    world.backend.up = False

    await tell(world, status(connector, "Available"))

    assert bool(world.saved) is is_kept


async def test_connectors_of_the_time_when_the_station_spoke_2_0_1_are_left_alone(
    new_world: "Callable[..., World]",
) -> None:
    plug = Connector(1, 1, 1, "Occupied", status(1, "Charging"))
    world = new_world(Books(connectors={(1, 1): plug}))
    world.backend.up = False
    await tell(world, status(1, "Available"))
    world.backend.up = True

    await world.bridge.backend_connected()

    assert world.heard() == [("StatusNotification", status(1, "Available"))]
    assert plug == Connector(1, 1, 1, "Occupied", status(1, "Charging"))
    numbers = [connector.number for connector in world.books.connectors.values()]
    assert len(set(numbers)) == len(numbers)
