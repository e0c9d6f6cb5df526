"""What was released goes to the backend: of stations that aren't connected, in order, and back when it isn't taken."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.app import released_messages as module
from gateway.app.foundation import Foundation
from gateway.app.released_messages import ReleasedMessages
from gateway.app.stations import StationFactory
from gateway.bridge.ports import NotSent, PeerUnavailable
from gateway.session.ports import JournalFull
from gateway.session.quarantine import Kept, ReleaseRefused, Selection, State, Why
from gateway.session.tally import Leg
from gateway.store.quarantine_decisions import QuarantineDecisions
from gateway.wire.errors import CallError, ErrorCode


class Desk:
    """The deliverer over a real store, with a leg and a way to the backend that are told what to do."""

    def __init__(self, foundation: Foundation, factory: StationFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = foundation
        self.factory = factory
        self.decisions = QuarantineDecisions(foundation.journal._database)
        self.released = ReleasedMessages(
            foundation.quarantine, foundation.stations, factory.directory, foundation.tasks, foundation.tally
        )
        self.is_up = True
        self.fault: Exception | None = None
        self.delivered: list[int] = []
        self.epoch = 0
        build = factory.directory._build

        async def built(*arguments: Any) -> Any:
            station = await build(*arguments)
            deliver = station.quarantine.deliver

            async def deliver_or_not(message: Any) -> None:
                if self.fault is not None:
                    raise self.fault
                self.delivered.append(message.id)
                monkeypatch.setattr(station.bridge, "released", _nothing)
                await deliver(message)

            monkeypatch.setattr(station.backend, "wait_up", self._wait_up)
            monkeypatch.setattr(station.backend, "begun", _nothing)
            monkeypatch.setattr(station.quarantine, "deliver", deliver_or_not)
            return station

        monkeypatch.setattr(factory.directory, "_build", built)

    async def _wait_up(self, _: float) -> bool:
        return self.is_up

    async def keep(self, *names: str) -> list[int]:
        """Register CS1 and have begins of transactions kept and released."""
        await self.on.stations.add("CS1", profile=2, serial=None, backend=None, password_hash=None)
        self.epoch = await self.on.stations.take("CS1", 0)
        ids = []
        for name in names:
            payload = {"eventType": "Started", "seqNo": 0, "transactionInfo": {"transactionId": name}}
            message = Kept(Leg.STATION, "ocpp2.0.1", "TransactionEvent", payload, Why("r", "t", gathers=True))
            made = await self.on.quarantine.append("CS1", self.epoch, message)
            assert made is not None
            ids.append(made[0].id)
        await self.decisions.release(Selection(ids), "me")
        return ids

    async def look(self) -> None:
        """Look once, and let what that begins come to its end."""
        await self.released.look()
        while self.released._busy:
            await asyncio.wait(list(self.on.tasks._running))

    async def states(self) -> list[str]:
        return [each.state.value for each in await self.on.quarantine.list(states=list(State))]


async def _nothing(*_: Any) -> None: ...


@pytest.fixture
async def desk(foundation: Foundation, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    factory = StationFactory(foundation)
    yield Desk(foundation, factory, monkeypatch)
    await factory.close()


async def test_messages_of_a_station_that_is_not_there_go_in_order(desk: Desk) -> None:
    ids = await desk.keep("T1", "T2", "T3")
    await desk.look()
    assert desk.delivered == ids
    assert await desk.states() == ["delivered"] * 3
    assert desk.factory.directory.get("CS1") is None
    assert desk.on.tally.quarantine_left == {"delivered": 3}
    await desk.look()
    assert desk.released.counts == {State.HELD: 0, State.RELEASED: 0}
    assert desk.delivered == ids


async def test_nothing_is_opened_while_nothing_is_released(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.on.quarantine, "stations_with_released", lambda: pytest.fail("it is asked"))
    await desk.look()
    assert len(desk.factory.directory) == 0


@pytest.mark.parametrize("away", [PeerUnavailable("away"), None], ids=["in the middle", "from the beginning"])
async def test_while_the_backend_is_away_they_wait(
    desk: Desk, away: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await desk.keep("T1", "T2")
    desk.is_up, desk.fault = away is not None, away
    await desk.look()
    assert await desk.states() == ["released", "released"]
    assert desk.factory.directory.get("CS1") is None
    desk.is_up, desk.fault = True, None
    await desk.look()
    assert desk.delivered == []  # not so soon
    monkeypatch.setattr(module, "RETRY", 0.0)
    desk.released._not_before.clear()
    await desk.look()
    assert desk.delivered == ids


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CallError(ErrorCode.FORMAT_VIOLATION, "no"), "no"),
        (ReleaseRefused("in other words"), "in other words"),
        (RuntimeError("a secret"), "internal error"),
    ],
)
async def test_what_is_not_taken_is_held_again_with_the_reason(desk: Desk, error: Exception, words: str) -> None:
    await desk.keep("T1", "T2")
    desk.fault = error
    await desk.look()
    found = await desk.on.quarantine.list()
    assert [(each.state, each.attempts) for each in found] == [(State.HELD, 1)] * 2
    assert all(words in each.last_error and "secret" not in each.last_error for each in found)
    assert desk.on.tally.quarantine_left == {"put_back": 2}


@pytest.mark.parametrize(
    ("error", "state"),
    [(PeerUnavailable("lost"), "held"), (NotSent("away"), "released"), (JournalFull("full"), "released")],
)
async def test_what_is_never_answered_is_held_again_and_the_next_has_its_turn(
    desk: Desk, error: Exception, state: str
) -> None:
    first, second = await desk.keep("T1", "T2")
    desk.fault = error
    for _ in range(module.UNANSWERED_MAX - 1):
        await desk.look()
        desk.released._not_before.clear()
    assert await desk.states() == ["released", "released"]
    await desk.look()
    assert await desk.states() == [state, "released"]
    message = await desk.on.quarantine.find(first)
    assert message is not None
    assert ("no answer, 5 times in a row" in message.last_error) == (state == "held")
    desk.released._not_before.clear()
    desk.fault = None
    await desk.look()
    assert second in desk.delivered


async def test_messages_of_a_station_that_was_removed_are_held_again(desk: Desk) -> None:
    await desk.keep("T1")
    await desk.on.stations.remove("CS1")
    await desk.look()
    (message,) = await desk.on.quarantine.list()
    assert (message.state, message.last_error) == (State.HELD, "the station isn't registered any more")


async def test_a_newer_owner_has_them_the_next_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await desk.keep("T1")
    take = desk.on.stations.take

    async def taken_over(*arguments: Any) -> int:
        epoch = await take(*arguments)
        await take("CS1", 0)
        return epoch

    monkeypatch.setattr(desk.on.stations, "take", taken_over)
    await desk.look()
    assert await desk.states() == ["released"]
    monkeypatch.setattr(desk.on.stations, "take", take)
    desk.released._not_before.clear()
    await desk.look()
    assert desk.delivered == ids * 2
    assert await desk.states() == ["delivered"]


async def test_it_goes_on_looking(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL", 0.0)
    ids = await desk.keep("T1")
    task = asyncio.create_task(desk.released.run())
    async with asyncio.timeout(10):
        while desk.delivered != ids:  # noqa: ASYNC110 - what is waited for is in a store
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


def test_a_look_is_soon_enough() -> None:
    assert module.POLL <= 1.0
