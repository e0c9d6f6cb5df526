"""`voltgate cert ...`."""

import json
from collections.abc import Callable
from typing import Any

import pytest


def test_list(run: Callable[..., Any]) -> None:
    assert json.loads(run("cert", "list", "--json").stdout) == []
    assert "not after" in run("cert", "list").stdout


def test_renew_needs_a_gateway(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cert", "renew", "CS1").exit_code == 1
    assert "admin.token" in capsys.readouterr().err


def test_renew_as_json(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def answered(*_: Any) -> Any:
        return {"status": "requested"}

    monkeypatch.setattr("gateway.cli.api.request", answered)
    assert json.loads(run("cert", "renew", "CS1", "--json").stdout) == {"identity": "CS1", "status": "requested"}
    assert "CS1 was asked" in run("cert", "renew", "CS1").stdout
