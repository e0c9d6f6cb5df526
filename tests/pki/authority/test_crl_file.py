"""The CRL of a CA in a folder: what is revoked stays so, whoever writes, and however the file fares."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pki.authority import AuthorityUnavailable, SigningRefused
from pki.authority.ca_folder import open_hierarchy
from pki.authority.crl_file import CRL_FILE, LIFETIME, CrlFile
from pki.issuing import Hierarchy

SECOND = timedelta(seconds=1)
UNSPECIFIED = x509.ReasonFlags.unspecified
REVOKE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cryptography.x509 import ReasonFlags
from pki.authority.ca_folder import open_hierarchy
from pki.authority.crl_file import CrlFile
folder, now, first = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])
file = CrlFile(folder, open_hierarchy(folder, None, now).issuing)
for serial in range(first, first + 10):
    file.revoke(format(serial, "x"), ReasonFlags.unspecified, now)
"""


@pytest.fixture
def folder(tmp_path: Path, hierarchy: Hierarchy, now: datetime) -> Path:
    """One from before there were CRLs."""
    open_hierarchy(tmp_path / "ca", lambda: hierarchy, now)
    return tmp_path / "ca"


@pytest.fixture
def file(folder: Path, hierarchy: Hierarchy) -> CrlFile:
    return CrlFile(folder, hierarchy.issuing)


def read(file: CrlFile, now: datetime) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl(file.current(now))


def serials(file: CrlFile, now: datetime) -> set[int]:
    return {entry.serial_number for entry in read(file, now)}


def number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_a_folder_without_one_gets_an_empty_one(
    file: CrlFile, folder: Path, hierarchy: Hierarchy, now: datetime
) -> None:
    crl = read(file, now)

    assert len(crl) == 0
    assert (crl.last_update_utc, crl.next_update_utc) == (now, now + LIFETIME)
    assert crl.is_signature_valid(hierarchy.issuing.key.public_key())
    assert [extension.value for extension in crl.extensions] == [
        x509.AuthorityKeyIdentifier.from_issuer_public_key(hierarchy.issuing.key.public_key()),
        x509.CRLNumber(int(now.timestamp())),
    ]
    assert (folder / CRL_FILE).read_bytes() == file.current(now + SECOND)
    assert open_hierarchy(folder, lambda: hierarchy, now).issuing.certificate == hierarchy.issuing.certificate


def test_revoking(file: CrlFile, now: datetime) -> None:
    file.revoke("0aF", x509.ReasonFlags.key_compromise, now)
    file.revoke("7" + "f" * 39, UNSPECIFIED, now + SECOND)

    first, second = read(file, now)
    assert (first.serial_number, first.revocation_date_utc) == (0xAF, now)
    assert [extension.value for extension in first.extensions] == [x509.CRLReason(x509.ReasonFlags.key_compromise)]
    assert (second.serial_number, second.revocation_date_utc) == (2**159 - 1, now + SECOND)
    assert len(second.extensions) == 0, "RFC 5280 5.3.1: no reason is left out"


def test_revoking_again_changes_nothing(file: CrlFile, now: datetime) -> None:
    file.revoke("a", x509.ReasonFlags.key_compromise, now)
    before = file.current(now)

    file.revoke("0A", x509.ReasonFlags.superseded, now + SECOND)

    assert file.current(now + SECOND) == before


@pytest.mark.parametrize(
    "serial", ["", "0", "00", "-1", "+1", "0x1", "1_0", " 1", "1\n", "g", "\u0661", "8" + "0" * 39, "1" * 41]
)
def test_what_is_no_serial_number(file: CrlFile, folder: Path, now: datetime, serial: str) -> None:
    with pytest.raises(SigningRefused, match="isn't a serial number in hex"):
        file.revoke(serial, UNSPECIFIED, now)
    assert not (folder / CRL_FILE).exists()


def test_what_is_no_reason(file: CrlFile, now: datetime) -> None:
    with pytest.raises(SigningRefused, match="removeFromCRL is no reason"):
        file.revoke("1", x509.ReasonFlags.remove_from_crl, now)


def test_it_is_made_anew_at_half_its_life(file: CrlFile, now: datetime) -> None:
    file.revoke("a", UNSPECIFIED, now)
    first = read(file, now)

    assert read(file, now + LIFETIME / 2 - SECOND) == first
    later = read(file, now + LIFETIME / 2)
    assert (later.last_update_utc, later.next_update_utc) == (now + LIFETIME / 2, now + LIFETIME * 3 / 2)
    assert number(later) > number(first)
    assert next(iter(later)).serial_number == 0xA


