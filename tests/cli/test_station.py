"""`voltgate station ...` as an operator and as a script use it."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


def _add(run: Run, *more: str) -> Any:
    return run("station", "add", "CS1", "--profile", "2", *more)


def test_add_prints_the_password_once(run: Run) -> None:
    added = _add(run, "--serial", "SN1", "--json")
    assert added.exit_code == 0
    shown = json.loads(added.stdout)
    password = shown.pop("password")
    assert shown == {"identity": "CS1", "profile": 2, "serial": "SN1", "backend": None, "boot_status": "None"}
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
        (("call", "CS1", "Reset", "{"), 2, "JSON"),
        (("call", "CS1", "Reset", '{"type":"OnIdle"}'), 1, "admin.token"),
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


def test_a_gateway_that_does_not_answer(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VOLTGATE_TEST_TOKEN", "a-token-for-tests")
    assert run("station", "call", "CS1", "ClearCache").exit_code == 1
    said = capsys.readouterr().err
    assert "no gateway answers at admin.bind 127.0.0.1:1" in said
    assert "a-token" not in said


def test_a_command_without_records_does_not_load_the_store() -> None:
    """SQLAlchemy and Alembic were half of every command's start."""
    script = "import sys, gateway.cli; print(*{'alembic', 'sqlalchemy', 'aiohttp'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert shown.stdout.strip() == ""


def test_call_takes_json_like_every_command_that_shows_something(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answered(*_: Any) -> Any:
        return {"action": "ClearCache", "payload": {"status": "Accepted"}}

    monkeypatch.setattr("gateway.cli.api.request", answered)
    for more in ((), ("--json",)):
        assert json.loads(run("station", "call", "CS1", "ClearCache", *more).stdout) == {"status": "Accepted"}
