"""The legs of a station: one to its backend, and one to each of its mirrors."""

import dataclasses
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.app.foundation import Foundation
from gateway.app.legs import Legs, legs_for
from gateway.session.ports import StationRecord
from gateway.upstream.mirror import State
from gateway.wire.versions import Version
from policies.words import PASSED, Outcome, Verdict

BOOT = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
SAID = {"chargePointVendor": "V", "chargePointModel": "M"}


def _station(boot: Any = BOOT, request: Any = SAID) -> Any:
    """A station's runtime, as far as its legs look at it."""
    return SimpleNamespace(
        identity="CS1",
        record=StationRecord("CS1", 2, boot_payload=boot),
        bridge=SimpleNamespace(boot_request=lambda _: request),
        from_backend=None,
        closed=[],
        disconnect=lambda code, reason: None,
        guard=SimpleNamespace(inspect=lambda *_: PASSED),
    )


@pytest.fixture
def legs(foundation: Foundation, configured: Callable[..., Any]) -> Callable[..., Legs]:
    """Makes the legs of a station with some mirrors."""

    def make(mirrors: list[str], station: Any, backend: str = "legacy") -> Legs:
        tree = {name: {"url": f"wss://{name}/{{identity}}"} for name in ("legacy", "eye", "ear")}
        config = configured(backends={**tree, "legacy": {**tree["legacy"], "mirrors": mirrors}}, default_backend="eye")
        on = dataclasses.replace(foundation, config=config)

        async def came_up() -> None:
            return

        return legs_for(station, on, backend, Version.V16, came_up=came_up, answered=lambda: None)

    return make


def _sent(legs: Legs) -> Any:
    """What hears of each CALL that goes to the backend."""
    return legs.backend._make_peer(lambda *_: None)._own._sent


def test_without_mirrors_nobody_looks_on(legs: Any) -> None:
    made = legs([], _station())
    assert (made.mirrors, _sent(made)) == ((), None)


@pytest.mark.parametrize("mirrors", [["eye"], ["eye", "ear"]])
def test_each_mirror_sees_what_goes_out(legs: Any, mirrors: list[str]) -> None:
    made = legs(mirrors, _station())
    for mirror in made.mirrors:
        mirror.state = State.OPENING
    _sent(made)(b'[2,"x","Heartbeat",{}]')
    assert [len(mirror._queue) for mirror in made.mirrors] == [1] * len(mirrors)


@pytest.mark.parametrize(
    ("boot", "said", "first"),
    [(BOOT, SAID, SAID), (None, SAID, None), (BOOT, {"chargePointVendor": "V" * 21, "chargePointModel": "M"}, None)],
    ids=["booted", "never booted", "what no backend may hear"],
)
async def test_a_mirror_begins_with_the_last_boot(legs: Any, boot: Any, said: Any, first: Any) -> None:
    (mirror,) = legs(["eye"], _station(boot, said)).mirrors
    sent: list[Any] = []
    mirror.connected(SimpleNamespace(send=lambda text: sent.append(json.loads(text)), close=lambda *_: None))
    assert [frame[2:] for frame in sent] == ([] if first is None else [["BootNotification", first]])
    mirror._forget()


@pytest.mark.parametrize(
    ("verdict", "first"),
    [
        (Verdict(Outcome.TRANSFORMED, payload={**SAID, "chargePointModel": "*"}), {**SAID, "chargePointModel": "*"}),
        (Verdict(Outcome.DENIED), None),
        (Verdict(Outcome.DENIED, payload={"status": "Rejected"}), None),
    ],
    ids=["transformed", "denied", "denied with a status"],
)
async def test_a_mirror_hears_the_boot_as_the_policy_has_it(legs: Any, verdict: Verdict, first: Any) -> None:
    station = _station()
    station.guard = SimpleNamespace(inspect=lambda *_: verdict)
    (mirror,) = legs(["eye"], station).mirrors
    assert mirror._first() == first


async def test_they_begin_and_end_together(legs: Any) -> None:
    made = legs(["eye", "ear"], _station())
    made.start()
    assert [mirror.state for mirror in made.mirrors] == [State.OPENING] * 2
    await made.stop()
    assert [mirror.state for mirror in made.mirrors] == [State.AWAY] * 2
    assert not made.backend.is_up


async def test_a_backend_that_is_not_configured_has_no_leg_and_no_mirrors(legs: Any) -> None:
    made = legs(["eye"], _station(), "gone")
    made.start()
    assert (made.mirrors, await made.backend.wait_up(5.0)) == ((), False)
    await made.stop()
