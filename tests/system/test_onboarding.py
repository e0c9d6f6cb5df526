"""Stations that nobody has registered: refused, and with `onboarding: record` listed for an operator to approve."""

import json
import re
from pathlib import Path
from typing import Any

from websockets.http11 import Response

from tests.system.scripted_station import ScriptedStation, Station16, Station201, until
from tests.system.stations import certify, station_ca


def _unknown(gateway: Any, folder: Path) -> tuple[ScriptedStation, ScriptedStation]:
    """Two stations that nobody knows: one of 2.0.1 with a certificate, one of 1.6 with a password."""
    certified = Station201(gateway, folder, identity="NEW1", serial="SN-NEW1", password=None, profile=2)
    certified.come_with(certify(folder, station_ca(gateway), "SN-NEW1"))
    password = "a password from elsewhere"
    return certified, Station16(gateway, folder, identity="NEW2", serial="SN-NEW2", password=password, profile=2)


def _shape(answer: Response) -> tuple[int, bytes | bytearray | None, list[tuple[str, str]]]:
    return answer.status_code, answer.body, [each for each in answer.headers.raw_items() if each[0] != "Date"]


async def _command(gateway: Any, *words: str) -> str:
    status, out, err = await gateway.run("station", *words, "--config", str(gateway.config))
    assert status == 0, err
    return str(out)


async def test_recorded_approved_and_let_in(deployment: Any, tmp_path: Path) -> None:
    deployment.configure(lambda tree: tree.update(onboarding="record"))
    await deployment.start()
    known = Station201(
        deployment, tmp_path, identity="CS1", serial="SN1", password=await deployment.add("CS1", 2), profile=2
    )
    known.password = "not its password"
    certified, by_password = _unknown(deployment, tmp_path)

    # They hear what a known station with a wrong password hears.
    answers = [_shape(await each.refused()) for each in (known, certified, by_password)]
    assert answers[0][0] == 401
    assert answers[0] == answers[1] == answers[2]

    await until(
        lambda: deployment.api("GET", "pending-stations"), lambda answer: len(answer[1]["pending_stations"]) == 2
    )
    pending = json.loads(await _command(deployment, "pending", "--json"))
    columns = ("identity", "profile", "version", "serial", "subject", "remote")
    assert sorted(tuple(each[column] for column in columns) for each in pending) == [
        ("NEW1", 3, "ocpp2.0.1", "SN-NEW1", "CN=SN-NEW1,O=Example CPO", "127.0.0.1"),
        ("NEW2", 2, "ocpp1.6", None, None, "127.0.0.1"),
    ]

    printed = await _command(deployment, "approve", "NEW2", "--profile", "2", "--serial", "SN-NEW2")
    # It speaks 1.6: it is given an AuthorizationKey.
    found = re.search(r"^password \(shown this once\): ([0-9a-f]{40})$", printed, re.MULTILINE)
    assert found is not None, printed
    await _command(deployment, "approve", "NEW1", "--profile", "3", "--serial", "SN-NEW1")
    assert (await deployment.api("GET", "pending-stations"))[1]["pending_stations"] == []
    # What it came with before is no better for that.
    assert (await by_password.refused()).status_code == 401
    by_password.password = bytes.fromhex(found[1])
    for station in (certified, by_password):
        async with station.online() as boot:
            assert boot["status"] == "Accepted"
    assert found[1] not in deployment.log


async def test_refused_and_nothing_recorded(gateway: Any, tmp_path: Path) -> None:
    for station in _unknown(gateway, tmp_path):
        assert (await station.refused()).status_code == 401
    await gateway.stop()
    assert json.loads(await _command(gateway, "pending", "--json")) == []
