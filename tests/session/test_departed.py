"""What stands in the place of a station's parts once it has left: each says so in the words of what it replaces."""

from typing import Any

import pytest

from gateway.bridge.ports import NotSent
from gateway.session import departed
from gateway.session.peer import TRY_LATER, Unanswerable
from gateway.session.ports import StaleEpoch
from policies.words import Kind, Outcome, Stage, Verdict

VERDICT = Verdict(Outcome.QUARANTINED)


async def test_the_leg_is_down_and_keeps_nobody_waiting() -> None:
    leg = departed.LEG
    assert not leg.is_up
    assert not await leg.wait_up(60.0)
    await leg.begun(60.0)
    with pytest.raises(NotSent, match="has left"):
        await leg.call("Heartbeat", {})


async def test_nothing_comes_across_the_bridge() -> None:
    bridge: Any = departed.BRIDGE
    for asked in (
        bridge.from_station("Heartbeat", {}),
        bridge.from_backend("Reset", {}),
        bridge.released("Heartbeat", {}, ""),
        bridge.booted({}),
        bridge.backend_connected(),
        bridge.started_late(None, {}),
    ):
        with pytest.raises(NotSent, match="has left"):
            await asked
    for translate in (bridge.boot_serial, bridge.boot_request, bridge.boot_response):
        with pytest.raises(NotSent, match="has left"):
            translate({})


async def test_a_station_that_has_left_has_settled_in() -> None:
    assert await departed.BRIDGE.settle_in(None)


def test_nothing_passes_the_policy() -> None:
    verdict = departed.GUARD.inspect(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "Heartbeat", {})
    assert (verdict.outcome, verdict.payload) == (Outcome.DENIED, None)


async def test_nothing_is_kept_so_that_the_station_keeps_it() -> None:
    quarantine = departed.QUARANTINE
    assert not quarantine.is_releasing
    assert quarantine.follows("TransactionEvent", {})
    for kept in (quarantine.keep("TransactionEvent", {}, VERDICT, {}), quarantine.follow("TransactionEvent", {})):
        with pytest.raises(Unanswerable, match="has left") as caught:
            await kept
        assert caught.value.code == TRY_LATER
    with pytest.raises(StaleEpoch, match="has left"):
        await quarantine.set_aside("StopTransaction", {}, "foreign")
    for sent in (quarantine.withhold("Heartbeat", {}, VERDICT), quarantine.deliver(None)):  # type: ignore[arg-type]  # it isn't looked at
        with pytest.raises(NotSent, match="has left"):
            await sent
