"""Batches of contracts: all or nothing, and the same once more changes nothing."""

import pytest

from gateway.session.contracts import (
    BatchRefused,
    Imported,
)
from gateway.store.contract_batches import AT_ONCE
from gateway.store.contracts import Contracts
from gateway.store.database import Database
from pki.iso15118.identifiers import Pcid
from tests.store.contract_samples import CAR, DAY, FIRST, NOW, OTHER, SECOND, THIRD, emaids, new


@pytest.fixture
def contracts(database: Database) -> Contracts:
    return Contracts(database, lambda: NOW)


async def test_a_batch_adds_and_changes(contracts: Contracts) -> None:
    await contracts.add(new(emaid=FIRST, is_default=True), "ann")
    await contracts.add(new(emaid=SECOND, valid_until=NOW + DAY), "ann")
    lines = [
        (2, new(emaid=FIRST)),
        (3, new(emaid=SECOND)),
        (4, new(emaid=THIRD, valid_from=NOW)),
        (5, new(OTHER, FIRST, is_default=True)),
    ]

    assert await contracts.add_all(lines, "bob") == Imported(added=2, changed=1, unchanged=1)
    assert await contracts.add_all(lines, "eve") == Imported(added=0, changed=0, unchanged=4)

    shown = [
        (each.pcid, each.emaid, each.valid_until, each.is_default, each.changed_by) for each in await contracts.list()
    ]
    assert shown == [
        (CAR.text, FIRST.wire, None, True, "ann"),
        (CAR.text, SECOND.wire, None, False, "bob"),
        (CAR.text, THIRD.wire, None, False, "bob"),
        (OTHER.text, FIRST.wire, None, True, "bob"),
    ]


async def test_a_batch_moves_the_default(contracts: Contracts) -> None:
    await contracts.add(new(emaid=FIRST, is_default=True), "ann")
    await contracts.add(new(emaid=SECOND), "ann")

    # The former default is in the batch too, in either order.
    assert await contracts.add_all([(1, new(emaid=SECOND, is_default=True)), (2, new(emaid=FIRST))], "bob") == Imported(
        added=0, changed=2, unchanged=0
    )
    assert await emaids(contracts) == [SECOND.wire, FIRST.wire]
    await contracts.add_all([(1, new(emaid=THIRD, is_default=True))], "bob")
    assert await emaids(contracts) == [THIRD.wire, FIRST.wire, SECOND.wire]


async def test_nothing_of_a_wrong_batch_is_registered(contracts: Contracts) -> None:
    lines = [
        (2, new(emaid=FIRST, is_default=True)),
        (3, new(emaid=FIRST)),
        (4, new(emaid=SECOND, is_default=True)),
        (5, new(OTHER)),
    ]

    with pytest.raises(BatchRefused) as refused:
        await contracts.add_all(lines, "bob")

    assert refused.value.problems == [
        (3, "vehicle WVWZZZ1KZAW000123 and contract DE-8EX-C12345671 are in line 2"),
        (4, "vehicle WVWZZZ1KZAW000123 has its default in line 2"),
    ]
    assert await contracts.list() == []


async def test_a_batch_is_bounded(contracts: Contracts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.contracts.BATCH_MAX", 2)
    lines = [(number, new(emaid=emaid)) for number, emaid in enumerate((FIRST, SECOND, THIRD))]
    with pytest.raises(BatchRefused, match="line 2: at most 2 contracts go in one batch"):
        await contracts.add_all(lines, "bob")
    assert await contracts.add_all(lines[:2], "bob") == Imported(2, 0, 0)


async def test_more_vehicles_than_one_statement_looks_up(contracts: Contracts) -> None:
    lines = [(number, new(Pcid.parse(f"WVW{number:014}"))) for number in range(AT_ONCE + 2)]
    assert await contracts.add_all(lines, "bob") == Imported(AT_ONCE + 2, 0, 0)
    assert await contracts.add_all(lines, "bob") == Imported(0, 0, AT_ONCE + 2)
