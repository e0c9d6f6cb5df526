"""Certificates, keys and roots as `voltgate check` sees them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.config.check_tls import check_kinds, check_pair, check_roots, check_server_chain, leads_to
from gateway.config.secrets import SecretRef
from pki.issuing import Hierarchy, issue, new_hierarchy
from pki.pem_files import certificates_pem, key_pem
from pki.profiles import charging_station, csms_server, with_lifetime

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def ca() -> Hierarchy:
    return new_hierarchy("Test CSMS", None, NOW)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def leaf(ca: Hierarchy, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return server(ca, key, ["csms.example.com"])


def server(ca: Hierarchy, key: ec.EllipticCurvePrivateKey, names: list[str]) -> x509.Certificate:
    public, profile = key.public_key(), with_lifetime(csms_server(), timedelta(days=365))
    return issue(ca.issuing, profile, public, common_name="csms.example.com", organization="O", now=NOW, names=names)


def look(folder: Path, chain: bytes, key: bytes, now: datetime = NOW) -> list[str]:
    (folder / "c.pem").write_bytes(chain)
    (folder / "c.key").write_bytes(key)
    (folder / "c.key").chmod(0o600)
    reference = SecretRef.parse("file:c.key", folder)
    problems, _ = check_pair("tls", folder / "c.pem", reference, environ={}, now=now)
    return [str(problem).replace(f"{folder}/", "") for problem in problems]


def pem(*certificates: x509.Certificate) -> bytes:
    return certificates_pem(certificates).encode()


def test_a_good_pair(tmp_path: Path, ca: Hierarchy, key: ec.EllipticCurvePrivateKey, leaf: x509.Certificate) -> None:
    assert look(tmp_path, pem(leaf, ca.issuing.certificate), key_pem(key)) == []


def test_what_is_wrong_with_a_pair(
    tmp_path: Path, ca: Hierarchy, key: ec.EllipticCurvePrivateKey, leaf: x509.Certificate
) -> None:
    issuing, root = ca.issuing.certificate, ca.root.certificate
    good, mine = pem(leaf, issuing), key_pem(key)
    early = NOW - timedelta(days=2)

    for chain, secret, now, lines in [
        (b"x", mine, NOW, ["error: tls.chain: c.pem holds no certificates in PEM"]),
        (good, b"x", NOW, ["error: tls.key: file:c.key: isn't a private key in PEM"]),
        (good, b"", NOW, ["error: tls.key: file:c.key: is empty; put the secret there"]),
        (good, key_pem(ca.root.key), NOW, ["error: tls.key: file:c.key isn't the key of c.pem"]),
        (
            pem(leaf, root),
            mine,
            NOW,
            [
                "error: tls.chain: c.pem: the order is wrong; the leaf comes first, then the CA that issued it",
                "warning: tls.chain: c.pem ends with a root, which peers have already; leave it out",
            ],
        ),
        (
            pem(leaf, issuing, root),
            mine,
            NOW,
            ["warning: tls.chain: c.pem ends with a root, which peers have already; leave it out"],
        ),
        (
            good,
            mine,
            NOW + timedelta(days=335, seconds=1),
            ["warning: tls.chain: c.pem: CN=csms.example.com,O=O expires on 2027-06-01; renew it"],
        ),
        (good, mine, NOW + timedelta(days=335), []),
    ]:
        assert look(tmp_path, chain, secret, now) == lines
    assert [line.partition(" is valid from ")[0] for line in look(tmp_path, pem(leaf), mine, early)] == [
        "error: tls.chain: c.pem: CN=csms.example.com,O=O"
    ]


def test_a_chain_that_is_not_there(tmp_path: Path) -> None:
    problems, chain = check_pair("tls", tmp_path / "c.pem", SecretRef.parse("env:X"), environ={}, now=NOW)

    assert [str(each) for each in problems] == [f"error: tls.chain: {tmp_path}/c.pem: No such file or directory"]
    assert chain == []


def test_a_short_life_is_reported_in_its_last_third(
    tmp_path: Path, ca: Hierarchy, key: ec.EllipticCurvePrivateKey
) -> None:
    leaf = issue(
        ca.issuing, csms_server(), key.public_key(), common_name="a.example", organization="O", now=NOW, names=["a"]
    )
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    last_third = ends - (ends - begins) / 3

    assert look(tmp_path, pem(leaf), key_pem(key), last_third) == []
    (line,) = look(tmp_path, pem(leaf), key_pem(key), last_third + timedelta(seconds=1))
    assert "expires on 2026-06-02; renew it" in line


def test_a_weak_key(tmp_path: Path, ca: Hierarchy) -> None:
    weak = ec.generate_private_key(ec.SECP256K1())

    (line,) = look(tmp_path, pem(server(ca, weak, ["csms.example.com"])), key_pem(weak))

    assert line.startswith("error: tls.chain: c.pem: the curve secp256k1 isn't one of")


def test_names_that_stations_refuse(ca: Hierarchy, key: ec.EllipticCurvePrivateKey, leaf: x509.Certificate) -> None:
    nameless = issue(ca.issuing, charging_station(), key.public_key(), common_name="SN-1", organization="O", now=NOW)

    assert list(check_server_chain("tls", [leaf])) == []
    assert [each.text for each in check_server_chain("tls", [nameless])] == [
        "has no alternative names; many stations look at nothing else"
    ]
    (problem,) = check_server_chain("tls", [server(ca, key, ["csms.example.com", "*.example.com"])])
    assert problem.text == "has a wildcard name, which stations refuse (OCPP 2.0.1 A00.FR.309)"


def test_kinds(leaf: x509.Certificate) -> None:
    assert [each.text.partition(";")[0] for each in check_kinds("tls", [leaf])] == ["has no RSA certificate"]
    assert len(list(check_kinds("tls", []))) == 2


def test_roots(tmp_path: Path, ca: Hierarchy, leaf: x509.Certificate) -> None:
    file = tmp_path / "roots.pem"

    for content, now, lines in [
        (pem(ca.root.certificate), NOW, []),
        (
            pem(ca.root.certificate),
            NOW + timedelta(days=21 * 365),
            [f"warning: roots: {file}: {ca.root.certificate.subject.rfc4514_string()} expired on 2046-05-26"],
        ),
        (b"x", NOW, [f"error: roots: {file} holds no certificates in PEM"]),
        (pem(leaf), NOW, [f"error: roots: {file} CN=csms.example.com,O=O isn't a CA certificate; a root must be one"]),
    ]:
        file.write_bytes(content)
        assert [str(each) for each in check_roots("roots", file, now)[0]] == lines
    file.unlink()
    assert [str(each) for each in check_roots("roots", file, NOW)[0]] == [
        f"error: roots: {file}: No such file or directory"
    ]


def test_where_a_chain_leads(ca: Hierarchy, leaf: x509.Certificate) -> None:
    root, issuing = ca.root.certificate, ca.issuing.certificate

    assert leads_to([leaf, issuing], [root])
    assert leads_to([leaf], [issuing])
    assert leads_to([leaf, issuing, root], [root])
    assert not leads_to([leaf, issuing], [])
    assert not leads_to([leaf], [root])
