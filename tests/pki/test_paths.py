"""Certificates that are presented: the station's own passes, every other class is refused (attacks A9, A10, B4)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import profiles
from pki.issuing import Hierarchy, Issuer, issue
from pki.paths import (
    REMEMBERED_MAX,
    Fault,
    PathRejected,
    StationChainVerifier,
    check_name,
    check_organization,
    load_roots,
)
from pki.pem_files import certificates_pem

DAY = timedelta(days=1)
NAMES = ((NameOID.COMMON_NAME, "SN-1"), (NameOID.ORGANIZATION_NAME, "Example CPO"))


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def usage(**changes: bool) -> x509.KeyUsage:
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign")
    none = dict.fromkeys((*names, "crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(**{"digital_signature": True, **none, **changes})


class Case:
    """A verifier at a fixed time, and leaves of any shape for it."""

    def __init__(self, hierarchy: Hierarchy, now: datetime, key: ec.EllipticCurvePublicKey) -> None:
        self.hierarchy = hierarchy
        self.now = now
        self.key = key
        self.verifier = StationChainVerifier(
            certificates_pem([hierarchy.root.certificate]).encode(), organization="Example CPO", clock=lambda: self.now
        )

    def leaf(
        self,
        *extensions: tuple[x509.ExtensionType, bool],
        names: Sequence[tuple[x509.ObjectIdentifier, str]] = NAMES,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | None = None,
        issuer: Issuer | None = None,
    ) -> x509.Certificate:
        issuer = issuer or self.hierarchy.issuing
        builder = x509.CertificateBuilder(
            issuer.certificate.subject,
            x509.Name([x509.NameAttribute(oid, value) for oid, value in names]),
            key or self.key,
            x509.random_serial_number(),
            self.now - DAY,
            self.now + DAY,
        )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical=critical)
        return builder.sign(issuer.key, hashes.SHA256())

    def present(self, *chain: x509.Certificate, name: str = "SN-1") -> None:
        self.verifier(der(chain[0]), [der(each) for each in chain[1:]], name)

    def fault(self, *chain: x509.Certificate, name: str = "SN-1") -> Fault:
        with pytest.raises(PathRejected) as caught:
            self.present(*chain, name=name)
        assert str(caught.value)
        return caught.value.fault

    @property
    def issuing(self) -> x509.Certificate:
        return self.hierarchy.issuing.certificate


@pytest.fixture
def case(hierarchy: Hierarchy, now: datetime, ec_key: ec.EllipticCurvePrivateKey) -> Case:
    return Case(hierarchy, now, ec_key.public_key())


@pytest.fixture
def station(case: Case) -> x509.Certificate:
    """The certificate that the gateway's own authority issues."""
    return issue(
        case.hierarchy.issuing,
        profiles.charging_station(),
        case.key,
        common_name="SN-1",
        organization="Example CPO",
        now=case.now,
    )


def test_a_stations_own_certificate(case: Case, station: x509.Certificate) -> None:
    case.present(station, case.issuing)
    case.present(station, case.issuing, case.hierarchy.root.certificate)

    verified = case.verifier.verify(der(station), [der(case.issuing)])
    assert verified.certificate == station
    assert (verified.common_name, verified.organization) == ("SN-1", "Example CPO")
    assert verified.chain == (station, case.issuing, case.hierarchy.root.certificate)
    assert (verified.not_before, verified.not_after) == (station.not_valid_before_utc, station.not_valid_after_utc)


def test_all_stations_of_a_ca_have_its_certificate_in_common(case: Case) -> None:
    one, other = (case.verifier.verify(der(case.leaf()), [der(case.issuing)]) for _ in range(2))
    assert one.certificate != other.certificate
    assert one.chain[1] == case.issuing
    assert all(mine is its for mine, its in zip(one.chain[1:], other.chain[1:], strict=True))


def test_one_issued_by_the_root_itself(case: Case) -> None:
    case.present(case.leaf(issuer=case.hierarchy.root))


