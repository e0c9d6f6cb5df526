"""`voltgate station upgrade`: stations get to a higher security profile, and never back (OCPP 2.0.1 A05, B09, B10)."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.system.scripted_station import ScriptedStation, Station16, Station201, public_url

STEPS_201 = [
    ("InstallCertificate", "roots"),
    ("InstallCertificate", "roots"),
    ("SetVariables", "organization"),
    ("TriggerMessage", "certificate"),
    ("CertificateSigned", "certificate"),
    ("GetVariables", "slots"),
    ("SetNetworkProfile", "network-profile"),
    ("SetNetworkProfile", "network-profile"),
    ("SetVariables", "priority"),
    ("Reset", "reset"),
]
"""What a 2.0.1 station is asked on its way to profile 3, and the step that the gateway has on disk by then."""


@pytest.fixture
async def gateway(deployment: Any) -> Any:
    deployment.configure(public_url)
    await deployment.start()
    return deployment


async def _new(gateway: Any, folder: Path, kind: type[ScriptedStation], profile: int) -> Any:
    body = {"identity": "CS1", "profile": profile, "serial": "SN1", "pinned_version": kind.subprotocol}
    _, made = await gateway.api("POST", "stations", body)
    return kind(gateway, folder, identity="CS1", serial="SN1", password=made["password"], profile=profile)


async def _command(gateway: Any, *words: str) -> tuple[int, str, str]:
    status, out, err = await gateway.run("station", *words, "--config", str(gateway.config))
    return status, out, err


async def _begin(gateway: Any, target: int) -> None:
    status, answer = await gateway.api("POST", "stations/CS1/security-profile", {"profile": target})
    assert status == 202, answer


async def _upgrade(gateway: Any) -> Any:
    return (await gateway.api("GET", "stations/CS1"))[1]["upgrade"]


async def _done(gateway: Any, profile: int) -> None:
    """Wait until the upgrade is done, and look at what all are told of it."""
    done = f"the station uses security profile {profile}"
    await gateway.told(event="security_event", kind="ReconfigurationOfSecurityParameters", detail=f"upgraded: {done}")
    _, shown = await gateway.api("GET", "stations/CS1")
    assert (shown["profile"], shown["connected_profile"]) == (profile, profile)
    assert (shown["upgrade"]["step"], shown["upgrade"]["detail"]) == ("done", done)


async def _events(gateway: Any, kind: str) -> list[str]:
    """Stop the gateway, so that all is written, and return what the events of one type say."""
    await gateway.stop()
    status, out, err = await gateway.run("events", "--type", kind, "--json", "--config", str(gateway.config))
    assert status == 0, err
    return [each["detail"] for each in json.loads(out)]


async def test_from_password_to_certificate(gateway: Any, tmp_path: Path) -> None:
    station = await _new(gateway, tmp_path, Station201, 2)
    station.missing_slots = {2}
    steps: list[tuple[str, str]] = []

    async def look(action: str) -> None:
        steps.append((action, (await _upgrade(gateway))["step"]))
        if action == "Reset":
            shown = await _command(gateway, "show", "CS1", "--json")
            assert json.loads(shown[1])["upgrade"]["step"] == "reset"

    station.before_answer = look
    words = ("upgrade", "CS1", "--profile", "3", "--wait")
    async with station.online():
        upgrading = asyncio.create_task(_command(gateway, *words))
        await station.left()
    assert steps == STEPS_201
    assert station.organization == "Example CPO"
    assert (station.slots, station.order) == ({1: 2, 3: 3}, [3, 1])

    # It doesn't get through with its certificate at first, and may come as before.
    station.fall_back()
    async with station.online() as boot:
        assert boot["status"] == "Accepted"
        await gateway.logged("upgrade_came_back")
        _, shown, _ = await _command(gateway, "show", "CS1")
        assert "to security profile 3: waiting" in shown
        assert "it came back under security profile 2" in " ".join(shown.split())

    station.restart()
    async with station.online() as boot:
        assert boot["status"] == "Accepted"
        status, out, err = await upgrading
        assert (status, err) == (0, "")
        assert out.splitlines()[-1].startswith("to security profile 3: done: the station uses security profile 3")
        await _done(gateway, 3)

    # TC_A_19: what it came with before is worth nothing any more.
    station.fall_back()
    assert (await station.refused()).status_code == 401
    assert any("downgrade" in each for each in await _events(gateway, "DowngradeAttempted"))


async def test_kill_9_at_three_places(gateway: Any, tmp_path: Path) -> None:
    station = await _new(gateway, tmp_path, Station201, 2)
    begun = False
    for action, step in (
        ("CertificateSigned", "certificate"),
        ("SetNetworkProfile", "network-profile"),
        ("Reset", "reset"),
    ):
        station.silent_at = action
        async with station.online(boots=not begun):
            if not begun:
                await _begin(gateway, 3)
                begun = True
            await station.expect(action)
            await gateway.stop(signal.SIGKILL)
            await station.left()
        await gateway.start()
        assert (await _upgrade(gateway))["step"] == step
    # Nobody has heard its answer, but it restarts.
    station.restart()
    async with station.online():
        await _done(gateway, 3)
    asked = [action for action, _ in station.asked]
    # What had been done was not done again; what nobody knew of was.
    assert [asked.count(action) for action in ("InstallCertificate", "CertificateSigned", "GetVariables")] == [2, 2, 1]
    slots = [payload["configurationSlot"] for action, payload in station.asked if action == "SetNetworkProfile"]
    assert slots == [2, 2]


async def test_a_station_that_takes_no_network_profile(gateway: Any, tmp_path: Path) -> None:
    station = await _new(gateway, tmp_path, Station201, 2)
    station.answers["SetNetworkProfile"] = {"status": "Failed", "statusInfo": {"reasonCode": "NoSecurityProfile"}}
    async with station.online():
        status, _, err = await _command(gateway, "upgrade", "CS1", "--profile", "3", "--wait")
        said = "SetNetworkProfile: Failed (NoSecurityProfile)"
        reason = f"the station does not take the network profile in slot 2: {said}"
        assert status == 1
        assert reason in " ".join(err.split())
        assert (await station.call("Heartbeat", {}))[0] == 3
        failed = await _upgrade(gateway)
        assert (failed["step"], failed["has_failed"]) == ("failed", True)
    assert await _events(gateway, "SecurityProfileUpgradeFailed") == [reason]


async def test_a_16_station(gateway: Any, tmp_path: Path) -> None:
    station = await _new(gateway, tmp_path, Station16, 2)
    async with station.online():
        await _begin(gateway, 3)
        await station.left()
    assert [(action, payload.get("key")) for action, payload in station.asked] == [
        ("ChangeConfiguration", "CpoName"),
        ("InstallCertificate", None),
        ("InstallCertificate", None),
        ("ExtendedTriggerMessage", None),
        ("CertificateSigned", None),
        ("ChangeConfiguration", "SecurityProfile"),
    ]
    assert station.organization == "Example CPO"
    async with station.online():
        await _done(gateway, 3)
    station.profile = 2
    assert (await station.refused()).status_code == 401


@pytest.mark.parametrize("kind", [Station201, Station16])
async def test_from_the_plain_listener_to_tls(gateway: Any, tmp_path: Path, kind: type[ScriptedStation]) -> None:
    station = await _new(gateway, tmp_path, kind, 1)
    async with station.online():
        await _begin(gateway, 2)
        await station.left()
    assert station.profile == 2
    assert "CertificateSigned" not in [action for action, _ in station.asked]
    # What it trusts now is what it was given on the way.
    async with station.online():
        await _done(gateway, 2)
    station.profile = 1
    assert (await station.refused()).status_code == 401
