"""Requests and what the review says of them (attack B1)."""

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AttributeOID, ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import profiles
from pki.csr import CsrRejected, ReviewedCsr, review
from pki.keys import fingerprint

MakeCsr = Callable[..., str]
CN, O = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME  # noqa: E741  # what it is called
GOOD_NAMES = ((CN, "SN-1"), (O, "Example CPO"))
CA_USAGE = {
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "encipher_only": False,
    "decipher_only": False,
    "content_commitment": False,
}


def look(pem: str, **changes: Any) -> ReviewedCsr:
    return review(pem, **{"common_name": "SN-1", "organization": "Example CPO", **changes})


def refusal(pem: str, **changes: Any) -> str:
    with pytest.raises(CsrRejected) as caught:
        look(pem, **changes)
    assert str(caught.value)
    return caught.value.check


def pem_of(der: bytes) -> str:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"


def test_a_good_request(make_csr: MakeCsr, ec_key: ec.EllipticCurvePrivateKey) -> None:
    reviewed = look(make_csr())
    request = reviewed.request_for("Example CPO")

    assert reviewed.common_name == "SN-1"
    assert reviewed.key_fingerprint == fingerprint(ec_key.public_key())
    assert (request.common_name, request.organization) == ("SN-1", "Example CPO")
    assert request.profile is profiles.charging_station()
    assert request.csr.public_key() == ec_key.public_key()


@pytest.mark.parametrize(
    "changes",
    [
        {"names": [(CN, "SN-1")]},
        {"names": [*GOOD_NAMES, (NameOID.COUNTRY_NAME, "NL"), (NameOID.DOMAIN_COMPONENT, "CPO")]},
        {"algorithm": hashes.SHA512()},
        {"attributes": [(AttributeOID.CHALLENGE_PASSWORD, "x")]},
        {
            "extensions": [
                x509.BasicConstraints(ca=False, path_length=None),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
                x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **CA_USAGE),
            ]
        },
    ],
    ids=["no O", "C and DC", "SHA-512", "challenge password", "harmless extensions"],
)
def test_what_stations_in_the_field_send(make_csr: MakeCsr, changes: dict[str, Any]) -> None:
    assert look(make_csr(**changes)).common_name == "SN-1"


def test_rsa_and_the_older_label(make_csr: MakeCsr, rsa_key: rsa.RSAPrivateKey) -> None:
    pem = make_csr(key=rsa_key)

    for variant in (
        pem,
        pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
        "\r\n" + pem.replace("\n", "\r\n"),
    ):
        assert look(variant).key_fingerprint == fingerprint(rsa_key.public_key())


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"names": [(CN, "SN-2"), (O, "Example CPO")]}, "common_name"),
        ({"names": [(CN, "sn-1"), (O, "Example CPO")]}, "common_name"),
        ({"names": [(O, "Example CPO")]}, "common_name"),
        ({"names": [(CN, "SN-1"), (CN, "SN-2"), (O, "Example CPO")]}, "common_name"),
        ({"names": [(CN, "SN-1"), (O, "Other CPO")]}, "organization"),
        ({"names": [*GOOD_NAMES, (O, "Other CPO")]}, "organization"),
        ({"names": [*GOOD_NAMES, (NameOID.EMAIL_ADDRESS, "a@b")]}, "subject"),
        ({"attributes": [(AttributeOID.UNSTRUCTURED_NAME, "x")]}, "attributes"),
        ({"extensions": [x509.SubjectAlternativeName([x509.DNSName("csms.example.com")])]}, "alternative_names"),
        ({"extensions": [x509.BasicConstraints(ca=True, path_length=None)]}, "authority"),
        (
            {"extensions": [x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=False, **CA_USAGE)]},
            "authority",
        ),
        (
            {"extensions": [x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=True, **CA_USAGE)]},
            "authority",
        ),
        ({"extensions": [x509.OCSPNoCheck()]}, "extensions"),
    ],
)
def test_what_is_refused(make_csr: MakeCsr, changes: dict[str, Any], check: str) -> None:
    assert refusal(make_csr(**changes)) == check


@pytest.mark.parametrize(("component", "is_refused"), [("CPO", False), ("MO", True)])
def test_the_role_that_a_secc_asks_for(make_csr: MakeCsr, component: str, is_refused: bool) -> None:
    pem = make_csr(names=[(NameOID.DOMAIN_COMPONENT, component), *GOOD_NAMES])
    if is_refused:
        assert refusal(pem, profile=profiles.secc()) == "domain_component"
    else:
        assert look(pem, profile=profiles.secc()).profile is profiles.secc()


