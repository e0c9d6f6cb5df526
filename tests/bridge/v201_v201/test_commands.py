"""Commands about a transaction: attack A7, over a 2.0.1 backend."""

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v201.commands import REMOTE_STARTS_MAX
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v201_v201.conftest import World

NOT_FOUND = {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}


def profile(**fields: Any) -> Json:
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}
    return {
        "evseId": 1,
        "chargingProfile": {
            "id": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": [schedule],
            **fields,
        },
    }


async def test_the_token_of_a_remote_start_is_kept_in_mind(world: "World") -> None:
    """A station that asks about it has no certificate to show (F01)."""
    for number in range(REMOTE_STARTS_MAX + 1):
        token = {"idToken": f"DE8EXC{number:08}", "type": "eMAID"}
        await world.from_backend("RequestStartTransaction", {"idToken": token, "remoteStartId": number})
    kept = world.books.page(Page.REMOTE_STARTS)
    assert (len(kept), kept["1"], kept["100"]) == (REMOTE_STARTS_MAX, "DE8EXC00000001", "DE8EXC00000100")


@pytest.mark.parametrize(
    ("answer", "is_kept"),
    [
        ({"status": "Accepted"}, True),
        ({"status": "Rejected"}, False),
        (CallError(ErrorCode.NOT_SUPPORTED), False),
        (PeerUnavailable("gone"), True),
    ],
)
async def test_the_token_of_a_start_that_the_station_refused_is_not(world: "World", answer: Any, is_kept: bool) -> None:
    world.station.answers["RequestStartTransaction"] = answer
    asked = {"idToken": {"idToken": "DE8EXC12345678", "type": "eMAID"}, "remoteStartId": 7}
    with contextlib.suppress(CallError, PeerUnavailable):
        assert await world.from_backend("RequestStartTransaction", asked) == answer
    assert bool(world.books.page(Page.REMOTE_STARTS)) == is_kept


COMMANDS: list[tuple[str, "Callable[[str], Json]"]] = [
    ("RequestStopTransaction", lambda tx: {"transactionId": tx}),
    ("SetChargingProfile", lambda tx: profile(transactionId=tx)),
]


@pytest.mark.parametrize(("action", "about"), COMMANDS)
async def test_a_running_transaction_of_this_station_is_reached(
    world: "World", action: str, about: "Callable[[str], Json]"
) -> None:
    await world.event("Started")
    world.heard()
    world.station.answers[action] = {"status": "Accepted", "statusInfo": {"reasonCode": "NoError"}}
    assert await world.from_backend(action, about("TX-1")) == world.station.answers[action]
    assert world.heard("station") == [(action, about("TX-1"))]


@pytest.mark.parametrize(("action", "about"), COMMANDS)
@pytest.mark.parametrize("named", ["TX-2", "", "tx-1"])
async def test_any_other_is_not(world: "World", action: str, about: "Callable[[str], Json]", named: str) -> None:
    await world.event("Started")
    world.heard()
    assert await world.from_backend(action, about(named)) == NOT_FOUND
    assert world.dialogue == []


@pytest.mark.parametrize(("action", "about"), COMMANDS)
async def test_nor_one_that_has_ended_whether_the_backend_heard_or_not(
    world: "World", action: str, about: "Callable[[str], Json]"
) -> None:
    await world.event("Started")
    world.backend.up = False
    await world.event("Ended", 1)
    assert await world.from_backend(action, about("TX-1")) == NOT_FOUND
    world.backend.up = True
    await world.drain()
    assert await world.from_backend(action, about("TX-1")) == NOT_FOUND


async def test_a_profile_that_names_no_transaction_is_the_stations_business(world: "World") -> None:
    world.station.answers["SetChargingProfile"] = {"status": "Rejected"}
    assert await world.from_backend("SetChargingProfile", profile()) == {"status": "Rejected"}


async def test_a_station_that_refuses_by_callerror_is_quoted(world: "World") -> None:
    await world.event("Started")
    world.station.answers["RequestStopTransaction"] = CallError(ErrorCode.NOT_SUPPORTED, "no remote control")
    with pytest.raises(CallError, match="no remote control"):
        await world.from_backend("RequestStopTransaction", {"transactionId": "TX-1"})


@pytest.mark.parametrize("in_journal", [False, True])
async def test_what_waits_in_our_journal_is_in_the_queue(world: "World", in_journal: bool) -> None:
    world.station.answers["GetTransactionStatus"] = {"messagesInQueue": False, "ongoingIndicator": True}
    if in_journal:
        world.backend.up = False
        await world.event("Started")
        world.backend.up = True
    answer = await world.from_backend("GetTransactionStatus", {"transactionId": "TX-1"})
    assert answer == {"messagesInQueue": in_journal, "ongoingIndicator": True}