@pytest.mark.parametrize(
    "extensions",
    [
        [],
        [(usage(), True)],
        [(usage(key_agreement=True), False)],
        [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), True)],
        [(x509.SubjectAlternativeName([x509.DNSName("cp.example")]), False)],
        [(x509.BasicConstraints(ca=False, path_length=None), True)],
    ],
)
def test_leaves_that_other_authorities_issue(case: Case, extensions: Any) -> None:
    case.present(case.leaf(*extensions), case.issuing)


def test_a_leaf_that_issues_a_leaf(case: Case, ec_key: ec.EllipticCurvePrivateKey) -> None:
    """A station that plays CA for another name: the path breaks at a leaf that isn't one."""
    mine = case.leaf((x509.BasicConstraints(ca=False, path_length=None), True))
    forged = case.leaf(names=[(NameOID.COMMON_NAME, "SN-2"), NAMES[1]], issuer=Issuer(mine, ec_key))

    assert case.fault(forged, mine, case.issuing, name="SN-2") is Fault.NO_PATH


def test_another_hierarchy(case: Case, foreign: Hierarchy) -> None:
    leaf = case.leaf(issuer=foreign.issuing)

    assert case.fault(leaf, foreign.issuing.certificate) is Fault.NO_PATH
    assert case.fault(leaf, foreign.issuing.certificate, foreign.root.certificate) is Fault.NO_PATH
    assert case.fault(leaf, case.issuing) is Fault.NO_PATH


def test_a_missing_intermediate(case: Case, station: x509.Certificate) -> None:
    assert case.fault(station) is Fault.NO_PATH


def test_a_self_signed_leaf(case: Case, ec_key: ec.EllipticCurvePrivateKey) -> None:
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in NAMES])
    builder = x509.CertificateBuilder(name, name, ec_key.public_key(), 1 << 80, case.now - DAY, case.now + DAY)

    assert case.fault(builder.sign(ec_key, hashes.SHA256())) is Fault.NO_PATH


def test_names_that_are_not_the_stations(case: Case, station: x509.Certificate) -> None:
    assert case.fault(station, case.issuing, name="SN-2") is Fault.OTHER_NAME
    assert case.fault(station, case.issuing, name="sn-1") is Fault.OTHER_NAME
    other = case.leaf(names=[NAMES[0], (NameOID.ORGANIZATION_NAME, "Other CPO")])
    assert case.fault(other, case.issuing) is Fault.OTHER_ORGANIZATION
    assert case.fault(case.leaf(names=NAMES[:1]), case.issuing) is Fault.OTHER_ORGANIZATION


def test_a_verifier_that_asks_for_no_owner(case: Case) -> None:
    verifier = StationChainVerifier(
        certificates_pem([case.hierarchy.root.certificate]).encode(), clock=lambda: case.now
    )

    verifier(der(case.leaf(names=NAMES[:1])), [der(case.issuing)], "SN-1")


def test_dates_at_the_edge_and_one_second_past_it(case: Case, station: x509.Certificate) -> None:
    for moment, fault in [
        (station.not_valid_before_utc - timedelta(seconds=1), Fault.NOT_YET_VALID),
        (station.not_valid_before_utc, None),
        (station.not_valid_after_utc, None),
        (station.not_valid_after_utc + timedelta(seconds=1), Fault.EXPIRED),
    ]:
        case.now = moment
        if fault is None:
            case.present(station, case.issuing)
        else:
            assert case.fault(station, case.issuing) is fault


def test_an_expired_certificate_verified_for_a_time_when_it_held(case: Case, station: x509.Certificate) -> None:
    """A00.FR.429: what the gateway does for a station that was explicitly allowed to come with an expired one."""
    case.now = station.not_valid_after_utc + DAY
    assert case.fault(station, case.issuing) is Fault.EXPIRED

    verified = case.verifier.verify(der(station), [der(case.issuing)], at=station.not_valid_after_utc)

    assert verified.common_name == "SN-1"
    assert case.fault(station, case.issuing) is Fault.EXPIRED


