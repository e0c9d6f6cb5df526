"""Keys and certificates in files."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pki.issuing import Hierarchy
from pki.pem_files import KeyExposed, certificates_pem, key_pem, parse_key, read_chain, read_key, write_file


def test_a_chain_keeps_its_order(hierarchy: Hierarchy) -> None:
    chain = [hierarchy.issuing.certificate, hierarchy.root.certificate]

    assert x509.load_pem_x509_certificates(certificates_pem(chain).encode()) == chain


def test_a_chain_is_read_back_and_its_cas_once(hierarchy: Hierarchy) -> None:
    leaf, above = hierarchy.issuing.certificate, hierarchy.root.certificate
    first, again = (read_chain(certificates_pem([leaf, above])) for _ in range(2))

    assert first == again == [leaf, above]
    assert first[1] is again[1]
    assert read_chain(certificates_pem([leaf])) == [leaf]


@pytest.mark.parametrize("cut", ["", "-----BEGIN CERTIFICATE-----", "{leaf}-----BEGIN", "{leaf}x"])
def test_what_is_no_chain(hierarchy: Hierarchy, cut: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are pyca's own
        read_chain(cut.format(leaf=certificates_pem([hierarchy.issuing.certificate])))


def test_a_key_comes_back(tmp_path: Path, ec_key: ec.EllipticCurvePrivateKey) -> None:
    write_file(tmp_path / "x.key", key_pem(ec_key), 0o600)

    assert read_key(tmp_path / "x.key").public_key() == ec_key.public_key()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610])
def test_an_exposed_key_is_refused(tmp_path: Path, ec_key: ec.EllipticCurvePrivateKey, mode: int) -> None:
    write_file(tmp_path / "x.key", key_pem(ec_key), mode)

    with pytest.raises(KeyExposed, match=rf"x\.key can be read by others \(mode {mode:04o}\); chmod 600 it"):
        read_key(tmp_path / "x.key")


def test_what_is_no_key(ec_key: ec.EllipticCurvePrivateKey) -> None:
    encrypted = ec_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    edwards = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    for pem, words in [
        (b"hunter2", "isn't a private key in PEM"),
        (key_pem(ec_key)[:100], "isn't a private key in PEM"),
        (encrypted, "is encrypted; store it without a passphrase"),
        (edwards, "neither an ECDSA nor an RSA key"),
    ]:
        with pytest.raises(ValueError, match=words) as caught:
            parse_key(pem)
        assert "hunter2" not in str(caught.value)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_file(path, b"one", 0o644)

    write_file(path, b"two", 0o600)

    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()

    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "x", b"one", 0o600)

    assert [each.name for each in tmp_path.iterdir()] == ["x"]
