"""Two gateways on one PostgreSQL: one lets a station in by the row that it remembers, the other changes that row.

Whoever has the row first, the other waits for it and then sees what was done: the station comes in by what the
registry said at that moment, or not at all. Who comes first is settled by a third connection, which holds the row until
both wait for it: PostgreSQL gives it to them in their order.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import make_url

from gateway.bridge.books import Transaction
from gateway.session.ports import RecordChanged, StaleEpoch, StationRecord, Taken
from gateway.store.books import StoredBooks
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.stations import PendingMessages, Stations
from gateway.wire.versions import Version

Open = Callable[..., Awaitable[Database]]

PATIENCE = 20.0
"""Seconds after which PostgreSQL has failed the test."""
IN_LINE = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'voltgate' AND wait_event_type = 'Lock'"
CHANGES = [
    ("set_serial", {"serial": "SN9"}),
    ("set_password", {"password_hash": "another"}),
    ("offer_password", {"password_hash": "another"}),
    ("allow", {"expired": True}),
    ("pin_version", {"version": Version.V16}),
    ("set_group", {"group": "north"}),
    ("set_backend", {"backend": "other"}),
    ("take", {"profile": 3}),
]


@dataclass(frozen=True)
class Gateways:
    """Two gateways with a store of their own, and a connection that belongs to neither."""

    door: Database
    """Where the station comes."""
    other: Stations
    journal: Journal
    """The other's, too."""
    third: Any
    known: StationRecord
    """What both remember of station CS1, which is owned in epoch 1."""

    async def let_in(self, profile: int = 2) -> Taken:
        return (await StoredBooks(self.door).let_in(self.known, profile, Version.V201))[0]

    async def found(self) -> StationRecord | None:
        return await self.other.find("CS1")

    async def epoch(self) -> int:
        found: int = await self.third.fetchval("SELECT epoch FROM stations")
        return found

    async def one_after_the_other(self, *steps: Coroutine[Any, Any, Any]) -> list[Any]:
        """Let all wait for the station's row, in this order; return what each returned or raised."""
        tasks: list[asyncio.Task[Any]] = []
        async with self.held("FOR UPDATE"):
            for number, step in enumerate(steps, 1):
                tasks.append(asyncio.create_task(step, name=f"step {number}"))
                async with asyncio.timeout(PATIENCE):
                    while await self.third.fetchval(IN_LINE) < number:
                        assert not tasks[-1].done(), "it doesn't wait for the station's row"
        async with asyncio.timeout(PATIENCE):
            return await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def held(self, how: str) -> AsyncIterator[None]:
        async with self.third.transaction():
            await self.third.execute(f"SELECT FROM stations {how}")
            yield


@pytest.fixture
async def gateways(migrated_postgresql_url: str, opened: Open) -> AsyncIterator[Gateways]:
    door, other = [await opened(migrated_postgresql_url) for _ in range(2)]
    stations = Stations(other)
    await stations.add("CS1", profile=1, serial="SN1", backend=None, password_hash="hash")
    await stations.take("CS1", 2)
    known = await stations.find("CS1")
    assert known is not None
    asyncpg = importlib.import_module("asyncpg")  # optional, and untyped
    url = make_url(migrated_postgresql_url).set(drivername="postgresql").render_as_string(hide_password=False)
    third = await asyncpg.connect(url)
    yield Gateways(door, stations, Journal(other), third, known)
    await third.close()


@pytest.mark.parametrize(("change", "arguments"), CHANGES)
async def test_a_change_that_is_first_lets_nobody_in(
    gateways: Gateways, change: str, arguments: dict[str, object]
) -> None:
    epoch = await gateways.epoch()
    changing = getattr(gateways.other, change)("CS1", **arguments)
    changed, refused = await gateways.one_after_the_other(changing, gateways.let_in())
    assert not isinstance(changed, BaseException)
    assert isinstance(refused, RecordChanged)
    after = await gateways.found()
    assert after is not None
    assert not after.admits_like(gateways.known)
    assert after.version is None, "nothing was written of who wasn't let in"
    assert await gateways.epoch() == epoch + (change == "take")


