"""Upgrades of security profiles, on either database."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.session.upgrades import UpgradeOver, UpgradeRecord, UpgradeUnderWay
from gateway.store.database import Database
from gateway.store.stations import NotRegistered, Stations
from gateway.store.unavailable import StoreUnavailable
from gateway.store.upgrades import DETAIL_MAX, STEP_MAX, Upgrades

Open = Callable[..., Awaitable[Database]]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
THEN = NOW - timedelta(hours=1)
RECORD = UpgradeRecord(
    identity="CS1",
    target_profile=3,
    previous_profile=2,
    step="install root",
    slot=None,
    detail="waits for the station",
    data={"roots": ["ab", 1], "none": None},
    is_over=False,
    started_at=THEN,
    changed_at=THEN,
)
FARTHER = replace(RECORD, step="await return", slot=2, detail="", data={}, changed_at=NOW)
DONE = replace(FARTHER, step="done", is_over=True)


async def add(stations: Stations, *identities: str) -> None:
    for identity in identities:
        await stations.add(identity, profile=1, serial=None, backend=None, password_hash=None)


@pytest.mark.usefixtures("epoch")
async def test_an_upgrade_is_found_as_it_was_saved_last(upgrades: Upgrades) -> None:
    assert await upgrades.find("CS1") is None
    await upgrades.begin(RECORD)
    assert await upgrades.find("CS1") == RECORD
    for record in (FARTHER, DONE):
        await upgrades.save(record)
        assert await upgrades.find("CS1") == record


@pytest.mark.usefixtures("epoch")
async def test_one_is_under_way_at_most(upgrades: Upgrades) -> None:
    await upgrades.begin(RECORD)
    with pytest.raises(UpgradeUnderWay, match="'CS1' is being upgraded to security profile 3 already") as under_way:
        await upgrades.begin(replace(RECORD, target_profile=2, started_at=NOW))
    assert under_way.value.record == RECORD
    assert await upgrades.find("CS1") == RECORD


@pytest.mark.usefixtures("epoch")
async def test_of_two_that_begin_at_once_one_does(url: str, opened: Open) -> None:
    both = [Upgrades(await opened(url)) for _ in range(2)]
    begun = await asyncio.gather(*(upgrades.begin(RECORD) for upgrades in both * 3), return_exceptions=True)
    assert begun.count(None) == 1
    assert sum(isinstance(each, UpgradeUnderWay) for each in begun) == 5


@pytest.mark.usefixtures("epoch")
async def test_a_new_one_takes_the_place_of_the_last(upgrades: Upgrades) -> None:
    await upgrades.begin(RECORD)
    await upgrades.save(DONE)
    again = replace(RECORD, started_at=NOW, changed_at=NOW)
    await upgrades.begin(again)
    assert await upgrades.find("CS1") == again
    with pytest.raises(UpgradeOver, match="'CS1' is not under way any more"):
        await upgrades.save(FARTHER)
    assert await upgrades.find("CS1") == again


async def test_only_a_registered_station_is_upgraded(upgrades: Upgrades) -> None:
    with pytest.raises(NotRegistered):
        await upgrades.begin(RECORD)
    with pytest.raises(UpgradeOver):
        await upgrades.save(RECORD)
    assert await upgrades.find("CS1") is None


async def test_the_upgrade_goes_with_its_station(upgrades: Upgrades, stations: Stations) -> None:
    await add(stations, "CS1")
    await upgrades.begin(RECORD)
    await stations.remove("CS1")
    await add(stations, "CS1")
    assert await upgrades.find("CS1") is None
    assert await upgrades.unfinished() == []


async def test_those_that_are_not_over_are_found_after_a_restart(upgrades: Upgrades, stations: Stations) -> None:
    await add(stations, "CS1", "CS2", "CS3")
    await upgrades.begin(replace(RECORD, identity="CS1", started_at=NOW))
    await upgrades.begin(replace(RECORD, identity="CS2"))
    await upgrades.begin(replace(RECORD, identity="CS3"))
    await upgrades.save(replace(DONE, identity="CS2"))
    assert [record.identity for record in await upgrades.unfinished()] == ["CS3", "CS1"]


@pytest.mark.usefixtures("epoch")
async def test_a_person_ends_one_where_it_stands(upgrades: Upgrades) -> None:
    assert await upgrades.cancel("CS1", "no") is False
    await upgrades.begin(RECORD)
    assert await upgrades.cancel("CS1", "cancelled by an operator") is True
    cancelled = replace(RECORD, detail="cancelled by an operator", is_over=True, changed_at=NOW)
    assert await upgrades.find("CS1") == cancelled
    with pytest.raises(UpgradeOver):
        await upgrades.save(FARTHER)
    assert await upgrades.cancel("CS1", "again") is False
    assert await upgrades.find("CS1") == cancelled


@pytest.mark.usefixtures("epoch")
async def test_texts_are_bounded_and_fit_for_the_database(upgrades: Upgrades) -> None:
    await upgrades.begin(replace(RECORD, step="s" * 99, detail="\0" * 999, data={"a": "\0"}))
    found = await upgrades.find("CS1")
    assert found is not None
    assert (found.step, found.detail, found.data) == ("s" * STEP_MAX, "\ufffd" * DETAIL_MAX, {"a": "\0"})
    await upgrades.cancel("CS1", "\0" * 999)
    found = await upgrades.find("CS1")
    assert found is not None
    assert found.detail == "\ufffd" * DETAIL_MAX


async def test_a_store_that_is_away_says_so(upgrades: Upgrades, database: Database) -> None:
    await database.close()
    for work in (upgrades.begin(RECORD), upgrades.save(RECORD), upgrades.find("CS1"), upgrades.unfinished()):
        with pytest.raises(StoreUnavailable, match="it is closed"):
            await work
