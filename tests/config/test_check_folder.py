"""A folder that the gateway makes and writes to."""

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.config.check_folder import check_folder


def problems(folder: Path) -> list[str]:
    return [problem.text for problem in check_folder("logs.directory", folder)]


def test_what_is_there_or_can_be_made(tmp_path: Path) -> None:
    assert problems(tmp_path) == problems(tmp_path / "a" / "b") == []


def test_what_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert problems(file) == [f"{file} isn't a folder; name another"]


def test_a_folder_into_which_this_user_may_not_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat, locked = os.stat, tmp_path / "locked"
    locked.mkdir()

    def denied(path: Any, **how: Any) -> os.stat_result:
        if str(path).startswith(f"{locked}/"):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **how)

    monkeypatch.setattr(os, "stat", denied)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != locked)
    assert problems(locked / "firmware") == [f"{locked} can't be written by this user"]
