"""Attack A2: a second connection under an identity that is held, to displace or to shadow the first."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.system.stations import certify, register, station_ca

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(new_deployment: Callable[[], AbstractAsyncContextManager[Any]]) -> AsyncIterator[Any]:
    async with new_deployment() as deployed:
        await deployed.start()
        yield deployed


async def test_the_first_answers_pings_and_stays(gateway: Any) -> None:
    station = await register(gateway, "CS1")
    async with station.comes() as first:
        assert await station.boots(first) == "Accepted"
        for _ in range(3):
            assert await station.refused() == 409
        assert await station.is_served(first)
        event = await gateway.told(event="security_event", kind="DuplicateIdentity", identity="CS1")
        assert event["detail"] == "held: the present connection is alive"
        assert event["remote"] == "127.0.0.1"
        await gateway.told(event="not_admitted", reason="held", target="/ocpp/CS1")


async def test_one_that_is_authenticated_better_is_no_reason_to_go_either(gateway: Any, tmp_path: Path) -> None:
    station = await register(gateway, "CS2")
    certificate = certify(tmp_path, station_ca(gateway), station.serial)
    async with station.comes() as first:
        assert await station.boots(first) == "Accepted"
        assert await station.refused(certificate=certificate) == 409
        assert await station.is_served(first)
    # The one that was turned away has not moved the ratchet.
    async with station.comes() as again:
        assert await station.is_served(again)


async def test_a_weaker_newcomer_is_refused_without_a_look_at_the_first(gateway: Any, tmp_path: Path) -> None:
    station = await register(gateway, "CS3")
    assert (await gateway.api("PATCH", "stations/CS3", {"allow_downgrade": True}))[0] == 200
    async with station.comes(certificate=certify(tmp_path, station_ca(gateway), station.serial)) as first:
        assert await station.boots(first) == "Accepted"
        assert await station.refused() == 409
        event = await gateway.told(event="security_event", kind="DuplicateIdentity", identity="CS3")
        assert "weaker authentication" in event["detail"]
        assert await station.is_served(first)


async def test_who_knows_no_password_does_not_even_learn_that_it_is_held(gateway: Any) -> None:
    station = await register(gateway, "CS4")
    async with station.comes() as first:
        assert await station.boots(first) == "Accepted"
        assert await station.refused("a-password-that-is-wrong") == 401
        assert await station.is_served(first)
