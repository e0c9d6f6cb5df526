"""Each step is on file, links end with their update, and who watches hears of it."""

from typing import Any, cast

import pytest

from gateway.services.firmware_steps import Surroundings, UpdateSteps
from gateway.session.firmware import NewUpdate, UpdateRecord, UpdateSource, UpdateState
from gateway.session.ports import StoreAway
from tests.services.firmware_town import AWAY, LOCATION, Book, FakeLinks


class World:
    def __init__(self) -> None:
        self.book, self.links = Book(), FakeLinks()
        self.heard: list[tuple[int, UpdateState]] = []
        nothing = dict.fromkeys(("images", "stations", "live", "without_signature", "security", "spawn", "now"))
        on = Surroundings(book=self.book, links=cast("Any", self.links), **cast("Any", nothing))
        self.steps = UpdateSteps(on)
        self.steps.watch(lambda record: self.heard.append((record.id, record.state)))

    async def add(self, source: UpdateSource = UpdateSource.BACKEND) -> UpdateRecord:
        new = NewUpdate(identity="CS1", image_id=1, source=source, by="old", location=LOCATION)
        return (await self.steps.add(new))[0]


async def test_a_new_one_ends_the_one_before() -> None:
    world = World()
    await world.add()
    await world.add()

    assert world.heard == [
        (1, UpdateState.PREPARING),
        (1, UpdateState.CANCELED),
        (2, UpdateState.PREPARING),
    ]
    assert world.links.closed == [1]


@pytest.mark.parametrize(
    ("source", "tell", "untold"),
    [
        (UpdateSource.BACKEND, True, True),
        (UpdateSource.BACKEND, False, False),
        (UpdateSource.OPERATOR, True, False),
        (UpdateSource.CAMPAIGN, True, False),
    ],
)
async def test_a_backend_is_to_hear_of_its_own(source: UpdateSource, tell: bool, untold: bool) -> None:
    world = World()
    record = await world.add(source)

    ended = await world.steps.end(record, UpdateState.REFUSED, "DownloadFailed", "why", tell=tell)

    assert ended is not None
    assert (ended.status, ended.reason, ended.untold) == ("DownloadFailed", "why", untold)
    assert await world.steps.end(record, UpdateState.FAILED, "DownloadFailed", "again") is None


async def test_what_was_agreed_to_ends_what_was_before() -> None:
    world = World()
    first = await world.add()
    await world.steps.agreed(first)
    second = await world.add()

    await world.steps.agreed(second)

    assert world.heard[-2:] == [(2, UpdateState.SENT), (1, UpdateState.CANCELED)]
    assert world.links.closed == [1]


async def test_what_can_not_be_kept_is_told_to_nobody() -> None:
    world = World()
    record = await world.add()
    world.book.fails.append(AWAY)

    with pytest.raises(StoreAway):
        await world.steps.move(record, UpdateState.WAITING)

    assert world.heard == [(1, UpdateState.PREPARING)]
