"""Writing a backup."""

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.app.backup import making
from gateway.app.backup.archive import Manifest, read
from gateway.app.backup.making import back_up
from gateway.app.problems import StartFailed
from gateway.app.records import records
from gateway.config import Config
from pki.authority.local import LocalAuthority

CLEAR = {"bind": "127.0.0.1:1", "security_profiles": [1], "trusted_networks": ["127.0.0.0/8"]}


@pytest.fixture
async def config(configured: Callable[..., Config], tmp_path: Path) -> Config:
    (tmp_path / "token").write_text("secret")
    (tmp_path / "token").chmod(0o640)
    LocalAuthority.open(tmp_path / "certs/dev/ca")
    config = configured(admin={"token": "file:token"}, listeners=[CLEAR])
    async with records(config) as opened:
        await opened.stations.add("CS1", profile=1)
    return config


def test_the_archive_tells_where_each_file_belongs(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out" / "voltgate.backup"
    out.parent.mkdir()
    made = back_up(config, tmp_path / "voltgate.yaml", out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [*out.parent.iterdir()] == [out]  # the copy of the store doesn't stay
    with out.open("rb") as file:
        manifest: Manifest = next(read(file))
    assert manifest == made.manifest
    places = {member.place: member for member in manifest.members}
    assert set(places) == {
        "voltgate.db",
        "voltgate.yaml",
        "token",
        *(f"certs/dev/ca/{name}" for name in ("root.pem", "root.key", "issuing.pem", "issuing.key")),
    }
    assert places["token"].mode == 0o640
    assert places["token"].sha256 == hashlib.sha256(b"secret").hexdigest()
    assert places["certs/dev/ca/root.key"].mode == 0o600
    assert manifest.folders == ["certs/dev/ca"]
    assert made.missing == ()


def test_what_lies_elsewhere_keeps_its_place(config: Config, tmp_path: Path) -> None:
    below = tmp_path / "etc" / "voltgate.yaml"
    below.parent.mkdir()
    (tmp_path / "voltgate.yaml").rename(below)
    manifest = back_up(config, below, tmp_path / "out").manifest
    assert str(tmp_path / "token") in {member.place for member in manifest.members}
    assert "voltgate.yaml" in {member.place for member in manifest.members}


def test_a_backup_is_never_overwritten(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("the last good one")
    with pytest.raises(StartFailed, match="never overwritten"):
        back_up(config, tmp_path / "voltgate.yaml", out)
    assert out.read_text() == "the last good one"


@pytest.mark.parametrize("failure", ["no store", "unreadable", "too large", "no folder"])
def test_what_can_not_be_whole_is_not_written(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    out = tmp_path / "out" if failure != "no folder" else tmp_path / "none" / "out"
    match failure:
        case "no store":
            (tmp_path / "voltgate.db").unlink()
        case "unreadable":
            (tmp_path / "token").unlink()
            (tmp_path / "token").symlink_to("/proc/self/mem")  # a file, and none can read it
        case "too large":
            monkeypatch.setattr(making, "FILE_MAX", 5)
    with pytest.raises(StartFailed, match=r"store\.url|can't be read|more than|No such file"):
        back_up(config, tmp_path / "voltgate.yaml", out)
    assert not out.exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
