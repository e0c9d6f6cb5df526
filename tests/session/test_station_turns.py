"""A station's CALLs one at a time and answered in time, whatever its backend does and however often it reconnects."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.session.answer_time import ANSWER_WITHIN
from gateway.session.ports import BootStatus

if TYPE_CHECKING:
    from tests.session.conftest import FakeClock, House, Talk

NewHouse = Callable[..., "House"]
Handler = Callable[[str, Json], Awaitable[Json]]

STATION_TIMEOUT = 30.0
"""Seconds after which a station gives its CALL up (OCPP 2.0.1 MessageTimeout)."""


@pytest.fixture
def hanging(house: NewHouse, monkeypatch: pytest.MonkeyPatch) -> "House":
    """An accepted station; its bridge asks the backend, which hears everything and answers nothing."""
    home = house(BootStatus.ACCEPTED)

    async def call(action: str, _: Json) -> Json:
        home.backend.calls.append((action, {}))
        await asyncio.Event().wait()
        return {}

    monkeypatch.setattr(home.backend, "call", call)
    return home


def asks(home: "House", *actions: str) -> Handler:
    """Return what asks the backend these, one after the other, and goes on without an answer, as the bridge does."""

    async def from_station(_: str, __: Json) -> Json:
        reasons = []
        for action in actions:
            with pytest.raises(PeerUnavailable) as away:
                await home.station.call_backend(action, {})
            reasons.append(str(away.value))
        return {"reasons": reasons}

    return from_station


async def test_all_that_one_call_asks_of_a_hung_backend_takes_less_than_the_station_waits(
    hanging: "House", clock: "FakeClock", settle: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hanging.bridge, "from_station", asks(hanging, "MeterValues", "Authorize", "StatusNotification"))
    handling = asyncio.create_task(hanging.station.from_station("TransactionEvent", {}))
    await settle()
    await clock.advance(ANSWER_WITHIN)

    assert (await handling)["reasons"] == [
        f"no time is left for {action}: the station waits for its answer"
        for action in ("MeterValues", "Authorize", "StatusNotification")
    ]
    assert ANSWER_WITHIN < STATION_TIMEOUT - 5
    # What nobody has the time to wait for isn't sent either.
    assert hanging.backend.calls == [("MeterValues", {})]


async def test_who_waits_for_no_station_has_all_the_time(
    hanging: "House", clock: "FakeClock", settle: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hanging.bridge, "from_station", asks(hanging, "MeterValues"))
    handling = asyncio.create_task(hanging.station.from_station("TransactionEvent", {}))
    draining = asyncio.create_task(hanging.station.call_backend("StartTransaction", {}))
    await settle()
    await clock.advance(ANSWER_WITHIN)

    await handling
    assert not draining.done()
    draining.cancel()


async def test_a_station_that_answers_nothing_while_it_waits_itself_is_not_waited_for(
    house: NewHouse,
    talk: "Talk",
    clock: "FakeClock",
    settle: Callable[[], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = house(BootStatus.ACCEPTED)
    home.station.peer = talk.peer

    async def from_station(_: str, __: Json) -> Json:
        with pytest.raises(PeerUnavailable):
            await home.station.call_station("RequestStopTransaction", {"transactionId": "tx-1"})
        return {}

    monkeypatch.setattr(home.bridge, "from_station", from_station)
    handling = asyncio.create_task(home.station.from_station("TransactionEvent", {}))
    await settle()
    await clock.advance(ANSWER_WITHIN)

    assert await handling == {}


async def test_a_repetition_on_a_new_connection_waits_for_the_first(
    house: NewHouse, clock: "FakeClock", settle: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = house(BootStatus.ACCEPTED)
    durable = asyncio.Event()
    begun = []

    async def from_station(_: str, payload: Json) -> Json:
        begun.append(payload["attempt"])
        await durable.wait()
        return payload

    monkeypatch.setattr(home.bridge, "from_station", from_station)
    first = asyncio.create_task(home.station.from_station("TransactionEvent", {"attempt": 1}))
    await settle()
    again = asyncio.create_task(home.station.from_station("TransactionEvent", {"attempt": 2}))
    await settle()

    assert (begun, again.done()) == ([1], False)
    durable.set()
    assert [await first, await again] == [{"attempt": 1}, {"attempt": 2}]
