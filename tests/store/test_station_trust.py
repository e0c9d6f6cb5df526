"""What stations trust, on either database."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.session.trust import AnchorType, Missing, StationTrust
from gateway.store.database import Database
from gateway.store.station_trust import StationTrusts
from gateway.store.stations import Stations

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRUST = StationTrust(
    "CS1", missing=(Missing(AnchorType.V2G, "ff", "CN=y"),), wanted="x", seen_at=NOON, again_at=NOON, changed_at=NOON
)


@pytest.fixture
async def trusts(database: Database, stations: Stations) -> StationTrusts:
    for identity in ("CS1", "CS2"):
        await stations.add(identity, profile=2, serial=None, backend=None, password_hash=None)
    return StationTrusts(database)


async def test_it_is_found_as_it_was_saved_last(trusts: StationTrusts) -> None:
    assert await trusts.find("CS1") is None
    await trusts.save(TRUST)
    assert await trusts.find("CS1") == TRUST
    settled = replace(TRUST, missing=(), is_settled=True)
    await trusts.save(settled)
    assert await trusts.find("CS1") == settled
    other = replace(TRUST, identity="CS2")
    await trusts.save(other)
    assert list(await trusts.all()) == [settled, other]
    assert await trusts.counts() == (1, 1)


async def test_a_removed_stations_goes_with_it_and_does_not_come_back(
    trusts: StationTrusts, stations: Stations
) -> None:
    assert await trusts.counts() == (0, 0)
    await trusts.save(TRUST)
    await stations.remove("CS1")
    assert await trusts.find("CS1") is None
    await trusts.save(TRUST)
    assert await trusts.all() == []
