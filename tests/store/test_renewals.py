"""The plans for renewals, on either database."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from gateway.session.renewals import HeldCertificate, RenewalRecord, RenewalState
from gateway.store.certificates import Certificates
from gateway.store.database import Database
from gateway.store.models import CertificateRow
from gateway.store.renewals import PROBLEM_MAX, Renewals
from gateway.store.stations import Stations
from gateway.store.unavailable import StoreUnavailable

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
END = NOW + timedelta(days=365)
PLAN = RenewalRecord(
    identity="CS1",
    usage="station",
    serial="a1",
    not_before=NOW,
    not_after=END,
    state=RenewalState.FAILED,
    due_at=NOW + timedelta(days=250),
    attempts=3,
    problem="late",
    alerts=1,
)


@pytest.fixture
async def renewals(database: Database, stations: Stations) -> Renewals:
    for identity in ("CS1", "CS2"):
        await stations.add(identity, profile=1, serial=None, backend=None, password_hash=None)
    return Renewals(database)


class Shelf:
    """The inventory, filled."""

    def __init__(self, certificates: Certificates, database: Database) -> None:
        self.certificates = certificates
        self._database = database

    async def put(self, identity: str, serial: str, state: str = "installed", usage: str = "station") -> None:
        await self.certificates.add(
            identity,
            serial=serial,
            fingerprint=f"f{serial}",
            subject="CN=x",
            not_before=NOW,
            not_after=END,
            chain="",
            usage=usage,
        )
        await self.becomes(serial, state)

    async def becomes(self, serial: str, state: str) -> None:
        change = update(CertificateRow).where(CertificateRow.serial == serial).values(state=state)
        await self._database.write(lambda connection: connection.execute(change))


@pytest.fixture
def shelf(certificates: Certificates, database: Database) -> Shelf:
    return Shelf(certificates, database)


def held(identity: str, serial: str, usage: str = "station") -> HeldCertificate:
    return HeldCertificate(identity, usage, serial, NOW, END)


async def test_a_plan_comes_back_as_it_was_saved_last(renewals: Renewals, shelf: Shelf) -> None:
    await shelf.put("CS1", "a1")
    await shelf.put("CS1", "b1", usage="v2g")
    other = replace(PLAN, usage="v2g", serial="b1", state=RenewalState.PLANNED, attempts=0, problem="", alerts=0)
    await renewals.save([PLAN, other])
    assert await renewals.load() == [PLAN, other]
    later = replace(PLAN, state=RenewalState.ASKED, attempts=4)
    await renewals.save([later])
    assert await renewals.of_station("CS1") == [later, other]
    assert await renewals.of_station("CS2") == []


async def test_nothing_to_save_is_nothing(renewals: Renewals) -> None:
    await renewals.save([])
    assert await renewals.load() == []


async def test_a_station_that_is_not_there_has_no_plan_and_hinders_no_other(renewals: Renewals, shelf: Shelf) -> None:
    await shelf.put("CS1", "a1")
    await renewals.save([replace(PLAN, identity="gone"), PLAN])
    assert await renewals.load() == [PLAN]


async def test_a_removed_stations_plan_goes_with_it(renewals: Renewals, shelf: Shelf, stations: Stations) -> None:
    await shelf.put("CS1", "a1")
    await renewals.save([PLAN])
    before = await renewals.revision()
    await stations.remove("CS1")
    assert await renewals.load() == []
    assert await renewals.revision() > before


async def test_a_problem_is_cut(renewals: Renewals) -> None:
    await renewals.save([replace(PLAN, problem="\0" + "x" * 2 * PROBLEM_MAX)])
    (plan,) = await renewals.of_station("CS1")
    assert len(plan.problem) == PROBLEM_MAX
    assert plan.problem.startswith("\N{REPLACEMENT CHARACTER}x")


async def test_what_stations_have_and_nobody_planned_for(renewals: Renewals, shelf: Shelf) -> None:
    await shelf.put("CS1", "a1")
    await shelf.put("CS1", "a2", "in_use")
    await shelf.put("CS1", "a3", "issued")
    await shelf.put("CS1", "b1", usage="v2g")
    await shelf.put("CS2", "c1", "superseded")
    await shelf.put("", "d1", usage="server")
    await shelf.put("not registered", "e1")
    found = await renewals.unplanned(10)
    assert sorted(found, key=lambda each: each.usage) == [held("CS1", "a2"), held("CS1", "b1", "v2g")]
    assert len(await renewals.unplanned(1)) == 1

    plans = [replace(PLAN, serial="a1"), replace(PLAN, usage="v2g", serial="b1")]
    await renewals.save(plans)
    assert await renewals.unplanned(10) == [held("CS1", "a2")]
    await renewals.save([replace(PLAN, serial="a2")])
    assert await renewals.unplanned(10) == []


async def test_a_life_begins_when_it_was_issued_and_not_in_the_hour_before(
    renewals: Renewals, shelf: Shelf, database: Database
) -> None:
    issued_at = NOW + timedelta(hours=1)
    await shelf.put("CS1", "a1")
    await database.write(lambda connection: connection.execute(update(CertificateRow).values(issued_at=issued_at)))
    assert await renewals.unplanned(10) == [replace(held("CS1", "a1"), not_before=issued_at)]


async def test_one_that_no_authority_of_ours_signed_is_a_station_certificate_like_another(
    renewals: Renewals, shelf: Shelf
) -> None:
    await shelf.put("CS1", "a1", "in_use", usage="seen")
    assert await renewals.unplanned(10) == [held("CS1", "a1")]
    await shelf.put("CS1", "a2")
    assert await renewals.unplanned(10) == [held("CS1", "a2")]


@pytest.mark.parametrize(
    ("state", "newer", "is_told"),
    [
        ("in_use", "installed", True),  # it accepted the newer one, and never came with it
        ("in_use", "in_use", True),  # it came with the newer one, and fell back
        ("in_use", "issued", False),
        ("in_use", "rejected", False),
        ("installed", "installed", False),  # it shows none at the door, so it isn't known to use the older one
        ("superseded", "in_use", False),
    ],
)
async def test_what_a_station_goes_on_with_though_it_has_a_newer_one(
    renewals: Renewals, shelf: Shelf, state: str, newer: str, *, is_told: bool
) -> None:
    await shelf.put("CS1", "a1", state)
    await shelf.put("CS1", "a2", newer)
    day = timedelta(days=1)
    assert await renewals.still_used(END - day, END) == ([held("CS1", "a1")] if is_told else [])
    assert await renewals.still_used(END, END + day) == await renewals.still_used(NOW, END - day) == []


async def test_a_v2g_certificate_is_not_a_newer_one_of_the_station_s(renewals: Renewals, shelf: Shelf) -> None:
    await shelf.put("CS1", "a1", "in_use")
    await shelf.put("CS1", "b1", usage="v2g")
    assert await renewals.still_used(NOW, END) == []


@pytest.mark.parametrize("state", ["superseded", "revoked", "expired"])
async def test_a_plan_ends_with_its_certificate(renewals: Renewals, shelf: Shelf, state: str) -> None:
    await shelf.put("CS1", "a1")
    await renewals.save([PLAN])
    assert await renewals.load() == [PLAN]
    await shelf.becomes("a1", state)
    assert await renewals.load() == []
    assert await renewals.of_station("CS1") == []


async def test_the_older_one_counts_again_when_the_newer_is_revoked(renewals: Renewals, shelf: Shelf) -> None:
    await shelf.put("CS1", "a1")
    await shelf.put("CS1", "a2")
    assert await renewals.unplanned(10) == [held("CS1", "a2")]
    await shelf.certificates.revoke("a2")
    assert await renewals.unplanned(10) == [held("CS1", "a1")]


async def test_who_is_in_a_group(renewals: Renewals, stations: Stations) -> None:
    await stations.set_group("CS2", "depot")
    assert await renewals.members("depot") == {"CS2"}
    assert await renewals.members("other") == frozenset()


async def test_a_store_that_is_away_is_said(
    opened: Callable[..., Awaitable[Database]], migrated_sqlite_url: str
) -> None:
    database = await opened(migrated_sqlite_url)
    renewals = Renewals(database)
    await database.close()
    with pytest.raises(StoreUnavailable):
        await renewals.load()
