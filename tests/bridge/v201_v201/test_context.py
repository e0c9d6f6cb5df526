"""What is remembered, and saved."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json, Page
from gateway.bridge.v201_v201.context import EVENTS_MAX, EventName, Events

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World


def test_so_many_events_are_known_again() -> None:
    events = Events(is_whole=True)
    for number in range(EVENTS_MAX + 1):
        events.add(EventName("Updated", number, "t"), {"chargingPriority": number})
    assert EventName("Updated", 0, "t") not in events.names
    assert EventName("Updated", 1, "t") in events.names
    assert events.last_answer == {"chargingPriority": EVENTS_MAX}


async def test_changed_pages_are_saved_once(world: "World") -> None:
    world.books.page(Page.STATUSES)["1.1"] = {}
    world.books.changed(Page.STATUSES)
    await world.context.save_changes()
    assert world.pages == {Page.STATUSES: {"1.1": {}}}
    assert world.books.unsaved == set()


async def test_what_could_not_be_saved_stays_unsaved(world: "World") -> None:
    async def fail(_: Page, __: Json) -> None:
        raise OSError("disk full")

    world.context.save_page = fail
    world.books.changed(Page.STATUSES)
    with pytest.raises(OSError, match="disk full"):
        await world.context.save_changes()
    assert world.books.unsaved == {Page.STATUSES}
