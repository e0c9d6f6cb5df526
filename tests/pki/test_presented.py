"""What a certificate must be by itself: each rule alone (tests/attacks has the classes, keys and names as attacks)."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from pki import presented
from pki.issuing import Hierarchy
from pki.presented import (
    CERTIFICATE_SIZE_MAX,
    INTERMEDIATES_MAX,
    Fault,
    PathRejected,
    check_ca,
    check_sizes,
    read_presented,
)

NAMES = ((NameOID.COMMON_NAME, "SN-1"), (NameOID.ORGANIZATION_NAME, "Example CPO"))
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
USAGES = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
WEAK = ec.generate_private_key(ec.SECP256K1()).public_key()


def usage(**changes: bool) -> x509.KeyUsage:
    none = dict.fromkeys((*USAGES, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(**{"digital_signature": True, **none, **changes})


class Maker:
    """Makes leaves in DER."""

    def __init__(self, hierarchy: Hierarchy, key: ec.EllipticCurvePrivateKey) -> None:
        self.issuer = hierarchy.issuing
        self.key = key.public_key()

    def leaf(
        self,
        *extensions: tuple[x509.ExtensionType, bool],
        names: Any = NAMES,
        key: Any = None,
        algorithm: hashes.SHA224 | hashes.SHA256 | None = None,
    ) -> bytes:
        begins = self.issuer.certificate.not_valid_before_utc
        subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
        builder = x509.CertificateBuilder(
            self.issuer.certificate.subject, subject, key or self.key, 1 << 80, begins, begins + timedelta(days=1)
        )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical=critical)
        return builder.sign(self.issuer.key, algorithm or hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture
def make(hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey) -> Maker:
    return Maker(hierarchy, ec_key)


@pytest.fixture
def issuing(hierarchy: Hierarchy) -> bytes:
    return hierarchy.issuing.certificate.public_bytes(Encoding.DER)


def fault(leaf: bytes, *chain: bytes) -> Fault:
    with pytest.raises(PathRejected) as caught:
        read_presented(leaf, chain)
    assert str(caught.value).isascii()
    return caught.value.fault


def test_what_is_read(make: Maker, issuing: bytes, hierarchy: Hierarchy) -> None:
    root = hierarchy.root.certificate.public_bytes(Encoding.DER)

    read = read_presented(make.leaf((UNKNOWN, False)), [issuing, root, issuing])

    assert (read.common_name, read.organization) == ("SN-1", "Example CPO")
    assert read.issuers == (hierarchy.issuing.certificate, hierarchy.root.certificate)
    assert read_presented(make.leaf(names=NAMES[:1]), []).organization is None


@pytest.mark.parametrize(
    "extension",
    [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (usage(key_cert_sign=True), True),
        (usage(crl_sign=True), True),
        (usage(digital_signature=False, key_encipherment=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False),
        (UNKNOWN, True),
    ],
)
def test_another_class(make: Maker, extension: tuple[x509.ExtensionType, bool]) -> None:
    assert fault(make.leaf(extension)) is Fault.NOT_A_STATIONS


@pytest.mark.parametrize(
    "names",
    [
        NAMES[1:],
        (*NAMES, NAMES[0]),
        (*NAMES, NAMES[1]),
        ((NameOID.COMMON_NAME, "10.0.0.1"), NAMES[1]),
        ((NameOID.COMMON_NAME, "SN\0"), NAMES[1]),
        (*NAMES, (NameOID.DOMAIN_COMPONENT, "MO")),
    ],
)
def test_names_that_are_no_stations(make: Maker, names: Any) -> None:
    assert fault(make.leaf(names=names)) is Fault.NOT_A_STATIONS


def test_sizes(make: Maker, issuing: bytes) -> None:
    leaf = make.leaf()
    large = make.leaf((x509.UnrecognizedExtension(UNKNOWN.oid, bytes(CERTIFICATE_SIZE_MAX)), False))

    read_presented(leaf, [issuing] * INTERMEDIATES_MAX)
    check_sizes(bytes(CERTIFICATE_SIZE_MAX), [])
    assert fault(leaf, *[issuing] * (INTERMEDIATES_MAX + 1)) is Fault.TOO_LARGE
    assert fault(large) is fault(leaf, large) is Fault.TOO_LARGE
    with pytest.raises(PathRejected):
        check_sizes(bytes(CERTIFICATE_SIZE_MAX + 1), [])


def test_keys_and_hashes(make: Maker) -> None:
    assert fault(make.leaf(key=WEAK)) is fault(make.leaf(), make.leaf(key=WEAK)) is Fault.WEAK_KEY
    short = rsa.RSAPublicNumbers(65537, (1 << 1024) - 159).public_key()
    assert fault(make.leaf(key=short)) is Fault.WEAK_KEY
    assert fault(make.leaf(algorithm=hashes.SHA224())) is Fault.WEAK_SIGNATURE


def test_bytes_that_are_no_certificate(make: Maker) -> None:
    leaf = make.leaf()
    for presented_leaf, chain in [(b"", []), (b"\x30\x00", []), (leaf[:-1], []), (leaf + b"\0", []), (leaf, [b"x"])]:
        assert fault(presented_leaf, *chain) is Fault.MALFORMED


def test_an_extension_that_cannot_be_decoded(make: Maker) -> None:
    damaged = x509.UnrecognizedExtension(ExtensionOID.BASIC_CONSTRAINTS, b"\x01")

    assert fault(make.leaf((damaged, True))) is Fault.MALFORMED


def test_a_certificate_of_version_1(make: Maker) -> None:
    """The version field, which version 1 leaves out, cut from the bytes."""
    whole = make.leaf()
    inner = x509.load_der_x509_certificate(whole).tbs_certificate_bytes
    rest = inner[inner.index(bytes.fromhex("a003020102")) + 5 :]
    leaf = sequence(sequence(rest) + whole.split(inner)[1])
    assert x509.load_der_x509_certificate(leaf).version is x509.Version.v1

    assert fault(leaf) is Fault.MALFORMED


def sequence(content: bytes) -> bytes:
    length = len(content).to_bytes(2).lstrip(b"\0")
    return b"\x30" + bytes([0x80 + len(length)]) + length + content


def test_a_ca_is_looked_at_once(hierarchy: Hierarchy, monkeypatch: pytest.MonkeyPatch) -> None:
    check_ca(hierarchy.root.certificate)
    monkeypatch.setattr(presented, "check_key", None)

    check_ca(hierarchy.root.certificate)


def test_a_ca_that_was_refused_is_refused_again(make: Maker) -> None:
    weak = x509.load_der_x509_certificate(make.leaf(key=WEAK))
    for _ in range(2):
        with pytest.raises(PathRejected, match="a weak key"):
            check_ca(weak)
