"""Attack B1: requests that ask for somebody else's name, for more than a station gets, or for the CA's time.

All are sent as SignCertificate of a registered station to the gateway's own services: none may reach an authority.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AttributeOID, ExtendedKeyUsageOID, NameOID

from gateway.config import Config
from gateway.session.ports import StationRecord
from gateway.wire.versions import Version
from pki.authority import SigningRefused, SigningRequest
from pki.authority.local import LocalAuthority
from pki.csr import CsrRejected, review
from pki.issuing import PrivateKey
from tests.app.conftest import configured
from tests.app.house import FakeStation, House, open_house, runtime

__all__ = ["configured"]

CN, O = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME  # noqa: E741  # its name
KEY = ec.generate_private_key(ec.SECP256R1())
OPERATOR = "Example CPO"
MINE = ((CN, "SN1"), (O, OPERATOR))
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_SHA1 = bytes.fromhex("300906072a8648ce3d0401")
REVIEW_MAX = 0.5
"""s of CPU for one review: a hundred times what it takes."""

NO_USAGE = dict.fromkeys(
    ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
) | {"encipher_only": False, "decipher_only": False}
P256_SPELLED_OUT = bytes.fromhex(
    "3081f7020101302c06072a8648ce3d0101022100ffffffff00000001000000000000000000000000ffffffffffffffffffffffff305b0420"
    "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc04205ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53"
    "b0f63bce3c3e27d2604b031500c49d360886e704936a6678e1139d26b7819f7e900441046b17d1f2e12c4247f8bce6e563a440f277037d81"
    "2deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5022100ffffffff00000000ff"
    "ffffffffffffffbce6faada7179e84f3b9cac2fc632551020101"
)
GENERATOR = P256_SPELLED_OUT[-103:-38]


def csr(
    names: Sequence[tuple[x509.ObjectIdentifier, str]] = MINE,
    *extensions: x509.ExtensionType,
    key: PrivateKey = KEY,
    challenge: bytes = b"",
) -> str:
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(oid, value) for oid, value in names]))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    if challenge:
        builder = builder.add_attribute(AttributeOID.UNSTRUCTURED_NAME, challenge)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def names_of(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def assembled(body: bytes, algorithm: bytes = ECDSA_SHA256) -> str:
    """A request with ``body`` (its whole DER), signed by KEY over SHA-256, whatever ``algorithm`` says."""
    signature = KEY.sign(body, ec.ECDSA(hashes.SHA256()))
    request = x509.load_der_x509_csr(der(0x30, body, algorithm, der(0x03, b"\0", signature)))
    return request.public_bytes(Encoding.PEM).decode()


def body_with(key_info: bytes) -> bytes:
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in MINE]).public_bytes()
    return der(0x30, b"\x02\x01\x00", subject, key_info, b"\xa0\x00")


def curve_spelled_out(generator: bytes | None = None) -> str:
    """A request by the holder of its key, whose curve is given by parameters (CVE-2020-0601: by chosen ones)."""
    parameters = P256_SPELLED_OUT.replace(GENERATOR, generator or GENERATOR)
    algorithm = der(0x30, bytes.fromhex("06072a8648ce3d0201"), parameters)
    return assembled(body_with(der(0x30, algorithm, der(0x03, b"\0", point_of(KEY)))))


def huge_rsa() -> str:
    """A modulus of 16,384 bits: refused for its size; it needn't be a product of two primes."""
    key = rsa.RSAPublicNumbers(65537, (1 << 16_383) + 1).public_key()
    return assembled(body_with(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)))


def weak_hash() -> str:
    return assembled(x509.load_pem_x509_csr(csr().encode()).tbs_certrequest_bytes, ECDSA_SHA1)


def without_possession() -> str:
    """Another station's public key, under one's own signature."""
    request = x509.load_pem_x509_csr(csr().encode()).public_bytes(Encoding.DER)
    other = point_of(ec.generate_private_key(ec.SECP256R1()))
    stolen = x509.load_der_x509_csr(request.replace(point_of(KEY), other))
    return stolen.public_bytes(Encoding.PEM).decode()


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


