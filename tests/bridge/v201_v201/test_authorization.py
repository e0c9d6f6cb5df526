"""Authorize: the backend's word, or none."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v201.authorization import verdict
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World

TOKEN: Json = {"idToken": "04E2A1B2C3D480", "type": "ISO14443"}
CONTRACT: Json = {"idToken": {"idToken": "DE8AACA2B3C4D5", "type": "eMAID"}, "certificate": "PEM"}


@pytest.mark.parametrize("asked", [{"idToken": TOKEN}, CONTRACT])
async def test_what_the_backend_says_the_station_hears(world: "World", asked: Json) -> None:
    said = {"idTokenInfo": {"status": "NoCredit", "personalMessage": {"format": "UTF8", "content": "!"}}}
    world.backend.answers["Authorize"] = said

    assert await world.from_station("Authorize", asked) == said
    assert world.heard() == [("Authorize", asked)]


async def test_while_the_backend_is_away_nobody_is_authorized_and_that_is_not_kept(world: "World") -> None:
    world.backend.up = False

    answer = await world.from_station("Authorize", {"idToken": TOKEN})

    assert answer == {"idTokenInfo": {"status": "Unknown", "cacheExpiryDateTime": "2026-05-01T12:00:00Z"}}


async def test_a_backend_that_refuses_to_say_is_quoted(world: "World") -> None:
    world.backend.answers["Authorize"] = CallError(ErrorCode.INTERNAL_ERROR, "database down")

    with pytest.raises(CallError, match="database down"):
        await world.from_station("Authorize", {"idToken": TOKEN})


@pytest.mark.parametrize("fault", [CallError(ErrorCode.INTERNAL_ERROR, "database down"), PeerUnavailable("gone")])
async def test_a_verdict_is_the_backends_or_none(world: "World", fault: Exception) -> None:
    assert await verdict(world.context, TOKEN) == {"status": "Accepted"}
    world.backend.answers["Authorize"] = fault
    assert await verdict(world.context, TOKEN) is None
