"""Rotations of a root, on either database: one at most is under way."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.session.trust import NoRotation, RootRotation, RotationState, RotationUnderWay
from gateway.store.database import Database
from gateway.store.root_rotations import RootRotations

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHAT: dict[str, Any] = {"old_pem": "old", "new_pem": "new", "cross_pem": None, "identity": None, "group": "north"}


@pytest.fixture
def rotations(database: Database) -> RootRotations:
    return RootRotations(database, lambda: NOON)


async def test_begun_changed_and_ended(rotations: RootRotations) -> None:
    assert await rotations.open() is None
    assert await rotations.last() is None
    begun = await rotations.begin(**WHAT)
    assert begun == RootRotation(begun.id, "old", "new", None, None, "north", NOON, NOON)
    assert await rotations.open() == begun
    excluded = await rotations.exclude("CS1")
    assert excluded == begun.without("CS1") == await rotations.open()
    done = await rotations.end(begun.id, RotationState.DONE)
    assert (done.state, await rotations.open()) == (RotationState.DONE, None)
    assert await rotations.last() == done


async def test_one_at_a_time(rotations: RootRotations) -> None:
    made = await asyncio.gather(*(rotations.begin(**WHAT) for _ in range(3)), return_exceptions=True)
    (first,) = [each for each in made if isinstance(each, RootRotation)]
    assert [type(each) for each in made if each is not first] == [RotationUnderWay] * 2
    await rotations.end(None, RotationState.ABORTED)
    second = await rotations.begin(**WHAT)
    assert second.id > first.id
    assert await rotations.last() == second


async def test_what_is_over_is_not_changed(rotations: RootRotations) -> None:
    with pytest.raises(NoRotation):
        await rotations.exclude("CS1")
    begun = await rotations.begin(**WHAT)
    await rotations.end(None, RotationState.ABORTED)
    await rotations.begin(**WHAT)
    with pytest.raises(NoRotation):
        await rotations.end(begun.id, RotationState.DONE)
