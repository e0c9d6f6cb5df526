"""CertificateHashData: what OpenSSL hashes is what we name, and what stations write is what we compare."""

import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from pki.certificate_hash import CertificateHash, HashAlgorithm, certificate_hash, issued_by, read_certificate_hash
from pki.issuing import Hierarchy, issue
from pki.profiles import charging_station
from tests.pki.conftest import NOW

ALGORITHMS = list(HashAlgorithm)
DIGITS = {HashAlgorithm.SHA256: 64, HashAlgorithm.SHA384: 96, HashAlgorithm.SHA512: 128}


def digest(algorithm: HashAlgorithm, content: bytes) -> str:
    return hashlib.new(algorithm.value, content).hexdigest()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_hashes_are_those_of_rfc_6960(hierarchy: Hierarchy, algorithm: HashAlgorithm) -> None:
    root, below = hierarchy.root.certificate, hierarchy.issuing.certificate
    # A P-256 or P-384 subjectPublicKey is the uncompressed point.
    point = root.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    named = certificate_hash(below, root, algorithm)

    assert named.algorithm is algorithm
    assert named.issuer_name == digest(algorithm, root.subject.public_bytes())
    assert named.issuer_key == digest(algorithm, point)
    assert named.serial == f"{below.serial_number:x}"
    assert named.serial_number == below.serial_number


def test_a_serial_number_is_enough_to_name_it(hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey) -> None:
    for issuer in (hierarchy.root, hierarchy.issuing):  # that one is issued by another than itself
        leaf = issue(
            issuer, charging_station(), ec_key.public_key(), common_name="SN", organization="Example CPO", now=NOW
        )
        assert issued_by(issuer.certificate, leaf.serial_number) == certificate_hash(leaf, issuer.certificate)


# A root made with `openssl req -x509 -newkey rsa:2048` (UTF8String names), its CertID by `openssl ocsp -issuer r.pem
# -serial N -sha256 -req_text`.
OPENSSL_ROOT = b"""-----BEGIN CERTIFICATE-----
MIIDGzCCAgOgAwIBAgICCgswDQYJKoZIhvcNAQELBQAwJjETMBEGA1UECgwKRXhh
bXBsZSDDljEPMA0GA1UEAwwGUm9vdCAxMB4XDTI2MTEyMjIzMjEyOVoXDTM2MTEx
OTIzMjEyOVowJjETMBEGA1UECgwKRXhhbXBsZSDDljEPMA0GA1UEAwwGUm9vdCAx
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApqzvO5VD2KnU5flGT9gs
S5fO/zFnG4skaI6cvR7PV0D18lo4isyoFBeFlK1sSnJPPAQ80K9wfDysdyOeFoj+
vWj+M7Em0+vB1N8jBHol3uaxbI8GZoKIAcJo8xKqS3sNAR45TkmAuWyYISkr+62t
/Rtciwae4qvORsYfTqz4IfRt/SZWzA5TygmhAHYp6mOTIjTiIet6HTJUHJjvbwHh
VD9YUsCHoehSeQJcVPWVwKD+SBWuv+DnoczDCtwxb9YSwNDW1zWuOf/uK0WQa2+7
1VOWqYZ5F+dsHQaGX0dbhNP3uGLQDeMaoE9YfwGwDEdXfEEHrAVXXC1kqALTXfoA
3QIDAQABo1MwUTAdBgNVHQ4EFgQUkPf38C8vVZng9tmHCNleZkVLJFYwHwYDVR0j
BBgwFoAUkPf38C8vVZng9tmHCNleZkVLJFYwDwYDVR0TAQH/BAUwAwEB/zANBgkq
hkiG9w0BAQsFAAOCAQEANAH5aT45gN64YKQ8BWTN+XocZZn5gxInoCrrJxZmqTaE
FS0OHBpm/dKx1uHdQ3D/3nfKebOBJMcd0P4Nr18iAQubtvcRhBT2LB5k4dmhoVXq
FUH6PUZTpEwHVD/IlGGCdz4jS5fPfuSe/tlPFhfDI1Zx9sLYaBonm+sFJitdGNi2
PWn6XeqCjJnkMzmBGKg3N3Po1l2JV/LTfXyYuOCpCDGLSGK38KtPmTprNE3WXAoH
FuJFvY5u6fV4K75o5TNpXkyiGAe1G9N77yTicyRKmNriU/N9IMtW7fFul0Xnrn1U
sWb5Y5w2RnbEN2s+KqhfcNVFXpHDToG36kg9hYv37w==
-----END CERTIFICATE-----
"""


def test_an_rsa_root_is_named_as_openssl_names_it() -> None:
    root = x509.load_pem_x509_certificate(OPENSSL_ROOT)
    assert certificate_hash(root, root).payload == {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": "bf51c1439138b86addebd78a9e18e729135e8a33a94708b52620906ce45e5a96",
        "issuerKeyHash": "a3a32822a0874755f6930e8099f2cfd740daa669a9f644e3bed8ce2800460312",
        "serialNumber": "a0b",
    }


HASH = CertificateHash(HashAlgorithm.SHA256, "ab" * 32, "0c" * 32, "a0b")


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({}, HASH),
        ({"issuerNameHash": "AB" * 32, "issuerKeyHash": "0C" * 32, "serialNumber": "A0B"}, HASH),
        ({"serialNumber": "0A0B"}, HASH),
        ({"serialNumber": "0" * 37 + "a0b"}, HASH),
        ({"serialNumber": "00"}, CertificateHash(HASH.algorithm, HASH.issuer_name, HASH.issuer_key, "0")),
    ],
)
def test_case_and_leading_zeros_make_no_difference(changes: dict[str, str], read: CertificateHash) -> None:
    assert read_certificate_hash({**HASH.payload, **changes}) == read


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hashAlgorithm": "SHA1"}, "hashAlgorithm is none of"),
        ({"hashAlgorithm": None}, "hashAlgorithm is none of"),
        ({"hashAlgorithm": ["SHA256"]}, "hashAlgorithm is none of"),
        ({"issuerNameHash": "ab" * 20}, "issuerNameHash has 40 hex digits; SHA256 has 64"),
        ({"issuerKeyHash": "zz" * 32}, "issuerKeyHash isn't hex"),
        ({"issuerKeyHash": 7}, "issuerKeyHash isn't hex"),
        ({"serialNumber": ""}, "serialNumber isn't hex"),
        ({"serialNumber": "0xab"}, "serialNumber isn't hex"),
        ({"serialNumber": "-1"}, "serialNumber isn't hex"),
        ({"serialNumber": "1" * 41}, "serialNumber has more than 40"),
    ],
)
def test_what_is_no_hash_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_certificate_hash({**HASH.payload, **changes})


@given(
    algorithm=st.sampled_from(ALGORITHMS), name=st.binary(min_size=64, max_size=64), serial=st.integers(0, 2**160 - 1)
)
def test_what_is_written_is_read(algorithm: HashAlgorithm, name: bytes, serial: int) -> None:
    half = name.hex()[: DIGITS[algorithm]]
    written = CertificateHash(algorithm, half, half, f"{serial:x}")
    assert read_certificate_hash(written.payload) == written
