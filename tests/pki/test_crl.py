"""CRLs that are read: what they say, about whom, and which are refused."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import CRLEntryExtensionOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.crl import (
    CRL_SIZE_MAX,
    CRLS_MAX,
    NAME_MAX,
    NO_NUMBER,
    CrlRejected,
    Scope,
    distribution_points,
    may_sign_crls,
    name_of,
    parse_crls,
)
from pki.issuing import Hierarchy, Issuer, PrivateKey
from tests.iso15118_pki import ENCODED_DEFAULT, Issued, leaf

DAY = timedelta(days=1)
POINT = x509.UniformResourceIdentifier("http://crl.example/1.crl")
OTHER_POINT = x509.UniformResourceIdentifier("http://crl.example/2.crl")
Extension = tuple[x509.ExtensionType, bool]


def entry(serial: int, when: datetime, *extensions: Extension) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.build()


def crl(
    issuer: Issuer, now: datetime, *extensions: Extension, entries: Sequence[x509.RevokedCertificate] = ()
) -> x509.CertificateRevocationList:
    builder = x509.CertificateRevocationListBuilder(
        issuer.certificate.subject, now, now + DAY, revoked_certificates=list(entries)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(issuer.key, hashes.SHA256())


def pem(*crls: x509.CertificateRevocationList) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in crls)


def der(one: x509.CertificateRevocationList) -> bytes:
    return one.public_bytes(Encoding.DER)


def point(**changes: object) -> x509.IssuingDistributionPoint:
    flags = ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs")
    none = {"full_name": None, "relative_name": None, "only_some_reasons": None, **dict.fromkeys(flags, False)}
    return x509.IssuingDistributionPoint(**{**none, **changes})  # type: ignore[arg-type]  # of eight types


def test_what_it_says(hierarchy: Hierarchy, now: datetime) -> None:
    (read,) = parse_crls(
        der(
            crl(
                hierarchy.issuing,
                now,
                (x509.CRLNumber(7), False),
                entries=[
                    entry(0xA, now),
                    entry(0xB, now, (x509.CRLReason(x509.ReasonFlags.key_compromise), False)),
                    entry(0xC, now, (x509.CRLReason(x509.ReasonFlags.certificate_hold), False)),
                    entry(0xD, now, (x509.CRLReason(x509.ReasonFlags.remove_from_crl), False)),
                    entry(0xE, now, (x509.InvalidityDate(now.replace(tzinfo=None)), True)),
                ],
            )
        )
    )

    assert read.issuer == hierarchy.issuing.certificate.subject
    assert (read.number, read.this_update, read.next_update) == (7, now, now + DAY)
    assert read.revoked == {0xA: "unspecified", 0xB: "keyCompromise", 0xC: "certificateHold", 0xE: "unspecified"}
    assert (read.scope, read.fault) == (Scope(), None)
    assert "CRL 7 of CN=Test station issuing CA" in repr(read)
    assert "4 revoked" in repr(read)
    read.check_issuer(hierarchy.issuing.certificate)


@pytest.mark.parametrize(
    "extension",
    [
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
        (x509.CertificateIssuer([x509.DirectoryName(x509.Name([]))]), True),
        (x509.UnrecognizedExtension(CRLEntryExtensionOID.CRL_REASON, b"\x05\x00"), False),
    ],
    ids=["unknown", "of another issuer", "damaged"],
)
def test_an_entry_that_is_not_understood_revokes(hierarchy: Hierarchy, now: datetime, extension: Extension) -> None:
    removed = (x509.CRLReason(x509.ReasonFlags.remove_from_crl), False)
    both = (extension,) if extension[0].oid == CRLEntryExtensionOID.CRL_REASON else (removed, extension)
    (read,) = parse_crls(der(crl(hierarchy.issuing, now, entries=[entry(5, now, *both)])))

    assert 5 in read.revoked


def test_an_entry_whose_unknown_extension_is_not_critical(hierarchy: Hierarchy, now: datetime) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    (read,) = parse_crls(der(crl(hierarchy.issuing, now, entries=[entry(5, now, (unknown, False))])))

    assert read.revoked == {5: "unspecified"}


@pytest.mark.parametrize(
    ("extension", "scope"),
    [
        ((point(only_contains_user_certs=True), True), Scope(cas=False)),
        ((point(only_contains_ca_certs=True), True), Scope(end_entities=False)),
        ((point(only_contains_attribute_certs=True), True), Scope(end_entities=False, cas=False)),
        ((point(full_name=[POINT]), True), Scope(points=frozenset({POINT}))),
        ((point(full_name=[POINT]), False), Scope(points=frozenset({POINT}))),
    ],
    ids=["users", "CAs", "attributes", "a part", "a part, not critical"],
)
def test_about_whom_it_speaks(hierarchy: Hierarchy, now: datetime, extension: Extension, scope: Scope) -> None:
    (read,) = parse_crls(der(crl(hierarchy.issuing, now, extension)))

    assert (read.scope, read.fault) == (scope, None)


def test_a_part_of_the_certificates(hierarchy: Hierarchy, now: datetime) -> None:
    def leaf(*names: x509.GeneralName) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            hierarchy.issuing.certificate.subject, x509.Name([]), hierarchy.issuing.key.public_key(), 5, now, now + DAY
        )
        if names:
            there = x509.DistributionPoint(names, None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([there]), critical=False)
        return builder.sign(hierarchy.issuing.key, hashes.SHA256())

    part = Scope(points=frozenset({POINT}))
    for certificate, covered in [(leaf(), False), (leaf(OTHER_POINT), False), (leaf(OTHER_POINT, POINT), True)]:
        assert part.covers(certificate) is covered
        assert Scope().covers(certificate)
        assert not Scope(end_entities=False).covers(certificate)


@pytest.mark.parametrize(
    ("extension", "words"),
    [
        ((x509.DeltaCRLIndicator(3), True), "a delta CRL"),
        ((point(indirect_crl=True), True), "an indirect CRL"),
        ((point(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})), True), "only some reasons"),
        (
            (point(relative_name=x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "x")])), True),
            "relative",
        ),
        (
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
            "critical extension 1.2.3.4",
        ),
    ],
)
def test_kinds_that_are_not_used(hierarchy: Hierarchy, now: datetime, extension: Extension, words: str) -> None:
    (read,) = parse_crls(der(crl(hierarchy.issuing, now, extension)))

    assert read.fault is not None
    assert words in read.fault


def test_an_unknown_extension_that_is_not_critical(hierarchy: Hierarchy, now: datetime) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")

    (read,) = parse_crls(der(crl(hierarchy.issuing, now, (unknown, False))))

    assert (read.fault, read.number) == (None, NO_NUMBER)
    assert repr(read).startswith("Crl(CRL of ")


def test_files(hierarchy: Hierarchy, foreign: Hierarchy, now: datetime) -> None:
    one, two = crl(hierarchy.issuing, now), crl(foreign.issuing, now)
    both = b"0 words before\r\n" + pem(one).replace(b"\n", b"\r\n") + b"and between" + pem(two)

    assert [each.issuer for each in parse_crls(both)] == [one.issuer, two.issuer]
    assert [each.issuer for each in parse_crls(der(two))] == [two.issuer]
    assert len(parse_crls(pem(one) * CRLS_MAX)) == CRLS_MAX


def test_files_that_are_refused(hierarchy: Hierarchy, now: datetime) -> None:
    one = crl(hierarchy.issuing, now)
    text = pem(one)
    for data, words in [
        (b"", "holds no CRL in PEM or DER"),
        (b"<html>", "holds no CRL"),
        (hierarchy.root.certificate.public_bytes(Encoding.PEM), "holds no CRL"),
        (hierarchy.root.certificate.public_bytes(Encoding.DER), "can't be decoded"),
        (der(one)[:-1], "can't be decoded"),
        (der(one) + b"\0", "can't be decoded"),
        (text[:-30], "cut off"),
        (text.replace(b"\nM", b"\n*", 1), "isn't base64"),
        (text * (CRLS_MAX + 1), f"more than {CRLS_MAX} CRLs"),
        (b"-----BEGIN X509 CRL-----" * 100_000, f"more than {CRLS_MAX} CRLs"),
        (bytes(CRL_SIZE_MAX + 1), f"at most {CRL_SIZE_MAX}"),
        (der(crl(hierarchy.issuing, now, (x509.CRLNumber(1 << 160), False))), "too long"),
    ]:
        with pytest.raises(ValueError, match=words):
            parse_crls(data)
    assert parse_crls(der(crl(hierarchy.issuing, now, (x509.CRLNumber((1 << 160) - 1), False))))


def test_a_damaged_extension(hierarchy: Hierarchy, now: datetime) -> None:
    damaged = x509.UnrecognizedExtension(x509.CRLNumber.oid, b"\x04\x00")

    with pytest.raises(ValueError, match="can't be decoded"):
        parse_crls(der(crl(hierarchy.issuing, now, (damaged, False))))


def test_who_issued_it(hierarchy: Hierarchy, foreign: Hierarchy, now: datetime) -> None:
    (read,) = parse_crls(der(crl(hierarchy.issuing, now)))
    (forged,) = parse_crls(der(crl(Issuer(hierarchy.issuing.certificate, foreign.issuing.key), now)))

    with pytest.raises(CrlRejected, match="another CA's"):
        read.check_issuer(foreign.issuing.certificate)
    with pytest.raises(CrlRejected, match="isn't signed by the CA"):
        forged.check_issuer(hierarchy.issuing.certificate)


def test_a_ca_that_may_not_sign_crls(hierarchy: Hierarchy, now: datetime) -> None:
    subject, key = hierarchy.issuing.certificate.subject, hierarchy.issuing.key
    (read,) = parse_crls(der(crl(hierarchy.issuing, now)))
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 5, now, now + DAY)
    read.check_issuer(builder.sign(key, hashes.SHA256()))

    usage = x509.KeyUsage(False, False, False, False, False, True, False, False, False)  # certSign alone
    with pytest.raises(CrlRejected, match="key usage"):
        read.check_issuer(builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()))


def test_extensions_that_cannot_be_read_say_nothing(hierarchy: Hierarchy, now: datetime) -> None:
    """Certificates in the field write out a default, and pyca then reads none of their extensions."""
    odd = leaf("Odd", Issued(hierarchy.issuing.certificate, hierarchy.issuing.key), basic_constraints=ENCODED_DEFAULT)
    assert distribution_points(odd.certificate) == []
    assert not may_sign_crls(odd.certificate)
    (read,) = parse_crls(der(crl(hierarchy.issuing, now, (point(full_name=[POINT]), True))))
    assert not read.scope.covers(odd.certificate)


def test_signatures(hierarchy: Hierarchy, rsa_key: rsa.RSAPrivateKey, now: datetime) -> None:
    """Digested while reading, with every scheme that a CA may use (A00.FR.505, 506)."""
    name = hierarchy.issuing.certificate.subject
    builder = x509.CertificateRevocationListBuilder(name, now, now + DAY)
    large = ec.generate_private_key(ec.SECP521R1())
    others: list[PrivateKey | ed25519.Ed25519PrivateKey] = [
        hierarchy.root.key,
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
    ]
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    schemes: list[tuple[PrivateKey, x509.CertificateRevocationList]] = [
        (rsa_key, builder.sign(rsa_key, hashes.SHA384())),
        (rsa_key, builder.sign(rsa_key, hashes.SHA256(), rsa_padding=pss)),
        (large, builder.sign(large, hashes.SHA512())),
    ]
    for key, signed in schemes:
        (read,) = parse_crls(der(signed))
        assert read.fault is None
        assert read._is_signed_with(key.public_key())
        for other in others:
            assert not read._is_signed_with(other.public_key())


def test_signatures_of_other_kinds(hierarchy: Hierarchy, now: datetime) -> None:
    name = hierarchy.issuing.certificate.subject
    key = ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateRevocationListBuilder(name, now, now + DAY)
    for signed in (builder.sign(key, None), builder.sign(hierarchy.issuing.key, hashes.SHA224())):
        (read,) = parse_crls(der(signed))
        assert "algorithm" in (read.fault or "")
        assert not read._is_signed_with(hierarchy.issuing.certificate.public_key())


def test_two_signature_algorithms(hierarchy: Hierarchy, now: datetime) -> None:
    """RFC 5280 5.1.1.2: what is signed names the algorithm that stands beside the signature."""
    ecdsa_sha256, ecdsa_sha384 = bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040303")
    whole = der(crl(hierarchy.issuing, now))
    assert whole.count(ecdsa_sha256) == 2
    last = whole.rindex(ecdsa_sha256)

    with pytest.raises(ValueError, match=r"two signature algorithms|algorithms do not match"):
        parse_crls(whole[:last] + ecdsa_sha384 + whole[last + 8 :])


def test_a_name_without_end() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "\u0416" * 60)] * 10)

    assert len(name_of(name)) == NAME_MAX
    assert name_of(name).isascii()


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 2000), flip=st.integers(1, 255))
def test_a_flipped_byte_says_nothing_in_the_cas_name(signed: tuple[bytes, Issuer], position: int, flip: int) -> None:
    whole, issuer = signed
    mutated = bytearray(whole)
    mutated[position % len(whole)] ^= flip

    try:
        (read,) = parse_crls(bytes(mutated))
        read.check_issuer(issuer.certificate)
    except ValueError:
        return
    # A signature that ends in zero bits may be spelt without them (X.690 11.2): all that is signed is the same.
    assert x509.load_der_x509_crl(bytes(mutated)).tbs_certlist_bytes == x509.load_der_x509_crl(whole).tbs_certlist_bytes


@pytest.fixture(scope="module")
def signed(hierarchy: Hierarchy) -> tuple[bytes, Issuer]:
    now = hierarchy.issuing.certificate.not_valid_before_utc
    whole = crl(hierarchy.issuing, now, (x509.CRLNumber(7), False), entries=[entry(5, now)])
    return der(whole), hierarchy.issuing
