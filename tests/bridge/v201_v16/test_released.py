"""What a person has let go, of a 2.0.1 station with a 1.6 backend: one session, with the right registers."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import TransactionState
from gateway.bridge.ports import PeerUnavailable

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World


def event(kind: str, seq_no: int, wh: int, **more: Any) -> dict[str, Any]:
    context = {"Started": "Transaction.Begin", "Updated": "Sample.Periodic", "Ended": "Transaction.End"}[kind]
    at = f"2026-05-01T09:{seq_no:02}:00Z"
    sample = {"value": wh, "context": context, "measurand": "Energy.Active.Import.Register"}
    return {
        "eventType": kind,
        "timestamp": at,
        "triggerReason": "Authorized",
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": "TX-1"},
        "meterValue": [{"timestamp": at, "sampledValue": [sample]}],
        **more,
    }


STARTED = event("Started", 0, 1000, idToken={"idToken": "TAG", "type": "ISO14443"}, evse={"id": 1, "connectorId": 1})
UPDATED = event("Updated", 1, 1500)
ENDED = event("Ended", 2, 2345)


async def let_go(world: "World", *events: dict[str, Any]) -> None:
    for each in events:
        await world.bridge.released("TransactionEvent", each, "TX-1")


def money(world: "World") -> list[tuple[str, Any, Any]]:
    return [
        (action, payload.get("transactionId"), payload.get("meterStart", payload.get("meterStop")))
        for action, payload in world.heard()
        if action in {"StartTransaction", "MeterValues", "StopTransaction"}
    ]


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_whole_session_is_one_of_1_6(world: "World", restarts: bool) -> None:
    for each in (STARTED, UPDATED, ENDED):
        await let_go(world, each)
        if restarts:  # killed before it was noted: it comes again
            world.restart()
            await let_go(world, each)
    told = money(world)
    assert [each for each in told if each[0] != "MeterValues"] == [
        ("StartTransaction", None, 1000),
        ("StopTransaction", 1001, 2345),
    ]
    assert ("MeterValues", 1001, None) in told


async def test_what_was_measured_in_a_session_that_is_over_goes_by_itself(world: "World") -> None:
    await let_go(world, STARTED, ENDED)
    world.dialogue.clear()
    await let_go(world, UPDATED)
    assert money(world) == [("MeterValues", 1001, None)]
    await let_go(world, {name: value for name, value in UPDATED.items() if name != "meterValue"})
    assert money(world) == []
    world.backend.up = False
    with pytest.raises(PeerUnavailable):
        await let_go(world, UPDATED)
    assert world.books.transactions["TX-1"].state is TransactionState.ENDED


async def test_other_messages_go_the_way_that_they_always_go(world: "World") -> None:
    await world.bridge.released("Heartbeat", {}, "")
    assert [action for action, _ in world.heard()] == ["Heartbeat"]
