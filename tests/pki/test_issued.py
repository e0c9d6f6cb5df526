"""A CA that gives something else than was asked (attacks B1, B3)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from pki import profiles
from pki.authority import IssuedCertificate, IssuedMismatch, SigningRequest
from pki.iso15118.contract_csr import contract_request
from pki.issued import verify_issued
from pki.issuing import Hierarchy, Issuer, issue, new_ec_key, new_hierarchy
from pki.pem_files import certificates_pem
from pki.profiles import with_lifetime

USAGE = {
    "digital_signature": True,
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "key_cert_sign": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}


NAMES = ((NameOID.COMMON_NAME, "SN-1"), (NameOID.ORGANIZATION_NAME, "Example CPO"))
DNS_A = [x509.DNSName("a")]
PLACE = [x509.UniformResourceIdentifier("http://ca.example/x")]
LEGITIMATE = (
    x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, PLACE[0])]),
    x509.CRLDistributionPoints([x509.DistributionPoint(PLACE, None, None, None)]),
    x509.SubjectKeyIdentifier(bytes(8)),
    x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"anything"),
)
"""What authorities add by themselves."""
HARMLESS = (*(type(each) for each in LEGITIMATE), x509.AuthorityKeyIdentifier)


@pytest.fixture
def request_(make_csr: Any) -> SigningRequest:
    csr = x509.load_pem_x509_csr(make_csr().encode())
    return SigningRequest(csr, "SN-1", "Example CPO", profiles.charging_station())


class Strange:
    """A CA that makes what it is told, one thing at a time different from what is right."""

    def __init__(self, hierarchy: Hierarchy, key: ec.EllipticCurvePublicKey, now: datetime) -> None:
        self.hierarchy = hierarchy
        self.key = key
        self.now = now

    def give(
        self,
        *,
        names: tuple[tuple[x509.ObjectIdentifier, str], ...] = NAMES,
        begins: timedelta = timedelta(hours=-1),
        ends: timedelta = timedelta(days=365),
        serial: int = 1 << 100,
        extensions: tuple[x509.ExtensionType, ...] = (x509.KeyUsage(**USAGE),),
        key: ec.EllipticCurvePublicKey | None = None,
        algorithm: hashes.SHA224 | hashes.SHA256 | None = None,
    ) -> IssuedCertificate:
        issuing = self.hierarchy.issuing
        builder = x509.CertificateBuilder(
            issuing.certificate.subject,
            x509.Name([x509.NameAttribute(oid, value) for oid, value in names]),
            key or self.key,
            serial,
            self.now + begins,
            self.now + ends,
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=not isinstance(extension, HARMLESS))
        leaf = builder.sign(issuing.key, algorithm or hashes.SHA256())
        return IssuedCertificate(leaf, certificates_pem([leaf, issuing.certificate]))


@pytest.fixture
def strange(hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey, now: datetime) -> Strange:
    return Strange(hierarchy, ec_key.public_key(), now)


def test_what_was_asked(strange: Strange, request_: SigningRequest, now: datetime) -> None:
    issued = strange.give()

    verify_issued(issued, request_, now=now)
    assert issued.serial == "1" + "0" * 25
    assert (issued.not_before, issued.not_after) == (now - timedelta(hours=1), now + timedelta(days=365))


def test_a_root_that_issues_itself(strange: Strange, request_: SigningRequest, now: datetime) -> None:
    issued = strange.give()

    verify_issued(replace(issued, chain_pem=certificates_pem([issued.certificate])), request_, now=now)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": ((NameOID.COMMON_NAME, "SN-2"), (NameOID.ORGANIZATION_NAME, "Example CPO"))}, "CN isn't 'SN-1'"),
        ({"names": NAMES[:1]}, r"no O, 'Example CPO' was asked for.*set SecurityCtrlr\.OrganizationName"),
        ({"names": (NAMES[0], (NameOID.ORGANIZATION_NAME, "Other CPO"))}, "O isn't 'Example CPO'"),
        ({"names": (*NAMES, (NameOID.ORGANIZATIONAL_UNIT_NAME, "admins"))}, "holds OU, which nobody asked for"),
        ({"names": (*NAMES, (NameOID.DOMAIN_COMPONENT, "CPO"))}, "holds DC, which nobody asked for"),
        ({"extensions": ()}, "has no key usage"),
        ({"extensions": (x509.KeyUsage(**USAGE), x509.PolicyConstraints(0, 0))}, "critical extension 2.5.29.36"),
        (
            {"extensions": (x509.KeyUsage(**USAGE), x509.AuthorityKeyIdentifier(b"x", None, None))},
            "another issuing key",
        ),
        (
            {"names": (*NAMES, (NameOID.COMMON_NAME, "SN-1"))},
            "CN isn't 'SN-1'",
        ),
        ({"begins": timedelta(seconds=1)}, "begins at 2026-06-01T12:00:01"),
        ({"begins": timedelta(days=-1, seconds=-1)}, "begins at 2026-05-31T11:59:59"),
        ({"ends": timedelta(days=366, seconds=1)}, "which its profile doesn't allow"),
        ({"ends": timedelta(0)}, "which its profile doesn't allow"),
        ({"serial": 1 << 46}, "has 47 bits"),
        ({"extensions": (x509.BasicConstraints(ca=True, path_length=None),)}, "is a CA's"),
        ({"extensions": (x509.KeyUsage(**{**USAGE, "key_cert_sign": True}),)}, "key usage"),
        ({"extensions": (x509.KeyUsage(**{**USAGE, "digital_signature": False}),)}, "key usage"),
        ({"extensions": (x509.KeyUsage(**USAGE), x509.SubjectAlternativeName(DNS_A))}, "alternative names"),
        ({"extensions": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),)}, "extended key usage"),
        ({"algorithm": hashes.SHA224()}, "weak or unknown hash"),
        ({"key": ec.generate_private_key(ec.SECP256R1()).public_key()}, "for another key"),
    ],
)
def test_what_was_not(
    strange: Strange, request_: SigningRequest, now: datetime, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(IssuedMismatch, match=words):
        verify_issued(strange.give(**change), request_, now=now)


def test_edges_that_hold(strange: Strange, request_: SigningRequest, now: datetime) -> None:
    for change in (
        {"begins": timedelta(0)},
        {"begins": timedelta(days=-1)},
        {"ends": timedelta(days=366)},
        {"extensions": (x509.BasicConstraints(ca=False, path_length=None), x509.KeyUsage(**USAGE))},
        {"names": (*NAMES, (NameOID.COUNTRY_NAME, "NL"))},
        {"extensions": (x509.KeyUsage(**{**USAGE, "key_encipherment": True, "key_agreement": True}),)},
        {"extensions": (x509.KeyUsage(**USAGE), *LEGITIMATE)},
    ):
        verify_issued(strange.give(**change), request_, now=now)


def test_chains_that_do_not_hold(
    strange: Strange, request_: SigningRequest, now: datetime, hierarchy: Hierarchy, foreign: Hierarchy
) -> None:
    issued = strange.give()
    leaf, issuing, root = issued.certificate, hierarchy.issuing.certificate, hierarchy.root.certificate

    for chain, words in [
        ([issuing, leaf], "doesn't begin with the certificate"),
        ([leaf, foreign.issuing.certificate], "don't follow from each other"),
        ([leaf, issuing, root], "holds the root"),
    ]:
        with pytest.raises(IssuedMismatch, match=words):
            verify_issued(IssuedCertificate(leaf, certificates_pem(chain)), request_, now=now)
    with pytest.raises(IssuedMismatch, match="can't be decoded"):
        verify_issued(replace(issued, chain_pem="nonsense"), request_, now=now)


def test_a_chain_at_the_size_limit_and_one_past_it(strange: Strange, request_: SigningRequest, now: datetime) -> None:
    issued = strange.give()
    full = issued.chain_pem + "\n" * (request_.profile.chain_size_max - len(issued.chain_pem))

    verify_issued(replace(issued, chain_pem=full), request_, now=now)
    with pytest.raises(IssuedMismatch, match=r"has 10001 characters, stations take 10000 .*A02\.FR\.16"):
        verify_issued(replace(issued, chain_pem=full + "\n"), request_, now=now)


def test_a_server_certificate_keeps_its_names(
    hierarchy: Hierarchy, make_csr: Any, ec_key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    profile = profiles.csms_server()
    leaf = issue(
        hierarchy.issuing,
        profile,
        ec_key.public_key(),
        common_name="csms.example.com",
        organization="Example CPO",
        now=now,
        names=["csms.example.com"],
    )
    csr = x509.load_pem_x509_csr(make_csr().encode())
    request = SigningRequest(csr, "csms.example.com", "Example CPO", profile, ("csms.example.com",))
    issued = IssuedCertificate(leaf, certificates_pem([leaf, hierarchy.issuing.certificate]))

    verify_issued(issued, request, now=now)
    for names in (("CSMS.example.com",), ()):  # the case of a host name says nothing; the CN may stand there too
        verify_issued(issued, replace(request, names=names), now=now)
    for other in (("csms.example.com", "192.0.2.7"), ("other.example.com",)):
        with pytest.raises(IssuedMismatch, match="alternative names aren't those"):
            verify_issued(issued, replace(request, names=other), now=now)


def test_a_short_lifetime_leaves_little_slack(strange: Strange, request_: SigningRequest, now: datetime) -> None:
    short = replace(request_, profile=with_lifetime(request_.profile, timedelta(hours=20)))
    longest = timedelta(hours=20, minutes=24)

    verify_issued(strange.give(ends=longest), short, now=now)
    with pytest.raises(IssuedMismatch, match="doesn't allow: 20h"):
        verify_issued(strange.give(ends=longest + timedelta(seconds=1)), short, now=now)


def test_what_one_station_takes(strange: Strange, request_: SigningRequest, now: datetime) -> None:
    issued = strange.give()
    size = len(issued.chain_pem)

    verify_issued(issued, replace(request_, chain_size_max=size), now=now)
    verify_issued(issued, replace(request_, chain_size_max=20_000), now=now)
    with pytest.raises(IssuedMismatch, match=rf"this station takes {size - 1} \(OCPP 2.0.1 A02.FR.16\)"):
        verify_issued(issued, replace(request_, chain_size_max=size - 1), now=now)


def test_what_a_vehicle_takes(hierarchy: Hierarchy, strange: Strange, make_csr: Any, now: datetime) -> None:
    csr = x509.load_pem_x509_csr(make_csr().encode())
    request = SigningRequest(csr, "SN-1", "Example CPO", profiles.secc())
    good: dict[str, Any] = {
        "names": ((NameOID.DOMAIN_COMPONENT, "CPO"), *NAMES),
        "extensions": (x509.KeyUsage(**{**USAGE, "key_agreement": True}),),
        "ends": timedelta(days=90),
    }
    large = (*good["extensions"], x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(500)))
    long = replace(request, profile=request.profile.model_copy(update={"chain_length_max": 1}))

    verify_issued(strange.give(**good), request, now=now)
    changes: list[tuple[dict[str, Any], str]] = [
        ({"names": NAMES}, "has no DC, 'CPO' was asked for"),
        ({"names": ((NameOID.DOMAIN_COMPONENT, "MO"), *NAMES)}, "DC isn't 'CPO'"),
        ({"extensions": (x509.KeyUsage(**USAGE),)}, "key usage lacks key_agreement"),
        ({"extensions": large}, "bytes, 800 are allowed"),
    ]
    for change, words in changes:
        with pytest.raises(IssuedMismatch, match=words):
            verify_issued(strange.give(**{**good, **change}), request, now=now)
    with pytest.raises(IssuedMismatch, match="has 2 certificates, 1 are allowed"):
        verify_issued(strange.give(**good), long, now=now)


def test_an_issuer_that_is_none(
    strange: Strange, request_: SigningRequest, now: datetime, hierarchy: Hierarchy, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    leaf = strange.give(
        extensions=(x509.KeyUsage(**USAGE), x509.BasicConstraints(ca=False, path_length=None))
    ).certificate
    late = leaf.not_valid_after_utc + timedelta(days=20 * 365)
    by_a_leaf = Strange(Hierarchy(hierarchy.root, Issuer(leaf, ec_key)), ec_key.public_key(), now).give()
    with pytest.raises(IssuedMismatch, match="O=Example CPO,CN=SN-1 isn't a CA"):
        verify_issued(by_a_leaf, request_, now=now)
    ever = with_lifetime(request_.profile, timedelta(days=20_000))
    with pytest.raises(IssuedMismatch, match="isn't valid now"):
        verify_issued(
            strange.give(ends=timedelta(days=19_000), begins=late - now), replace(request_, profile=ever), now=late
        )


def test_a_contract_of_20_has_a_short_key_identifier_and_a_ca_of_its_curve(now: datetime) -> None:
    """[V2G20-2492]; and an issuer on another curve would sign with another hash."""
    profile, key = profiles.load_profile("contract_20"), new_ec_key("P-521")
    request = contract_request(key, emaid="DE8EXC12345678A", organization="MO", profile=profile)
    large, small = new_hierarchy("Test MO", "MO", now, curve="P-521"), new_hierarchy("Test MO", "MO", now)

    def given(hierarchy: Hierarchy, *, is_short: bool = True) -> IssuedCertificate:
        issuing = profile.model_copy(update={"short_key_identifier": is_short})
        leaf = issue(
            hierarchy.issuing,
            issuing,
            key.public_key(),
            common_name=request.common_name,
            organization=request.organization,
            now=now,
        )
        return IssuedCertificate(leaf, certificates_pem([leaf, hierarchy.issuing.certificate]))

    verify_issued(given(large), request, now=now)
    with pytest.raises(IssuedMismatch, match="isn't the one of 8 octets"):
        verify_issued(given(large, is_short=False), request, now=now)
    with pytest.raises(IssuedMismatch, match=r"the key of .*Test MO issuing CA.* isn't on P-521"):
        verify_issued(given(small), request, now=now)
    leaf = given(small).certificate  # by a root: it isn't in the chain, its hand is in the signature
    with pytest.raises(IssuedMismatch, match=r"isn't signed as keys on P-521 sign: the CA .*Test MO issuing CA"):
        verify_issued(IssuedCertificate(leaf, certificates_pem([leaf])), request, now=now)