HOSTILE: dict[str, tuple[Callable[[], str], str]] = {
    "another station's name": (lambda: csr(((CN, "SN2"), (O, OPERATOR))), "common_name"),
    "another station's name beside one's own": (lambda: csr((*MINE, (CN, "SN2"))), "common_name"),
    "the name with a NUL": (lambda: csr(((CN, "SN1\0.example"), (O, OPERATOR))), "common_name"),
    "another operator": (lambda: csr(((CN, "SN1"), (O, "Other CPO"))), "organization"),
    "the gateway's host name": (lambda: csr(MINE, names_of("csms.example.com")), "alternative_names"),
    "its own name, and one more": (lambda: csr(MINE, names_of("SN1", "SN2")), "alternative_names"),
    "to be a CA": (lambda: csr(MINE, x509.BasicConstraints(ca=True, path_length=None)), "authority"),
    "to sign certificates": (
        lambda: csr(MINE, x509.KeyUsage(**NO_USAGE, key_cert_sign=True, crl_sign=False)),
        "authority",
    ),
    "to answer for the CA": (
        lambda: csr(MINE, x509.OCSPNoCheck(), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])),
        "extensions",
    ),
    "a user name": (lambda: csr((*MINE, (NameOID.USER_ID, "root"))), "subject"),
    "a weak RSA key": (lambda: csr(key=rsa.generate_private_key(65537, 1024)), "key"),  # noqa: S505  # that's the point
    "a small RSA exponent": (lambda: csr(key=rsa.generate_private_key(3, 2048)), "key"),
    "a huge RSA key": (huge_rsa, "key"),
    "a curve nobody recommends": (lambda: csr(key=ec.generate_private_key(ec.SECP256K1())), "key"),
    "a curve spelled out": (curve_spelled_out, "key"),
    "a curve with a generator of one's own": (lambda: curve_spelled_out(point_of(KEY)), "key"),
    "a weak hash": (weak_hash, "signature_hash"),
    "no proof of possession": (without_possession, "proof_of_possession"),
    "10 MB": (lambda: csr(challenge=bytes(7_500_000)), "size"),
    "10 MB of whitespace": (lambda: csr() + " " * 10_000_000, "size"),
    "two requests": (lambda: csr() + csr(), "pem"),
    "a certificate": (lambda: csr().replace("CERTIFICATE REQUEST", "CERTIFICATE"), "pem"),
}


@pytest.fixture
async def house(configured: Callable[..., Config], tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(configured(operator=OPERATOR), tmp_path) as made:
        await made.stations.add("CS2", profile=2, serial="SN2", backend=None, password_hash=None)
        yield made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[SigningRequest]:
    """What reaches the authority, which signs nothing."""
    reached: list[SigningRequest] = []

    async def sign(_: LocalAuthority, request: SigningRequest) -> None:
        reached.append(request)
        raise SigningRefused("not in this test")

    monkeypatch.setattr(LocalAuthority, "sign", sign)
    return reached


async def send(house: House, request: str, identity: str = "CS1", serial: str = "SN1") -> str:
    station = FakeStation(identity, record=StationRecord(identity, 2, serial))
    answer: Any = await house.services.by_action[Version.V201, "SignCertificate"](runtime(station), {"csr": request})
    return str(answer["status"])


@pytest.mark.parametrize("name", HOSTILE)
def test_each_is_refused_for_its_own_reason_and_soon(name: str) -> None:
    make, check = HOSTILE[name]
    request = make()
    begun = time.process_time()
    with pytest.raises(CsrRejected) as caught:
        review(request, common_name="SN1", organization=OPERATOR)

    assert caught.value.check == check
    assert time.process_time() - begun < REVIEW_MAX


async def test_none_reaches_the_authority(house: House, asked: list[SigningRequest]) -> None:
    for number, (make, _) in enumerate(HOSTILE.values()):
        # Each from a station of its own: too many from one would be refused for their number.
        assert await send(house, make(), f"CS-{number}") == "Rejected"
    await house.idle()
    assert asked == []

    assert await send(house, csr()) == "Accepted"
    await house.idle()
    assert [request.common_name for request in asked] == ["SN1"]


async def test_a_flood_of_them_shuts_out_good_ones_too(house: House, asked: list[SigningRequest]) -> None:
    for _ in range(50):
        assert await send(house, "hostile") == "Rejected"

    assert await send(house, csr()) == "Rejected"
    assert await send(house, csr(((CN, "SN2"), (O, OPERATOR))), "CS2", "SN2") == "Accepted"
    await house.idle()
    assert [request.common_name for request in asked] == ["SN2"]


async def test_a_key_that_another_station_has(house: House) -> None:
    """A00.FR.427: one key, one station."""
    assert await send(house, csr()) == "Accepted"
    await house.idle()

    assert await send(house, csr(((CN, "SN2"), (O, OPERATOR))), "CS2", "SN2") == "Rejected"
    assert await send(house, csr()) == "Accepted"
    await house.idle()


@pytest.mark.parametrize(
    "written",
    [
        lambda good: good.replace("\n", "\r\n"),
        lambda good: good.replace("\n", "\r"),
        lambda good: good.replace("\n", " \t\n"),
        lambda good: good.replace("\n", "\n\n"),
        lambda good: good.replace("\n", " "),
        lambda good: good.replace("\n", r"\n"),
        lambda good: good.replace("\n", r"\r\n"),
        lambda good: f"\r\n {good.strip()}",
        lambda good: good.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
        lambda good: "\n".join([good.splitlines()[0], "".join(good.splitlines()[1:-1]), good.splitlines()[-1]]),
    ],
    ids=[
        "CRLF",
        "CR",
        "blanks",
        "empty lines",
        "spaces",
        "escaped",
        "escaped CRLF",
        "around",
        "older label",
        "one line",
    ],
)
def test_what_stations_in_the_field_write_is_understood(written: Callable[[str], str]) -> None:
    assert review(written(csr()), common_name="SN1", organization=OPERATOR).common_name == "SN1"
