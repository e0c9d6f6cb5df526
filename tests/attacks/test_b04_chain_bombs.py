"""Attack B4: chains, keys and clocks that are made to cost time, to break the decoder, or to be believed.

A table over the application's check. What is refused for its size, its key or its hash is refused before any signature
is looked at, so that most of what is presented here needs no CA that would sign it.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.issuing import PrivateKey, new_hierarchy, new_key
from pki.keys import PublicKey
from pki.paths import CERTIFICATE_SIZE_MAX, INTERMEDIATES_MAX, Fault, PathRejected, StationChainVerifier
from pki.pem_files import certificates_pem

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CHECK_MAX = 0.5
"""s of CPU for one check: a hundred times what it takes, below what a bomb took (0.7 to 1.0 s)."""
KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
LARGE_KEY = ec.generate_private_key(ec.SECP521R1())
STATIONS = new_hierarchy("Station", "Example CPO", NOW - 30 * DAY)

SHA256_RSA, SHA1_RSA, MD5_RSA = (bytes.fromhex(f"06092a864886f70d0101{last}") for last in ("0b", "05", "04"))


def ca_certificate(
    name: str,
    key: PublicKey,
    by: PrivateKey,
    issuer: str,
    *,
    path_length: int | None = None,
    begins: datetime = NOW - DAY,
    padding_size: int = 0,
) -> x509.Certificate:
    usages = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    none = dict.fromkeys((*usages, "encipher_only", "decipher_only"), False)
    filler = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(padding_size))
    return (
        x509.CertificateBuilder(named(issuer), named(name), key, x509.random_serial_number(), begins, NOW + 30 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(x509.KeyUsage(**none, key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(filler, critical=False)
        .sign(by, hashes.SHA256())
    )


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def station(
    issuer: str,
    by: PrivateKey,
    key: PublicKey | None = None,
    *,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + DAY,
) -> x509.Certificate:
    serial = x509.random_serial_number()
    builder = x509.CertificateBuilder(named(issuer), named("SN-1"), key or KEY.public_key(), serial, begins, ends)
    return builder.sign(by, hashes.SHA256())


def root(key: PrivateKey, name: str = "Root") -> x509.Certificate:
    return ca_certificate(name, key.public_key(), key, name)


def line(length: int) -> list[x509.Certificate]:
    """A leaf, ``length`` CAs one under the other, and the root last."""
    cas = [
        ca_certificate(f"CA {n}", KEY.public_key(), KEY, "Root" if n == length else f"CA {n + 1}")
        for n in range(1, length + 1)
    ]
    return [station("CA 1", KEY), *cas, root(KEY)]


def check(path: Sequence[x509.Certificate | bytes], anchor: x509.Certificate, now: datetime = NOW) -> Fault | None:
    """Present ``path``; return why it is refused, None when it isn't. Fails when that takes long."""
    verifier = StationChainVerifier(certificates_pem([anchor]).encode(), clock=lambda: now)
    leaf, *chain = (each if isinstance(each, bytes) else each.public_bytes(Encoding.DER) for each in path)
    began = time.process_time()
    try:
        verifier(leaf, chain, "SN-1")
    except PathRejected as error:
        return error.fault
    finally:
        assert time.process_time() - began < CHECK_MAX
    return None


@pytest.mark.parametrize(
    ("length", "fault"),
    [(1, None), (INTERMEDIATES_MAX, None), (INTERMEDIATES_MAX + 1, Fault.TOO_LARGE), (10, Fault.TOO_LARGE)],
)
def test_long_chains(length: int, fault: Fault | None) -> None:
    *path, anchor = line(length)

    assert check(path, anchor) is fault


def test_a_path_longer_than_its_ca_allows() -> None:
    top = ca_certificate("CA 2", KEY.public_key(), KEY, "Root", path_length=0)
    sub = ca_certificate("CA 1", KEY.public_key(), KEY, "CA 2")

    assert check([station("CA 2", KEY), top], root(KEY)) is None
    assert check([station("CA 1", KEY), sub, top], root(KEY)) is Fault.NO_PATH


@pytest.mark.parametrize("key", [KEY, LARGE_KEY], ids=["P-256", "P-521"])
def test_cas_that_issue_each_other(key: PrivateKey) -> None:
    """Without an end: in a ring, and every one by every other, which once took the verifier a second."""
    public = key.public_key()
    ring = [ca_certificate(f"CA {n}", public, key, f"CA {n % 4 + 1}") for n in (1, 2, 3, 4)]
    clique = [ca_certificate("CA 1", public, key, "CA 1") for _ in range(INTERMEDIATES_MAX)]

    for bomb in (ring, clique, [clique[0]] * INTERMEDIATES_MAX, [*clique[:2], *ring[:2]]):
        assert check([station("CA 1", key), *bomb], root(new_key())) is Fault.NO_PATH