def test_expiry_that_is_tolerated(case: Case, station: x509.Certificate) -> None:
    """A00.FR.429: the leaf's last valid moment counts, remembered or not; the issuing CA may have ended meanwhile."""
    presented = der(station), [der(case.issuing)]
    for moment in (station.not_valid_after_utc, case.issuing.not_valid_after_utc + DAY):
        case.now = moment
        for _ in range(2):
            verified = case.verifier.verify(*presented, tolerate_expiry=True)
            assert verified.common_name == "SN-1"
            assert (verified.not_after < case.now) is (case.now > station.not_valid_after_utc)

    assert case.fault(station, case.issuing) is Fault.EXPIRED, "it isn't remembered for those who tolerate nothing"


def test_what_is_not_tolerated_beside_expiry(case: Case, foreign: Hierarchy, station: x509.Certificate) -> None:
    def fault(*chain: x509.Certificate) -> Fault:
        with pytest.raises(PathRejected) as caught:
            case.verifier.verify(der(chain[0]), [der(each) for each in chain[1:]], tolerate_expiry=True)
        return caught.value.fault

    case.now = station.not_valid_before_utc - timedelta(seconds=1)
    assert fault(station, case.issuing) is Fault.NOT_YET_VALID
    case.now = station.not_valid_after_utc + DAY
    old = issue(
        foreign.issuing, profiles.charging_station(), case.key, common_name="SN-1", organization="x", now=case.now - DAY
    )
    assert fault(old, foreign.issuing.certificate) is Fault.NO_PATH
    assert fault(case.issuing) is Fault.NOT_A_STATIONS


def test_an_issuer_that_ended_before_its_leaf(case: Case, station: x509.Certificate) -> None:
    short = replaced(case.hierarchy, until=case.now + timedelta(hours=1))
    case.verifier.verify(der(station), [der(short)], tolerate_expiry=True)

    case.now = station.not_valid_after_utc + DAY
    with pytest.raises(PathRejected) as caught:
        case.verifier.verify(der(station), [der(short)], tolerate_expiry=True)
    assert caught.value.fault is Fault.NO_PATH


def replaced(hierarchy: Hierarchy, until: datetime) -> x509.Certificate:
    """The issuing CA's certificate, but that it ends sooner."""
    old = hierarchy.issuing.certificate
    builder = x509.CertificateBuilder(
        old.issuer, old.subject, old.public_key(), 1 << 70, old.not_valid_before_utc, until
    )  # fmt: skip
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(hierarchy.root.key, hashes.SHA256())


def test_whose_it_is(case: Case, station: x509.Certificate) -> None:
    verified = case.verifier.verify(der(station), [der(case.issuing)])

    check_name(verified, "SN-1")
    check_organization(verified, {"Other CPO", "Example CPO"})
    with pytest.raises(PathRejected, match=r"the CN is 'SN-1', not 'S\\u041d-1' \(A00.FR.405\)"):
        check_name(verified, "S\u041d-1")
    with pytest.raises(PathRejected, match=r"the O is 'Example CPO'; it must be 'A' or 'B' \(A00.FR.404\)"):
        check_organization(verified, frozenset({"B", "A"}))
    nobodys = case.verifier.verify(der(case.leaf(names=NAMES[:1])), [der(case.issuing)])
    with pytest.raises(PathRejected, match="there is no O"):
        check_organization(nobodys, {"Example CPO"})


