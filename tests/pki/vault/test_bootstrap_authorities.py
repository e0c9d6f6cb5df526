"""The CAs on a real OpenBao: what they look like, what exists is never made anew, and roots that are offline."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.issuing import Issuer
from pki.pem_files import certificates_pem
from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from tests import lint
from tests.pki.vault.bootstrapped import changed, csr_of, looked_at, plan_of, set_up
from tests.pki.vault.offline_root import offline_root, signed_by

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def root() -> Issuer:
    return offline_root()


def issuing(vault: Administrator, mount: str = "voltgate-stations") -> list[x509.Certificate]:
    """Return the chain of the engine's CA, itself first."""
    chain = (vault.read(f"{mount}/issuer/default") or {})["ca_chain"]
    return [x509.load_pem_x509_certificate(pem.encode()) for pem in chain]


def constraints(certificate: x509.Certificate) -> x509.BasicConstraints:
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value


def curve(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.curve.name


def test_each_use_has_a_root_of_its_own_and_one_ca_under_it(vault: Administrator) -> None:
    """Attack A9."""
    outcome = set_up(vault, plan_of("station", "v2g"))

    (station, station_root), (v2g, v2g_root) = issuing(vault), issuing(vault, "voltgate-v2g")
    for ca, root in ((station, station_root), (v2g, v2g_root)):
        ca.verify_directly_issued_by(root)
        root.verify_directly_issued_by(root)
        assert (constraints(root).path_length, constraints(ca).path_length) == (1, 0)
        assert ca.not_valid_before_utc < NOW - timedelta(hours=23)
        assert abs(ca.not_valid_after_utc - NOW - timedelta(days=3650)) < timedelta(hours=1)
        assert abs(root.not_valid_after_utc - NOW - timedelta(days=7300)) < timedelta(hours=1)
    assert station_root != v2g_root
    assert [curve(each) for each in (station_root, station, v2g_root, v2g)] == ["secp384r1"] * 2 + ["secp256r1"] * 2
    assert outcome.papers.roots == {
        "station": certificates_pem([station_root]),
        "v2g": certificates_pem([v2g_root]),
    }


@pytest.mark.parametrize(
    ("use", "path", "body"),
    [
        ("station", "sign/charging_station", {"common_name": "SN-1", "exclude_cn_from_sans": True}),
        (
            "server",
            "sign/csms_server",
            {"common_name": "csms.example.com", "alt_names": "csms.example.com", "ip_sans": "192.0.2.7"},
        ),
        ("v2g", "sign-verbatim/secc", {"key_usage": "DigitalSignature,KeyAgreement", "ext_key_usage": []}),
    ],
    ids=["station", "server", "v2g"],
)
def test_pkilint_finds_no_error_in_what_is_issued(
    vault: Administrator, use: str, path: str, body: dict[str, Any]
) -> None:
    plan = plan_of(use, public_url="http://pki.example.com")
    set_up(vault, plan)
    mount = plan.uses[0].mount

    leaf = vault.write(f"{mount}/{path}", {"csr": csr_of("SN-1"), **body})
    vault.write(f"{mount}/revoke", {"serial_number": leaf["serial_number"]})
    vault.read(f"{mount}/crl/rotate")
    crl = (vault.read(f"{mount}/cert/crl") or {})["certificate"]

    assert len(x509.load_pem_x509_crl(crl.encode())) == 1
    assert lint.errors(lint.of_crl(x509.load_pem_x509_crl(crl.encode()))) == []
    for pem in (leaf["certificate"], *leaf["ca_chain"]):
        certificate = x509.load_pem_x509_certificate(pem.encode())
        assert lint.errors(lint.of_certificate(certificate)) == []
        size = len(certificate.public_bytes(Encoding.DER))
        assert size <= (plan.uses[0].profile.certificate_size_max or size)  # [V2G2-010], with every URL in it


def test_certificates_name_their_own_ca_under_the_public_url(vault: Administrator) -> None:
    set_up(vault, plan_of(public_url="http://pki.example.com/"))

    body = {"csr": csr_of("SN-1"), "common_name": "SN-1"}
    pem = vault.write("voltgate-stations/sign/charging_station", body)["certificate"]

    issuer = (vault.read("voltgate-stations/issuer/default") or {})["issuer_id"]
    base = f"http://pki.example.com/v1/{vault.namespace}/voltgate-stations"
    leaf = x509.load_pem_x509_certificate(pem.encode())
    access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    (point,) = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert sorted(each.access_location.value for each in access) == [f"{base}/issuer/{issuer}/der", f"{base}/ocsp"]
    assert point.full_name is not None
    assert [each.value for each in point.full_name] == [f"{base}/issuer/{issuer}/crl/der"]


def test_what_exists_is_never_made_anew(vault: Administrator, root: Issuer) -> None:
    set_up(vault)
    before = issuing(vault)

    outcome = set_up(vault, plan_of(root_mount=None, signed={"station": signed_by(root, csr_of("x"))}))

    assert changed(outcome.findings) == []
    assert looked_at(outcome.findings) == [
        "issuing CA of voltgate-stations: has one already, and isn't replaced; docs/vault.md tells how to rotate it"
    ]
    assert issuing(vault) == before


def test_certificates_end_with_their_ca(vault: Administrator) -> None:
    set_up(vault)
    path = f"voltgate-stations/issuer/{(vault.read('voltgate-stations/issuer/default') or {})['issuer_id']}"
    vault.patch(path, {"leaf_not_after_behavior": "err"})

    assert changed(set_up(vault).findings) == [
        "issuing CA of voltgate-stations: certificates end with it, rather than being refused"
    ]
    assert (vault.read(path) or {})["leaf_not_after_behavior"] == "truncate"


def test_a_key_whose_certificate_never_came_is_used_by_the_next_run(vault: Administrator) -> None:
    plan = plan_of()
    set_up(vault, plan_of(root_mount=None))
    keys = vault.list("voltgate-stations/keys")

    set_up(vault, plan)

    assert vault.list("voltgate-stations/keys") == keys
    assert len(issuing(vault)) == 2


def test_an_offline_root_signs_a_csr_and_what_it_signed_is_imported(vault: Administrator, root: Issuer) -> None:
    first = set_up(vault, plan_of(root_mount=None))
    again = set_up(vault, plan_of(root_mount=None))
    csr = again.papers.csrs["station"]
    waiting = "issuing CA of voltgate-stations: its CSR waits to be signed by the offline root"
    keys = [x509.load_pem_x509_csr(run.papers.csrs["station"].encode()).public_key() for run in (first, again)]
    assert keys[0] == keys[1]
    assert (changed(again.findings), looked_at(again.findings)) == ([], [waiting])
    request = x509.load_pem_x509_csr(csr.encode())
    assert request.extensions.get_extension_for_class(x509.BasicConstraints).value.ca

    signed = plan_of(root_mount=None, signed={"station": signed_by(root, csr)})
    shown = set_up(vault, signed, dry_run=True)
    done = set_up(vault, signed)

    assert not vault.list("voltgate-root/issuers")
    assert "issuing CA of voltgate-stations: CN=Example issuing CA imported" in changed(shown.findings)[0]
    assert changed(shown.findings)[0] == changed(done.findings)[0]
    assert done.papers.roots == {"station": certificates_pem([root.certificate])}
    assert issuing(vault)[0].subject.rfc4514_string() == "CN=Example issuing CA"
    assert changed(set_up(vault, signed).findings) == []
    assert not looked_at(set_up(vault, plan_of(root_mount=None)).findings)


def test_a_signed_ca_for_another_key_is_refused_and_nothing_imported(vault: Administrator, root: Issuer) -> None:
    set_up(vault, plan_of(root_mount=None))

    with pytest.raises(BootstrapFailed, match="issuing CA of voltgate-stations: what was signed is for another key"):
        set_up(vault, plan_of(root_mount=None, signed={"station": signed_by(root, csr_of("x"))}))

    assert not vault.list("voltgate-stations/issuers")


def test_a_signed_ca_where_no_key_is_refused(vault: Administrator, root: Issuer) -> None:
    with pytest.raises(BootstrapFailed, match="there is no key that what was signed could be for"):
        set_up(vault, plan_of(root_mount=None, signed={"station": signed_by(root, csr_of("x"))}))


def test_a_ca_that_cant_sign_is_told_of(vault: Administrator, root: Issuer) -> None:
    plan = plan_of()
    set_up(vault, plan)
    imported = vault.write(
        "voltgate-stations/issuers/import/cert", {"pem_bundle": certificates_pem([root.certificate])}
    )
    vault.write("voltgate-stations/config/issuers", {"default": imported["imported_issuers"][0]})

    told = looked_at(set_up(vault, plan).findings)

    assert told == [
        "issuing CA of voltgate-stations: has no key in Vault: it can't sign; set another issuer as the default"
    ]


def test_a_ca_that_ends_too_soon_is_told_of(vault: Administrator, root: Issuer) -> None:
    csr = set_up(vault, plan_of(root_mount=None)).papers.csrs["station"]
    signed = signed_by(root, csr, lasts=timedelta(days=100))

    set_up(vault, plan_of(root_mount=None, signed={"station": signed}))
    (told,) = looked_at(set_up(vault, plan_of(root_mount=None)).findings)

    ends = (datetime.now(UTC) + timedelta(days=99)).date()
    assert f"issuing CA of voltgate-stations: ends on {ends}, before what it signs would" in told


def test_an_engine_that_doesnt_know_its_root_is_told_of(vault: Administrator, root: Issuer) -> None:
    csr = set_up(vault, plan_of(root_mount=None)).papers.csrs["station"]
    alone = signed_by(root, csr, with_root=False)
    vault.write("voltgate-stations/intermediate/set-signed", {"certificate": alone})

    told = looked_at(set_up(vault, plan_of(root_mount=None)).findings)

    assert told == [
        "issuing CA of voltgate-stations: the engine doesn't know its root; import it with issuers/import/cert"
    ]
