"""Identities that wait for a person, on either database."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway.session.identity import IdentityRejected
from gateway.session.pending import PendingStation
from gateway.store import pending_stations as module
from gateway.store.database import Database
from gateway.store.pending_stations import PRESENTED_MAX, SEEN_EVERY, STAYS_AWAY, PendingStations
from gateway.store.unavailable import StoreUnavailable
from gateway.wire.versions import Version

Open = Callable[..., Awaitable[Database]]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + SEEN_EVERY
FULL = PendingStation("CS1", NOW, NOW, 1, "192.0.2.1", 3, "SN-1", "CN=SN-1,O=Example CPO", "ab" * 32, Version.V201)
BARE = PendingStation("CS1", NOW, NOW, 1, "192.0.2.2", 2, None, None, None, None)


async def see(pending: PendingStations, station: PendingStation) -> bool:
    return await pending.seen(
        station.identity,
        remote=station.remote,
        profile=station.profile,
        serial=station.serial,
        subject=station.subject,
        fingerprint=station.fingerprint,
        version=station.version,
    )


@pytest.mark.parametrize("station", [FULL, BARE], ids=["certificate", "password"])
async def test_a_newcomer_is_kept_with_what_it_presented(
    pending_stations: PendingStations, station: PendingStation
) -> None:
    assert await see(pending_stations, station) is True
    assert await pending_stations.find("CS1") == station
    assert await pending_stations.list() == [station]


async def test_one_that_comes_again_is_counted(pending_stations: PendingStations, database: Database) -> None:
    await see(pending_stations, FULL)
    assert await PendingStations(database, lambda: LATER).seen("CS1", remote="192.0.2.9", profile=3) is True
    assert await pending_stations.list() == [
        PendingStation("CS1", NOW, LATER, 2, "192.0.2.9", 3, None, None, None, None)
    ]


async def test_who_has_no_certificate_does_not_hide_the_one_that_was_shown(
    pending_stations: PendingStations, database: Database
) -> None:
    await see(pending_stations, FULL)
    await see(PendingStations(database, lambda: LATER), BARE)
    found = await pending_stations.find("CS1")
    assert found is not None
    assert (found.times, found.last_seen) == (2, LATER)
    assert (found.profile, found.remote, found.serial) == (3, FULL.remote, "SN-1")


async def test_one_that_comes_often_is_written_down_now_and_then(
    pending_stations: PendingStations, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await see(pending_stations, FULL)
    soon = PendingStations(database, lambda: LATER - timedelta(microseconds=1))
    early = PendingStations(database, lambda: NOW - SEEN_EVERY + timedelta(microseconds=1))
    with monkeypatch.context() as patched:
        patched.setattr(database, "write", None)
        for pending in (pending_stations, soon, early):
            assert await see(pending, FULL) is True
            assert await see(pending, BARE) is True
    assert await pending_stations.find("CS1") == FULL


async def test_one_that_presents_more_is_written_down_at_once(pending_stations: PendingStations) -> None:
    await see(pending_stations, BARE)
    await see(pending_stations, FULL)
    found = await pending_stations.find("CS1")
    assert found is not None
    assert (found.times, found.profile, found.serial) == (2, 3, "SN-1")


async def test_a_newcomer_beyond_the_bound_replaces_none(
    pending_stations: PendingStations, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PENDING_MAX", 2)
    for identity in ("CS1", "CS2"):
        assert await pending_stations.seen(identity, remote="192.0.2.1", profile=2) is True
    with monkeypatch.context() as patched:
        patched.setattr(database, "write", None)  # a flood of strangers costs no write
        assert await pending_stations.seen("CS3", remote="192.0.2.1", profile=2) is False
    assert await PendingStations(database, lambda: LATER).seen("CS1", remote="192.0.2.1", profile=2) is True
    assert [each.identity for each in await pending_stations.list()] == ["CS1", "CS2"]
    await pending_stations.remove("CS2")
    assert await pending_stations.seen("CS3", remote="192.0.2.1", profile=2) is True


async def test_newcomers_at_once_keep_to_the_bound(url: str, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_MAX", 3)
    both = [PendingStations(await opened(url), lambda: NOW) for _ in range(2)]
    kept = await asyncio.gather(*(both[i % 2].seen(f"CS{i // 2}", remote="192.0.2.1", profile=2) for i in range(12)))
    found = await both[0].list()
    assert len(found) == 3
    assert 3 <= sum(kept) <= 6
    assert all(1 <= each.times <= 2 for each in found)


async def test_what_was_presented_is_bounded_and_fit_for_the_database(pending_stations: PendingStations) -> None:
    long = "\0" + "x" * PRESENTED_MAX
    await pending_stations.seen("CS1", remote=long, profile=3, serial=long, subject=long, fingerprint=long)
    found = await pending_stations.find("CS1")
    assert found is not None
    cut = "\ufffd" + "x" * (PRESENTED_MAX - 1)
    assert (found.remote, found.serial, found.subject, found.fingerprint) == (cut, cut, cut, cut)


async def test_what_is_no_identity_is_not_kept(pending_stations: PendingStations) -> None:
    with pytest.raises(IdentityRejected):
        await pending_stations.seen("a\0b", remote="192.0.2.1", profile=2)
    assert await pending_stations.list() == []


async def test_the_list_is_in_the_order_of_arrival(database: Database) -> None:
    arrivals = iter([NOW, NOW + timedelta(seconds=1), NOW + timedelta(seconds=1)])
    pending = PendingStations(database, lambda: next(arrivals))
    for identity in ("CS2", "CS3", "CS1"):
        await pending.seen(identity, remote="192.0.2.1", profile=2)
    assert [each.identity for each in await pending.list()] == ["CS2", "CS1", "CS3"]


async def test_one_is_removed(pending_stations: PendingStations) -> None:
    await see(pending_stations, FULL)
    assert await pending_stations.remove("cs1") is False
    assert await pending_stations.remove("CS1") is True
    assert await pending_stations.remove("CS1") is False
    assert await pending_stations.find("CS1") is None


async def test_who_stays_away_makes_room(
    pending_stations: PendingStations, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of made-up identities doesn't keep stations out of the list for good."""
    monkeypatch.setattr(module, "PENDING_MAX", 2)
    later = PendingStations(database, lambda: LATER)
    a_day_later = PendingStations(database, lambda: NOW + STAYS_AWAY + timedelta(microseconds=1))
    for identity in ("CS1", "CS2"):
        await pending_stations.seen(identity, remote="192.0.2.1", profile=2)
    await later.seen("CS2", remote="192.0.2.1", profile=2)
    assert await PendingStations(database, lambda: NOW + STAYS_AWAY).seen("CS3", remote="x", profile=2) is False
    assert await a_day_later.seen("CS3", remote="192.0.2.1", profile=2) is True
    assert [each.identity for each in await pending_stations.list()] == ["CS2", "CS3"]
    assert await a_day_later.seen("CS4", remote="192.0.2.1", profile=2) is False


async def test_a_store_that_is_away_says_so(pending_stations: PendingStations, database: Database) -> None:
    await database.close()
    for work in (see(pending_stations, FULL), pending_stations.list(), pending_stations.remove("CS1")):
        with pytest.raises(StoreUnavailable, match="it is closed"):
            await work