def test_cas_of_one_name_and_many_keys() -> None:
    keys = [ec.generate_private_key(ec.SECP521R1()) for _ in range(INTERMEDIATES_MAX)]
    bomb = [ca_certificate("CA", one.public_key(), other, "CA") for one, other in pairwise([*keys, keys[0]])]

    assert check([station("CA", keys[0]), *bomb], root(new_key())) is Fault.NO_PATH


def test_the_way_out_of_a_loop_is_still_found() -> None:
    """Two certificates of one CA under two roots are honest, whichever of them stands first."""
    old, new = root(LARGE_KEY, "Old root"), root(KEY, "New root")
    crossed = [
        ca_certificate("CA", RSA_KEY.public_key(), key, f"{name} root")
        for key, name in ((LARGE_KEY, "Old"), (KEY, "New"))
    ]

    for anchor in (old, new):
        for issuers in (crossed, crossed[::-1]):
            assert check([station("CA", RSA_KEY), *issuers], anchor) is None


@pytest.mark.parametrize(
    ("size", "fault"), [(0, None), (CERTIFICATE_SIZE_MAX - 1000, None), (CERTIFICATE_SIZE_MAX, Fault.TOO_LARGE)]
)
def test_certificates_that_are_mostly_one_extension(size: int, fault: Fault | None) -> None:
    issuing = ca_certificate("CA", KEY.public_key(), KEY, "Root", padding_size=size)

    assert check([station("CA", KEY), issuing], root(KEY)) is fault


def rsa_numbers(bits: int, exponent: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(exponent, (1 << bits) - 159).public_key()


@pytest.mark.parametrize(
    "key",
    [
        rsa_numbers(1024),
        rsa_numbers(4097),
        rsa_numbers(16384),
        rsa_numbers(2048, 3),
        rsa_numbers(2048, 65539),
        rsa_numbers(2048, (1 << 2047) + 1),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ec.generate_private_key(ec.SECP224R1()).public_key(),
    ],
    ids=["1024", "4097", "16384", "exponent 3", "exponent 65539", "huge exponent", "secp256k1", "secp224r1"],
)
def test_keys_weak_and_monstrous(key: PublicKey) -> None:
    """A00.FR.501 to 504, in every place of a path, the root that the operator trusts included."""
    issuing = ca_certificate("CA", key, KEY, "Root")

    assert check([station("Root", KEY, key)], root(KEY)) is Fault.WEAK_KEY
    assert check([station("CA", KEY), issuing], root(KEY)) is Fault.WEAK_KEY
    assert check([station("Root", KEY), issuing], root(KEY)) is Fault.WEAK_KEY, "though the path doesn't need it"


@pytest.mark.parametrize(
    "weak",
    [
        rsa.generate_private_key(65537, 1024),  # noqa: S505  # it must be refused
        rsa.generate_private_key(3, 2048),
    ],
    ids=["1024", "exponent 3"],
)
def test_a_weak_root_in_the_store(weak: rsa.RSAPrivateKey) -> None:
    assert check([station("Root", weak)], root(weak)) in {Fault.WEAK_KEY, Fault.NO_PATH}


def test_a_curve_that_is_spelt_out() -> None:
    """CVE-2020-0601: whoever chooses the generator knows a private key for every public one."""
    der = explicit_curve(station("Root", KEY).public_bytes(Encoding.DER))
    issuing = explicit_curve(ca_certificate("CA", KEY.public_key(), KEY, "Root").public_bytes(Encoding.DER))

    assert check([der], root(KEY)) is Fault.WEAK_KEY
    assert check([station("CA", KEY), issuing], root(KEY)) is Fault.WEAK_KEY


@pytest.mark.parametrize(
    ("oid", "algorithm"),
    [
        (SHA1_RSA, hashes.SHA1()),  # noqa: S303  # it must be refused
        (MD5_RSA, hashes.MD5()),  # noqa: S303  # the same
    ],
    ids=["SHA-1", "MD5"],
)
def test_hashes_that_are_broken(oid: bytes, algorithm: hashes.HashAlgorithm) -> None:
    """A00.FR.506, with signatures that are right: on the leaf and on its CA; a root's own hash proves nothing."""
    anchor = root(RSA_KEY)
    issuing = ca_certificate("CA", KEY.public_key(), RSA_KEY, "Root")

    assert check([station("CA", KEY), issuing], anchor) is None
    assert check([resigned(station("Root", RSA_KEY), oid, algorithm)], anchor) is Fault.WEAK_SIGNATURE
    assert check([station("CA", KEY), resigned(issuing, oid, algorithm)], anchor) is Fault.WEAK_SIGNATURE
    old_root = x509.load_der_x509_certificate(resigned(anchor, oid, algorithm))
    assert check([station("CA", KEY), issuing, old_root], old_root) is None


@pytest.mark.parametrize(
    ("now", "fault"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), Fault.NOT_YET_VALID),
        (NOW - DAY - timedelta(seconds=1), Fault.NOT_YET_VALID),
        (NOW - DAY, None),
        (NOW + DAY, None),
        (NOW + DAY + timedelta(seconds=1), Fault.EXPIRED),
        (datetime(9999, 12, 31, tzinfo=UTC), Fault.EXPIRED),
    ],
)
def test_clocks_that_jump(now: datetime, fault: Fault | None) -> None:
    assert check([station("Root", KEY)], root(KEY), now) is fault


