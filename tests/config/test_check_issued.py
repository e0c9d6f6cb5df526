"""What `voltgate check` says of server certificates that the gateway has issued for itself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from gateway.config.check_issued import check_issued
from gateway.config.tree import IssuedCertificates
from pki import profiles
from pki.issuing import Hierarchy, issue, new_hierarchy, new_key
from pki.pair_folder import PairFolder, PairKind
from pki.pem_files import certificates_pem

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def csms() -> Hierarchy:
    return new_hierarchy("csms", None, NOW)


@pytest.fixture(scope="module")
def other() -> x509.Certificate:
    return new_hierarchy("other", None, NOW).root.certificate


def look(
    folder: Path,
    server_root: x509.Certificate | None,
    *,
    station_roots: tuple[x509.Certificate, ...] = (),
    csms_roots: tuple[x509.Certificate, ...] = (),
    at: datetime = NOW,
) -> list[str]:
    issued = IssuedCertificates.model_validate({"names": ("gw.example.com",), "dir": str(folder)})
    found = check_issued("l", issued, server_root, station_roots=station_roots, csms_roots=csms_roots, now=at)
    return [str(each).replace(f"{folder}", "D") for each in found]


def fill(folder: Path, csms: Hierarchy) -> None:
    key = new_key()
    leaf = issue(
        csms.issuing,
        profiles.csms_server(),
        key.public_key(),
        common_name="gw.example.com",
        organization="Example CPO",
        now=NOW,
        names=["gw.example.com"],
    )
    pairs = PairFolder(folder)
    pairs.make()
    pairs.write(PairKind.ECDSA, key, certificates_pem([leaf, csms.issuing.certificate]))


def test_nothing_to_say(tmp_path: Path, csms: Hierarchy, other: x509.Certificate) -> None:
    root = csms.root.certificate
    assert look(tmp_path / "none yet", None, csms_roots=(other,)) == []
    assert look(tmp_path / "none yet", root) == []
    assert look(tmp_path / "none yet", root, csms_roots=(other, root), station_roots=(other,)) == []
    fill(tmp_path, csms)
    assert look(tmp_path, None, csms_roots=(root,)) == []


@pytest.mark.parametrize("is_known_by", ["its authority", "what it issued"])
def test_roots_that_stations_would_be_given_must_fit(
    tmp_path: Path, csms: Hierarchy, other: x509.Certificate, is_known_by: str
) -> None:
    root = csms.root.certificate if is_known_by == "its authority" else None
    fill(tmp_path, csms)
    (lacks,) = look(tmp_path, root, csms_roots=(other,))
    assert lacks.startswith("warning: l: csms_roots lacks the root of authority.server")
    (mixed,) = look(tmp_path, root, station_roots=(csms.root.certificate,))
    assert mixed.startswith("warning: l: authority.server leads to one of station_roots")


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert look(tmp_path / "file", None) == ["error: l.dir: D isn't a folder; name another one"]


def test_what_lies_there(tmp_path: Path, csms: Hierarchy) -> None:
    fill(tmp_path, csms)
    (said,) = look(tmp_path, None, at=NOW + timedelta(days=2))
    assert said.startswith("warning: l.dir: D holds expired certificates only")
    (tmp_path / "rsa.pem").write_text("half")
    (tmp_path / "rsa.pem").chmod(0o600)
    (said,) = look(tmp_path, None)
    assert said.startswith("warning: l.dir: D/rsa.pem can't be used")
    assert said.endswith("the next `voltgate serve` replaces it")
    (tmp_path / "rsa.pem").unlink()
    (tmp_path / "rsa.pem").mkdir(0o700)
    (said,) = look(tmp_path, None)
    assert said == "error: l.dir: D: Is a directory"
