"""The rotation of a password: what each answer, each crash and each use leaves, on either database."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import pytest
from sqlalchemy import Connection

from gateway.store.database import Database
from gateway.store.password_rotation import await_reboot, offer, settle, use
from gateway.store.stations import Stations

Open = Callable[..., Awaitable[Database]]
Step = Callable[[Connection], bool]
Passwords = tuple[str | None, str | None, bool]
"""The present one, the offered one, and whether that waits for a reboot."""

OLD: Final[Passwords] = ("old", None, False)
OFFERED: Final[Passwords] = ("old", "new", False)
WAITING: Final[Passwords] = ("old", "new", True)
NEW: Final[Passwords] = ("new", None, False)

OFFER: Final = partial(offer, identity="CS1", password_hash="new")
AWAIT: Final = partial(await_reboot, identity="CS1", password_hash="new")
BEFORE: Final[dict[Passwords, list[Step]]] = {OLD: [], OFFERED: [OFFER], WAITING: [OFFER, AWAIT]}


def accepted(password_hash: str) -> Step:
    return partial(settle, identity="CS1", password_hash=password_hash, accepted=True)


def refused(password_hash: str) -> Step:
    return partial(settle, identity="CS1", password_hash=password_hash, accepted=False)


def waits(password_hash: str) -> Step:
    return partial(await_reboot, identity="CS1", password_hash=password_hash)


def used(password_hash: str) -> Step:
    return partial(use, identity="CS1", password_hash=password_hash)


async def passwords(database: Database) -> Passwords:
    record = await Stations(database).find("CS1")
    assert record is not None
    return record.password_hash, record.next_password_hash, record.next_password_waits


@pytest.mark.parametrize(
    ("before", "step", "after"),
    [
        (OLD, OFFER, OFFERED),
        (OFFERED, accepted("new"), NEW),
        (OFFERED, refused("new"), OLD),
        (OFFERED, waits("new"), WAITING),
        (OFFERED, used("new"), NEW),
        (OFFERED, used("old"), OLD),
        (WAITING, accepted("new"), NEW),
        (WAITING, refused("new"), OLD),
        (WAITING, used("new"), NEW),
        (WAITING, OFFER, OFFERED),
    ],
)
async def test_what_settles_an_offer(
    database: Database, stations: Stations, before: Passwords, step: Step, after: Passwords
) -> None:
    await stations.add("CS1", profile=2, serial=None, backend=None, password_hash="old")
    for earlier in BEFORE[before]:
        assert await database.write(earlier)
    assert await passwords(database) == before
    assert await database.write(step)
    assert await passwords(database) == after


@pytest.mark.parametrize("before", [OLD, OFFERED, WAITING])
@pytest.mark.parametrize("step", [accepted("other"), refused("other"), waits("other"), used("other")])
async def test_an_answer_to_another_offer_changes_nothing(
    database: Database, stations: Stations, before: Passwords, step: Step
) -> None:
    await stations.add("CS1", profile=2, serial=None, backend=None, password_hash="old")
    for earlier in BEFORE[before]:
        await database.write(earlier)
    assert not await database.write(step)
    assert await passwords(database) == before


@pytest.mark.parametrize(
    ("before", "step"),
    [(OLD, accepted("new")), (OLD, refused("new")), (OLD, waits("new")), (OLD, used("old")), (WAITING, used("old"))],
)
async def test_what_settles_nothing(database: Database, stations: Stations, before: Passwords, step: Step) -> None:
    await stations.add("CS1", profile=2, serial=None, backend=None, password_hash="old")
    for earlier in BEFORE[before]:
        await database.write(earlier)
    assert not await database.write(step)
    assert await passwords(database) == before


@pytest.mark.parametrize("step", [OFFER, accepted("new"), refused("new"), waits("new"), used("new")])
async def test_a_station_that_is_not_registered_has_no_password(database: Database, step: Step) -> None:
    assert not await database.write(step)


async def test_a_station_without_a_password_gets_its_first(database: Database, stations: Stations) -> None:
    await stations.add("CS1", profile=3, serial=None, backend=None, password_hash=None)
    await database.write(OFFER)
    assert await passwords(database) == (None, "new", False)
    assert await database.write(accepted("new"))
    assert await passwords(database) == NEW


async def test_other_stations_keep_theirs(database: Database, stations: Stations) -> None:
    for identity in ("CS1", "CS2"):
        await stations.add(identity, profile=2, serial=None, backend=None, password_hash="old")
        await stations.offer_password(identity, "new")
    await stations.settle_offer("CS2", "new", accepted=True)
    assert await passwords(database) == OFFERED


async def test_an_offer_that_is_settled_twice_at_once_is_settled_once(url: str, opened: Open) -> None:
    databases = [await opened(url) for _ in range(2)]
    stations = Stations(databases[0])
    await stations.add("CS1", profile=2, serial=None, backend=None, password_hash="old")
    await stations.offer_password("CS1", "new")
    steps = [accepted("new"), refused("new"), used("new"), used("old")]
    settled = await asyncio.gather(*(databases[i % 2].write(step) for i, step in enumerate(steps)))
    assert sum(settled) == 1
    assert await passwords(databases[0]) in {OLD, NEW}


async def test_the_rotation_leaves_the_revision(stations: Stations) -> None:
    await stations.add("CS1", profile=2, serial=None, backend=None, password_hash="old")
    before = await stations.revision()
    await stations.offer_password("CS1", "new")
    assert await stations.await_reboot("CS1", "new") is True
    await stations.password_used("CS1", "new")
    await stations.offer_password("CS1", "newer")
    assert await stations.settle_offer("CS1", "newer", accepted=True) is True
    assert await stations.revision() == before
