"""Contracts: what a vehicle gets, and what is refused."""

from datetime import datetime, timedelta

import pytest

from gateway.session.contracts import (
    PER_VEHICLE_MAX,
    BatchRefused,
    ContractInvalid,
    ContractRefused,
    ContractUnknown,
)
from gateway.store.contracts import Contracts
from gateway.store.database import Database
from pki.iso15118.identifiers import Emaid
from pki.iso15118.provisioning import Contract
from tests.store.contract_samples import CAR, DAY, FIRST, NOW, OTHER, SECOND, THIRD, emaids, new


@pytest.fixture
def contracts(database: Database) -> Contracts:
    return Contracts(database, lambda: NOW)


async def test_a_contract_is_kept_with_who_and_when(contracts: Contracts) -> None:
    added = await contracts.add(new(valid_from=NOW, valid_until=NOW + DAY), "ann")

    assert (added.pcid, added.emaid) == ("WVWZZZ1KZAW000123", "DE8EXC12345671")
    assert (added.valid_from, added.valid_until, added.is_default) == (NOW, NOW + DAY, False)
    assert (added.added_by, added.added_at, added.changed_by, added.changed_at) == ("ann", NOW, "ann", NOW)
    assert await contracts.find(CAR, FIRST) == added
    assert await contracts.find(OTHER, FIRST) is None


async def test_a_vehicle_gets_its_default_first(contracts: Contracts) -> None:
    await contracts.add(new(emaid=FIRST, is_default=True), "ann")
    await contracts.add(new(emaid=SECOND), "ann")
    assert await emaids(contracts) == [FIRST.wire, SECOND.wire]
    await contracts.add(new(emaid=THIRD, is_default=True), "ann")
    assert await emaids(contracts) == [THIRD.wire, FIRST.wire, SECOND.wire]
    assert await emaids(contracts, OTHER) == []


@pytest.mark.parametrize(
    ("at", "is_valid"),
    [
        (NOW - timedelta(seconds=1), False),
        (NOW, True),
        (NOW + DAY - timedelta(seconds=1), True),
        (NOW + DAY, False),
    ],
)
async def test_a_contract_is_valid_from_its_begin_and_before_its_end(
    contracts: Contracts, at: datetime, is_valid: bool
) -> None:
    await contracts.add(new(valid_from=NOW, valid_until=NOW + DAY), "ann")

    assert await contracts.for_vehicle(CAR.text, at) == (
        [Contract(FIRST.wire, CAR.text, NOW + DAY)] if is_valid else []
    )
    assert (await contracts.by_emaid(FIRST.wire, at) is not None) is is_valid


async def test_a_contract_is_found_with_and_without_its_check_digit(contracts: Contracts) -> None:
    whole = Emaid.parse("DE-8EX-C12345678-O")
    await contracts.add(new(emaid=whole), "ann")

    assert await contracts.by_emaid("DE8EXC12345678", NOW) == Contract(whole.wire, CAR.text)
    assert await contracts.by_emaid("de-8ex-c12345678-o", NOW) == Contract(whole.wire, CAR.text)
    assert await contracts.by_emaid("DE8EXC12345678A", NOW) is None
    assert await contracts.by_emaid("CN of something else", NOW) is None
    with pytest.raises(ContractRefused, match="has the contract DE-8EX-C12345678 already"):
        await contracts.add(new(emaid=Emaid.parse("DE8EXC12345678")), "ann")


async def test_a_contract_of_several_vehicles_is_nobodys_in_particular(contracts: Contracts) -> None:
    await contracts.add(new(valid_until=NOW + DAY), "ann")
    await contracts.add(new(OTHER, valid_until=NOW + 2 * DAY), "ann")
    assert await contracts.by_emaid(FIRST.wire, NOW) == Contract(FIRST.wire, None, NOW + 2 * DAY)
    assert await contracts.by_emaid(FIRST.wire, NOW + DAY) == Contract(FIRST.wire, OTHER.text, NOW + 2 * DAY)

    await contracts.change(CAR, FIRST, "ann", {"valid_until": None})
    assert await contracts.by_emaid(FIRST.wire, NOW) == Contract(FIRST.wire, None, None)


async def test_a_vehicle_has_so_many_at_most(contracts: Contracts) -> None:
    for number in range(PER_VEHICLE_MAX):
        await contracts.add(new(emaid=Emaid.parse(f"DE8EXC{number:08}")), "ann")
    with pytest.raises(ContractRefused, match="has 20 contracts, which is the most: remove one first"):
        await contracts.add(new(), "ann")
    with pytest.raises(BatchRefused, match="line 7: vehicle WVWZZZ1KZAW000123 has 20 contracts"):
        await contracts.add_all([(7, new())], "ann")
    await contracts.add(new(OTHER), "ann")
    assert len(await emaids(contracts)) == PER_VEHICLE_MAX


async def test_a_change_leaves_what_it_does_not_name(contracts: Contracts) -> None:
    await contracts.add(new(valid_from=NOW, valid_until=NOW + DAY, is_default=True), "ann")
    await contracts.add(new(emaid=SECOND), "ann")

    changed = await contracts.change(CAR, SECOND, "bob", {"is_default": True, "valid_until": NOW})
    was = await contracts.find(CAR, FIRST)

    assert (changed.valid_from, changed.valid_until, changed.is_default) == (None, NOW, True)
    assert (changed.added_by, changed.changed_by) == ("ann", "bob")
    assert was is not None
    assert (was.valid_from, was.is_default) == (NOW, False)
    with pytest.raises(ContractInvalid, match="would never be valid"):
        await contracts.change(CAR, FIRST, "bob", {"valid_until": NOW})
    assert (await contracts.change(CAR, SECOND, "eve", {"is_default": True})).changed_by == "bob"  # nothing changed
    with pytest.raises(ContractUnknown, match="vehicle WVWZZZ1KZAW000124 has no contract DE-8EX-C12345671"):
        await contracts.change(OTHER, FIRST, "bob", {"is_default": True})


async def test_a_contract_is_removed(contracts: Contracts) -> None:
    await contracts.add(new(), "ann")
    await contracts.remove(CAR, FIRST)
    assert await contracts.find(CAR, FIRST) is None
    with pytest.raises(ContractUnknown, match="has no contract"):
        await contracts.remove(CAR, FIRST)


async def test_lists_have_filters_and_pages(contracts: Contracts) -> None:
    for pcid, emaid in ((CAR, FIRST), (CAR, SECOND), (OTHER, FIRST)):
        await contracts.add(new(pcid, emaid), "ann")
    one, two, three = await contracts.list()
    assert await contracts.list(pcid=CAR.text.lower()) == [one, two]
    assert await contracts.list(emaid=str(FIRST)) == [one, three]
    assert await contracts.list(limit=1) == [one]
    assert await contracts.list(after_id=one.id, limit=1) == [two]
    with pytest.raises(ValueError, match="isn't a PCID"):
        await contracts.list(pcid="x")
    with pytest.raises(ValueError, match="isn't an eMAID"):
        await contracts.list(emaid="x")
