"""What is told of records; the API's own tests compare the whole answers."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.admin.shown import rotation_state, station_shown, upgrade_shown
from gateway.session.ports import StationRecord
from gateway.session.upgrades import DONE, UpgradeRecord
from gateway.wire.versions import Version

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offered", "waits", "state"),
    [(None, False, "settled"), ("scrypt$new", False, "unknown"), ("scrypt$new", True, "awaiting reboot")],
)
def test_where_the_rotation_of_a_password_stands(offered: str | None, waits: bool, state: str) -> None:
    record = StationRecord("CS1", 2, next_password_hash=offered, next_password_waits=waits)
    assert rotation_state(record) == state


def test_a_station_without_its_secrets() -> None:
    record = StationRecord("CS1", 2, password_hash="scrypt$old", next_password_hash="scrypt$new", version=Version.V16)
    shown = station_shown(record)
    assert (shown["version"], shown["pinned_version"], shown["password_rotation"]) == ("ocpp1.6", None, "unknown")
    assert "scrypt" not in str(shown)


def test_how_an_upgrade_ended() -> None:
    record = UpgradeRecord("CS1", 3, 2, "waiting", 1, "waiting for it", {"free": [2]}, False, NOON, NOON)
    for step, is_over, has_failed in (
        ("waiting", False, False),
        ("waiting", True, True),
        ("failed", True, True),
        (DONE, True, False),
    ):
        shown = upgrade_shown(replace(record, step=step, is_over=is_over))
        assert shown is not None
        assert (shown["is_over"], shown["has_failed"]) == (is_over, has_failed)
        assert "data" not in shown
    assert upgrade_shown(None) is None


def test_it_is_cheap_to_load() -> None:
    """The commands on records show the same, and need no HTTP server for it."""
    script = "import sys, gateway.admin.shown; print(*{'aiohttp', 'sqlalchemy'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert shown.stdout.strip() == ""
