"""What passes as it is, the answers while the backend is away, and whose requestIds are whose."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v201.relaying import OWN_REQUESTS, WHILE_AWAY
from gateway.wire.errors import CallError, ErrorCode
from tests.bridge.v201_v201.messages import UP

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World


def test_the_table_is_whole() -> None:
    assert UP.keys() == WHILE_AWAY.keys() | {"NotifyEvent"}


@pytest.mark.parametrize("action", sorted(UP))
async def test_what_the_station_says_reaches_the_backend_and_its_answer_the_station(
    world: "World", action: str
) -> None:
    request, answer = UP[action]
    world.backend.answers[action] = answer
    assert await world.from_station(action, request) == answer
    assert world.heard() == [(action, request)]


@pytest.mark.parametrize("action", sorted(UP))
async def test_while_the_backend_is_away_the_station_is_answered(world: "World", action: str) -> None:
    world.backend.up = False
    assert await world.from_station(action, UP[action][0]) == WHILE_AWAY.get(action, {})


@pytest.mark.parametrize("outcome", [{}, PeerUnavailable("gone"), CallError(ErrorCode.INTERNAL_ERROR, "no")])
async def test_a_security_event_is_told_and_the_answer_is_ours(world: "World", outcome: Any) -> None:
    event = {"type": "SettingSystemTime", "timestamp": "2026-05-01T09:00:00Z", "techInfo": "ntp"}
    world.backend.answers["SecurityEventNotification"] = outcome

    assert await world.from_station("SecurityEventNotification", event) == {}
    assert world.heard() == [("SecurityEventNotification", event)]


async def test_a_backend_that_refuses_is_quoted(world: "World") -> None:
    world.backend.answers["NotifyReport"] = CallError(ErrorCode.INTERNAL_ERROR, "database down")
    with pytest.raises(CallError, match="database down"):
        await world.from_station("NotifyReport", UP["NotifyReport"][0])


@pytest.mark.parametrize("action", sorted(action for action, (request, _) in UP.items() if "requestId" in request))
@pytest.mark.parametrize("request_id", [OWN_REQUESTS[0], OWN_REQUESTS[-1]])
async def test_what_answers_us_ends_here(world: "World", action: str, request_id: int) -> None:
    assert await world.from_station(action, {**UP[action][0], "requestId": request_id}) == {}
    assert world.dialogue == []


@pytest.mark.parametrize("request_id", [OWN_REQUESTS[0], OWN_REQUESTS[-1]])
async def test_no_backend_uses_our_numbers(world: "World", request_id: int) -> None:
    request: Any = {"requestId": request_id, "reportBase": "FullInventory"}
    with pytest.raises(CallError) as refused:
        await world.from_backend("GetBaseReport", request)
    assert refused.value.code is ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
    assert world.dialogue == []


@pytest.mark.parametrize("request_id", [-1, 0, OWN_REQUESTS[0] - 1, 2**31])
async def test_any_other_number_is_the_backends(world: "World", request_id: int) -> None:
    request: Any = {"requestId": request_id, "reportBase": "FullInventory"}
    assert await world.from_backend("GetBaseReport", request) == {"status": "Accepted"}
    report = {**UP["NotifyReport"][0], "requestId": request_id}
    world.backend.answers["NotifyReport"] = {}
    await world.from_station("NotifyReport", report)
    assert world.heard() == [("NotifyReport", report)]


async def test_a_station_that_can_not_be_reached_is_not_spoken_for(world: "World") -> None:
    world.station.up = False
    with pytest.raises(PeerUnavailable):
        await world.from_backend("ClearCache", {})
