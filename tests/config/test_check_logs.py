"""What ``voltgate check`` says of logs."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.config.check_logs import check_logs
from gateway.config.values import FOLDER
from pki.clock import utc_now


def say(folder: Path, section: Any) -> list[str]:
    tree = {"backends": {"legacy": {"url": "wss://h/{identity}"}}, "logs": section}
    config = Config.model_validate(tree, context={FOLDER: folder})
    return [str(each).replace(f"{folder}/", "") for each in check_logs(config, utc_now())]


@pytest.mark.parametrize("section", [None, {"destinations": ["logs.example.com"]}, {"hand_over": False}])
def test_what_is_in_order(tmp_path: Path, section: Any) -> None:
    assert say(tmp_path, section) == []


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({}, "warning: logs.destinations: is empty"),
        ({"destinations": ["h", "ftp://h/in"]}, "warning: logs.destinations[1]: is without TLS"),
        ({"destinations": ["h"], "roots": "no.pem"}, "error: logs.roots: no.pem: No such file"),
        ({"destinations": ["h"], "directory": "file"}, "error: logs.directory: file isn't a folder"),
        ({"destinations": ["h"], "trusted_networks": ["0.0.0.0/0"]}, "warning: logs.trusted_networks"),
    ],
)
def test_what_is_not(tmp_path: Path, section: Any, line: str) -> None:
    (tmp_path / "file").write_text("")
    (said,) = say(tmp_path, section)
    assert said.startswith(line)


def test_a_folder_that_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    (said,) = say(tmp_path, {"destinations": ["h"]})
    assert said.startswith("error: logs.directory: ")
    assert "can't be written" in said