def test_a_clock_that_jumps_between_two_checks() -> None:
    """The path is remembered, its dates aren't believed for that."""
    now = NOW
    verifier = StationChainVerifier(certificates_pem([root(KEY)]).encode(), clock=lambda: now)
    leaf = station("Root", KEY).public_bytes(Encoding.DER)
    found: list[Fault | None] = []
    for now in (NOW, NOW + 2 * DAY, NOW, NOW - 2 * DAY, NOW):  # noqa: B007  # the verifier's clock reads it
        try:
            verifier(leaf, [], "SN-1")
            found.append(None)
        except PathRejected as error:
            found.append(error.fault)

    assert found == [None, Fault.EXPIRED, None, Fault.NOT_YET_VALID, None]


def test_cas_of_the_future() -> None:
    issuing = ca_certificate("CA", KEY.public_key(), KEY, "Root", begins=NOW + timedelta(seconds=1))

    assert check([station("CA", KEY), issuing], root(KEY)) is Fault.NO_PATH


def test_a_certificate_that_ends_before_it_begins() -> None:
    whole = station("Root", KEY).public_bytes(Encoding.DER)
    begins, ends = b"\x17\x0d260531120000Z", b"\x17\x0d260602120000Z"
    turned = whole.replace(begins + ends, ends + begins)
    assert turned != whole

    assert check([turned], root(KEY)) in {Fault.NOT_YET_VALID, Fault.EXPIRED}


def element(tag: int, content: bytes) -> bytes:
    length = len(content).to_bytes(2).lstrip(b"\0")
    head = length if len(content) < 0x80 else bytes([0x80 + len(length)]) + length
    return bytes([tag]) + head + content


def content(der: bytes) -> bytes:
    """Return what stands in an element of 128 bytes or more."""
    return der[2 + (der[1] & 0x7F) :]


def resigned(certificate: x509.Certificate, oid: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    """The same, signed with a hash that pyca wouldn't sign with."""
    signed = certificate.tbs_certificate_bytes.replace(SHA256_RSA, oid)
    assert signed != certificate.tbs_certificate_bytes
    signature = RSA_KEY.sign(signed, padding.PKCS1v15(), algorithm)
    return element(0x30, signed + element(0x30, oid + b"\x05\x00") + element(3, b"\0" + signature))


def explicit_curve(der: bytes) -> bytes:
    """The same, with the parameters of P-256 written out where its name stood; the signature no longer holds."""
    numbers = KEY.public_key().public_numbers()
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    g = (
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
    field = element(0x30, bytes.fromhex("06072a8648ce3d0101") + element(2, b"\0" + prime.to_bytes(32)))
    curve = element(0x30, element(4, (prime - 3).to_bytes(32)) + element(4, b.to_bytes(32)))
    parameters = element(
        0x30, b"\x02\x01\x01" + field + curve + element(4, bytes.fromhex(g)) + element(2, b"\0" + order.to_bytes(32))
    )
    point = element(3, b"\0\x04" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32))
    ec_key, p256 = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06082a8648ce3d030107")
    spelt = element(0x30, element(0x30, ec_key + parameters) + point)
    plain = element(0x30, element(0x30, ec_key + p256) + point)
    signed = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    assert signed.count(plain) == 1
    signature = der[der.index(signed) + len(signed) :]
    return element(0x30, element(0x30, content(signed).replace(plain, spelt)) + signature)
