"""Files of CA certificates: read whole, or refused."""

from pathlib import Path

import pytest

from gateway.app.ca_files import FILE_MAX, read_cas
from tests.firmware_pki import manufacturer


def test_what_they_hold(tmp_path: Path) -> None:
    pki = manufacturer()
    (tmp_path / "cas.pem").write_bytes(pki.roots_pem + pki.intermediates_pem)
    assert read_cas(tmp_path / "cas.pem") == (pki.root.certificate, pki.sub.certificate)


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"", "holds no certificates"), (b" " * (FILE_MAX + 1), "has more than 1048576 bytes")]
)
def test_what_is_not_taken(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "cas.pem").write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        read_cas(tmp_path / "cas.pem")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_cas(tmp_path / "cas.pem")
