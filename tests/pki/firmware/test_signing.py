"""Signing with a key in a file; and certificates whose signatures no station takes."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.firmware import Algorithm, ImageDigest
from pki.firmware.signature import Scheme, check_signature
from pki.firmware.signing import FileSigner, FirmwareSigner, SigningCertificate, SigningFailed
from pki.issuing import new_key
from pki.pem_files import key_pem
from tests.firmware_pki import DAY, FirmwarePki, make_signer, manufacturer, rsa_key
from tests.iso15118_pki import usage

NOW = datetime.now(UTC).replace(microsecond=0)
DIGEST = ImageDigest(5, hashlib.sha256(b"image").digest(), b"")


@pytest.fixture(scope="module")
def pki() -> FirmwarePki:
    return manufacturer(now=NOW)


@pytest.mark.parametrize(("name", "algorithm"), [("ec", Algorithm.ECDSA), ("rsa", Algorithm.RSA_PSS)])
async def test_what_it_signs_verifies(pki: FirmwarePki, name: str, algorithm: Algorithm) -> None:
    held = getattr(pki, name)
    certificate = SigningCertificate(held.pem + pki.intermediates_pem.decode())
    signer: FirmwareSigner = FileSigner(certificate, held.key_pem)

    signed = await signer.sign(DIGEST)

    assert check_signature(DIGEST, signed.signature, certificate.key, Scheme()) is algorithm is certificate.algorithm
    assert signed.signing_certificate == held.pem
    assert "PRIVATE" not in repr(signer) + repr(certificate)


async def test_a_certificate_that_is_over_or_not_yet_valid_signs_nothing(pki: FirmwarePki) -> None:
    for held in (pki.expired, pki.not_yet):
        with pytest.raises(SigningFailed, match="is valid from"):
            await FileSigner(SigningCertificate(held.pem), held.key_pem).sign(DIGEST)
    certificate, end = SigningCertificate(pki.ec.pem), pki.ec.certificate.not_valid_after_utc
    certificate.check_dates(end)
    with pytest.raises(SigningFailed, match="have a new one signed"):
        certificate.check_dates(end + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (key_pem(new_key()), "the key isn't that of the certificate .*CN=Example Signer"),
        (b"nothing", "the key: isn't a private key in PEM"),
    ],
)
def test_another_key(pki: FirmwarePki, key: bytes, fault: str) -> None:
    with pytest.raises(SigningFailed, match=fault):
        FileSigner(SigningCertificate(pki.ec.pem), key)


def test_a_signature_of_something_else_is_not_given_out(pki: FirmwarePki) -> None:
    certificate = SigningCertificate(pki.ec.pem)
    for value in (pki.ec.signature(b"another"), pki.other.signature(b"image"), b"", b"\0" * 700):
        with pytest.raises(SigningFailed, match=r"what came back isn't a signature of .*CN=Example Signer"):
            certificate.signed(DIGEST, value)


def test_certificates_that_sign_no_firmware(pki: FirmwarePki) -> None:
    def certified(**how: object) -> str:
        return make_signer("Bad", pki.sub, begins=NOW - DAY, ends=NOW + DAY, **how).pem  # type: ignore[arg-type]  # any

    large = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x04\x82\x10\x00" + bytes(4096))
    faults = {
        pki.intermediates_pem.decode(): "is a CA; name the certificate of the key that signs",
        certified(key=rsa_key(2048)): "the key of .*CN=Bad: an RSA key has 3072",
        certified(key=ec.generate_private_key(ec.SECP256K1())): "the curve secp256k1 isn't one of",
        certified(key_usage=usage("key_encipherment")): "lacks digitalSignature",
        certified(extensions=[(large, False)]): "OCPP has room for 5500",
        "": "isn't in PEM",
        pki.ec.pem.replace("A", "B"): "isn't in PEM",
    }
    for pem, fault in faults.items():
        with pytest.raises(SigningFailed, match=fault):
            SigningCertificate(pem)
    assert SigningCertificate(certified(key_usage=None)).leaf.public_bytes(Encoding.DER)
