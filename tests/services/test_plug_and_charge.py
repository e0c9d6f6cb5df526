"""What a station's repetitions come to: one question, one certificate; and how often it may ask."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from gateway.services import plug_and_charge
from gateway.services.contract_providers import VehiclesStation
from gateway.services.ev_certificate_words import EvAnswer, EvRequest
from gateway.services.plug_and_charge import HOUR, SAME_ANSWER, PlugAndCharge
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from tests.services.conftest import FakeTime, Owned, settle
from tests.services.vehicle_desk import Stand, ev_request

ASKED = ev_request(b"exi")


class Provisioning:
    def __init__(self) -> None:
        self.asked: list[tuple[str, EvRequest]] = []
        self.refused: list[tuple[ProvisioningRefused, bool]] = []
        self.refusal: Refusal | None = None
        self.gate: asyncio.Event | None = None

    async def answer(self, station: VehiclesStation, asked: EvRequest) -> EvAnswer:
        self.asked.append((station.identity, asked))
        if self.gate is not None:
            await self.gate.wait()
        text = base64.b64encode(b"%d" % len(self.asked)).decode()
        return EvAnswer("", self.refusal, "no") if self.refusal else EvAnswer(text)

    async def refuse(
        self, station: VehiclesStation, asked: EvRequest, refused: ProvisioningRefused, *, is_kept: bool
    ) -> EvAnswer:
        self.refused.append((refused, is_kept))
        return EvAnswer("", refused.refusal, str(refused))


class Desk:
    def __init__(self, time: FakeTime) -> None:
        self.provisioning = Provisioning()
        self.tasks = Owned()
        self.station = Stand()
        self.service = PlugAndCharge(
            self.provisioning, spawn=self.tasks.spawn, requests_per_hour=5, timeout=4.0, clock=time
        )

    async def asks(self, asked: EvRequest = ASKED, station: Stand | None = None) -> EvAnswer:
        return await self.service.answer(station or self.station, asked)


@pytest.fixture
async def desk(time: FakeTime) -> AsyncIterator[Desk]:
    desk = Desk(time)
    yield desk
    await desk.tasks.cancel()


async def test_a_station_of_201(desk: Desk) -> None:
    payload = {"iso15118SchemaVersion": Schema.ISO_2.value, "action": "Install", "exiRequest": "ZXhp"}
    operation(Version.V201, "Get15118EVCertificate").request.check(payload)
    answer = await desk.service.get_15118_ev_certificate(desk.station, payload)
    assert answer == {"status": "Accepted", "exiResponse": "MQ=="}
    assert desk.provisioning.asked == [("CS1", EvRequest(Schema.ISO_2.value, Action.INSTALL, "ZXhp", 7500))]


async def test_a_station_of_16(desk: Desk) -> None:
    payload = {"iso15118SchemaVersion": Schema.ISO_2.value, "action": "Update", "exiRequest": "ZXhp"}
    assert await desk.service.wrapped(desk.station, payload, "iso15118") == {
        "status": "Accepted",
        "exiResponse": "MQ==",
    }
    [(_, asked)] = desk.provisioning.asked
    assert asked == EvRequest(Schema.ISO_2.value, Action.UPDATE, "ZXhp", 5600, "iso15118")


async def test_a_repetition_gets_the_same_certificate(desk: Desk, time: FakeTime) -> None:
    first = await desk.asks()
    time.now = SAME_ANSWER - 1
    assert await desk.asks() == first
    assert len(desk.provisioning.asked) == 1
    time.now = SAME_ANSWER
    assert await desk.asks() != first
    assert len(desk.provisioning.asked) == 2


@pytest.mark.parametrize(
    "other",
    [
        ev_request(b"exi2"),
        ev_request(b"exi", action=Action.UPDATE),
        ev_request(b"exi", schema_version=Schema.ISO_20.value),
    ],
)
async def test_another_question(desk: Desk, other: EvRequest) -> None:
    assert await desk.asks() != await desk.asks(other)


async def test_another_station(desk: Desk) -> None:
    assert await desk.asks() != await desk.asks(station=Stand("CS2"))


async def test_a_vehicle_is_answered_in_time_whatever_the_store_does(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun goes on: who asks once more has it."""
    desk.provisioning.gate = asyncio.Event()
    monkeypatch.setattr(desk.service, "_patience", 0.01)
    assert (await desk.asks()).refusal is Refusal.PROVIDER_TIMEOUT
    desk.provisioning.gate.set()
    monkeypatch.undo()
    assert await desk.asks() == EvAnswer("MQ==")
    assert len(desk.provisioning.asked) == 1


async def test_a_refusal_is_not_repeated_but_tried_again(desk: Desk) -> None:
    desk.provisioning.refusal = Refusal.PROVIDER_UNAVAILABLE
    assert (await desk.asks()).refusal is Refusal.PROVIDER_UNAVAILABLE
    desk.provisioning.refusal = None
    assert (await desk.asks()).refusal is None


async def test_two_at_once_share_one(desk: Desk) -> None:
    desk.provisioning.gate = asyncio.Event()
    both = asyncio.gather(desk.asks(), desk.asks())
    await settle()
    desk.provisioning.gate.set()
    first, second = await both
    assert first == second
    assert len(desk.provisioning.asked) == 1
    assert not desk.service._making


async def test_who_hangs_up_stops_nothing(desk: Desk) -> None:
    desk.provisioning.gate = asyncio.Event()
    asking = asyncio.create_task(desk.asks())
    await settle()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    desk.provisioning.gate.set()
    assert await desk.asks() == EvAnswer("MQ==")
    assert len(desk.provisioning.asked) == 1


async def test_while_the_gateway_stops(desk: Desk) -> None:
    desk.provisioning.gate = asyncio.Event()
    asking = asyncio.create_task(desk.asks())
    await settle()
    await desk.tasks.cancel()
    assert (await asking).refusal is Refusal.PROVIDER_UNAVAILABLE
    assert not desk.service._given


async def test_so_often_in_an_hour(desk: Desk, time: FakeTime) -> None:
    answers = [await desk.asks(ev_request(b"%d" % number)) for number in range(7)]
    assert [each.refusal for each in answers] == [None] * 5 + [Refusal.RATE_LIMIT] * 2
    assert "plug_and_charge.requests_per_hour" in answers[-1].text
    assert [is_kept for _, is_kept in desk.provisioning.refused] == [True, False]
    assert (await desk.asks(station=Stand("CS2"))).refusal is None
    time.now = HOUR
    assert (await desk.asks(ev_request(b"later"))).refusal is None


async def test_a_flood_of_refusals_is_kept_once(desk: Desk, time: FakeTime) -> None:
    for second in (0, 0, 0, 0, 0, 1, 30, 62, 122):
        time.now = second
        await desk.asks(ev_request(b"%d" % second))
    assert [is_kept for _, is_kept in desk.provisioning.refused] == [True, False, False, True]


async def test_not_more_answers_are_kept_than_there_is_room_for(
    desk: Desk, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plug_and_charge, "ANSWERS_MAX", 2)
    for number in range(3):
        await desk.asks(station=Stand(f"CS{number}"))
    assert len(desk.service._given) == 2
    time.now = SAME_ANSWER
    await desk.asks(station=Stand("CS9"))
    assert len(desk.service._given) == 1
