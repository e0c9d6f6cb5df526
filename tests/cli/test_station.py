"""`voltgate station ...` as an operator and as a script use it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from gateway.session.renewals import RenewalRecord, RenewalState
from gateway.session.upgrades import UpgradeRecord

Run = Callable[..., Any]
NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _add(run: Run, *more: str) -> Any:
    return run("station", "add", "CS1", "--profile", "2", *more)


def test_add_prints_the_password_once(run: Run) -> None:
    added = _add(run, "--serial", "SN1", "--json")
    assert added.exit_code == 0
    shown = json.loads(added.stdout)
    password = shown.pop("password")
    assert shown == {
        "identity": "CS1",
        "profile": 2,
        "serial": "SN1",
        "backend": None,
        "group": None,
        "boot_status": "None",
        "version": None,
        "pinned_version": None,
        "allow_expired": False,
        "allow_downgrade": False,
        "password_rotation": "settled",
    }
    assert len(password) == 32
    assert password not in run("station", "show", "CS1", "--json").stdout


def test_add_for_people(run: Run) -> None:
    text = _add(run).stdout
    assert "station CS1 registered" in text
    assert "shown this once" in text


def test_profile_3_has_no_password(run: Run) -> None:
    added = run("station", "add", "CS3", "--profile", "3", "--json")
    assert json.loads(added.stdout)["password"] is None
    assert "password" not in run("station", "add", "CS4", "--profile", "3").stdout


def test_a_given_password_comes_from_stdin_and_is_not_echoed(run: Run) -> None:
    for identity, more in (("CS1", ()), ("CS2", ("--json",))):
        arguments = ("station", "add", identity, "--profile", "2", "--password-stdin", *more)
        added = run(*arguments, stdin="a password of my own\n")
        assert added.exit_code == 0
        assert "a password" not in added.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("add", "CS:1", "--profile", "2"), 1, "identity"),
        (("add", "C" * 49, "--profile", "2"), 1, "identity"),
        (("add", "CS1", "--profile", "4"), 2, "less than or equal to 3"),
        (("add", "CS1"), 2, "profile"),
        (("add", "CS1", "--profile", "2", "--backend", "none"), 1, "legacy"),
        (("show", "CS9"), 1, "CS9"),
        (("remove", "CS9"), 1, "CS9"),
        (("set-password", "CS9"), 1, "CS9"),
        (("add", "CS1", "--profile", "2", "--protocol", "ocpp2.1"), 2, "protocol"),
    ],
)
def test_refusals_are_one_line_on_stderr(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    result = run("station", *arguments)
    said = result.stderr + capsys.readouterr().err
    assert result.exit_code == status
    assert complaint in said
    assert status == 2 or len(said.strip().splitlines()) == 1


def test_twice_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    _add(run)
    assert _add(run).exit_code == 1
    assert "already" in capsys.readouterr().err


def test_list_show_set_password_remove(run: Run) -> None:
    _add(run, "--serial", "SN1")
    assert [each["identity"] for each in json.loads(run("station", "list", "--json").stdout)] == ["CS1"]
    assert "CS1" in run("station", "list").stdout
    assert "serial: SN1" in run("station", "show", "CS1").stdout
    assert "upgrade: -" in run("station", "show", "CS1").stdout
    changed = run("station", "set-password", "CS1", "--json")
    assert len(json.loads(changed.stdout)["password"]) == 32
    assert "shown this once" in run("station", "set-password", "CS1").stdout
    for more in ((), ("--json",)):
        silent = run("station", "set-password", "CS1", "--password-stdin", *more, stdin="another password of mine\n")
        assert silent.exit_code == 0
        assert "another password" not in silent.stdout
    assert json.loads(run("station", "remove", "CS1", "--json").stdout) == {"identity": "CS1", "removed": True}
    _add(run)
    assert "CS1 removed" in run("station", "remove", "CS1").stdout
    assert json.loads(run("station", "list", "--json").stdout) == []


def test_a_command_without_records_does_not_load_the_store() -> None:
    """SQLAlchemy and Alembic were half of every command's start."""
    script = "import sys, gateway.cli; print(*{'alembic', 'sqlalchemy', 'aiohttp'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert shown.stdout.strip() == ""


def test_a_station_of_one_version(run: Run) -> None:
    added = json.loads(_add(run, "--protocol", "ocpp1.6", "--json").stdout)
    assert added["pinned_version"] == "ocpp1.6"
    assert re.fullmatch(r"[0-9A-Fa-f]{40}", added["password"])


def test_the_upgrade_that_is_shown(run: Run, stored: Callable[..., Any]) -> None:
    _add(run)

    async def begin(records: Any) -> None:
        record = UpgradeRecord("CS1", 3, 2, "roots", None, "installing \x1b[1m", {"x": 1}, False, NOON, NOON)
        await records.upgrades.begin(record)

    stored(begin)
    shown = json.loads(run("station", "show", "CS1", "--json").stdout)["upgrade"]
    assert (shown["target_profile"], shown["step"], shown["is_over"], "data" in shown) == (3, "roots", False, False)
    text = run("station", "show", "CS1").stdout
    assert "upgrade: to security profile 3: roots: installing " in text
    assert "\x1b" not in text


async def _elsewhere(opened: Any) -> None:
    page = {"name": "old", "url": "wss://old.example.com/{identity}"}
    await opened.routes._stored.belong("CS1", page, is_new=False)


def test_show_says_where_a_station_goes_and_where_it_still_is(run: Run, stored: Any) -> None:
    run("station", "add", "CS1", "--profile", "2", "--group", "depot")
    shown = run("station", "show", "CS1").stdout
    assert "route: legacy (default_backend)\n" in shown
    assert "group: depot" in shown
    stored(_elsewhere)
    assert "route: legacy (default_backend); still old\n" in run("station", "show", "CS1").stdout
    (listed,) = json.loads(run("station", "list", "--json").stdout)
    assert listed["route"] == {"backend": "legacy", "by": "default_backend", "in_use": "old", "waits_for": None}


def test_where_its_renewals_stand(run: Run, stored: Callable[..., Any]) -> None:
    _add(run)
    assert json.loads(run("station", "show", "CS1", "--json").stdout)["renewals"] == []

    async def plan(records: Any) -> None:
        failed = RenewalRecord("CS1", "station", "a1", NOON, NOON, RenewalState.FAILED, NOON, 2, "Rejected \x1b[1m")
        await records.renewals.save([failed, replace(failed, usage="v2g", state=RenewalState.PLANNED, problem="")])

    stored(plan)
    first, second = json.loads(run("station", "show", "CS1", "--json").stdout)["renewals"]
    assert (first["usage"], first["state"], first["attempts"]) == ("station", "failed", 2)
    assert (second["usage"], second["state"], second["problem"]) == ("v2g", "planned", None)
    text = run("station", "show", "CS1").stdout
    assert "renewal (station): failed; due 2026-03-01T12:00:00+00:00, certificate a1 ends" in text
    assert "Rejected \\x1b[1m" in text
    assert "renewal (v2g): planned; " in text