def test_what_a_secc_can_not_have(make_csr: MakeCsr, rsa_key: rsa.RSAPrivateKey) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"key": rsa_key}, "key"),
        ({"key": ec.generate_private_key(ec.SECP521R1())}, "key"),
        ({"algorithm": hashes.SHA512()}, "signature_hash"),
    ]
    for changes, check in refused:
        assert refusal(make_csr(**changes), profile=profiles.secc()) == check


def test_weak_keys_and_hashes(make_csr: MakeCsr) -> None:
    assert refusal(make_csr(key=ec.generate_private_key(ec.SECP256K1()))) == "key"
    assert refusal(make_csr(key=rsa.generate_private_key(65537, 1024))) == "key"  # noqa: S505  # weak, that's the point
    assert refusal(make_csr(algorithm=hashes.SHA224())) == "signature_hash"
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(CN, "SN-1")]))
    edwards = builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM).decode()
    assert refusal(edwards) == "key"


def test_an_explicit_curve_is_refused() -> None:
    """The OID of the named curve replaced by one that nobody knows: what an unnamed curve looks like to the parser."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(CN, "SN-1")]))
    der = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.DER)
    named = bytes.fromhex("06082a8648ce3d030107")
    assert der.count(named) == 1

    assert refusal(pem_of(der.replace(named, bytes.fromhex("06082a8648ce3d03017f")))) == "key"


def test_a_request_without_proof_of_possession(make_csr: MakeCsr, ec_key: ec.EllipticCurvePrivateKey) -> None:
    """Another station's public key under one's own signature."""
    der = x509.load_pem_x509_csr(make_csr().encode()).public_bytes(Encoding.DER)
    mine, other = (
        key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        for key in (ec_key, ec.generate_private_key(ec.SECP256R1()))
    )
    assert der.count(mine) == 1

    assert refusal(pem_of(der.replace(mine, other))) == "proof_of_possession"


@pytest.mark.parametrize(
    ("name", "check"),
    [("10.0.0.1", "certificate_name"), ("wss://x/y", "certificate_name"), ("x" * 65, "certificate_name")],
)
def test_a_registered_name_that_no_certificate_can_bear(make_csr: MakeCsr, name: str, check: str) -> None:
    assert refusal(make_csr(), common_name=name) == check


def test_size_at_the_limit_and_one_past_it(make_csr: MakeCsr) -> None:
    pem = make_csr()
    limit = profiles.charging_station().request_size_max

    assert look(pem + "\n" * (limit - len(pem))).common_name == "SN-1"
    assert refusal(pem + "\n" * (limit - len(pem) + 1)) == "size"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (r"(?s).+", ""),
        (r"(?s)(.+)", r"\1\1"),
        (r"\A", "hello\n"),
        (r"\Z", "hello"),
        ("CERTIFICATE REQUEST", "CERTIFICATE"),
        ("BEGIN CERTIFICATE REQUEST", "BEGIN NEW CERTIFICATE REQUEST"),
        ("M", "é"),
        (r"(?s)-----\n.+\n-----", "-----\n-----"),
        ("-----.*?-----", ""),
    ],
)
def test_what_is_no_pem_request(make_csr: MakeCsr, was: str, becomes: str) -> None:
    assert refusal(re.sub(was, becomes, make_csr())) == "pem"


@pytest.mark.parametrize("der", [b"\x30\x00", b"\x30\x84\xff\xff\xff\xff", b"\x00", b"\x30\x80" * 200])
def test_what_is_no_der(der: bytes) -> None:
    assert refusal(pem_of(der)) == "parse"


@pytest.fixture(scope="module")
def whole_der(ec_key: ec.EllipticCurvePrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder(
        x509.Name([x509.NameAttribute(oid, value) for oid, value in GOOD_NAMES])
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, b"x")
    return builder.sign(ec_key, hashes.SHA256()).public_bytes(Encoding.DER)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_der_is_reviewed_or_rejected_and_nothing_else(whole_der: bytes, data: st.DataObject) -> None:
    der = bytearray(whole_der)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(der) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "repeat"])):
            case "flip":
                der[position] ^= data.draw(st.integers(1, 255))
            case "cut":
                del der[position : position + data.draw(st.integers(1, 8))]
            case "insert":
                der[position:position] = data.draw(st.binary(min_size=1, max_size=8))
            case _:
                der[position:position] = der[position : position + 16]
        if not der:
            break
    try:
        reviewed = look(pem_of(bytes(der)))
    except CsrRejected:
        return

    assert reviewed.common_name == "SN-1"


@given(st.text(max_size=200))
def test_no_text_does_anything_but_pass_or_be_rejected(text: str) -> None:
    for pem in (text, f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----"):
        with pytest.raises(CsrRejected):
            look(pem)