def test_numbers_grow_whatever_happens(file: CrlFile, folder: Path, now: datetime) -> None:
    """Three in one second, one while the clock is back, one after the file was lost."""
    numbers = []
    for serial, when in [("1", now), ("2", now), ("3", now), ("4", now - timedelta(days=1))]:
        file.revoke(serial, UNSPECIFIED, when)
        numbers.append(number(read(file, when)))
    (folder / CRL_FILE).unlink()
    numbers.append(number(read(file, now + timedelta(minutes=1))))

    assert numbers == sorted(set(numbers))


def test_it_does_not_outlive_its_ca(file: CrlFile, hierarchy: Hierarchy, now: datetime) -> None:
    end = hierarchy.issuing.certificate.not_valid_after_utc

    assert read(file, end - SECOND).next_update_utc == end
    with pytest.raises(AuthorityUnavailable, match="the issuing CA expired on"):
        file.revoke("1", UNSPECIFIED, end + SECOND)


def test_a_damaged_file_is_not_taken_for_an_empty_one(
    file: CrlFile, folder: Path, foreign: Hierarchy, now: datetime
) -> None:
    file.revoke("a", UNSPECIFIED, now)
    whole = (folder / CRL_FILE).read_bytes()
    CrlFile(folder.parent, foreign.issuing).revoke("b", UNSPECIFIED, now)
    foreign_crl = (folder.parent / CRL_FILE).read_bytes()

    for content, words in [
        (b"", "is damaged; restore it from a backup"),
        (whole[:-40], "is damaged"),
        (foreign_crl, "wasn't signed by issuing.key"),
    ]:
        (folder / CRL_FILE).write_bytes(content)
        for attempt in (lambda: file.current(now), lambda: file.revoke("c", UNSPECIFIED, now)):
            with pytest.raises(AuthorityUnavailable, match=words):
                attempt()
        assert (folder / CRL_FILE).read_bytes() == content


def test_files_that_cannot_be_had(file: CrlFile, folder: Path, now: datetime, hierarchy: Hierarchy) -> None:
    with pytest.raises(AuthorityUnavailable, match=r"nowhere/crl\.pem: No such file or directory"):
        CrlFile(folder / "nowhere", hierarchy.issuing).revoke("1", UNSPECIFIED, now)
    (folder / CRL_FILE).mkdir()
    with pytest.raises(AuthorityUnavailable, match=r"crl\.pem: Is a directory; the CA must be able to read"):
        file.current(now)


def test_a_write_that_fails(file: CrlFile, folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pki.authority.crl_file.write_file", full)
    with pytest.raises(AuthorityUnavailable, match=r"crl\.pem: No space left on device"):
        file.revoke("1", UNSPECIFIED, now)
    monkeypatch.undo()
    file.revoke("2", UNSPECIFIED, now)
    assert serials(file, now) == {2}, "the lock was given back"


def test_threads_lose_nothing(folder: Path, hierarchy: Hierarchy, now: datetime) -> None:
    def revoke(serial: int) -> None:
        CrlFile(folder, hierarchy.issuing).revoke(format(serial, "x"), UNSPECIFIED, now)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(revoke, range(1, 25)))

    assert serials(CrlFile(folder, hierarchy.issuing), now) == set(range(1, 25))


def test_processes_lose_nothing(file: CrlFile, folder: Path, now: datetime) -> None:
    """``serve`` and two commands at once."""
    root = Path(__file__).parents[3]
    others = [
        subprocess.Popen(  # noqa: S603  # our own interpreter and text
            [sys.executable, "-c", REVOKE, str(folder), now.isoformat(), str(first)], cwd=root
        )
        for first in (100, 200)
    ]
    for serial in range(1, 11):
        file.revoke(format(serial, "x"), UNSPECIFIED, now)

    assert [each.wait(30) for each in others] == [0, 0]
    assert serials(file, now) == {*range(1, 11), *range(100, 110), *range(200, 210)}
    assert sorted(path.name for path in folder.iterdir()) == [
        "crl.pem", "issuing.key", "issuing.pem", "root.key", "root.pem",
    ]  # fmt: skip