@pytest.mark.parametrize(("change", "arguments"), CHANGES)
async def test_who_is_first_is_let_in_by_the_row_before_the_change(
    gateways: Gateways, change: str, arguments: dict[str, object]
) -> None:
    epoch = await gateways.epoch()
    changing = getattr(gateways.other, change)("CS1", **arguments)
    taken, changed = await gateways.one_after_the_other(gateways.let_in(), changing)
    assert not isinstance(changed, BaseException)
    assert (taken.epoch, taken.record) == (epoch + 1, gateways.known)
    after = await gateways.found()
    assert after is not None
    assert not after.admits_like(gateways.known), "the change isn't lost either"
    assert after.version is Version.V201
    assert await gateways.epoch() == epoch + 1 + (change == "take")


async def test_who_is_removed_first_is_not_let_in(gateways: Gateways) -> None:
    removed, refused = await gateways.one_after_the_other(gateways.other.remove("CS1"), gateways.let_in())
    assert removed is None
    assert isinstance(refused, RecordChanged)
    assert await gateways.found() is None


async def test_who_is_removed_afterwards_has_its_epoch_left_behind(gateways: Gateways) -> None:
    taken, removed = await gateways.one_after_the_other(gateways.let_in(), gateways.other.remove("CS1"))
    assert removed is None
    assert await gateways.found() is None
    await gateways.other.add("CS1", profile=1, serial="SN1", backend=None, password_hash="hash")
    assert await gateways.epoch() >= taken.epoch, "who is let in anew owns it, and not the one before"


async def test_a_change_that_is_undone_keeps_nobody_out(gateways: Gateways) -> None:
    epoch = await gateways.epoch()
    await gateways.journal.append("CS1", epoch, Transaction("T1"), "StartTransaction", {})
    undone, taken = await gateways.one_after_the_other(gateways.other.remove("CS1"), gateways.let_in())
    assert isinstance(undone, PendingMessages)
    assert (taken.epoch, taken.record) == (epoch + 1, gateways.known)


@pytest.mark.parametrize("has_runtime", [False, True])
async def test_of_two_that_are_let_in_by_one_row_the_later_owns_it(gateways: Gateways, *, has_runtime: bool) -> None:
    """Without a change both are right to come; nobody gets the epoch of the other (attack A3)."""
    epoch = await gateways.epoch()
    elsewhere = (
        gateways.other.let_in(gateways.known, 2, Version.V16)
        if has_runtime
        else StoredBooks(gateways.other._database).let_in(gateways.known, 2, Version.V16)
    )
    first, second = await gateways.one_after_the_other(gateways.let_in(), elsewhere)
    second = second if has_runtime else second[0]
    assert (first.epoch, second.epoch) == (epoch + 1, epoch + 2)
    assert (first.record.version, second.record.version) == (None, Version.V201)
    with pytest.raises(StaleEpoch):
        await gateways.journal.append("CS1", first.epoch, Transaction("T1"), "StartTransaction", {})


async def test_who_raises_the_minimum_makes_the_other_decide_anew(gateways: Gateways) -> None:
    by_certificate, by_password = await gateways.one_after_the_other(
        gateways.other.let_in(gateways.known, 3, Version.V201), gateways.let_in()
    )
    assert by_certificate.record == gateways.known
    assert isinstance(by_password, RecordChanged), "its password isn't enough any more (A05.FR.07)"


async def test_what_the_owner_before_wrote_last_is_in_the_books(gateways: Gateways) -> None:
    append = gateways.journal.append("CS1", await gateways.epoch(), Transaction("T1"), "StartTransaction", {})
    coming = StoredBooks(gateways.door).let_in(gateways.known, 2, Version.V201)
    _, (_, books, depth) = await gateways.one_after_the_other(append, coming)
    assert (list(books.transactions), depth) == (["T1"], 1)


async def test_the_owner_before_writes_nothing_that_the_books_lack(gateways: Gateways) -> None:
    append = gateways.journal.append("CS1", await gateways.epoch(), Transaction("T1"), "StartTransaction", {})
    coming = StoredBooks(gateways.door).let_in(gateways.known, 2, Version.V201)
    (_, books, depth), refused = await gateways.one_after_the_other(coming, append)
    assert isinstance(refused, StaleEpoch)
    assert (books.transactions, depth, await gateways.journal.depths()) == ({}, 0, {})


async def test_a_row_that_only_names_the_station_keeps_nobody_out(gateways: Gateways) -> None:
    """The check of a foreign key holds the station's identity, and nothing that decides."""
    async with gateways.held("FOR KEY SHARE"), asyncio.timeout(PATIENCE):
        assert (await gateways.let_in()).record == gateways.known
