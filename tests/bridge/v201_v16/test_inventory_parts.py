"""An inventory out of its parts, in any order, with repetitions and gaps, within its bounds."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.v201_v16 import inventory_parts
from gateway.bridge.v201_v16.device_model import Entry, Facts
from gateway.bridge.v201_v16.inventory_parts import PARTS_MAX, InventoryParts

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def entries(*names: str) -> list[Entry]:
    return [Entry(name, Facts(limit=len(name)), None, None) for name in names]


def new() -> InventoryParts:
    return InventoryParts(7, "1.0", NOW)


@given(
    counts=st.lists(st.integers(0, 3), min_size=1, max_size=8),
    data=st.data(),
)
def test_parts_in_any_order_and_as_often_as_they_come(counts: list[int], data: st.DataObject) -> None:
    parts = [entries(*(f"part{number}.v{index}" for index in range(count))) for number, count in enumerate(counts)]
    order = data.draw(st.permutations(range(len(parts))))
    arrivals = [number for number in order for _ in range(data.draw(st.integers(1, 3)))]
    collected = new()

    arrived: set[int] = set()
    for number in arrivals:
        assert collected.is_whole is (len(arrived) == len(parts))
        collected.take(number, parts[number], is_last=number == len(parts) - 1)
        arrived.add(number)

    assert collected.is_whole
    assert collected.variables == {entry.path: entry.facts.to_json() for part in parts for entry in part}
    assert not collected.is_cut


@given(count=st.integers(2, 8), data=st.data())
def test_with_a_gap_it_is_never_whole(count: int, data: st.DataObject) -> None:
    gap = data.draw(st.integers(0, count - 1))
    collected = new()

    for number in data.draw(st.permutations([number for number in range(count) if number != gap])):
        collected.take(number, [], is_last=number == count - 1)
        assert not collected.is_whole

    collected.take(gap, [], is_last=gap == count - 1)
    assert collected.is_whole


@pytest.mark.parametrize("seq_no", [-1, PARTS_MAX, 2**60])
def test_a_sequence_number_that_can_not_be(seq_no: int) -> None:
    collected = new()

    collected.take(seq_no, entries("a.b"), is_last=True)

    assert (collected.variables, collected.is_whole) == ({}, False)


def test_the_last_part_by_itself_may_be_all() -> None:
    collected = new()

    collected.take(0, [], is_last=True)

    assert collected.is_whole


def test_what_a_repeated_part_says_anew_is_not_heard() -> None:
    collected = new()

    collected.take(0, entries("a.b"), is_last=False)
    collected.take(0, entries("c.d"), is_last=True)

    assert ([*collected.variables], collected.is_whole) == (["a.b"], False)


@pytest.mark.parametrize(("limit", "most"), [("VARIABLES_MAX", 2), ("MODEL_BYTES_MAX", 60)])
def test_it_is_cut_where_it_is_too_large_but_for_what_the_keys_need(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(inventory_parts, limit, most)
    collected = new()

    collected.take(0, entries("a.b", "c.d"), is_last=False)
    assert collected.variables.keys() == {"a.b", "c.d"}
    collected.take(1, entries("e.f", "a.b", "txctrlr.evconnectiontimeout"), is_last=True)

    assert [*collected.variables] == ["a.b", "c.d", "txctrlr.evconnectiontimeout"]
    assert (collected.is_cut, collected.is_whole) == (True, True)


def test_connectors_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_parts, "CONNECTORS_READ_MAX", 2)
    collected = new()

    collected.take(0, [Entry("connector.v", Facts(), None, (1, number)) for number in range(1, 5)], is_last=True)

    assert collected.connectors == {(1, 1), (1, 2)}
