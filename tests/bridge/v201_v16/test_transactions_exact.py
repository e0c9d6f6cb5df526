"""Transactions where it isn't obvious who pays, from where on, and until when."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Books, Connector, Json, Page, Transaction, TransactionState
from gateway.bridge.v201_v16 import transactions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v201_v16.conftest import World

CARD = "04A2B3C4"


def money(world: "World") -> list[tuple[str, Json]]:
    """Return what the backend heard of transactions, and forget it."""
    return [each for each in world.heard() if each[0] in {"StartTransaction", "MeterValues", "StopTransaction"}]


async def test_energy_without_a_token_is_begun_as_soon_as_it_is_seen(world: "World") -> None:
    await world.event("Started", 0, evse=1, trigger="ChargingStateChanged", state="Charging", wh=1000)
    assert money(world) == []

    await world.event("Updated", 1, wh=1200)

    (_, start), (action, _) = money(world)
    assert (start["idTag"], start["meterStart"], start["timestamp"]) == ("VOLTGATE", 1000, "2026-05-01T09:00:00Z")
    assert action == "MeterValues"
    assert "no-token" in world.notes


async def test_a_token_that_comes_right_behind_the_energy_pays_for_it(world: "World") -> None:
    await world.event("Started", 0, evse=1, trigger="ChargingStateChanged", state="Charging", wh=1000)
    await world.event("Updated", 1, trigger="Authorized", token=CARD, wh=1000)

    assert money(world)[0][1]["idTag"] == CARD


async def test_a_refused_token_that_is_let_charge_a_little_pays_for_it(world: "World") -> None:
    world.backend.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    await world.event("Started", 0, trigger="Authorized", token=CARD)
    await world.event("Updated", 1, trigger="CablePluggedIn", evse=1, wh=1000)
    assert "StartTransaction" not in world.actions()

    await world.event("Updated", 2, state="Charging")
    await world.event("Ended", 3, wh=1400)

    (_, start), (_, stop) = money(world)
    assert (start["idTag"], start["meterStart"], stop["meterStop"]) == (CARD, 1000, 1400)


async def test_a_refused_token_that_charges_nothing_leaves_no_session(world: "World") -> None:
    world.backend.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    await world.event("Started", 0, trigger="Authorized", token=CARD)
    world.restart()
    await world.event("Updated", 1, trigger="CablePluggedIn", evse=1)
    await world.event("Ended", 2, trigger="StopAuthorized", token="OTHER", wh=1000)

    assert money(world) == []


async def test_a_second_token_is_noted_and_pays_for_nothing(world: "World") -> None:
    await world.event("Started", 0, evse=1, token=CARD, wh=1000)
    await world.event("Updated", 1, trigger="Authorized", token="OTHER")

    assert "second-token" in world.notes


async def test_the_token_that_asked_for_the_stop_outlives_a_kill(world: "World") -> None:
    await world.event("Started", 0, evse=1, token=CARD, wh=1000)
    await world.event("Updated", 1, trigger="StopAuthorized", token="OTHER")
    world.restart()
    await world.event("Ended", 2, wh=1500)

    assert money(world)[-1][1]["idTag"] == "OTHER"


async def test_the_token_that_asked_for_the_stop_is_known_of_what_is_begun_at_its_end(world: "World") -> None:
    world.backend.answers["Authorize"] = lambda asked: {
        "idTagInfo": {"status": "Accepted" if asked["idTag"] == "OTHER" else "Blocked"}
    }
    await world.event("Started", 0, trigger="Authorized", token=CARD)
    await world.event("Updated", 1, trigger="CablePluggedIn", evse=1, wh=1000, state="Charging")
    await world.event("Updated", 2, trigger="StopAuthorized", token="OTHER")
    await world.event("Ended", 3, wh=1500)

    (_, start), (_, stop) = [each for each in money(world) if each[0] != "MeterValues"]
    assert (start["idTag"], stop["idTag"]) == (CARD, "OTHER")


async def test_that_a_refused_transaction_is_to_be_stopped_outlives_a_kill(world: "World") -> None:
    world.backend.up = False
    await world.event("Started", 0, evse=1, token=CARD, wh=1000)
    world.backend.up, world.station.up = True, False
    world.backend.answers["StartTransaction"] = {"transactionId": 7, "idTagInfo": {"status": "Blocked"}}
    for tx, conf in await world.ledger.drain():
        await world.bridge.started_late(tx, conf)
    world.restart()
    world.station.up = True

    await world.event("Updated", 1, wh=1100)
    await world.event("Updated", 2, wh=1200)

    assert world.heard("station") == [("RequestStopTransaction", {"transactionId": "TX-1"})]
    assert world.pages[Page.TO_STOP] == {}


async def test_what_is_kept_of_stops_is_bounded(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "STOPS_MAX", 2)
    world.backend.answers["StartTransaction"] = {"transactionId": 7, "idTagInfo": {"status": "Blocked"}}
    world.station.answers["RequestStopTransaction"] = {"status": "Rejected"}
    for name in ("a", "b", "c"):
        await world.event("Started", 0, tx=name, evse=1, trigger="CablePluggedIn", remote=1, wh=1000)
        world.books.transactions[name].id_tag = CARD
        await world.event("Updated", 1, tx=name, wh=1000)
        await world.event("Updated", 2, tx=name, trigger="StopAuthorized", token="OTHER")

    assert list(world.books.page(Page.TO_STOP)) == ["b", "c"]
    assert list(world.books.page(Page.STOP_TAGS)) == ["b", "c"]


async def test_an_evse_with_two_connectors_doesnt_say_which(world: "World") -> None:
    for connector in (1, 2):
        await world.status(1, "Available", connector)
    await world.event("Started", 0, trigger="Authorized", token=CARD, evse={"id": 1})
    assert "StartTransaction" not in world.actions()

    await world.event("Updated", 1, trigger="CablePluggedIn", evse={"id": 1, "connectorId": 2}, wh=1000)
    await world.event("Updated", 2, evse={"id": 1}, wh=1100)

    number = world.books.connectors[1, 2].number
    assert [payload["connectorId"] for _, payload in money(world)] == [number, number, number]


async def test_a_connector_that_never_was_named_is_one_of_the_evse(new_world: "Callable[..., World]") -> None:
    places = {(evse, plug): Connector(evse, plug, evse * 10 + plug) for evse in (1, 2) for plug in (1, 2)}
    world = new_world(books=Books(connectors=places))
    await world.event("Started", 0, trigger="Authorized", token=CARD, evse={"id": 2})
    await world.event("Ended", 1, state="Charging", wh=1500)

    assert money(world)[0][1]["connectorId"] == 21
    assert "no-connector" in world.notes


@pytest.mark.parametrize(
    ("page", "last", "expected"), [({}, 5000, 5000), ({"1": 1000}, 5000, 5000), ({"1": 9000}, 5000, 9000)]
)
async def test_after_a_kill_the_further_register_is_where_the_next_session_begins(
    new_world: "Callable[..., World]", page: Json, last: int, expected: int
) -> None:
    ended = Transaction("TX-0", TransactionState.ENDED, evse_id=1, connector_id=1, last_register=last)
    world = new_world(books=Books(transactions={"TX-0": ended}, pages={Page.REGISTERS: page}))
    await world.event("Started", 0, evse=1, token=CARD)

    assert money(world)[0][1]["meterStart"] == expected


async def test_the_first_register_of_what_charges_already_is_where_it_begins_and_noted(world: "World") -> None:
    events: list[dict[str, Any]] = [{"evse": 1, "state": "Charging"}, {"wh": 1300}, {"wh": 1500}]
    for seq_no, fields in enumerate(events):
        await world.event("Updated" if seq_no else "Started", seq_no, **fields)

    _, (action, start), _ = money(world)
    assert (action, start["meterStart"]) == ("StartTransaction", 1300)
    assert "meter-start" in world.notes


async def test_what_is_measured_while_nobody_is_authorised_is_of_no_transaction(world: "World") -> None:
    await world.event("Started", 0, evse=1, trigger="CablePluggedIn", wh=1000)
    await world.event("Updated", 1, wh=1000)

    ((action, payload),) = money(world)
    assert (action, "transactionId" in payload) == ("MeterValues", False)
