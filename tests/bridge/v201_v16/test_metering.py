"""MeterValues outside a transaction."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

AT = "2026-05-01T08:00:00Z"


def values(value: float = 1500, **sample: Any) -> list[Json]:
    return [{"timestamp": AT, "sampledValue": [{"value": value, **sample}]}]


@pytest.mark.parametrize(("evse_id", "number"), [(0, 0), (1, 1)])
async def test_are_relayed_without_a_transaction(world: "World", evse_id: int, number: int) -> None:
    assert await world.from_station("MeterValues", {"evseId": evse_id, "meterValue": values()}) == {}

    expected = [{"timestamp": AT, "sampledValue": [{"value": "1500", "unit": "Wh"}]}]
    assert world.heard() == [("MeterValues", {"connectorId": number, "meterValue": expected})]
    assert world.books.page(Page.REGISTERS) == ({str(evse_id): 1500} if evse_id else {})


async def test_with_nothing_for_1_6_are_not_relayed(world: "World") -> None:
    await world.from_station("MeterValues", {"evseId": 1, "meterValue": values(measurand="Energy.Active.Net")})

    assert world.heard() == []
    assert world.books.page(Page.REGISTERS) == {}


@pytest.mark.parametrize("outcome", [PeerUnavailable("gone"), CallError(ErrorCode.INTERNAL_ERROR)])
async def test_are_answered_whatever_the_backend_does(world: "World", outcome: Exception) -> None:
    world.backend.answers["MeterValues"] = outcome

    assert await world.from_station("MeterValues", {"evseId": 1, "meterValue": values()}) == {}


async def test_of_an_evse_that_can_not_be(world: "World") -> None:
    with pytest.raises(CallError):
        await world.from_station("MeterValues", {"evseId": -1, "meterValue": values()})


async def test_after_a_swap_of_the_meter_and_a_restart_a_session_begins_at_the_new_one(world: "World") -> None:
    for number, (begin, end) in enumerate([(900_000, 910_000), (5, 500)]):
        session: dict[str, Any] = {"tx": f"TX-{number}", "at": f"2026-05-0{number + 1}T08:00:00Z"}
        await world.event("Started", 0, **session, token="TAG1", evse=1, wh=begin)
        await world.event("Ended", 1, **session, wh=end)
    world.restart()
    world.heard()

    await world.event("Started", 0, tx="TX-2", at="2026-05-03T08:00:00Z", token="TAG1", evse=1)

    assert dict(world.heard())["StartTransaction"]["meterStart"] == 500
