"""Whatever this code issues passes pkilint without an error: CAs, a leaf of every profile, CRLs."""

import importlib.resources
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from pki.authority.crl_file import CrlFile
from pki.development import write_development_pki
from pki.issuing import Hierarchy, issue, new_hierarchy, revocation_list
from pki.profiles import NameRule, load_profile
from tests import lint

NAMES = {
    NameRule.SERIAL_NUMBER: "SN-1",
    NameRule.SECC_ID: "DE*ABC*E1234",
    NameRule.HOST_NAME: "csms.example.com",
    NameRule.EMAID: "DEABCC123ABC56",
    NameRule.PCID: "WVWZZZ1KZAW000123",
    NameRule.TEXT: "Example Maker firmware 7",
}
PROFILES = sorted(
    file.name.removesuffix(".yaml") for file in importlib.resources.files("certs").joinpath("profiles").iterdir()
)


@pytest.fixture(scope="module", params=["ECDSA", "RSA"])
def ca(request: pytest.FixtureRequest) -> Hierarchy:
    return new_hierarchy(
        "Test", "Example CPO", datetime.fromisoformat("2026-06-01T12:00Z"), use_rsa=request.param == "RSA"
    )


def test_the_root_and_the_issuing_ca(ca: Hierarchy) -> None:
    for issuer in (ca.root, ca.issuing):
        assert lint.errors(lint.of_certificate(issuer.certificate)) == []


@pytest.mark.parametrize("name", PROFILES)
def test_a_leaf_of_every_profile(
    ca: Hierarchy, name: str, ec_key: ec.EllipticCurvePrivateKey, rsa_key: rsa.RSAPrivateKey, now: datetime
) -> None:
    profile = load_profile(name)
    large = ec.generate_private_key(ec.SECP521R1()).public_key()
    for kind in profile.keys.kinds:
        ecdsa = ec_key.public_key() if "P-256" in profile.keys.curves else large
        leaf = issue(
            ca.issuing,
            profile,
            rsa_key.public_key() if kind == "rsa" else ecdsa,
            common_name=NAMES[profile.subject.common_name],
            organization="Example CPO",
            now=now,
            names=["csms.example.com", "192.0.2.7", "2001:db8::7"] if profile.alternative_names == "required" else (),
        )
        assert lint.errors(lint.of_certificate(leaf)) == []


def test_lists(ca: Hierarchy, now: datetime, tmp_path: Path) -> None:
    entries = [
        x509.RevokedCertificateBuilder()
        .serial_number(number)
        .revocation_date(now)
        .add_extension(x509.CRLReason(reason), critical=False)
        .build()
        for number, reason in ((5, x509.ReasonFlags.key_compromise), (6, x509.ReasonFlags.superseded))
    ]
    for revoked in ([], entries):
        made = revocation_list(ca.issuing, revoked, number=7, now=now, lifetime=timedelta(days=7))
        assert lint.errors(lint.of_crl(made)) == []
    kept = CrlFile(tmp_path, ca.issuing)
    kept.revoke("abcdef", x509.ReasonFlags.unspecified, now)
    assert lint.errors(lint.of_crl(x509.load_pem_x509_crl(kept.current(now)))) == []


def test_what_init_writes(tmp_path: Path) -> None:
    """Under a name of several labels: to the linter ``localhost`` is none."""
    write_development_pki(tmp_path, operator="Example CPO", names=["csms.example.com", "127.0.0.1"])
    written = [
        certificate
        for path in tmp_path.rglob("*.pem")
        for certificate in x509.load_pem_x509_certificates(path.read_bytes())
    ]
    assert len(written) >= 10
    assert [finding for each in written for finding in lint.errors(lint.of_certificate(each))] == []


def test_the_linter_finds_what_is_wrong(ca: Hierarchy, ec_key: ec.EllipticCurvePrivateKey, now: datetime) -> None:
    """No key identifiers, and a CA that isn't marked as critical: so an empty list above says something."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SN-1")])
    leaf = (
        x509.CertificateBuilder(ca.issuing.certificate.subject, name, ec_key.public_key(), 1, now, now + timedelta(1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=False)
        .sign(ca.issuing.key, hashes.SHA256())
    )
    found = lint.errors(lint.of_certificate(leaf))
    assert len(found) >= 2
