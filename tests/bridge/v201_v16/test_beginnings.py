"""What was measured with a begin, beyond its register: sent once, behind the start."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json, Page
from gateway.bridge.v201_v16 import beginnings
from gateway.bridge.v201_v16.beginnings import more_than_register

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

CARD = "04A2B3C4"
AT = "2026-05-01T09:00:00Z"
SIGNED = {"signedMeterData": "d", "signingMethod": "s", "encodingMethod": "OCMF", "publicKey": "k"}


def measured(*samples: Json) -> list[Json]:
    return [{"timestamp": AT, "sampledValue": list(samples)}]


def begin(**more: Any) -> Json:
    return {"value": 1000, "context": "Transaction.Begin", **more}


SIGNED_BEGIN = measured(begin(signedMeterValue=SIGNED))


def formats(payload: Json) -> list[str]:
    return [sample.get("format", "") for value in payload["meterValue"] for sample in value["sampledValue"]]


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ({"value": "1", "unit": "Wh"}, False),
        ({"value": "1", "measurand": "Energy.Active.Import.Register"}, False),
        ({"value": "1", "format": "SignedData"}, True),
        ({"value": "1", "measurand": "Voltage"}, True),
    ],
)
def test_what_says_more_than_a_register(sample: Json, expected: bool) -> None:
    assert more_than_register(measured(sample)) is expected


async def test_a_plain_register_is_in_the_start_and_nowhere_else(world: "World") -> None:
    await world.event("Started", 0, evse=1, token=CARD, wh=1000, context="Transaction.Begin")

    assert "MeterValues" not in world.actions()


async def test_a_signed_begin_follows_the_start_and_costs_no_page(world: "World") -> None:
    for _ in range(2):
        await world.event("Started", 0, evse=1, token=CARD, meterValue=SIGNED_BEGIN)

    heard = [each for each in world.heard() if each[0] != "StatusNotification"]
    assert [action for action, _ in heard] == ["StartTransaction", "MeterValues"]
    assert formats(heard[1][1]) == ["Raw", "SignedData"]
    assert world.page_writes == []


async def test_a_held_begin_outlives_a_kill_and_follows_the_start_once(world: "World") -> None:
    await world.event("Started", 0, evse=1, trigger="CablePluggedIn", meterValue=SIGNED_BEGIN)
    world.restart()
    world.heard()

    await world.event("Updated", 1, trigger="Authorized", token=CARD, wh=1000)
    await world.event("Updated", 2, wh=1100)

    meters = [payload for action, payload in world.heard() if action == "MeterValues"]
    assert [formats(payload) for payload in meters] == [["Raw", "SignedData"], [""], [""]]
    assert world.pages[Page.BEGINNINGS] == {}


async def test_a_start_that_was_delivered_and_not_its_begin_is_no_repetition(world: "World") -> None:
    async def killed(*_: object) -> None:
        raise OSError("disk full")

    deliver, world.ledger.meter = world.ledger.meter, killed  # type: ignore[assignment,method-assign]  # a fault
    with pytest.raises(OSError, match="disk full"):
        await world.event("Started", 0, evse=1, token=CARD, meterValue=SIGNED_BEGIN)
    world.ledger.meter = deliver  # type: ignore[method-assign]  # as it was
    world.restart()

    await world.event("Started", 0, evse=1, token=CARD, meterValue=SIGNED_BEGIN)

    assert [action for action in world.actions() if action in {"StartTransaction", "MeterValues"}] == [
        "StartTransaction",
        "MeterValues",
    ]


async def test_a_session_that_is_begun_at_its_end_has_its_begin_in_the_stop(world: "World") -> None:
    await world.event("Started", 0, evse=1, trigger="CablePluggedIn", meterValue=SIGNED_BEGIN)
    await world.event("Ended", 1, at="2026-05-01T10:00:00Z", wh=2000, context="Transaction.End")

    ((_, stop),) = [each for each in world.heard() if each[0] == "StopTransaction"]
    assert [value["timestamp"] for value in stop["transactionData"]] == [AT, "2026-05-01T10:00:00Z"]


async def test_what_is_kept_is_bounded(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginnings, "BEGINNINGS_MAX", 2)
    for name in ("a", "b", "c"):
        await world.event("Started", 0, tx=name, trigger="CablePluggedIn", evse=1, meterValue=SIGNED_BEGIN)

    assert list(world.pages[Page.BEGINNINGS]) == ["b", "c"]
    assert "beginnings" in world.notes
