"""Connector numbers: learnt in order, stable, bounded, and overruled by the operator's table."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Books, Connector
from gateway.bridge.v201_v16 import connectors
from gateway.bridge.v201_v16.connectors import learn, locate, numbered, of_evse, plugs, seed, station_itself
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


@pytest.mark.parametrize(
    ("learnt", "table", "expected"),
    [
        ({}, {(1, 1): 10, (2, 1): 20}, {(1, 1): 10, (2, 1): 20}),
        ({(1, 1): 1, (2, 1): 2}, {}, {(1, 1): 1, (2, 1): 2}),
        ({(1, 1): 1, (2, 1): 2}, {(1, 1): 2, (2, 1): 1}, {(1, 1): 2, (2, 1): 1}),
        ({(1, 1): 1, (2, 1): 2}, {(2, 1): 1}, {(1, 1): 2, (2, 1): 1}),
        ({(0, 0): 0, (1, 1): 1}, {(1, 1): 3}, {(0, 0): 0, (1, 1): 3}),
    ],
)
def test_the_operators_table_outranks_what_was_learnt(
    learnt: dict[tuple[int, int], int], table: dict[tuple[int, int], int], expected: dict[tuple[int, int], int]
) -> None:
    books = Books(connectors={place: Connector(*place, number) for place, number in learnt.items()})

    seed(books, table)

    assert numbers(books) == expected


async def test_a_connector_beside_the_table_gets_the_next_number(new_world: "Callable[..., World]") -> None:
    books = Books()
    seed(books, {(1, 1): 5})
    world = new_world(books=books)

    assert (await learn(world.context, 1, 2)).number == 6
    assert (await learn(world.context, 2, 1)).number == 2


async def test_what_was_kept_while_the_station_spoke_1_6_is_no_connector(
    new_world: "Callable[..., World]",
) -> None:
    world = new_world(books=Books(connectors={(-1, 1): Connector(-1, 1, -2, "Untold", {"connectorId": 1})}))

    await world.bridge.backend_connected()
    await learn(world.context, 1, 2)

    assert numbers(world.books) == {(1, 2): 1}
    assert world.heard() == []
