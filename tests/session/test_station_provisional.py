"""Stations that are let in only to get a new certificate, and 1.6 stations: their boots and what moves money."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.session.boot_notification import SERIAL_MISMATCH
from gateway.session.peer import TRY_LATER, Unanswerable
from gateway.session.ports import BootStatus, Proof, Provisional
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from policies.money import moves_money

if TYPE_CHECKING:
    from tests.session.conftest import House, Talk

NewHouse = Callable[..., "House"]
NONE, PENDING, REJECTED, ACCEPTED = BootStatus.NONE, BootStatus.PENDING, BootStatus.REJECTED, BootStatus.ACCEPTED
BOOT: Json = {"reason": "PowerUp", "chargingStation": {"model": "AC", "vendorName": "Example", "serialNumber": "CS1"}}


@pytest.mark.parametrize("why", Provisional)
async def test_its_boot_is_answered_pending_without_the_backend_and_its_renewal_begins(
    house: NewHouse, why: Provisional
) -> None:
    """A00.FR.406, A00.FR.429, A00.FR.806."""
    home = house(cached=True, boot_payload=BOOT, profile=3, provisional=why)
    begun: list[str] = []
    home.station.when_provisional = lambda: begun.append("renewal")

    answer = await home.station.from_station("BootNotification", BOOT)

    assert (answer["status"], answer["interval"]) == ("Pending", 60)
    assert home.backend.calls == []
    assert home.registry.boots == [(PENDING, 60, True)]
    assert begun == ["renewal"]


async def test_its_serial_number_is_compared_all_the_same(house: NewHouse) -> None:
    home = house(profile=3, provisional=Provisional.FACTORY, serial="SN-9")
    with pytest.raises(Unanswerable) as refused:
        await home.station.from_station("BootNotification", BOOT)
    assert refused.value.code == SERIAL_MISMATCH


@pytest.mark.parametrize(
    ("stored", "provisional", "status"),
    [
        (NONE, None, NONE),
        (NONE, Provisional.FACTORY, NONE),
        (ACCEPTED, None, ACCEPTED),
        (ACCEPTED, Provisional.FACTORY, PENDING),
        (ACCEPTED, Provisional.EXPIRED, ACCEPTED),
        (REJECTED, Provisional.FACTORY, REJECTED),
        (PENDING, Provisional.EXPIRED, PENDING),
    ],
)
def test_the_gate_when_it_connects(
    house: NewHouse, talk: "Talk", stored: BootStatus, provisional: Provisional | None, status: BootStatus
) -> None:
    station = house(stored).station
    station.joined(talk.peer, Proof(3, provisional=provisional))
    assert station.gate.status is status
    assert (station.peer, station.profile, station.provisional) == (talk.peer, 3, provisional)


def test_a_station_that_was_accepted_is_so_again_when_it_returns_with_its_own_certificate(
    house: NewHouse, talk: "Talk"
) -> None:
    station = house(ACCEPTED).station
    station.joined(talk.peer, Proof(3, provisional=Provisional.FACTORY))
    station.joined(talk.peer, Proof(3))
    assert station.gate.is_open


BOOT_16: Json = {"chargePointVendor": "Example", "chargePointModel": "AC"}


@pytest.mark.parametrize(
    ("registered", "presented", "profile", "fits"),
    [
        ("SN-1", "SN-1", 2, True),
        ("SN-1", "SN-2", 2, False),
        ("SN-1", None, 2, True),
        (None, "SN-2", 2, True),
        (None, "SN-2", 3, False),
        (None, None, 3, True),
    ],
)
async def test_a_1_6_station_may_leave_its_serial_number_out(
    house: NewHouse, registered: str | None, presented: str | None, profile: int, fits: bool
) -> None:
    home = house(version=Version.V16, profile=profile, serial=registered)
    home.bridge.boot_serial = lambda _: presented  # type: ignore[method-assign,assignment]  # 1.6 has it elsewhere
    home.bridge.boot_request = lambda payload: payload  # type: ignore[method-assign]  # as it is
    home.backend.answers_boot("Accepted")
    if fits:
        assert (await home.station.from_station("BootNotification", BOOT_16))["status"] == "Accepted"
        assert home.backend.calls == [("BootNotification", BOOT_16)]
    else:
        with pytest.raises(Unanswerable):
            await home.station.from_station("BootNotification", BOOT_16)


@pytest.mark.parametrize(
    ("action", "payload", "moves"),
    [
        ("TransactionEvent", {}, True),
        ("StartTransaction", {}, True),
        ("StopTransaction", {}, True),
        ("MeterValues", {"transactionId": 0}, True),
        ("MeterValues", {}, False),
        ("StatusNotification", {}, False),
    ],
)
async def test_what_moves_money_is_never_answered_with_our_own_trouble(
    house: NewHouse, action: str, payload: Json, moves: bool
) -> None:
    assert moves_money(action, payload) is moves
    home = house(ACCEPTED, version=Version.V16)
    home.bridge.outcome = PeerUnavailable("the backend is away")
    if moves:
        with pytest.raises(Unanswerable) as queued:
            await home.station.from_station(action, payload)
        assert queued.value.code == TRY_LATER
    else:
        with pytest.raises(CallError) as refused:
            await home.station.from_station(action, payload)
        assert refused.value.code is ErrorCode.GENERIC_ERROR
