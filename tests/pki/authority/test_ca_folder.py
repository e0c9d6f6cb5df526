"""A CA in a folder: made at once or not at all, and refused where it isn't whole."""

import errno
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pki.authority import AuthorityUnavailable
from pki.authority.ca_folder import FILES, open_hierarchy
from pki.issuing import Hierarchy, issue, new_hierarchy
from pki.pem_files import certificates_pem
from pki.profiles import charging_station


def never() -> Hierarchy:
    raise AssertionError("there is a CA already")


@pytest.fixture
def folder(tmp_path: Path, hierarchy: Hierarchy, now: datetime) -> Path:
    open_hierarchy(tmp_path / "ca", lambda: hierarchy, now)
    return tmp_path / "ca"


def refusal(folder: Path, now: datetime) -> str:
    with pytest.raises(AuthorityUnavailable) as caught:
        open_hierarchy(folder, never, now)
    return str(caught.value)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


def test_the_first_opening_makes_it(tmp_path: Path, hierarchy: Hierarchy, now: datetime) -> None:
    made = open_hierarchy(tmp_path / "certs" / "ca", lambda: hierarchy, now)

    assert made.issuing.certificate == hierarchy.issuing.certificate
    assert modes(tmp_path / "certs" / "ca") == {
        "ca": 0o700,
        "root.pem": 0o644,
        "root.key": 0o600,
        "issuing.pem": 0o644,
        "issuing.key": 0o600,
    }
    assert [path.name for path in (tmp_path / "certs").iterdir()] == ["ca"]


def test_an_empty_folder_is_filled(tmp_path: Path, hierarchy: Hierarchy, now: datetime) -> None:
    (tmp_path / "ca").mkdir()

    assert open_hierarchy(tmp_path / "ca", lambda: hierarchy, now).root.certificate == hierarchy.root.certificate
    assert modes(tmp_path / "ca")["ca"] == 0o700


def test_the_second_opening_reads_it(folder: Path, hierarchy: Hierarchy, now: datetime) -> None:
    again = open_hierarchy(folder, never, now)

    assert again.root.certificate == hierarchy.root.certificate
    assert again.issuing.key.public_key() == hierarchy.issuing.key.public_key()


def test_openings_at_once_end_up_with_one_ca(tmp_path: Path, now: datetime) -> None:
    with ThreadPoolExecutor(4) as pool:
        futures = [
            pool.submit(open_hierarchy, tmp_path / "ca", lambda: new_hierarchy("Test", None, now), now)
            for _ in range(8)
        ]
        serials = {future.result().root.certificate.serial_number for future in futures}

    assert len(serials) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["ca"]


@pytest.mark.parametrize("name", FILES)
def test_half_a_ca(folder: Path, now: datetime, name: str) -> None:
    (folder / name).unlink()

    assert f"holds half a CA: {name} is missing" in refusal(folder, now)


def test_a_folder_of_other_files(tmp_path: Path, hierarchy: Hierarchy, now: datetime) -> None:
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "notes.txt").touch()

    with pytest.raises(AuthorityUnavailable, match="holds other files and no CA; name an empty folder"):
        open_hierarchy(tmp_path / "ca", lambda: hierarchy, now)
    assert [path.name for path in tmp_path.iterdir()] == ["ca"]


@pytest.mark.parametrize("name", ["root.key", "issuing.key"])
def test_a_key_that_others_can_read(folder: Path, now: datetime, name: str) -> None:
    (folder / name).chmod(0o640)

    assert f"{name} can be read by others (mode 0640); chmod 600 it" in refusal(folder, now)


def test_a_folder_that_others_can_change(folder: Path, now: datetime) -> None:
    folder.chmod(0o770)

    assert "can be changed by others (mode 0770); chmod 700 it" in refusal(folder, now)


def test_parts_that_do_not_belong_together(
    folder: Path, tmp_path: Path, foreign: Hierarchy, hierarchy: Hierarchy, now: datetime
) -> None:
    other = tmp_path / "other"
    open_hierarchy(other, lambda: foreign, now)

    shutil.copy(other / "issuing.pem", folder / "issuing.pem")
    assert "issuing.key isn't the key of a CA certificate issuing.pem" in refusal(folder, now)
    shutil.copy(other / "issuing.key", folder / "issuing.key")
    assert "issuing.pem wasn't issued by root.pem" in refusal(folder, now)
    (folder / "root.pem").write_text("nonsense")
    assert "the root CA can't be used" in refusal(folder, now)
    (other / "root.key").write_text("nonsense")
    assert "the root CA can't be used: isn't a private key in PEM" in refusal(other, now)


def test_a_leaf_is_no_ca(folder: Path, now: datetime, hierarchy: Hierarchy) -> None:
    leaf = issue(
        hierarchy.root,
        charging_station(),
        hierarchy.issuing.certificate.public_key(),  # type: ignore[arg-type]  # an ECDSA key, as the fixture made it
        common_name="SN-1",
        organization="Example CPO",
        now=now,
    )
    (folder / "issuing.pem").write_text(certificates_pem([leaf]))

    assert "issuing.key isn't the key of a CA certificate issuing.pem" in refusal(folder, now)


def test_dates(folder: Path, hierarchy: Hierarchy) -> None:
    ca = hierarchy.issuing.certificate

    assert "issuing.pem expired on 2036-05-2" in refusal(folder, ca.not_valid_after_utc + timedelta(seconds=1))
    assert "is valid from 2026-05-31 on; check this machine's clock" in refusal(
        folder, ca.not_valid_before_utc - timedelta(seconds=1)
    )
    assert open_hierarchy(folder, never, ca.not_valid_after_utc).issuing.certificate == ca


def test_a_disk_that_fails_leaves_nothing_behind(
    tmp_path: Path, hierarchy: Hierarchy, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, target: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error", str(target))

    monkeypatch.setattr(Path, "rename", fail)

    with pytest.raises(AuthorityUnavailable, match="Input/output error"):
        open_hierarchy(tmp_path / "ca", lambda: hierarchy, now)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path: Path, hierarchy: Hierarchy, now: datetime) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(AuthorityUnavailable, match=r"file/ca: (Not a directory|File exists)"):
        open_hierarchy(tmp_path / "file" / "ca", lambda: hierarchy, now)
