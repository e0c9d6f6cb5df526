"""`voltgate station pending`, `approve` and `dismiss`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import load
from gateway.store.database import Database
from gateway.store.pending_stations import PendingStations
from gateway.wire.versions import Version

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
async def waiting(config: Path) -> None:
    """What a gateway with `onboarding: record` has written down."""
    database = await Database.open(load(config, {}).store.connect_url(), exclusive=False)
    try:
        book = PendingStations(database)
        await book.seen("CS7", remote="10.0.0.7", profile=3, serial="SN7", subject="CN=[b]SN7", version=Version.V16)
        await book.seen("CS8", remote="10.0.0.8", profile=2)
    finally:
        await database.close()


def test_pending(run: Run) -> None:
    shown = json.loads(run("station", "pending", "--json").stdout)
    assert [(each["identity"], each["profile"], each["version"]) for each in shown] == [
        ("CS7", 3, "ocpp1.6"),
        ("CS8", 2, None),
    ]
    assert "CN=[b]SN7" in run("station", "pending").stdout


def test_approve(run: Run) -> None:
    shown = json.loads(
        run("station", "approve", "CS7", "--profile", "2", "--serial", "SN7", "--group", "g", "--json").stdout
    )
    assert shown["group"] == "g"
    assert (shown["identity"], shown["serial"], len(shown["password"])) == ("CS7", "SN7", 40)
    text = run("station", "approve", "CS8", "--profile", "2").stdout
    assert "station CS8 registered" in text
    assert "shown this once" in text
    assert json.loads(run("station", "pending", "--json").stdout) == []
    assert [each["identity"] for each in json.loads(run("station", "list", "--json").stdout)] == ["CS7", "CS8"]


def test_dismiss(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(run("station", "dismiss", "CS7", "--json").stdout) == {"identity": "CS7", "dismissed": True}
    assert "CS8 forgotten" in run("station", "dismiss", "CS8").stdout
    for arguments in (("dismiss", "CS8"), ("approve", "CS8", "--profile", "2")):
        assert run("station", *arguments).exit_code == 1
        assert "is pending" in capsys.readouterr().err
