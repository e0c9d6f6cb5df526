"""`voltgate init` and `voltgate check`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.output import Failed
from gateway.cli.setup import check, init

Run = Callable[..., Any]


def test_init_then_check(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = run(
        "init", str(tmp_path / "gw"), "--backend-url", "wss://csms.example.com/{identity}", "--name", "gw.example"
    )
    assert made.exit_code == 0
    assert "next: voltgate serve" in made.stdout
    check(tmp_path / "gw/voltgate.yaml")
    assert capsys.readouterr().out.strip().endswith(": ok")
    with pytest.raises(Failed, match=r"voltgate\.yaml"):
        init(tmp_path / "gw")


def test_init_for_scripts(run: Run, tmp_path: Path) -> None:
    shown = json.loads(run("init", str(tmp_path / "gw"), "--json").stdout)
    assert shown["config"] == str(tmp_path / "gw/voltgate.yaml")
    assert shown["config"] in shown["written"]


def test_check_reports_and_fails(run: Run) -> None:
    result = run("check", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert not found["ok"]
    assert any(each["key"].startswith("listeners[0].tls") for each in found["problems"])
    assert run("check").exit_code == 1


def test_a_file_that_does_not_load_names_key_and_line(
    run: Run, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text() + "bakends: {}\n")
    assert run("check").exit_code == 1
    assert "bakends" in capsys.readouterr().err


def test_a_file_that_is_not_there(run: Run, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.unlink()
    assert run("check").exit_code == 1
    assert "voltgate.yaml" in capsys.readouterr().err
