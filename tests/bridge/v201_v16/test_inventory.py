"""The inventory: asked for when it is due, taken when it is whole, done without where there is none."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16 import inventory_parts
from gateway.bridge.v201_v16.configuration_questions import connector_count
from gateway.bridge.v201_v16.device_model import facts_of, is_known, value_of
from gateway.bridge.v201_v16.inventory import ATTEMPTS_MAX, NEXT_PART_WITHIN, firmware_of
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v201_v16.conftest import World

    NewEntry = Callable[..., Json]
    NewBoot = Callable[..., Json]

ACCEPTED: Json = {"status": "Accepted"}


def numbers(books: Books) -> dict[tuple[int, int], int]:
    return {place: connector.number for place, connector in books.connectors.items()}


async def ask(world: "World", boot: Json | None) -> int | None:
    """Let the bridge ask, and return the requestId if it did."""
    await world.bridge.settle_in(boot)
    asked = [payload for action, payload in world.heard("station") if action == "GetBaseReport"]
    assert [each["reportBase"] for each in asked] in ([], ["FullInventory"])
    return asked[0]["requestId"] if asked else None


@pytest.fixture
def boot(world: "World", new_boot: "NewBoot") -> Json:
    """A station that gives a report has booted."""
    world.station.answers["GetBaseReport"] = ACCEPTED
    boot: Json = new_boot()
    return boot


async def test_it_is_asked_for_once_and_kept_over_a_restart(world: "World", boot: Json, new_entry: "NewEntry") -> None:
    request_id = await ask(world, boot)
    assert request_id is not None
    assert world.pages[Page.REQUESTS] == {"inventory": request_id}
    assert await ask(world, boot) is None

    await world.tells(new_entry("A.B", mutability="ReadOnly"), request_id=request_id, more=True)
    assert Page.DEVICE_MODEL not in world.pages
    await world.tells(new_entry("C.D"), request_id=request_id, seq_no=1)

    assert [*world.pages[Page.DEVICE_MODEL]["variables"]] == ["a.b", "c.d"]
    assert await world.bridge.settle_in(boot)
    world.restart()
    assert await world.bridge.settle_in(boot)
    assert world.heard("station") == []
    facts = facts_of(world.books, "a.b")
    assert facts is not None
    assert facts.access == "R"


async def test_a_new_firmware_is_asked_anew_and_replaces_the_old(
    world: "World", new_boot: "NewBoot", new_entry: "NewEntry"
) -> None:
    await world.learns(new_entry("A.B"), new_entry("C.D"), firmware="1.0")
    await world.bridge.booted(new_boot("1.0"))
    assert await ask(world, new_boot("1.0")) is None

    await world.bridge.booted(new_boot("2.0"))
    assert not is_known(world.books)
    request_id = await ask(world, new_boot("2.0"))
    assert request_id is not None
    await world.tells(new_entry("A.B"), request_id=request_id)

    assert (world.pages[Page.DEVICE_MODEL]["firmware"], [*world.pages[Page.DEVICE_MODEL]["variables"]]) == (
        "2.0",
        ["a.b"],
    )


async def test_two_requests_never_bear_the_same_number(world: "World", boot: Json) -> None:
    first = await ask(world, boot)
    world.restart()
    second = await ask(world, boot)

    assert first is not None
    assert second == first + 1


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "NotSupported"},
        {"status": "EmptyResultSet"},
        {"status": "Rejected"},
        CallError(ErrorCode.NOT_IMPLEMENTED),
        CallError(ErrorCode.INTERNAL_ERROR),
    ],
    ids=str,
)
async def test_a_station_without_an_inventory_is_asked_again_when_it_has_booted(
    world: "World", boot: Json, answer: Json | Exception
) -> None:
    world.station.answers["GetBaseReport"] = answer

    assert await ask(world, boot) is not None
    assert "inventory" in world.notes
    assert await world.bridge.settle_in(boot)
    world.restart()
    assert await ask(world, boot) is None

    await world.bridge.booted(boot)
    assert await ask(world, boot) is not None


async def test_a_station_that_is_away_is_asked_when_it_is_back(world: "World", boot: Json) -> None:
    world.station.answers["GetBaseReport"] = PeerUnavailable("gone")
    assert not await world.bridge.settle_in(boot)
    assert world.notes == {}
    world.heard()

    world.station.answers["GetBaseReport"] = ACCEPTED
    assert await ask(world, boot) is not None


async def test_a_report_that_does_not_come_whole_is_asked_for_a_few_times(
    world: "World", boot: Json, new_entry: "NewEntry"
) -> None:
    for _ in range(ATTEMPTS_MAX):
        request_id = await ask(world, boot)
        assert request_id is not None
        world.now += NEXT_PART_WITHIN - timedelta(seconds=1)
        assert await ask(world, boot) is None
        await world.tells(new_entry("A.B"), request_id=request_id, seq_no=1)
        world.now += NEXT_PART_WITHIN - timedelta(seconds=1)
        assert await ask(world, boot) is None
        world.now += timedelta(seconds=1)

    assert await world.bridge.settle_in(boot)
    assert world.heard("station") == []
    assert "never came whole" in world.notes["inventory"]
    assert "variables" not in world.pages[Page.DEVICE_MODEL]


async def test_parts_of_a_report_before_do_not_pass_for_those_of_the_present_one(
    world: "World", boot: Json, new_entry: "NewEntry"
) -> None:
    old = await ask(world, boot)
    world.restart()
    assert old is not None
    assert await ask(world, boot) is not None

    await world.tells(new_entry("Vendor.Thing"), request_id=old)

    assert not is_known(world.books)
    assert facts_of(world.books, "vendor.thing") is None


async def test_connectors_are_numbered_when_the_inventory_is_whole_in_their_own_order(
    world: "World", boot: Json, new_entry: "NewEntry"
) -> None:
    await world.status(2, "Available")
    request_id = await ask(world, boot)
    assert request_id is not None

    await world.tells(
        new_entry("Connector.Available", evse=3, connector=1),
        new_entry("Connector.Available", evse=2, connector=1),
        request_id=request_id,
        more=True,
    )
    await world.tells(
        new_entry("Connector.Available", evse=1, connector=2),
        new_entry("Connector.Available", evse=1, connector=1),
        request_id=request_id,
        seq_no=1,
    )

    assert numbers(world.books) == {(2, 1): 2, (1, 1): 1, (1, 2): 3, (3, 1): 4}


async def test_connectors_are_counted_by_the_inventory(world: "World", new_entry: "NewEntry") -> None:
    for evse_id in (1, 2, 3):
        await world.status(evse_id, "Available")
    assert connector_count(world.context) == 3

    await world.learns(new_entry("Connector.Available", evse=1, connector=1))
    assert connector_count(world.context) == 1
    await world.learns(new_entry("EVSE.Available", evse=1), firmware="2.0")
    assert connector_count(world.context) == 3


async def test_what_somebody_else_asked_for_teaches_connectors_and_what_the_keys_need(
    world: "World", new_entry: "NewEntry"
) -> None:
    await world.tells(
        new_entry("Connector.Available", evse=2, connector=1),
        new_entry("Connector.Available", evse=1, connector=2),
        new_entry("Connector.Available", evse=1, connector=1),
        new_entry("Connector.Available", evse=0, connector=1),
        new_entry("EVSE.Available", evse=3),
        new_entry("LocalAuthListCtrlr.Entries", maxLimit=40.0),
        new_entry("LocalAuthListCtrlr.Available", "true"),
        new_entry("Vendor.Thing", maxLimit=5),
    )

    assert numbers(world.books) == {(1, 1): 1, (1, 2): 2, (2, 1): 3}
    assert [*world.pages[Page.DEVICE_MODEL]["variables"]] == [
        "localauthlistctrlr.entries",
        "localauthlistctrlr.available",
    ]
    assert value_of(world.books, "localauthlistctrlr.available") == "true"
    assert not is_known(world.books)


async def test_an_empty_report(world: "World") -> None:
    assert await world.tells() == {}
    assert world.pages == {}


async def test_that_it_was_cut_is_said(world: "World", new_entry: "NewEntry", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_parts, "VARIABLES_MAX", 1)

    await world.learns(new_entry("A.B"), new_entry("C.D"))

    assert "inventory-cut" in world.notes
    assert world.pages[Page.DEVICE_MODEL]["cut"] is True


@pytest.mark.parametrize("firmware", ["1.0", None])
async def test_a_station_whose_boot_is_not_known_is_asked_only_while_nothing_is(
    world: "World", new_entry: "NewEntry", new_boot: "NewBoot", firmware: str | None
) -> None:
    world.station.answers["GetBaseReport"] = ACCEPTED
    request_id = await ask(world, None)
    assert request_id is not None
    await world.tells(new_entry("A.B"), request_id=request_id)

    assert await ask(world, None) is None
    assert firmware_of(new_boot(firmware)) == (firmware or "")


async def test_a_store_that_is_away_keeps_the_question_back(world: "World", boot: Json) -> None:
    async def failing(_: Page, __: Json) -> None:
        raise OSError("disk full")

    world.context.save_page = failing

    with pytest.raises(OSError, match="disk full"):
        await world.bridge.settle_in(boot)

    assert world.heard("station") == []
