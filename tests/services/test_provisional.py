"""Provisional stations: asked at once, asked again while they stay, left alone when they have what they came for."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificates import NotRenewed, TriggerRefused
from gateway.services.provisional import ProvisionalRenewal
from gateway.services.station_commands import ConnectedStation
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, Proof, Provisional
from tests.services.conftest import FakeTime, KeptEvents, Owned, ScriptedStation, settle

FACTORY = Proof(3, provisional=Provisional.FACTORY)


class Renewal:
    """Fails with what is left in ``failures``, then succeeds."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.asked = 0

    async def renew_and_wait(self, station: ConnectedStation, within: float, usage: str = "station") -> str:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return "abc123"


class Desk:
    def __init__(self, events: KeptEvents, time: FakeTime) -> None:
        self.renewal = Renewal()
        self.time = time
        self.owned = Owned()
        self.service = ProvisionalRenewal(self.renewal, events, sleep=time.sleep)

    async def begin(self, station: ScriptedStation) -> asyncio.Task[None]:
        task = self.owned.spawn(self.service.renew(station), "renew")
        await settle()
        return task


@pytest.fixture
async def desk(events: KeptEvents, time: FakeTime) -> AsyncIterator[Desk]:
    made = Desk(events, time)
    yield made
    await made.owned.cancel()


async def test_a_station_in_order_is_not_asked(desk: Desk, events: KeptEvents) -> None:
    task = await desk.begin(ScriptedStation(proof=Proof(3)))
    assert task.done()
    assert (desk.renewal.asked, events.noted) == (0, [])


@pytest.mark.parametrize("reason", Provisional)
async def test_asked_at_once_with_an_event(desk: Desk, events: KeptEvents, reason: Provisional) -> None:
    await desk.begin(ScriptedStation(proof=Proof(3, provisional=reason)))
    assert desk.renewal.asked == 1
    (event,) = events.noted
    assert (event.kind, event.identity) == ("InvalidChargingStationCertificate", "CS1")
    assert reason.value in event.detail


async def test_not_asked_before_its_boot_but_at_once_after_it(desk: Desk, events: KeptEvents) -> None:
    station = ScriptedStation(proof=FACTORY)
    station.gate = BootGate(BootStatus.NONE)
    assert (await desk.begin(station)).done()
    assert (desk.renewal.asked, events.noted) == (0, [])
    station.gate.answered(BootStatus.PENDING)
    await desk.begin(station)
    assert (desk.renewal.asked, len(events.noted)) == (1, 1)


async def test_asked_again_ever_less_often(desk: Desk) -> None:
    station = ScriptedStation(proof=FACTORY)
    desk.renewal.failures = [PeerUnavailable("gone"), TriggerRefused("no"), *(NotRenewed("late") for _ in range(8))]
    await desk.begin(station)
    for _ in range(10):
        await desk.time.pass_by(desk.time.slept[-1])
    assert desk.time.slept == [10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 60]
    assert desk.renewal.asked == 11


async def test_what_comes_back_with_the_new_certificate_is_left_alone(desk: Desk) -> None:
    station = ScriptedStation(proof=FACTORY)
    task = await desk.begin(station)
    station.proof = Proof(3)
    await desk.time.pass_by(60)
    assert task.done()
    assert station.closed == []


async def test_what_stays_on_the_old_certificate_is_sent_to_connect_anew(desk: Desk) -> None:
    station = ScriptedStation(proof=FACTORY)
    task = await desk.begin(station)
    await desk.time.pass_by(59)
    assert station.closed == []
    await desk.time.pass_by(1)
    assert task.done()
    assert station.closed == [(1001, "connect with the new certificate")]


async def test_one_that_has_left_is_not_asked_again(desk: Desk) -> None:
    station = ScriptedStation(proof=FACTORY)
    desk.renewal.failures = [NotRenewed("late")]
    task = await desk.begin(station)
    station.is_connected = False
    await desk.time.pass_by(10)
    assert task.done()
    assert desk.renewal.asked == 1


async def test_booting_again_begins_no_second_loop_but_connecting_again_does(desk: Desk, events: KeptEvents) -> None:
    station = ScriptedStation(proof=FACTORY)
    desk.renewal.failures = [NotRenewed("late") for _ in range(9)]
    first = await desk.begin(station)
    assert (await desk.begin(station)).done()
    assert (desk.renewal.asked, len(events.noted)) == (1, 1)
    station.proof = Proof(3, provisional=Provisional.FACTORY)
    second = await desk.begin(station)
    assert desk.renewal.asked == 2
    await desk.time.pass_by(10)
    assert (first.done(), second.done()) == (True, False)
    assert desk.renewal.asked == 3
    assert (await desk.begin(station)).done()
