"""Connector numbers: learnt in order, stable, bounded, and overruled by the operator's table."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Books, Connector, Transaction
from gateway.bridge.v201_v16 import Settings, connectors
from gateway.bridge.v201_v16.connectors import learn, locate, numbered, of_evse, plugs, station_itself
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v201_v16.conftest import World


def numbers(books: Books) -> dict[tuple[int, int], int]:
    return {place: connector.number for place, connector in books.connectors.items()}


async def test_numbers_are_given_as_connectors_are_learnt_and_stay(world: "World") -> None:
    for place in [(1, 1), (1, 2), (2, 1), (1, 1)]:
        await learn(world.context, *place)

    assert numbers(world.books) == {(1, 1): 1, (1, 2): 2, (2, 1): 3}
    assert world.saved == list(world.books.connectors.values())


async def test_the_order_of_reports_does_not_matter_where_each_evse_has_one_connector(world: "World") -> None:
    for evse_id in (3, 1, 2):
        await learn(world.context, evse_id, 1)

    assert numbers(world.books) == {(3, 1): 3, (1, 1): 1, (2, 1): 2}


async def test_a_number_that_is_taken_is_not_given_twice(world: "World") -> None:
    for place in [(1, 1), (1, 2), (2, 1), (3, 1)]:
        await learn(world.context, *place)

    assert numbers(world.books) == {(1, 1): 1, (1, 2): 2, (2, 1): 3, (3, 1): 4}


async def test_a_number_is_persisted_before_it_is_used(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(_: Connector) -> None:
        raise OSError("disk full")

    world.context.save_connector = failing

    with pytest.raises(OSError, match="disk full"):
        await learn(world.context, 1, 1)

    assert world.books.connectors == {}


@pytest.mark.parametrize("place", [(0, 1), (1, 0), (-1, 1), (1, -1)])
async def test_a_place_that_can_not_be(world: "World", place: tuple[int, int]) -> None:
    with pytest.raises(CallError, match="numbered from 1") as refused:
        await learn(world.context, *place)

    assert refused.value.code is ErrorCode.PROPERTY_CONSTRAINT_VIOLATION


async def test_the_number_of_connectors_is_bounded(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectors, "CONNECTORS_MAX", 2)
    await learn(world.context, 1, 1)
    await learn(world.context, 2, 1)

    with pytest.raises(CallError, match="more than 2 connectors"):
        await learn(world.context, 3, 1)

    assert (await learn(world.context, 2, 1)).number == 2


async def test_the_station_itself_is_0_and_no_plug(world: "World") -> None:
    itself = await station_itself(world.context)

    assert itself.number == 0
    assert await station_itself(world.context) is itself
    assert world.saved == [itself]
    assert plugs(world.books) == []
    assert numbered(world.books, 0) is None
    assert (await learn(world.context, 1, 1)).number == 1


async def test_an_evse_without_connector_means_the_one_in_use(world: "World") -> None:
    assert (await locate(world.context, 7, None)).connector_id == 1
    first, second = await learn(world.context, 2, 1), await learn(world.context, 2, 2)

    assert await locate(world.context, 2, None) is first
    second.status = "Occupied"
    assert await locate(world.context, 2, None) is second
    assert await locate(world.context, 2, 1) is first
    assert of_evse(world.books, 2) == [first, second]


def books_of(learnt: dict[tuple[int, int], int], *told: int) -> Books:
    """Return books with connectors, those numbers told to the backend."""
    known = (Connector(*place, number) for place, number in learnt.items())
    books = Books(connectors={(each.evse_id, each.connector_id): each for each in known})
    for connector in books.connectors.values():
        if connector.number in told:
            connector.reported = {"connectorId": connector.number, "status": "Available"}
    return books


@pytest.mark.parametrize(
    ("learnt", "told", "table", "expected", "is_noted"),
    [
        ({}, (), {(1, 1): 10, (2, 1): 20}, {(1, 1): 10, (2, 1): 20}, False),
        ({(1, 1): 1, (2, 1): 2}, (), {}, {(1, 1): 1, (2, 1): 2}, False),
        ({(1, 1): 1, (2, 1): 2}, (), {(1, 1): 2, (2, 1): 1}, {(1, 1): 2, (2, 1): 1}, False),
        ({(1, 1): 1, (2, 1): 2}, (), {(2, 1): 1}, {(1, 1): 2, (2, 1): 1}, False),
        ({(0, 0): 0, (1, 1): 1}, (), {(1, 1): 3}, {(0, 0): 0, (1, 1): 3}, False),
        ({(1, 1): 1, (2, 1): 2}, (1, 2), {(1, 1): 1, (2, 1): 2}, {(1, 1): 1, (2, 1): 2}, False),
        ({(1, 1): 1, (2, 1): 2}, (1, 2), {(1, 1): 2, (2, 1): 1}, {(1, 1): 1, (2, 1): 2}, True),
        ({(1, 1): 1, (2, 1): 2}, (1,), {(1, 1): 5, (2, 1): 6}, {(1, 1): 1, (2, 1): 6}, True),
        ({(1, 1): 1, (2, 1): 2}, (1,), {(2, 1): 1}, {(1, 1): 1, (2, 1): 2}, True),
        ({(1, 1): 1}, (1,), {(2, 1): 1, (3, 1): 3}, {(1, 1): 1, (2, 1): 4, (3, 1): 3}, True),
        ({(1, 1): -1001, (2, 1): -1000}, (), {}, {(1, 1): 1, (2, 1): 2}, False),
        ({(1, 1): -1001, (2, 1): -1000}, (), {(1, 1): 2, (2, 1): 1}, {(1, 1): 2, (2, 1): 1}, False),
    ],
)
def test_the_operators_table_outranks_what_the_backend_has_not_heard(
    new_world: "Callable[..., World]",
    learnt: dict[tuple[int, int], int],
    told: tuple[int, ...],
    table: dict[tuple[int, int], int],
    expected: dict[tuple[int, int], int],
    is_noted: bool,
) -> None:
    world = new_world(settings=Settings(connectors=table), books=books_of(learnt, *told))
    changed = world.context.memory.renumbered

    assert numbers(world.books) == expected
    assert [*world.notes] == ["connector-table"] * is_noted
    assert {(c.evse_id, c.connector_id) for c, _ in changed} == {
        place for place, number in expected.items() if learnt.get(place) != number
    }
    meanwhile = [number for _, number in changed]
    assert len({*meanwhile, *learnt.values(), *expected.values()} & {*meanwhile}) == len(meanwhile)
    assert not {*meanwhile} & {*learnt.values(), *expected.values()}


def test_a_number_in_a_transaction_is_told_too(new_world: "Callable[..., World]") -> None:
    books = books_of({(1, 1): 1})
    books.transactions["TX"] = Transaction("TX", connector_id=1)

    new_world(settings=Settings(connectors={(1, 1): 2}), books=books)

    assert numbers(books) == {(1, 1): 1}


async def test_numbers_that_the_table_changes_are_persisted_before_they_are_used(
    new_world: "Callable[..., World]",
) -> None:
    """Two connectors of a station never have the same number in the store."""
    table = {(1, 1): 2, (2, 1): 1}
    world = new_world(settings=Settings(connectors=table), books=books_of({(1, 1): 1, (2, 1): 2}))
    stored = {(1, 1): 1, (2, 1): 2}

    async def save(connector: Connector) -> None:
        stored[connector.evse_id, connector.connector_id] = connector.number
        assert len(set(stored.values())) == len(stored)

    world.context.save_connector = save
    await world.status(1, "Available")

    assert stored == table
    assert world.heard()[0][1]["connectorId"] == 2


async def test_a_backend_that_comes_first_finds_the_numbers_persisted(new_world: "Callable[..., World]") -> None:
    world = new_world(settings=Settings(connectors={(1, 1): 4}))

    await world.bridge.backend_connected()

    assert [connector.number for connector in world.saved] == [-1001, 4]


async def test_a_connector_beside_the_table_gets_the_next_number(new_world: "Callable[..., World]") -> None:
    world = new_world(settings=Settings(connectors={(1, 1): 5}))

    assert (await learn(world.context, 1, 1)).number == 5
    assert world.notes == {}
    assert (await learn(world.context, 1, 2)).number == 6
    assert (await learn(world.context, 2, 1)).number == 7
    assert "connector-beside-table" in world.notes


async def test_what_was_kept_while_the_station_spoke_1_6_is_no_connector(
    new_world: "Callable[..., World]",
) -> None:
    world = new_world(books=Books(connectors={(-1, 1): Connector(-1, 1, -2, "Untold", {"connectorId": 1})}))

    await world.bridge.backend_connected()
    await learn(world.context, 1, 2)

    assert numbers(world.books) == {(1, 2): 1}
    assert world.heard() == []
