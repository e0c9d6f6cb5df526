"""The backend leg among errors: none leaves it undialled, ungreeted, or its end waited for in vain."""

import asyncio

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.upstream import link as module
from gateway.upstream.link import BackendLink
from tests.upstream.legs import Leg


async def test_a_leg_is_dialled_again_whatever_its_loss_meets(leg: Leg, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError("a log on a full disk")

    leg.link.start()
    socket = await leg.opened()
    monkeypatch.setattr(leg.link, "_went_down", full)
    with pytest.raises(OSError, match="full disk"):
        socket.lose()
    await leg.opened()


async def test_a_leg_is_dialled_again_whatever_its_dialling_meets(leg: Leg, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        monkeypatch.setattr(leg.link, "_went_down", lambda: None)
        raise OSError("a log on a full disk")

    monkeypatch.setattr(leg.link, "_went_down", full)
    leg.network.script = ["no route"]
    leg.link.start()
    assert await leg.network.dialled.get() == "no route"
    await leg.opened()


async def test_a_greeting_that_ends_by_an_error_when_it_is_given_up_is_not_begun_again(leg: Leg) -> None:
    began, heard = asyncio.Event(), 0

    async def greeting() -> None:
        nonlocal heard
        heard += 1
        if heard > 1:
            return
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise PeerUnavailable("the leg is down") from None

    leg.greeting = greeting
    leg.link.start()
    socket = await leg.opened()
    await began.wait()
    leg.network.script = ["no route"]
    socket.lose()
    assert await leg.network.dialled.get() == "no route"
    assert heard == 1


@pytest.mark.parametrize(
    "fault", [PeerUnavailable("no answer in time"), OSError("disk full")], ids=lambda error: type(error).__name__
)
async def test_stop_ends_a_greeting_that_ends_by_an_error_for_it(leg: Leg, fault: Exception) -> None:
    """The leg is up until then: it was greeted again, and stop() waited for that."""
    began = asyncio.Event()

    async def greeting() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise fault from None

    leg.greeting = greeting
    leg.link.start()
    await leg.opened()
    await began.wait()
    async with asyncio.timeout(2):
        await leg.link.stop()
    assert leg.events.empty()


async def test_a_leg_is_greeted_whatever_its_opening_meets(leg: Leg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GREETING_RETRY", 0.0)
    written: list[str] = []

    class Full:
        def info(self, event: str) -> None:
            written.append(event)
            raise OSError("a log on a full disk")

        error = staticmethod(lambda _, **__: None)

    monkeypatch.setattr(BackendLink, "_log", Full())
    leg.link.start()
    async with asyncio.timeout(2):
        await leg.opened()
    assert written == ["backend_up"]
