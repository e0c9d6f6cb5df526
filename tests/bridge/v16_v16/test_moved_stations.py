"""A station that has another backend than before: what it says late of the time before is for a person."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Page

if TYPE_CHECKING:
    from tests.bridge.v16_v16.conftest import World


@pytest.fixture
async def moved(world: "World") -> "World":
    """Transaction 1001 has ended; then the station got another backend."""
    await world.start()
    await world.stop(1001, wh=5000)
    world.restart()
    world.books.pages[Page.BEFORE] = {tx.station_tx: tx.started_at for tx in world.books.transactions.values()}
    world.heard()
    return world


async def test_meter_values_after_the_stop_reach_no_transaction_of_the_new_backend(moved: "World") -> None:
    assert await moved.meter(1001) == {}

    assert moved.heard() == []
    assert [action for action, _, _ in moved.ledger.aside] == ["MeterValues"]
    assert (set(moved.notes), moved.reports) == ({"former-transaction"}, [])


async def test_a_repeated_stop_is_known_and_another_one_is_for_a_person(moved: "World") -> None:
    assert await moved.stop(1001, wh=5000) == {}
    assert moved.ledger.aside == []
    assert await moved.stop(1001, wh=9000) == {}

    assert moved.heard() == []
    assert [payload["meterStop"] for _, payload, _ in moved.ledger.aside] == [9000]


async def test_the_new_backend_may_give_the_number_again(moved: "World") -> None:
    moved.backend.answers["StartTransaction"] = {"transactionId": 1001, "idTagInfo": {"status": "Accepted"}}
    await moved.start(at="2026-05-02T09:00:00Z")
    await moved.meter(1001)
    await moved.stop(1001, wh=7000)
    await moved.meter(1001)

    assert [action for action, _ in moved.heard()] == [
        "StartTransaction", "MeterValues", "StopTransaction", "MeterValues",
    ]  # fmt: skip
    assert moved.ledger.aside == []
