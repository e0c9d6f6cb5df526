"""One station's road, with registry, backend and bridge made up."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.session.peer import TRY_LATER, Unanswerable
from gateway.session.ports import BootStatus, JournalFull, StaleEpoch, StationRecord, StoreAway
from gateway.session.stages import NotSendable
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.session.conftest import House, Talk

NewHouse = Callable[..., "House"]
NewTalk = Callable[..., "Talk"]

NONE, PENDING, REJECTED, ACCEPTED = BootStatus.NONE, BootStatus.PENDING, BootStatus.REJECTED, BootStatus.ACCEPTED
BOOT: Json = {"reason": "PowerUp", "chargingStation": {"model": "AC", "vendorName": "Example", "serialNumber": "SN-1"}}
STATUS: Json = {"timestamp": "2026-03-01T12:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}


@pytest.mark.parametrize("status", [NONE, PENDING, REJECTED])
async def test_nothing_passes_the_gate_before_acceptance(house: NewHouse, status: BootStatus) -> None:
    home = house(status)
    for action in ("StatusNotification", "SignCertificate", "TransactionEvent"):
        with pytest.raises(CallError, match="SecurityError"):
            await home.station.from_station(action, STATUS)

    assert (home.bridge.heard, home.served) == ([], [])


async def test_a_station_that_was_accepted_stays_so_over_a_restart(house: NewHouse) -> None:
    home = house(ACCEPTED)

    assert await home.station.from_station("StatusNotification", STATUS) == {"by": "bridge"}
    assert home.bridge.heard == [("station", "StatusNotification")]


async def test_what_the_gateway_answers_itself_does_not_reach_the_bridge(house: NewHouse) -> None:
    home = house(ACCEPTED)

    assert await home.station.from_station("SignCertificate", {"csr": "x"}) == {"status": "Accepted"}
    assert (home.bridge.heard, home.served) == ([], ["SignCertificate"])


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (PeerUnavailable("gone"), CallError(ErrorCode.GENERIC_ERROR, "the backend gave no answer: gone")),
        (CallError(ErrorCode.NOT_SUPPORTED, "no"), CallError(ErrorCode.NOT_SUPPORTED, "no")),
        (JournalFull(), Unanswerable(TRY_LATER, "the journal of this station is full")),
        (StaleEpoch(), Unanswerable(TRY_LATER, "this station has another owner by now")),
        (StoreAway("disk full"), CallError(ErrorCode.INTERNAL_ERROR, "internal error")),
        (RuntimeError("bug"), RuntimeError("bug")),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_goes_wrong_on_the_road_from_the_station(
    house: NewHouse, fault: Exception, raised: Exception
) -> None:
    home = house(ACCEPTED)
    home.bridge.outcome = fault

    with pytest.raises(type(raised)) as error:
        await home.station.from_station("StatusNotification", STATUS)
    assert str(error.value) == str(raised)
    assert getattr(error.value, "code", None) == getattr(raised, "code", None)


@pytest.mark.parametrize("action", ["TransactionEvent", "StopTransaction", "SecurityEventNotification"])
async def test_what_must_not_be_lost_gets_no_error_while_the_store_is_away(house: NewHouse, action: str) -> None:
    """A station repeats after a CALLERROR a few times only; without an answer it queues."""
    home = house(ACCEPTED)
    home.bridge.outcome = StoreAway("store voltgate.db: the disk is full; make room")

    with pytest.raises(Unanswerable, match="nothing can be kept safe now") as refusal:
        await home.station.from_station(action, {})
    assert refusal.value.code == TRY_LATER


@pytest.mark.parametrize(
    ("action", "payload", "waits"),
    [
        ("Authorize", {}, [5.0]),
        ("StartTransaction", {}, [5.0]),
        ("TransactionEvent", {"idToken": {"idToken": "CARD", "type": "ISO14443"}}, [5.0]),
        ("TransactionEvent", {}, []),
        ("Heartbeat", {}, []),
    ],
)
async def test_what_the_backend_alone_decides_waits_for_a_leg_that_is_being_opened(
    house: NewHouse, action: str, payload: Json, waits: list[float]
) -> None:
    home = house(BootStatus.ACCEPTED)

    assert await home.station.from_station(action, payload) == {"by": "bridge"}
    assert home.backend.begins == waits


async def test_the_backends_calls_go_to_the_bridge_whatever_the_gate(house: NewHouse) -> None:
    home = house(PENDING)

    assert await home.station.from_backend("Reset", {"type": "Hard"}) == {"by": "bridge"}
    assert home.bridge.heard == [("backend", "Reset")]


@pytest.mark.parametrize("leg", ["station", "backend"])
async def test_a_repetition_on_a_new_connection_waits_for_the_call_in_hand(
    house: NewHouse, monkeypatch: pytest.MonkeyPatch, leg: str
) -> None:
    home = house(ACCEPTED)
    handle = home.station.from_station if leg == "station" else home.station.from_backend
    begun, goes_on = asyncio.Event(), asyncio.Event()
    original = home.bridge._handle

    async def slow(*told: str) -> Json:
        answer = await original(*told)
        begun.set()
        await goes_on.wait()
        return answer

    monkeypatch.setattr(home.bridge, "_handle", slow)
    in_hand = asyncio.ensure_future(handle("TransactionEvent", {"seqNo": 1}))
    await begun.wait()
    repeated = asyncio.ensure_future(handle("TransactionEvent", {"seqNo": 1}))
    await asyncio.sleep(0)
    assert len(home.bridge.heard) == 1

    goes_on.set()
    assert await in_hand == await repeated == {"by": "bridge"}
    assert len(home.bridge.heard) == 2


async def test_the_backend_is_told_that_the_station_gave_no_answer(house: NewHouse) -> None:
    home = house(ACCEPTED)
    home.bridge.outcome = PeerUnavailable("the station is not connected")

    with pytest.raises(CallError) as error:
        await home.station.from_backend("Reset", {"type": "Hard"})
    assert error.value.code is ErrorCode.GENERIC_ERROR
    assert error.value.description == "the station gave no answer: the station is not connected"


# --- calls to either side


async def test_a_station_without_a_connection_is_not_called(house: NewHouse) -> None:
    home = house(ACCEPTED)
    assert not home.station.is_connected

    with pytest.raises(PeerUnavailable, match="the station is not connected"):
        await home.station.call_station("Reset", {"type": "OnIdle"})
    home.station.disconnect(1000, "nobody there")


@pytest.mark.parametrize("status", [NONE, REJECTED])
async def test_a_station_that_was_not_accepted_is_not_called(house: NewHouse, talk: "Talk", status: BootStatus) -> None:
    home = house(status)
    home.station.peer = talk.peer

    with pytest.raises(PeerUnavailable, match=f"the station's BootNotification is {status.value}"):
        await home.station.call_station("Reset", {"type": "OnIdle"})
    assert talk.socket.heard() == []


async def test_an_accepted_station_is_called(house: NewHouse, new_talk: NewTalk) -> None:
    home = house(ACCEPTED)
    talk = new_talk(handle=home.station.from_station)
    home.station.peer = talk.peer
    assert home.station.is_connected

    with pytest.raises(NotSendable):
        await home.station.call_station("Reset", {})
    task, frames = await talk.calls("Reset", {"type": "OnIdle"})
    assert frames == [[2, "own-1", "Reset", {"type": "OnIdle"}]]
    await talk.hears([3, "own-1", {"status": "Accepted"}])
    assert await task == {"status": "Accepted"}
    home.station.disconnect(1001, "bye")
    assert talk.socket.closed == [(1001, "bye")]


async def test_a_pending_station_is_asked_and_may_answer_before_its_acceptance(
    house: NewHouse, new_talk: NewTalk
) -> None:
    home = house(PENDING)
    talk = new_talk(handle=home.station.from_station)
    home.station.peer = talk.peer
    [[_, _, code, _, _]] = await talk.hears([2, "a", "StatusNotification", STATUS])
    assert code == "SecurityError"

    home.bridge.outcome = {}
    trigger = {"requestedMessage": "StatusNotification"}
    task = talk.run(home.station.call_station("TriggerMessage", trigger))
    assert await talk.hears() == [[2, "own-1", "TriggerMessage", trigger]]
    await talk.hears([3, "own-1", {"status": "Accepted"}])
    assert await task == {"status": "Accepted"}
    assert await talk.hears([2, "b", "StatusNotification", STATUS]) == [[3, "b", {}]]


async def test_a_pending_station_that_refuses_a_trigger_may_not_send_what_it_asked_for(
    house: NewHouse, new_talk: NewTalk
) -> None:
    home = house(PENDING)
    talk = new_talk(handle=home.station.from_station)
    home.station.peer = talk.peer
    task = talk.run(home.station.call_station("TriggerMessage", {"requestedMessage": "StatusNotification"}))
    await talk.hears()
    await talk.hears([3, "own-1", {"status": "Rejected"}])
    assert await task == {"status": "Rejected"}
    [[_, _, code, _, _]] = await talk.hears([2, "a", "StatusNotification", STATUS])
    assert code == "SecurityError"


async def test_the_backend_is_called_as_it_is(house: NewHouse) -> None:
    home = house()
    home.backend.answer = {"any": 1}

    assert await home.station.call_backend("Heartbeat", {}) == {"any": 1}


# --- ownership


def test_a_new_owner_does_not_turn_back_the_boot(house: NewHouse) -> None:
    """The registry was read before the newcomer was let in; what was saved of a boot since is newer."""
    home = house(ACCEPTED, boot_payload=BOOT, boot_interval=42, boot_reported=True)
    stale = StationRecord("CS1", 3, serial="SN-9", boot_status=PENDING, boot_reported=False)
    home.station.owned(stale, 8)

    record = home.station.record
    assert home.station.epoch == 8
    assert (record.minimum_profile, record.serial) == (3, "SN-9")
    assert (record.boot_status, record.boot_payload, record.boot_interval) == (ACCEPTED, BOOT, 42)
    assert record.boot_reported


@pytest.mark.parametrize("by_registry", [False, True])
def test_whoever_depends_on_its_group_hears_of_another_one(house: NewHouse, by_registry: bool) -> None:
    station = house(group="north").station
    seen: list[str | None] = []
    station.when_regrouped = lambda: seen.append(station.record.group)
    for group in ("north", "south", "south", None):
        if by_registry:
            station.regroup(group)
        else:
            station.owned(StationRecord("CS1", 2, group=group), 8)

    assert seen == ["south", None]


def test_a_state_shows_in_the_repr(house: NewHouse) -> None:
    assert repr(house(PENDING).station) == "<Station CS1 epoch=7 <BootGate Pending> None>"
