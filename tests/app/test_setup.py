"""`init` and `check` on one another."""

import errno
import os
from pathlib import Path

import pytest

from gateway.app.problems import StartFailed
from gateway.app.setup import DEFAULT_BACKEND_URL, problems, scaffold
from gateway.config import load


def test_what_init_writes_is_what_check_likes(tmp_path: Path) -> None:
    arguments = {"backend_url": DEFAULT_BACKEND_URL, "operator": "A CPO", "names": ["localhost"]}
    written = scaffold(tmp_path / "gw", **arguments)  # type: ignore[arg-type]  # a table
    assert tmp_path / "gw/voltgate.yaml" in written
    assert [each for each in problems(load(tmp_path / "gw/voltgate.yaml", {})) if each.is_error] == []
    with pytest.raises(StartFailed, match=r"voltgate\.yaml"):
        scaffold(tmp_path / "gw", **arguments)  # type: ignore[arg-type]  # a table


def test_a_disk_that_is_full_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StartFailed) as refused:
        scaffold(tmp_path / "gw", backend_url=DEFAULT_BACKEND_URL, operator="A CPO", names=["localhost"])
    assert str(refused.value) == f"{tmp_path / 'gw/certs/dev/ca'}: No space left on device"


def test_a_policy_that_does_not_load_is_a_problem(tmp_path: Path) -> None:
    scaffold(tmp_path / "gw", backend_url=DEFAULT_BACKEND_URL, operator="A CPO", names=["localhost"])
    config = load(tmp_path / "gw/voltgate.yaml", {"VOLTGATE__POLICY": "missing.yaml"})
    assert [each.key for each in problems(config) if each.is_error] == ["policy"]


def test_each_policy_that_does_not_load_is_a_problem_at_its_first_key(tmp_path: Path) -> None:
    scaffold(tmp_path / "gw", backend_url=DEFAULT_BACKEND_URL, operator="A CPO", names=["localhost"])
    file = tmp_path / "gw/voltgate.yaml"
    choices = "[{group: a, policy: missing.yaml}, {group: b, policy: missing.yaml}, {group: c, policy: gone}]"
    file.write_text(f"{file.read_text()}policies: {choices}\n")
    config = load(file, {"VOLTGATE__BACKENDS__LEGACY__POLICY": "gone"})

    found = sorted(each.key for each in problems(config) if each.is_error)
    assert found == ["policies[0].policy", "policies[2].policy"]
