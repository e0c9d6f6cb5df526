"""What is said late of a transaction that the backend of now never had."""

from types import SimpleNamespace
from typing import Any

from gateway.bridge.former_transactions import set_former_aside


async def test_it_is_kept_for_a_person_and_the_station_answered() -> None:
    aside: list[Any] = []
    notes: list[str] = []

    async def keep(*what: Any) -> None:
        aside.append(what)

    ledger: Any = SimpleNamespace(set_aside=keep)
    assert await set_former_aside(ledger, lambda topic, _: notes.append(topic), "MeterValues", {"x": 1}, 7) == {}
    assert aside == [("MeterValues", {"x": 1}, "transaction 7 ended at the backend that this station had before")]
    assert notes == ["former-transaction"]
