"""What a person has let go, of a 1.6 station: it reaches the backend under the number that the backend knows."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.bridge.given_numbers import LAST
from gateway.bridge.ports import PeerUnavailable
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v16_v16.conftest import World

START: Json = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": "2026-05-01T09:00:00Z"}
METER: Json = {
    "connectorId": 1,
    "transactionId": LAST,
    "meterValue": [{"timestamp": "2026-05-01T09:30:00Z", "sampledValue": [{"value": "1500"}]}],
}
STOP: Json = {"transactionId": LAST, "meterStop": 5000, "timestamp": "2026-05-01T10:00:00Z"}


async def let_go(world: "World", action: str, payload: Json) -> None:
    await world.bridge.released(action, payload, str(LAST))


def money(world: "World") -> list[tuple[str, Any]]:
    return [(action, payload.get("transactionId")) for action, payload in world.heard()]


async def test_a_whole_session_goes_under_the_backends_number(world: "World") -> None:
    for action, payload in (("StartTransaction", START), ("MeterValues", METER), ("StopTransaction", STOP)):
        await let_go(world, action, payload)
    assert money(world) == [("StartTransaction", None), ("MeterValues", 1001), ("StopTransaction", 1001)]
    (tx,) = world.books.transactions.values()
    assert (tx.station_tx, tx.backend_tx, tx.state) == (str(LAST), 1001, TransactionState.ENDED)
    assert (world.ledger.aside, world.reports) == ([], [])


@pytest.mark.parametrize("restarts", [False, True])
async def test_the_station_goes_on_with_the_number_that_it_was_given(world: "World", restarts: bool) -> None:
    await let_go(world, "StartTransaction", START)
    if restarts:
        world.restart()
    assert await world.from_station("MeterValues", METER) == {}
    assert await world.from_station("StopTransaction", STOP) == {"idTagInfo": {"status": "Accepted"}}
    assert await world.from_station("StopTransaction", STOP) == {"idTagInfo": {"status": "Accepted"}}
    assert money(world)[1:] == [("MeterValues", 1001), ("StopTransaction", 1001)]


async def test_what_is_said_of_it_later_still_fits(world: "World") -> None:
    await let_go(world, "StartTransaction", START)
    await world.from_station("StopTransaction", STOP)
    world.restart()
    assert await world.from_station("StopTransaction", STOP) == {}
    assert await world.from_station("MeterValues", METER) == {}
    assert money(world)[-1] == ("MeterValues", 1001)
    assert world.ledger.aside == []


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_start_that_is_said_again_has_the_number_that_the_station_knows(world: "World", restarts: bool) -> None:
    await let_go(world, "StartTransaction", START)
    if restarts:
        world.restart()
    answer = await world.from_station("StartTransaction", START)
    assert answer == {"transactionId": LAST, "idTagInfo": {"status": "Accepted"}}
    await let_go(world, "StartTransaction", START)
    assert money(world) == [("StartTransaction", None)]


async def test_the_backend_stops_and_limits_it_by_its_own_number(world: "World") -> None:
    await let_go(world, "StartTransaction", START)
    profile = {
        "chargingProfileId": 1,
        "transactionId": 1001,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1.0}]},
    }
    world.dialogue.clear()
    await world.from_backend("RemoteStopTransaction", {"transactionId": 1001})
    await world.from_backend("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
    await world.from_backend("RemoteStopTransaction", {"transactionId": 99})
    asked = [payload for side, _, payload in world.dialogue if side == "station"]
    assert asked == [
        {"transactionId": LAST},
        {"connectorId": 1, "csChargingProfiles": {**profile, "transactionId": LAST}},
        {"transactionId": 99},
    ]


async def test_a_start_waits_while_the_backend_is_away_and_a_refusal_is_told(world: "World") -> None:
    world.backend.up = False
    with pytest.raises(PeerUnavailable):
        await let_go(world, "StartTransaction", START)
    world.backend.up = True
    world.backend.answers["StartTransaction"] = CallError(ErrorCode.FORMAT_VIOLATION, "no")
    with pytest.raises(CallError):
        await let_go(world, "StartTransaction", START)
    assert world.books.transactions == {}


@pytest.mark.parametrize(("action", "payload"), [("MeterValues", METER), ("StopTransaction", STOP)])
async def test_what_nobody_knows_of_goes_as_it_is_and_waits_for_the_backend(
    world: "World", action: str, payload: Json
) -> None:
    await let_go(world, action, {**payload, "transactionId": 17})
    assert money(world) == [(action, 17)]
    world.backend.up = False
    with pytest.raises(PeerUnavailable):
        await let_go(world, action, {**payload, "transactionId": 17})


async def test_what_was_measured_in_a_session_that_is_over_goes_too(world: "World") -> None:
    ended = Transaction("17", TransactionState.ENDED, backend_tx=17, last_register=5000)
    world.books.transactions["17"] = ended
    await let_go(world, "MeterValues", {**METER, "transactionId": 17})
    await let_go(world, "StopTransaction", {**STOP, "transactionId": 17})
    await let_go(world, "StopTransaction", {**STOP, "transactionId": 17, "meterStop": 6000})
    assert money(world) == [("MeterValues", 17), ("StopTransaction", 17)]


async def test_a_stop_that_could_not_be_kept_is_not_in_the_books(world: "World") -> None:
    await let_go(world, "StartTransaction", START)
    world.ledger.fails = [OSError("disk full")]
    with pytest.raises(OSError, match="disk full"):
        await let_go(world, "StopTransaction", STOP)
    assert not world.books.transactions[str(LAST)].is_over


async def test_other_messages_go_the_way_that_they_always_go(world: "World") -> None:
    await world.bridge.released("Heartbeat", {}, "")
    await world.bridge.released("MeterValues", {k: v for k, v in METER.items() if k != "transactionId"}, "")
    assert [action for action, _ in world.heard()] == ["Heartbeat", "MeterValues"]
