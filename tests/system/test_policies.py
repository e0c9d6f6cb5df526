"""Policies of the running gateway: replaced while stations are connected, broken ones kept out, told by the API."""

import asyncio
import hashlib
import signal
from pathlib import Path
from typing import Any

from tests.system.scripted_station import REPLY

STRICT = """\
name: north
rules:
- id: no-beats
  threat: "C6: for this test, a heartbeat is a hostile message"
  stage: from_station
  match: {action: Heartbeat}
  deny: {error: NotSupported, text: "no heartbeats here"}
"""
OPEN = "name: north\nrules: []\n"


def _configured(gateway: Any) -> Path:
    file: Path = gateway.folder / "north.yaml"
    file.write_text(OPEN)
    gateway.configure(lambda tree: tree.update(policies=[{"group": "north", "policy": "north.yaml"}]))
    return file


def _put(file: Path, text: str) -> str:
    """Replace the file whole, as a deployment does, and return its digest."""
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.rename(file)
    return hashlib.sha256(text.encode()).hexdigest()


async def _beats(station: Any) -> Any:
    """Return the type of the answer to a Heartbeat, and what a CALLERROR says."""
    kind, _, *rest = await station.call("Heartbeat", {})
    return kind if kind == 3 else (kind, *rest)


async def test_a_policy_is_replaced_while_stations_are_connected(deployment: Any) -> None:
    file = _configured(deployment)
    assert (await deployment.run("check", "--config", str(deployment.config)))[0] == 0
    await deployment.start()
    password = await deployment.add("CS1", 2)
    other = await deployment.add("CS2", 2)
    assert (await deployment.api("PATCH", "stations/CS1", {"group": "north"}))[0] == 200

    async with deployment.station("CS1", password) as station, deployment.station("CS2", other) as southern:
        assert (await station.boot())["status"] == (await southern.boot())["status"] == "Accepted"
        assert await _beats(station) == 3

        _put(file, STRICT + "  denny: {}\n")
        broken = await deployment.told(event="policy_not_reloaded", policy="north")
        assert any(f"{file}:" in fault and "denny" in fault for fault in broken["faults"])
        assert await _beats(station) == 3
        assert 'voltgate_policy_stale{policy="north"} 1.0' in await deployment.metrics()

        digest = _put(file, STRICT)
        taken = await deployment.told(event="policy_reloaded", policy="north")
        assert (taken["sha256"], taken["rules"]) == (digest, 1)
        refused: Any = (4, "NotSupported", "refused by policy", {})
        assert [await _beats(station), await _beats(southern)] == [refused, 3]
        await _is_told(deployment, file, digest)

        file.write_text(OPEN)
        deployment.signal(signal.SIGHUP)
        await deployment.logged("policy_reloaded", times=2)
        assert await _beats(station) == 3

        _put(file, STRICT)
        await deployment.logged("policy_reloaded", times=3)
        assert (await deployment.api("PATCH", "stations/CS1", {"group": "south"}))[0] == 200
        await _until_it_beats(station)
    assert await deployment.stop() == 0


async def _is_told(gateway: Any, file: Path, digest: str) -> None:
    metrics = await gateway.metrics()
    for line in (
        f'voltgate_policy_info{{policy="north",sha256="{digest}",source="{file}"}} 1.0',
        'voltgate_policy_rules{policy="north"} 1.0',
        'voltgate_policy_stale{policy="north"} 0.0',
        'voltgate_policy_reloads_total{outcome="refused",policy="north"} 1.0',
        'voltgate_policy_reloads_total{outcome="taken",policy="north"} 1.0',
        'voltgate_policy_decisions_total{mode="enforce",outcome="denied",policy="north",rule="no-beats"} 1.0',
        'voltgate_security_events_total{source="gateway",type="PolicyDenial"} 1.0',
    ):
        assert line in metrics.splitlines()
    denied = await gateway.told(event="policy_denied", identity="CS1")
    assert (denied["policy"], denied["rule"], denied["action"]) == ("north", "no-beats", "Heartbeat")

    north = next(each for each in (await gateway.api("GET", "policies"))[1]["policies"] if each["name"] == "north")
    assert (north["sha256"], north["is_stale"], north["key"]) == (digest, False, "policies[0].policy")
    assert north["rules"][0]["counts"] == [{"outcome": "denied", "mode": "enforce", "count": 1}]
    question = {"stage": "from_station", "protocol": "ocpp2.0.1", "action": "Heartbeat", "payload": {}}
    status, told = await gateway.api("POST", "policies/explain", {**question, "identity": "CS1"})
    assert (status, told["verdict"]["rule"], told["verdict"]["error"]) == (200, "no-beats", "NotSupported")
    status, told = await gateway.api("POST", "policies/explain", {**question, "stage": "from_nowhere"})
    assert (status, told["error"]["code"]) == (400, "invalid_request")


async def _until_it_beats(station: Any) -> None:
    """A change of the registry is seen within a second."""
    async with asyncio.timeout(REPLY):
        while await _beats(station) != 3:
            pass


async def test_a_broken_policy_never_starts_the_gateway(deployment: Any) -> None:
    file = _configured(deployment)
    file.write_text(STRICT.replace("Heartbeat", "Heartbeet"))
    for command in ("check", "serve"):
        status, out, err = await deployment.run(command, "--config", str(deployment.config))
        assert status == 1
        assert "policies[0].policy" in out + err
        assert f"{file}:6" in out + err
        assert "no-beats" in out + err
