"""`voltgate backup` and `voltgate restore`."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.app.backup.archive import Manifest, write
from gateway.cli import app
from gateway.cli.output import Failed

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def stored_station(stored: Callable[..., Any]) -> None:
    stored(lambda records: records.stations.add("CS1", profile=2))


def test_there_and_back(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "voltgate.backup"
    told = run("backup", str(out)).stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    for words in ("2 files", "missing: listeners[0]", "not in it: admin.token: env:", "private keys", "age -r"):
        assert words in told
    target = tmp_path / "new" / "voltgate.yaml"
    result = CliRunner().invoke(app, ["restore", str(out), "--config", str(target)])
    assert result.exit_code == 0
    for words in (f"restored: {target}", "isn't known here", "not in it: admin.token"):
        assert words in result.stderr
    listed = CliRunner().invoke(app, ["station", "list", "--json", "--config", str(target)]).stdout
    assert '"CS1"' in listed


def test_the_words_of_a_strange_archive_are_escaped(tmp_path: Path) -> None:
    manifest = Manifest(
        voltgate="0", made_at=datetime.now(UTC), db_schema=None, folders=[], members=[], elsewhere=["\x1b]0;title\x07"]
    )
    with (tmp_path / "strange").open("wb") as out:
        write(out, manifest, {})
    result = CliRunner().invoke(app, ["restore", str(tmp_path / "strange"), "--config", str(tmp_path / "new/a.yaml")])
    assert r"not in it: \x1b]0;title\x07" in result.stderr


def test_through_a_pipe(config: Path, tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["backup", "-", "--config", str(config)])
    assert made.exit_code == 0
    assert not list(tmp_path.glob(".voltgate*"))
    target = tmp_path / "new" / "voltgate.yaml"
    restored = CliRunner().invoke(app, ["restore", "-", "--config", str(target)], input=made.stdout_bytes)
    assert restored.exit_code == 0
    assert target.read_bytes() == config.read_bytes()


def test_refusals(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "voltgate.backup"
    run("backup", str(out))
    for arguments, complaint in (
        (("backup", str(out)), "never overwritten"),
        (("restore", str(out)), "say --force"),
        (("restore", str(tmp_path / "none")), "No such file"),
    ):
        assert run(*arguments).exit_code == 1
        assert complaint in capsys.readouterr().err
    assert run("restore", str(out), "--force").exit_code == 0
    assert [*tmp_path.glob("voltgate.yaml.before-*")]


def test_a_stdout_that_is_full(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.app.backup.making.write", full)
    result = CliRunner().invoke(app, ["backup", "-", "--config", str(config)])
    assert isinstance(result.exception, Failed)
    assert "No space left" in str(result.exception)