def test_a_root_without_key_usage(case: Case, ec_key: ec.EllipticCurvePrivateKey) -> None:
    """`openssl req -x509` makes such; an intermediate CA needs it, and where there is one it must allow signing."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])

    def certificate(*extensions: x509.ExtensionType, issuer: Issuer | None = None) -> x509.Certificate:
        above = issuer.certificate.subject if issuer else name
        builder = x509.CertificateBuilder(above, name, ec_key.public_key(), 1 << 70, case.now - DAY, case.now + DAY)
        for value in (x509.BasicConstraints(ca=True, path_length=None), *extensions):
            builder = builder.add_extension(value, critical=True)
        return builder.sign(issuer.key if issuer else ec_key, hashes.SHA256())

    def verify(root: x509.Certificate) -> None:
        leaf = der(case.leaf(issuer=Issuer(root, ec_key)))
        StationChainVerifier(certificates_pem([root]).encode(), clock=lambda: case.now).verify(leaf)

    verify(certificate())
    with pytest.raises(PathRejected, match="key usage isn't signing certificates"):
        verify(certificate(usage(crl_sign=True)))
    middle = certificate(issuer=case.hierarchy.root)
    with pytest.raises(PathRejected, match="a CA certificate without key usage"):
        case.present(case.leaf(issuer=Issuer(middle, ec_key)), middle)


def test_an_expired_ca(case: Case) -> None:
    case.now = case.issuing.not_valid_after_utc + DAY

    assert case.fault(case.leaf(), case.issuing) is Fault.NO_PATH


def test_what_is_remembered_is_dated_and_bounded(case: Case, station: x509.Certificate) -> None:
    first = case.verifier.verify(der(station), [der(case.issuing)])
    assert case.verifier.verify(der(station), [der(case.issuing)]) is first, "a path that was found is remembered"

    case.now = station.not_valid_after_utc + DAY
    assert case.fault(station, case.issuing) is Fault.EXPIRED, "its dates are looked at every time"
    case.verifier._known.update({bytes([n % 256, n // 256]): first for n in range(REMEMBERED_MAX)})
    case.now = station.not_valid_before_utc
    case.present(case.leaf(), case.issuing)
    assert len(case.verifier._known) == REMEMBERED_MAX


def test_a_tampered_certificate_is_not_the_one_remembered(case: Case, station: x509.Certificate) -> None:
    case.present(station, case.issuing)
    tampered = der(station).replace(b"SN-1", b"SN-2")

    with pytest.raises(PathRejected) as caught:
        case.verifier(tampered, [der(case.issuing)], "SN-2")

    assert caught.value.fault is Fault.NO_PATH


def test_roots(hierarchy: Hierarchy, case: Case, station: x509.Certificate) -> None:
    both = [hierarchy.root.certificate, hierarchy.issuing.certificate]

    assert load_roots(certificates_pem(both).encode()) == both
    with pytest.raises(ValueError, match="holds no certificates in PEM"):
        load_roots(b"nothing")
    first, pem = (certificates_pem(some).encode() for some in (both[:1], both))
    for cut in (len(first) + 12, len(first) + 400, len(pem) - 10):
        with pytest.raises(ValueError, match="cut off"):
            load_roots(pem[:cut])
    for no_ca in (station, case.leaf()):
        with pytest.raises(ValueError, match=r"CN=SN-1,O=Example CPO isn't a CA certificate|O=Example CPO,CN=SN-1"):
            load_roots(certificates_pem([no_ca]).encode())


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 400), flip=st.integers(1, 255))
def test_a_flipped_byte_is_refused_and_nothing_else(
    fixed: tuple[StationChainVerifier, bytes, bytes], position: int, flip: int
) -> None:
    verifier, leaf, issuing = fixed
    mutated = bytearray(leaf)
    mutated[position % len(leaf)] ^= flip

    try:
        verifier(bytes(mutated), [issuing], "SN-1")
    except PathRejected:
        return
    # A signature that ends in zero bits may be spelt without them (X.690 11.2): all that is signed is the same.
    accepted = x509.load_der_x509_certificate(bytes(mutated))
    assert accepted.tbs_certificate_bytes == x509.load_der_x509_certificate(leaf).tbs_certificate_bytes


@pytest.fixture(scope="module")
def fixed(hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey) -> tuple[StationChainVerifier, bytes, bytes]:
    moment = hierarchy.issuing.certificate.not_valid_before_utc + DAY
    case = Case(hierarchy, moment, ec_key.public_key())
    return case.verifier, der(case.leaf()), der(case.issuing)
