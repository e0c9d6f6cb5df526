"""Attack A4: two stations have one identity, neither gives up, and each finds the other's connection dead."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway.session.directory import Held
from gateway.session.replacements import FREE, WAIT_FIRST, WINDOW
from gateway.session.security import Kind
from tests.attacks.hall import Hall

if TYPE_CHECKING:
    from tests.session.conftest import FakeClock, FakeRegistry, FakeSecurityLog, Talk


@pytest.fixture
async def hall(registry: "FakeRegistry", new_talk: Callable[..., "Talk"], security: "FakeSecurityLog") -> Hall:
    return Hall(registry, new_talk, security)


async def war(hall: Hall, rounds: int) -> "Talk":
    """They take turns: who is replaced hangs, as if its line were cut."""
    talk = await hall.comes()
    for number in range(rounds):
        talk.socket.pong = False
        talk = await hall.comes(remote=f"10.0.0.{number % 2}")
    return talk


async def test_the_war_is_over_after_some_rounds(hall: Hall, clock: "FakeClock", security: "FakeSecurityLog") -> None:
    holder = await war(hall, FREE)
    holder.socket.pong = False
    for _ in range(20):
        with pytest.raises(Held, match="replaced too often of late"):
            await hall.comes()
    assert hall.holder() is holder.peer
    assert holder.socket.pings == []  # who has to wait costs the holder nothing
    assert [event.kind for event in security.noted] == [Kind.SESSION_REPLACED] * FREE
    assert {event.remote for event in security.noted} == {"10.0.0.0", "10.0.0.1"}


async def test_each_further_round_waits_twice_as_long(hall: Hall, clock: "FakeClock") -> None:
    holder = await war(hall, FREE)
    for pause in (WAIT_FIRST, 2 * WAIT_FIRST, 4 * WAIT_FIRST):
        holder.socket.pong = False
        await clock.advance(pause - 1)
        with pytest.raises(Held):
            await hall.comes()
        await clock.advance(1)
        holder = await hall.comes()
        assert hall.holder() is holder.peer


async def test_peace_is_believed_after_a_while(hall: Hall, clock: "FakeClock") -> None:
    holder = await war(hall, FREE)
    await clock.advance(WINDOW)
    holder.socket.pong = False
    holder = await hall.comes()
    holder.socket.pong = False
    newcomer = await hall.comes()
    assert hall.holder() is newcomer.peer


async def test_a_station_whose_connection_is_known_to_be_lost_is_not_at_war(hall: Hall, clock: "FakeClock") -> None:
    for _ in range(10 * FREE):
        talk = await hall.comes()
        talk.peer.give_up("the line was cut")
    await hall.comes()
