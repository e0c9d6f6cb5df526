"""Stations that don't count their events, or not upwards: no kWh and no meter value is taken for a repetition."""

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

CARD: Final = "04A2B3C4"


async def session(world: "World", numbers: list[int]) -> list[tuple[str, Any]]:
    """Play a session with these seqNos and no register at its end; return what the ledger heard: action, Wh."""
    await world.status(1, "Occupied")
    began = {"evse": 1, "token": CARD, "wh": 100, "context": "Transaction.Begin", "state": "Charging"}
    await world.event("Started", numbers[0], at="2026-05-01T09:00:00Z", trigger="Authorized", **began)
    for minute, (number, wh) in enumerate(zip(numbers[1:3], (2000, 5000), strict=True), 1):
        for _ in range(2):  # the answer to the first got lost
            await world.event("Updated", number, at=f"2026-05-01T09:0{minute}:00Z", wh=wh)
    await world.event("Ended", numbers[3], at="2026-05-01T09:10:00Z", trigger="EVDeparted", reason="EVDisconnected")
    registers = {"StartTransaction": "meterStart", "StopTransaction": "meterStop"}
    return [
        (action, payload[registers[action]] if action in registers else payload["meterValue"][0]["sampledValue"])
        for action, payload in world.heard()
        if action in {*registers, "MeterValues"}
    ]


@pytest.mark.parametrize(
    ("numbers", "is_noted"),
    [([0, 1, 2, 3], False), ([0, 0, 0, 0], True), ([7, 7, 7, 7], True), ([0, 2**31, 1, 2], True), ([3, 2, 1, 0], True)],
    ids=["counts", "always 0", "always 7", "one absurd number", "downwards"],
)
async def test_every_event_counts_once(world: "World", numbers: list[int], is_noted: bool) -> None:
    heard = await session(world, numbers)

    assert [action for action, _ in heard] == ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"]
    assert [heard[1][1][0]["value"], heard[2][1][0]["value"]] == ["2000", "5000"]
    assert (heard[0][1], heard[3][1]) == (100, 5000)
    assert ("sequence-order" in world.notes) is is_noted


async def test_what_was_measured_offline_is_told_late_and_changes_no_register(world: "World") -> None:
    await world.status(1, "Occupied")
    await world.event("Started", 0, trigger="Authorized", evse=1, token=CARD, wh=100, context="Transaction.Begin")
    await world.event("Updated", 5, at="2026-05-01T12:00:00Z", wh=9000)
    world.dialogue.clear()

    await world.event("Updated", 2, at="2026-05-01T10:00:00Z", wh=3000, offline=True)

    assert [payload["meterValue"][0]["timestamp"] for _, payload in world.heard()] == ["2026-05-01T10:00:00Z"]
    assert world.books.transactions["TX-1"].last_register == 9000
