"""`voltgate log`, on a gateway whose answers are known."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
TEXT = b"what the station has to say"
LOG = {
    "id": 7,
    "identity": "CS1",
    "log_type": "SecurityLog",
    "state": "kept",
    "size": len(TEXT),
    "sha256": hashlib.sha256(TEXT).hexdigest(),
    "file_name": "a.zip",
    "created_at": "2026-03-01T12:00:00+00:00",
    "by": "API",
    "reason": None,
}


class Gateway:
    """The API: notes what it is asked, and answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answer: Any = LOG
        self.content = TEXT

    async def request(self, config: Any, method: str, path: str, body: Any) -> Any:
        del config
        self.asked.append((method, path, body))
        return self.answer

    async def download(self, config: Any, path: str, file: Any) -> str:
        del config
        self.asked.append(("GET", path, None))
        file.write(self.content)
        return hashlib.sha256(self.content).hexdigest()


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway()
    monkeypatch.setattr("gateway.cli.api.request", made.request)
    monkeypatch.setattr("gateway.cli.api.download", made.download)
    return made


def test_a_list_is_a_table_or_json(run: Run, gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.answer = {"logs": [LOG], "next": None}

    table = run("log", "list", "--station", "CS 1", "--state", "kept", "--limit", "1")
    assert "a.zip" in table.output
    assert "what may follow: --after 7" in table.stderr + capsys.readouterr().err
    assert json.loads(run("log", "list", "--json").stdout) == [LOG]
    assert [path for _, path, _ in gateway.asked] == [
        "logs?identity=CS+1&state=kept&after=0&limit=1",
        "logs?after=0&limit=100",
    ]


def test_one_is_shown_and_deleted(run: Run, gateway: Gateway) -> None:
    assert "sha256: " in run("log", "show", "7").output
    assert json.loads(run("log", "show", "7", "--json").output) == LOG
    assert run("log", "delete", "7").output == "log 7 of station CS1 is deleted\n"
    assert json.loads(run("log", "delete", "7", "--json").output) == LOG
    assert {(method, path) for method, path, _ in gateway.asked} == {("GET", "logs/7"), ("DELETE", "logs/7")}


def test_a_station_is_asked(run: Run, gateway: Gateway) -> None:
    assert "log 7" in run("log", "request", "CS/1", "--type", "security").output
    assert json.loads(run("log", "request", "CS1", "--type", "diagnostics", "--json").output) == LOG

    assert gateway.asked == [
        ("POST", "stations/CS%2F1/logs", {"log_type": "SecurityLog"}),
        ("POST", "stations/CS1/logs", {"log_type": "DiagnosticsLog"}),
    ]
    assert run("log", "request", "CS1", "--type", "other").exit_code == 2


def test_a_log_is_saved_whole_for_nobody_else(run: Run, gateway: Gateway, tmp_path: Path) -> None:
    out = tmp_path / "a.zip"

    assert f"{len(TEXT)} bytes of station CS1" in run("log", "save", "7", "--out", str(out)).output

    assert out.read_bytes() == TEXT
    assert out.stat().st_mode & 0o777 == 0o600
    assert run("log", "save", "7", "--out", str(out)).exit_code == 1
    assert out.read_bytes() == TEXT
    assert json.loads(run("log", "save", "7", "--out", str(tmp_path / "b"), "--json").output) == LOG


def test_a_log_that_is_not_whole_is_not_saved(
    run: Run, gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.content = TEXT[:3]

    assert run("log", "save", "7", "--out", str(tmp_path / "a.zip")).exit_code == 1

    assert "isn't whole" in capsys.readouterr().err
    assert not (tmp_path / "a.zip").exists()
