"""A deployment that is lost, and another one in its place out of a backup that was taken while it served."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.system.certificates import REPLY, Files, boot_of, enrolled, new_certificate, serial_of


async def _states(gateway: Any) -> dict[int, tuple[str, str]]:
    listed = (await gateway.api("GET", "certificates"))[1]["certificates"]
    return {int(each["serial"], 16): (each["usage"], each["state"]) for each in listed}


async def _become(gateway: Any, expected: dict[int, tuple[str, str]]) -> None:
    """Wait until the states are these: they are noted after a station has come."""
    async with asyncio.timeout(REPLY):
        while await _states(gateway) != expected:
            pass  # each look is a request


async def _renewed(gateway: Any, certificate: Files, folder: Path) -> Files:
    async with gateway.station("CS1", certificate=certificate) as station:
        await station.boot(**boot_of("SN-CS1"))
        return await new_certificate(station, "SN-CS1", folder)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "later"
    folder.mkdir()
    return folder


async def test_a_lost_deployment_comes_back(gateway: Any, tmp_path: Path, elsewhere: Path) -> None:
    good, revoked = [await enrolled(gateway, name, f"SN-{name}", tmp_path) for name in ("CS1", "CS2")]
    assert (await gateway.api("DELETE", f"certificates/{serial_of(revoked):x}"))[0] == 200
    file = tmp_path / "voltgate.backup"
    async with gateway.station("CS1", certificate=good) as station:
        await station.call("Heartbeat", {})
        status, _, told = await gateway.run("backup", str(file), "--config", str(gateway.config))
        assert status == 0, told
        assert "private keys" in told
        await station.call("Heartbeat", {})
    later = await _renewed(gateway, good, elsewhere)  # which the backup doesn't know
    await gateway.stop()

    await asyncio.to_thread(shutil.move, gateway.folder, tmp_path / "lost")
    status, _, told = await gateway.run("restore", str(file), "--config", str(gateway.config))
    assert status == 0, told
    assert "isn't known here" in told
    await gateway.start()
    async with gateway.station("CS1", certificate=good) as station:
        await station.call("Heartbeat", {})
    with pytest.raises(InvalidStatus):
        async with gateway.station("CS2", certificate=revoked):
            pass
    before = {serial_of(good): ("station", "in_use"), serial_of(revoked): ("station", "revoked")}
    await _become(gateway, before)
    async with gateway.station("CS1", certificate=later) as station:
        await station.call("Heartbeat", {})
        after = {serial_of(later): ("station", "in_use"), serial_of(good): ("station", "superseded")}
        await _become(gateway, before | after)
    status, _, told = await gateway.run("restore", str(file), "--force", "--config", str(gateway.config))
    assert status == 1
    assert "already served" in told
