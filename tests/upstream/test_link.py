"""The backend leg's life as dialogues: dialling, greeting, loss, dialling again."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.session.peer import Peer
from gateway.session.releasing import is_released, releasing
from gateway.upstream import link as module
from gateway.wire import frames
from gateway.wire.errors import CallError, ErrorCode
from tests.upstream.legs import Leg


async def test_it_dials_greets_and_calls(leg: Leg) -> None:
    leg.link.start()
    leg.link.start()
    socket = await leg.opened()
    assert leg.link.is_up
    assert await leg.link.wait_up(1.0)
    answer = asyncio.ensure_future(leg.link.call("Heartbeat", {}))
    await asyncio.sleep(0)
    assert socket.sent == [b'[2,"id","Heartbeat",{}]']
    leg.link._peer.message(frames.encode_result("id", {"currentTime": "2026-01-01T00:00:00Z"}))  # type: ignore[union-attr]  # it is up
    assert await answer == {"currentTime": "2026-01-01T00:00:00Z"}


async def test_it_dials_again_until_the_backend_is_there(leg: Leg) -> None:
    leg.network.script = ["refused", "certificate verify failed"]
    leg.link.start()
    assert await leg.network.dialled.get() == "refused"
    assert await leg.network.dialled.get() == "certificate verify failed"
    assert [leg.events.get_nowait(), leg.events.get_nowait()] == ["down", "down"]
    await leg.opened()
    assert leg.link.is_up


async def test_a_lost_leg_fails_its_calls_and_is_dialled_again(leg: Leg) -> None:
    leg.link.start()
    socket = await leg.opened()
    call = asyncio.ensure_future(leg.link.call("Heartbeat", {}))
    await asyncio.sleep(0)
    socket.lose()
    with pytest.raises(PeerUnavailable):
        await call
    assert not leg.link.is_up
    assert await leg.events.get() == "down"
    with pytest.raises(PeerUnavailable):
        await leg.link.call("Heartbeat", {})
    await leg.opened()


async def test_waiting_dials_at_once_and_ends_with_the_dial(leg: Leg, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not await leg.link.wait_up(60.0)
    monkeypatch.setattr(module, "BACKOFF_FIRST", 3600.0)
    monkeypatch.setattr(module, "BACKOFF_MAX", 3600.0)
    leg.network.script = ["refused", "refused"]
    leg.link.start()
    assert await leg.network.dialled.get() == "refused"
    assert not await leg.link.wait_up(60.0)
    assert await leg.network.dialled.get() == "refused"
    assert await leg.link.wait_up(60.0)
    assert await leg.link.wait_up(60.0)


async def test_waiting_has_its_own_bound(leg: Leg) -> None:
    async def never(_: Peer) -> Any:
        await asyncio.Event().wait()

    leg.link._dial = never  # type: ignore[assignment]  # a dial that hangs
    leg.link.start()
    assert not await leg.link.wait_up(0.01)


async def test_a_leg_has_begun_when_it_was_greeted_once(leg: Leg) -> None:
    await leg.link.begun(60.0)
    told = asyncio.Event()
    leg.greeting = told.wait
    leg.link.start()
    await leg.opened()
    begun = asyncio.ensure_future(leg.link.begun(60.0))
    await leg.link.begun(0.01)
    assert not begun.done()
    told.set()
    await begun
    # From then on nobody waits, whether it is up or not.
    leg.network.script = ["refused"]
    leg.link._peer.disconnected(SimpleNamespace(code=1006, reason=""))  # type: ignore[union-attr]  # it is up
    await leg.link.begun(60.0)


async def test_a_leg_that_cannot_be_opened_has_begun_too(leg: Leg) -> None:
    leg.network.script = ["refused"]
    leg.link.start()
    await leg.link.begun(60.0)
    assert leg.events.get_nowait() == "down"


async def test_a_leg_that_is_stopped_is_waited_for_no_longer(leg: Leg) -> None:
    async def never(_: Peer) -> Any:
        await asyncio.Event().wait()

    leg.link._dial = never  # type: ignore[assignment]  # a dial that hangs
    leg.link.start()
    begun = asyncio.ensure_future(leg.link.begun(60.0))
    await asyncio.sleep(0)
    await leg.link.stop()
    await begun


async def test_a_greeting_that_fails_costs_nothing_but_itself(leg: Leg) -> None:
    async def broken() -> None:
        raise RuntimeError("a defect")

    leg.greeting = broken
    leg.link.start()
    await leg.opened()
    await asyncio.sleep(0)
    assert leg.link.is_up


@pytest.mark.parametrize(
    "fault",
    [CallError(ErrorCode.INTERNAL_ERROR, "starting up"), PeerUnavailable("no answer in time"), OSError("disk full")],
    ids=lambda error: type(error).__name__,
)
async def test_a_greeting_that_fails_is_said_again_while_the_leg_is_up(
    leg: Leg, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """The journal waits behind it, and a leg can stay up for weeks."""
    monkeypatch.setattr(module, "GREETING_RETRY", 0.0)
    faults, said = [fault, fault], asyncio.Event()

    async def refused_twice() -> None:
        if faults:
            raise faults.pop()
        said.set()

    leg.greeting = refused_twice
    leg.link.start()
    await leg.opened()
    await asyncio.wait_for(said.wait(), 5)
    assert [leg.events.get_nowait() for _ in range(2)] == ["up", "up"]


async def test_a_greeting_is_ended_with_its_leg(leg: Leg) -> None:
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    leg.greeting = endless
    leg.link.start()
    socket = await leg.opened()
    await asyncio.sleep(0)
    socket.lose()
    await asyncio.wait_for(ended.wait(), 5)


async def test_stop_closes_the_leg_and_dials_no_more(leg: Leg) -> None:
    leg.link.start()
    socket = await leg.opened()
    await leg.link.stop()
    assert socket.closed_with == 1000
    assert not leg.link.is_up
    assert leg.network.dialled.empty()
    assert leg.events.empty()
    await leg.link.stop()


async def test_a_leg_that_is_up_takes_no_task(leg: Leg) -> None:
    leg.link.start()
    await leg.opened()
    await leg.link.begun(60.0)
    await asyncio.sleep(0)
    assert not [each for each in asyncio.all_tasks() if each.get_name().startswith("backend link")]


async def test_a_leg_that_is_lost_while_it_is_stopped_is_not_dialled_again(leg: Leg) -> None:
    cancelled, ended = asyncio.Event(), asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
            await ended.wait()

    leg.greeting = slow_to_end
    leg.link.start()
    socket = await leg.opened()
    await asyncio.sleep(0)
    stopping = asyncio.ensure_future(leg.link.stop())
    await cancelled.wait()
    socket.lose()
    ended.set()
    await stopping
    assert leg.events.get_nowait() == "down"
    assert not [each for each in asyncio.all_tasks() if each.get_name().startswith("backend link")]


async def test_a_leg_that_is_lost_amid_a_released_message_is_opened_anew_as_any_other(leg: Leg) -> None:
    seen: asyncio.Queue[bool] = asyncio.Queue()

    async def greeting() -> None:
        seen.put_nowait(is_released())

    leg.greeting = greeting
    leg.link.start()
    socket = await leg.opened()
    assert not await seen.get()
    with releasing():
        socket.lose()
    assert await leg.events.get() == "down"
    await leg.opened()
    assert not await seen.get()


@pytest.mark.parametrize("turns", [0, 3])
async def test_stop_waits_for_the_greeting_of_a_leg_that_has_just_been_lost(leg: Leg, turns: int) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def greeting() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()  # a write that is brought to its end
            ended.append("greeting")

    leg.greeting = greeting
    leg.link.start()
    socket = await leg.opened()
    await began.wait()
    socket.lose()
    for _ in range(turns):
        await asyncio.sleep(0)
    stopping = asyncio.create_task(leg.link.stop())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not stopping.done()
    may_end.set()
    await stopping
    assert ended == ["greeting"]


async def test_stop_ends_a_link_whose_wait_is_over_at_that_moment(leg: Leg, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that is over cancels its task itself, and takes that back."""
    monkeypatch.setattr(module, "BACKOFF_FIRST", 0.0)
    monkeypatch.setattr(module, "BACKOFF_MAX", 0.0)
    leg.network.script = ["no route"] * 100_000
    leg.link.start()
    async with asyncio.timeout(2):
        while not any(task.cancelling() for task in leg.link._tasks):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0)
        await leg.link.stop()
    assert not leg.link._tasks
