"""The context: a refusal and a silence are both None."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16.context import Settings
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

NOBODY = [CallError(ErrorCode.INTERNAL_ERROR, "broken"), PeerUnavailable("gone")]


@pytest.mark.parametrize("outcome", NOBODY, ids=["CALLERROR", "silence"])
async def test_no_answer_is_none(world: "World", outcome: Exception) -> None:
    world.station.answers["ClearCache"] = outcome
    world.backend.answers["Heartbeat"] = outcome

    assert await world.context.ask_station("ClearCache", {}) is None
    assert await world.context.ask_backend("Heartbeat", {}) is None


async def test_an_answer_is_passed_on(world: "World") -> None:
    assert await world.context.ask_station("ClearCache", {}) == {"status": "Accepted"}
    assert await world.context.ask_backend("Heartbeat", {}) == {"currentTime": "2026-05-01T11:59:59Z"}


async def test_any_other_exception_is_not_hidden(world: "World") -> None:
    world.station.answers["ClearCache"] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await world.context.ask_station("ClearCache", {})


def test_defaults() -> None:
    assert Settings() == Settings(default_id_tag="VOLTGATE", connectors=None)
