"""UnlockConnector while a transaction runs: a 1.6 charge point ends it first, so the station is asked to."""

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from gateway.bridge.books import Json
    from tests.bridge.v201_v16.conftest import World

UNLOCK: Final = ("UnlockConnector", {"evseId": 1, "connectorId": 1})
STOP: Final = ("RequestStopTransaction", {"transactionId": "TX-1"})
ONGOING: Final = "OngoingAuthorizedTransaction"
CARD: Final = "D0A1B2C3"


async def charging(world: "World") -> None:
    await world.status(1, "Available")
    await world.event("Started", 0, tx="TX-1", token=CARD, evse=1, wh=1000)
    world.dialogue.clear()


def locks(world: "World", *statuses: str) -> None:
    said = iter(statuses)
    world.station.answers["UnlockConnector"] = lambda _: {"status": next(said)}


async def unlock(world: "World") -> "Json":
    return await world.from_backend("UnlockConnector", {"connectorId": 1})


@pytest.mark.parametrize("ends_as", ["Unlocked", "UnlockFailed"])
async def test_it_is_stopped_and_the_connector_unlocked_then(world: "World", ends_as: str) -> None:
    await charging(world)
    locks(world, ONGOING, ends_as)

    assert await unlock(world) == {"status": ends_as}
    assert world.heard("station") == [UNLOCK, STOP, UNLOCK]

    await world.event("Ended", 1, tx="TX-1", trigger="RemoteStop", reason="Remote", wh=1500)
    assert [payload["reason"] for action, payload in world.heard() if action == "StopTransaction"] == ["UnlockCommand"]
    assert world.context.memory.unlocking == {}


async def test_a_station_that_does_not_stop(world: "World") -> None:
    await charging(world)
    locks(world, ONGOING)
    world.station.answers["RequestStopTransaction"] = {"status": "Rejected"}

    assert await unlock(world) == {"status": "UnlockFailed"}
    assert world.heard("station") == [UNLOCK, STOP]

    await world.event("Ended", 1, tx="TX-1", trigger="RemoteStop", reason="Remote", wh=1500)
    assert [payload["reason"] for action, payload in world.heard() if action == "StopTransaction"] == ["Remote"]


async def test_a_transaction_that_nobody_here_knows(world: "World") -> None:
    await world.status(1, "Available")
    world.dialogue.clear()
    locks(world, ONGOING)

    assert await unlock(world) == {"status": "UnlockFailed"}
    assert world.heard("station") == [UNLOCK]
