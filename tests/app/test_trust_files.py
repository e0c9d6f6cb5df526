"""Declared roots in their files: read, read again, and what happens when they are spoilt."""

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.app.problems import StartFailed
from gateway.app.trust_files import FILE_MAX, TrustFiles
from gateway.config import Config
from tests.roots import Authority

A, B = Authority("a"), Authority("b")


@pytest.fixture
def config(configured: Callable[..., Config], tmp_path: Path) -> Config:
    for name, root in (("v2g.pem", A), ("mo.pem", B)):
        (tmp_path / name).write_text(root.pem)
    entries = [
        {"type": "V2GRootCertificate", "file": "v2g.pem", "group": "north"},
        {"type": "MORootCertificate", "file": "mo.pem", "exclusive": True},
    ]
    return configured(trust_anchors=entries)


def subjects(files: TrustFiles) -> list[list[str]]:
    return [[anchor.subject for anchor in each.anchors] for each in files.declared]


async def test_what_is_declared(config: Config) -> None:
    files = TrustFiles(config)
    first, second = files.declared
    assert (first.place, first.exclusive, second.exclusive) == ("trust_anchors[0]", False, True)
    assert subjects(files) == [["CN=a"], ["CN=b"]]
    assert [each.subject for each in files.known] == ["CN=a", "CN=b"]
    assert not await files.reload()
    assert files.declared[0] is first


async def test_a_file_that_is_replaced_is_taken_over_and_one_that_is_spoilt_is_not(
    config: Config, tmp_path: Path
) -> None:
    files = TrustFiles(config)
    (tmp_path / "v2g.pem").write_text(A.pem + B.pem)
    assert not await files.reload()
    assert await files.reload()
    assert subjects(files) == [["CN=a", "CN=b"], ["CN=b"]]
    for spoilt in ("x", None):
        (tmp_path / "v2g.pem").unlink() if spoilt is None else (tmp_path / "v2g.pem").write_text(spoilt)
        with capture_logs() as logged:
            assert not await files.reload()
            assert not await files.reload()
        assert [each["event"] for each in logged] == ["trust_anchors_not_reloaded"], "said once"
        assert subjects(files)[0] == ["CN=a", "CN=b"]
    (tmp_path / "v2g.pem").write_text(B.pem)
    assert not await files.reload()
    assert await files.reload()
    assert subjects(files)[0] == ["CN=b"]


async def test_a_file_that_is_being_written_takes_nothing_away(config: Config, tmp_path: Path) -> None:
    whole = A.pem + B.pem
    (tmp_path / "v2g.pem").write_text(whole)
    files = TrustFiles(config)
    for written in (len(A.pem), len(A.pem) + 5, len(A.pem) + 40, len(whole) - 10, len(whole)):
        (tmp_path / "v2g.pem").write_text(whole[:written])
        assert not await files.reload()
        assert subjects(files)[0] == ["CN=a", "CN=b"]
    (tmp_path / "v2g.pem").write_text(whole[:-10])
    with pytest.raises(StartFailed, match="cut off"):
        TrustFiles(config)


@pytest.mark.parametrize("spoilt", [None, "x", "x" * (FILE_MAX + 1)])
def test_it_does_not_start_on_a_file_that_cannot_be_read(config: Config, tmp_path: Path, spoilt: str | None) -> None:
    path = tmp_path / "mo.pem"
    path.unlink() if spoilt is None else path.write_text(spoilt)
    with pytest.raises(StartFailed, match=r"trust_anchors\[1\]\.file: .*mo\.pem: "):
        TrustFiles(config)


def test_the_roots_of_the_gateways_own_certificates_are_known(
    configured: Callable[..., Config], tmp_path: Path
) -> None:
    (tmp_path / "csms.pem").write_text(A.pem)
    listener = {"tls": {"csms_roots": "csms.pem"}, "security_profiles": [2]}
    listener["tls"]["certificates"] = [{"chain": "x.pem", "key": "file:x.key"}]  # type: ignore[index]  # a table
    files = TrustFiles(configured(listeners=[listener]))
    assert [each.subject for each in files.known] == ["CN=a"]
