"""Row, epoch and books in one trip: never older than the last take, and nobody by a row that has changed."""

from collections.abc import Awaitable, Callable

import pytest

from gateway.app.foundation import Foundation
from gateway.app.takings import Takings
from gateway.bridge.books import Page
from gateway.session.ports import RecordChanged, StationRecord
from gateway.wire.versions import Version


@pytest.fixture
def running() -> set[str]:
    """The stations that have a runtime."""
    return set()


@pytest.fixture
async def takings(foundation: Foundation, running: set[str]) -> Takings:
    await foundation.stations.add("CS1", profile=1, serial=None, backend=None, password_hash=None)
    return Takings(foundation.stations, foundation.books, running.__contains__)


async def let_in(takings: Takings, identity: str = "CS1", profile: int = 2) -> int:
    record = await takings._stations.find(identity)
    return (await takings.let_in(record or StationRecord(identity, 1), profile, Version.V201)).epoch


async def test_the_books_come_with_the_epoch(foundation: Foundation, takings: Takings) -> None:
    await foundation.pages.save("CS1", Page.BACKEND, {"name": "a"})
    epoch = await let_in(takings)
    books, depth = await takings.books("CS1")
    assert (books.page(Page.BACKEND), depth) == ({"name": "a"}, 0)
    record = await foundation.stations.find("CS1")
    assert record is not None
    assert (record.minimum_profile, record.version) == (2, Version.V201)
    assert await foundation.stations.take("CS1", 0) == epoch + 1


async def test_books_are_handed_out_once(foundation: Foundation, takings: Takings) -> None:
    await let_in(takings)
    await takings.books("CS1")
    await foundation.pages.save("CS1", Page.BACKEND, {"name": "later"})
    assert (await takings.books("CS1"))[0].page(Page.BACKEND) == {"name": "later"}


@pytest.mark.parametrize("again", [let_in, lambda takings: takings.take("CS1", 0)])
async def test_what_an_earlier_take_read_is_forgotten(
    foundation: Foundation, takings: Takings, running: set[str], again: Callable[[Takings], Awaitable[int]]
) -> None:
    await let_in(takings)
    running.add("CS1")
    await foundation.pages.save("CS1", Page.BACKEND, {"name": "later"})
    await again(takings)
    await foundation.pages.save("CS1", Page.BACKEND, {"name": "last"})
    assert (await takings.books("CS1"))[0].page(Page.BACKEND) == {"name": "last"}


async def test_who_was_removed_meanwhile_is_not_taken(takings: Takings) -> None:
    with pytest.raises(RecordChanged):
        await let_in(takings, "CS9")


async def test_who_came_by_its_certificate_is_remembered_as_it_was_left(takings: Takings) -> None:
    await let_in(takings)
    assert takings.remembered("CS1") is None, "by a password"
    first = await let_in(takings, profile=3)
    known = takings.remembered("CS1")
    assert known is not None
    assert (known.minimum_profile, known.boot_payload) == (3, None)
    assert (await takings.let_in(known, 3, Version.V201)).epoch == first + 1


@pytest.mark.parametrize("has_runtime", [False, True])
async def test_a_change_is_met_once(
    foundation: Foundation, takings: Takings, running: set[str], *, has_runtime: bool
) -> None:
    await let_in(takings, profile=3)
    known = takings.remembered("CS1")
    assert known is not None
    if has_runtime:
        running.add("CS1")
    await foundation.stations.allow("CS1", expired=True)
    with pytest.raises(RecordChanged):
        await takings.confirm(known)
    with pytest.raises(RecordChanged):
        await takings.let_in(known, 3, Version.V201)
    assert takings.remembered("CS1") is None
    await let_in(takings, profile=3)
    remembered = takings.remembered("CS1")
    assert remembered is not None
    assert remembered.allow_expired


async def test_not_more_are_remembered_than_there_is_room_for(
    foundation: Foundation, takings: Takings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.app.takings.REMEMBERED_MAX", 1)
    await foundation.stations.add("CS2", profile=1, serial=None, backend=None, password_hash=None)
    await let_in(takings, "CS1", 3)
    await let_in(takings, "CS2", 3)
    assert (takings.remembered("CS1"), takings.remembered("CS2") is None) == (None, False)
