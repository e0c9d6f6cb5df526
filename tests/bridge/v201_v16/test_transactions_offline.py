"""Who may charge while the backend is away, as TransactionEvents are answered, and what comes of it afterwards."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json, TransactionState
from gateway.bridge.v201_v16 import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v201_v16.conftest import World

CARD = "04A2B3C4"
AT_ONCE = {"idTokenInfo": {"status": "Accepted", "cacheExpiryDateTime": "2026-05-01T12:00:00Z"}}
MODES = [
    ("refuse", {"status": "Accepted"}, {}),
    ("cache", {"status": "Accepted"}, {"idTokenInfo": {"status": "Accepted"}}),
    ("cache", {"status": "Blocked"}, {"idTokenInfo": {"status": "Blocked"}}),
    ("cache", None, {}),
    ("accept", {"status": "Blocked"}, AT_ONCE),
]
"""mode, what the backend said before, and the answer while it is away."""


def away(new_world: "Callable[..., World]", mode: str, remembered: Json | None) -> "World":
    """A world whose backend is away."""
    world = new_world(Settings(authorize_offline=mode))  # type: ignore[arg-type]  # one of the three
    world.remembered = {} if remembered is None else {CARD: remembered}
    world.backend.up = False
    return world


async def back(world: "World") -> None:
    """The backend is there again, and hears what it missed."""
    world.backend.up = True
    for tx, conf in await world.ledger.drain():
        await world.bridge.started_late(tx, conf)


@pytest.mark.parametrize(("mode", "remembered", "expected"), MODES)
async def test_a_start_is_answered_and_journalled_whatever_the_answer(
    new_world: "Callable[..., World]", mode: str, remembered: Json | None, expected: Json
) -> None:
    world = away(new_world, mode, remembered)

    assert await world.event("Started", 0, evse=1, token=CARD, wh=1000) == expected
    assert await world.event("Started", 0, evse=1, token=CARD, wh=1000) == expected
    await back(world)

    assert world.actions() == ["StartTransaction"]


@pytest.mark.parametrize(("mode", "remembered", "expected"), MODES)
async def test_a_token_ahead_of_the_cable(
    new_world: "Callable[..., World]", mode: str, remembered: Json | None, expected: Json
) -> None:
    world = away(new_world, mode, remembered)

    assert await world.event("Started", 0, trigger="Authorized", token=CARD) == expected
    await world.event("Updated", 1, trigger="CablePluggedIn", evse=1, wh=1000)

    is_refused = expected.get("idTokenInfo", {}).get("status") == "Blocked"
    state = world.books.transactions["TX-1"].state
    assert state is (TransactionState.HELD if is_refused else TransactionState.STARTING)


async def test_who_was_accepted_unheard_and_is_refused_then_is_stopped(new_world: "Callable[..., World]") -> None:
    world = away(new_world, "accept", None)
    assert await world.event("Started", 0, evse=1, token=CARD, wh=1000) == AT_ONCE
    world.backend.answers["StartTransaction"] = {"transactionId": 7, "idTagInfo": {"status": "Invalid"}}

    await back(world)

    assert world.heard("station") == [("RequestStopTransaction", {"transactionId": "TX-1"})]


async def test_a_start_behind_older_messages_is_authorised_by_the_backend_itself(world: "World") -> None:
    world.backend.up = False
    await world.event("Started", 0, tx="TX-0", evse=2, token=CARD, wh=1000)
    world.backend.up = True
    world.backend.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}

    answer = await world.event("Started", 0, evse=1, token=CARD, wh=1000)

    assert answer == {"idTokenInfo": {"status": "Blocked"}}
    assert world.books.transactions["TX-1"].state is TransactionState.STARTING


async def test_the_token_that_asks_for_the_stop_is_known_though_the_start_still_waits(world: "World") -> None:
    world.backend.up = False
    await world.event("Started", 0, evse=1, token=CARD, wh=1000)
    await world.event("Updated", 1, trigger="StopAuthorized", token="OTHER")
    await world.event("Ended", 2, wh=1500)

    await back(world)

    assert world.heard()[-1][1]["idTag"] == "OTHER"
