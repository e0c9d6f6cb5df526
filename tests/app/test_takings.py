"""Epoch and books in one trip: never books that are older than the last take."""

import pytest

from gateway.app.foundation import Foundation
from gateway.app.takings import Takings
from gateway.bridge.books import Page
from gateway.wire.versions import Version


@pytest.fixture
def running() -> set[str]:
    """The stations that have a runtime."""
    return set()


@pytest.fixture
async def takings(foundation: Foundation, running: set[str]) -> Takings:
    await foundation.stations.add("CS1", profile=1, serial=None, backend=None, password_hash=None)
    return Takings(foundation.stations, foundation.books, running.__contains__)


async def test_the_books_come_with_the_epoch(foundation: Foundation, takings: Takings) -> None:
    await foundation.pages.save("CS1", Page.BACKEND, {"name": "a"})
    epoch = await takings.take("CS1", 2, Version.V201)
    books, depth = await takings.books("CS1")
    assert (books.page(Page.BACKEND), depth) == ({"name": "a"}, 0)
    record = await foundation.stations.find("CS1")
    assert record is not None
    assert (record.minimum_profile, record.version) == (2, Version.V201)
    assert await foundation.stations.take("CS1", 0) == epoch + 1


async def test_books_are_handed_out_once(foundation: Foundation, takings: Takings) -> None:
    await takings.take("CS1", 2, Version.V201)
    await takings.books("CS1")
    await foundation.pages.save("CS1", Page.BACKEND, {"name": "later"})
    assert (await takings.books("CS1"))[0].page(Page.BACKEND) == {"name": "later"}


@pytest.mark.parametrize("version", [None, Version.V201])
async def test_what_an_earlier_take_read_is_forgotten(
    foundation: Foundation, takings: Takings, running: set[str], version: Version | None
) -> None:
    await takings.take("CS1", 2, Version.V201)
    running.add("CS1")
    await foundation.pages.save("CS1", Page.BACKEND, {"name": "later"})
    await takings.take("CS1", 2, version)
    await foundation.pages.save("CS1", Page.BACKEND, {"name": "last"})
    assert (await takings.books("CS1"))[0].page(Page.BACKEND) == {"name": "last"}


async def test_who_was_removed_meanwhile_is_not_taken(takings: Takings) -> None:
    with pytest.raises(KeyError):
        await takings.take("CS9", 2, Version.V201)
