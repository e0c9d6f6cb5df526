"""`voltgate station allow`, `set-serial`, `set-group` and `set-backend`."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


def test_allow(run: Run) -> None:
    run("station", "add", "CS1", "--profile", "3")
    for options, expired, downgrade in (
        (("--expired",), True, False),
        (("--downgrade", "--no-expired"), False, True),
        (("--no-downgrade",), False, False),
    ):
        shown = json.loads(run("station", "allow", "CS1", *options, "--json").stdout)
        assert shown == {"identity": "CS1", "allow_expired": expired, "allow_downgrade": downgrade}
    said = run("station", "allow", "CS1", "--expired").stdout
    assert "an expired certificate is allowed" in said
    assert "going back to security profile 2 is not allowed" in said


def test_set_serial(run: Run) -> None:
    run("station", "add", "CS1", "--profile", "3")
    assert "is now SN1" in run("station", "set-serial", "CS1", "SN1").stdout
    assert json.loads(run("station", "set-serial", "CS1", "SN2", "--json").stdout) == {
        "identity": "CS1",
        "serial": "SN2",
    }
    assert json.loads(run("station", "show", "CS1", "--json").stdout)["serial"] == "SN2"


def test_set_group_and_set_backend(run: Run) -> None:
    run("station", "add", "CS1", "--profile", "3", "--group", "depot-south")
    assert json.loads(run("station", "show", "CS1", "--json").stdout)["group"] == "depot-south"
    assert "is in the group depot-north" in run("station", "set-group", "CS1", "depot-north").stdout
    assert "depot-north" in run("station", "list").stdout
    assert "is in no group" in run("station", "set-group", "CS1", "--none").stdout
    said = json.loads(run("station", "set-group", "CS1", "depot-north", "--json").stdout)
    assert said == {"identity": "CS1", "group": "depot-north"}
    assert "has legacy" in run("station", "set-backend", "CS1", "legacy").stdout
    shown = json.loads(run("station", "show", "CS1", "--json").stdout)
    assert (shown["group"], shown["backend"]) == ("depot-north", "legacy")
    said = json.loads(run("station", "set-backend", "CS1", "--none", "--json").stdout)
    assert said == {"identity": "CS1", "backend": None}


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("allow", "CS1"), 2, "--expired"),
        (("allow", "CS9", "--expired"), 1, "CS9"),
        (("set-serial", "CS9", "SN1"), 1, "CS9"),
        (("set-group", "CS9", "--none"), 1, "CS9"),
        (("set-group", "CS1"), 2, "--none"),
        (("set-group", "CS1", "a", "--none"), 2, "--none"),
        (("set-group", "CS1", "a b"), 1, "group"),
        (("set-backend", "CS1"), 2, "BACKEND"),
        (("set-backend", "CS1", "nowhere"), 1, "legacy"),
        (("set-serial", "CS1", "SN2"), 1, "CS2"),
        (("set-serial", "CS1", "S" * 26), 1, "25"),
    ],
)
def test_refusals(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    run("station", "add", "CS1", "--profile", "3")
    run("station", "add", "CS2", "--profile", "3", "--serial", "SN2")
    result = run("station", *arguments)
    assert result.exit_code == status
    assert complaint in result.stderr + capsys.readouterr().err
