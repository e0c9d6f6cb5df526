"""`voltgate pki check`, as it is printed."""

import json
from collections.abc import Callable
from pathlib import Path

import yaml
from typer.testing import Result


def configure(config: Path, authority: dict[str, object]) -> None:
    tree = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(tree | {"authority": {"station": authority}}))


def test_one_that_can_sign(run: Callable[..., Result]) -> None:
    result = run("pki", "check")
    shown = json.loads(run("pki", "check", "--json").output)

    assert (result.exit_code, result.output.splitlines()[0]) == (0, "station (local): ok")
    assert "issuing CA" in result.output
    assert (shown[0]["use"], shown[0]["ok"], shown[0]["problems"]) == ("station", True, [])
    assert len(shown[0]["valid_until"]) == 2


def test_one_that_cant(run: Callable[..., Result], config: Path) -> None:
    (config.parent / "token").write_text("t")
    (config.parent / "token").chmod(0o600)
    auth = {"token": "file:token"}
    vault = {"address": "http://127.0.0.1:1", "mount": "pki", "role": "x", "auth": auth, "timeout": 0.1}
    configure(config, {"vault": vault})

    result = run("pki", "check")

    assert result.exit_code == 1
    assert result.output.startswith("station (vault): not ok\n  problem: ")
    assert not json.loads(run("pki", "check", "--json").stdout)[0]["ok"]
