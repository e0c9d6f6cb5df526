"""What a person has let go, between 2.0.1 and 2.0.1: as it was, and nothing is taken for a repetition that is none."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.bridge.books import Json

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World


def seen(world: "World") -> list[tuple[str, int]]:
    return [(payload["eventType"], payload["seqNo"]) for _, payload in world.heard()]


async def test_a_whole_session_goes_as_it_was_and_once(world: "World", new_event: Callable[..., Json]) -> None:
    for each in (new_event("Started"), new_event("Updated", 1), new_event("Ended", 2)):
        await world.bridge.released("TransactionEvent", each, "TX-1")
        await world.bridge.released("TransactionEvent", each, "TX-1")
    assert seen(world) == [("Started", 0), ("Updated", 1), ("Ended", 2)]


async def test_an_update_of_a_session_that_is_over_goes_too(world: "World", new_event: Callable[..., Json]) -> None:
    for each in (new_event("Started"), new_event("Ended", 2), new_event("Updated", 1)):
        await world.bridge.released("TransactionEvent", each, "TX-1")
    assert seen(world) == [("Started", 0), ("Ended", 2), ("Updated", 1)]


async def test_other_messages_go_the_way_that_they_always_go(world: "World") -> None:
    await world.bridge.released("Heartbeat", {}, "")
    assert [action for action, _ in world.heard()] == ["Heartbeat"]
