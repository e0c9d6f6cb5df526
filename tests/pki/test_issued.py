"""A CA that gives something else than was asked (attacks B1, B3)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki import profiles
from pki.authority import IssuedCertificate, IssuedMismatch, SigningRequest
from pki.issued import verify_issued
from pki.issuing import Hierarchy, issue
from pki.pem_files import certificates_pem

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
        names: tuple[tuple[x509.ObjectIdentifier, str], ...] = (
            (NameOID.COMMON_NAME, "SN-1"),
            (NameOID.ORGANIZATION_NAME, "Example CPO"),
        ),
        begins: timedelta = timedelta(hours=-1),
        ends: timedelta = timedelta(days=365),
        serial: int = 1 << 100,
        extensions: tuple[x509.ExtensionType, ...] = (),
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
            builder = builder.add_extension(extension, critical=True)
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
        ({"names": ((NameOID.COMMON_NAME, "SN-1"),)}, "O isn't 'Example CPO'"),
        (
            {"names": ((NameOID.COMMON_NAME, "SN-1"), (NameOID.COMMON_NAME, "SN-1"))},
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
        ({"extensions": (x509.SubjectAlternativeName([x509.DNSName("a")]),)}, "alternative names"),
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
    request = SigningRequest(csr, "csms.example.com", "Example CPO", profile)

    verify_issued(IssuedCertificate(leaf, certificates_pem([leaf, hierarchy.issuing.certificate])), request, now=now)
