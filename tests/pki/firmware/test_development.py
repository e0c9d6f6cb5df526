"""The development PKI of firmware: what it signs is verified by its own root, as stations verify it."""

import hashlib
import stat
from pathlib import Path

import pytest
from cryptography import x509

from pki.firmware import Algorithm, ImageDigest
from pki.firmware.development import write_firmware_pki
from pki.firmware.signature import Scheme
from pki.firmware.signers import SignerTrust
from pki.firmware.signing import FileSigner, SigningCertificate
from pki.firmware.verification import FirmwareVerifier

DIGEST = ImageDigest(5, hashlib.sha256(b"image").digest(), b"")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_firmware_pki(tmp_path_factory.mktemp("certs") / "dev", manufacturer="Example Chargers")


def certificates(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


async def test_what_it_signs_is_its_manufacturers(files: list[Path]) -> None:
    roots, intermediates, certificate, key = files
    signed = await FileSigner(SigningCertificate(certificate.read_text()), key.read_bytes()).sign(DIGEST)
    trust = SignerTrust(certificates(roots), certificates(intermediates), revocation="off")

    verified = await FirmwareVerifier(trust, Scheme()).verify(DIGEST, signed)

    assert verified.algorithm is Algorithm.ECDSA
    assert verified.signer == "CN=Example Chargers firmware,O=Example Chargers"


def test_what_is_there_is_kept_and_what_is_secret_is_the_owners(files: list[Path]) -> None:
    before = {path: path.read_bytes() for path in files}
    assert write_firmware_pki(files[0].parent, manufacturer="Example Chargers") == files
    assert {path: path.read_bytes() for path in files} == before
    assert stat.S_IMODE(files[3].stat().st_mode) == 0o600
