"""Authorize: the backend's word, or none."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v16_v16.conftest import World

ASKED: Json = {"idTag": "TAG"}


async def test_the_backends_word_comes_back_whole(world: "World") -> None:
    conf = {"idTagInfo": {"status": "Blocked", "parentIdTag": "P", "expiryDate": "2027-01-01T00:00:00"}}
    world.backend.answers["Authorize"] = conf

    assert await world.from_station("Authorize", ASKED) == conf
    assert world.heard() == [("Authorize", ASKED)]


async def test_while_the_backend_is_away_nobody_is_authorised_and_that_is_not_kept(world: "World") -> None:
    world.backend.up = False

    answer = await world.from_station("Authorize", ASKED)

    assert answer == {"idTagInfo": {"status": "Invalid", "expiryDate": "2026-05-01T12:00:00Z"}}


@pytest.mark.parametrize(
    ("mode", "remembered", "expected"),
    [
        ("cache", {"status": "Accepted", "parentIdTag": "P"}, {"status": "Accepted", "parentIdTag": "P"}),
        ("cache", {"status": "Blocked"}, {"status": "Blocked"}),
        ("cache", None, {"status": "Invalid", "expiryDate": "2026-05-01T12:00:00Z"}),
        ("accept", {"status": "Blocked"}, {"status": "Accepted", "expiryDate": "2026-05-01T12:00:00Z"}),
        ("refuse", {"status": "Accepted"}, {"status": "Invalid", "expiryDate": "2026-05-01T12:00:00Z"}),
    ],
)
async def test_while_the_backend_is_away_the_operator_has_the_word(
    new_world: Callable[..., "World"], mode: str, remembered: Json | None, expected: Json
) -> None:
    world = new_world(authorize_offline=mode)
    world.remembered = {} if remembered is None else {"TAG": remembered}
    world.backend.up = False

    assert await world.from_station("Authorize", ASKED) == {"idTagInfo": expected}


async def test_a_backend_that_refuses_to_say_is_quoted(world: "World") -> None:
    world.backend.answers["Authorize"] = CallError(ErrorCode.INTERNAL_ERROR, "database down")

    with pytest.raises(CallError, match="database down"):
        await world.from_station("Authorize", ASKED)
