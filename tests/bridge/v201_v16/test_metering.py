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
