"""The provisioning service: what vehicles would refuse is refused before it signs anything."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from pki.iso15118.cps import CpsChain, CpsUnusable, FileCps
from pki.iso15118.exi import Schema
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.signature import Suite
from pki.issuing import Issuer, distinguished_name, key_usage, new_ec_key, new_hierarchy, new_key
from pki.pem_files import certificates_pem, key_pem
from tests.pki.iso15118.provisioning_parts import SUITES, file_cps, v2g_pki

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
V2G = {schema: v2g_pki(schema, NOW) for schema in (Schema.ISO_2, Schema.ISO_20)}
SUB = new_hierarchy("Test V2G", None, NOW).issuing
CPS = ((NameOID.DOMAIN_COMPONENT, "CPS"), (NameOID.COMMON_NAME, "CPS"))
BOTH = pytest.mark.parametrize("schema", [Schema.ISO_2, Schema.ISO_20])


def leaf_of(
    names: Sequence[tuple[x509.ObjectIdentifier, str]] = CPS,
    extensions: Sequence[x509.ExtensionType] = (key_usage(["digital_signature"]),),
    key: Any = None,
    issuer: Issuer = SUB,
) -> x509.Certificate:
    """Return a leaf by a CA that makes what it is told."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name(dict(names)))
        .issuer_name(issuer.certificate.subject)
        .public_key(key or new_ec_key("P-256").public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=90))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(issuer.key, hashes.SHA256())


def chain_of(*certificates: x509.Certificate) -> str:
    return certificates_pem([*certificates, SUB.certificate])


@BOTH
async def test_it_signs_raw_and_verifiably(schema: Schema) -> None:
    signer = file_cps(schema, V2G[schema], NOW)
    await signer.health()

    value = await signer.sign(b"SignedInfo")

    assert len(value) == SUITES[schema].value_size == (64 if schema is Schema.ISO_2 else 132)
    signer.cps.check_signature(b"SignedInfo", value)
    for octets, wrong in (
        (b"other", value),
        (b"SignedInfo", value[::-1]),
        (b"SignedInfo", b""),
        (b"SignedInfo", value[:-1]),
    ):
        with pytest.raises(CpsUnusable):
            signer.cps.check_signature(octets, wrong)
    assert len(signer.cps.certificates.sub_certificates) == 1
    assert signer.cps.leaf == V2G[schema].leaf
    assert signer.cps.v2g_root == V2G[schema].root.subject


async def test_leading_zeros_of_r_and_s_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small:
        def sign(self, *_: object) -> bytes:
            return encode_dss_signature(1, 2)

    signer = file_cps(Schema.ISO_2, V2G[Schema.ISO_2], NOW)
    monkeypatch.setattr(signer, "_key", Small())
    assert await signer.sign(b"x") == bytes(31) + b"\x01" + bytes(31) + b"\x02"


@pytest.mark.parametrize("at", [timedelta(days=91), timedelta(days=-1)])
async def test_a_leaf_that_is_not_valid_now_signs_nothing(at: timedelta) -> None:
    v2g = V2G[Schema.ISO_2]
    signer = file_cps(Schema.ISO_2, v2g, NOW + at)

    for ask in (signer.sign(b"x"), signer.health()):
        with pytest.raises(
            ProvisioningRefused, match="is valid from 2026-06-01 to 2026-08-30; put a new one"
        ) as refused:
            await ask
        assert refused.value.refusal is Refusal.PROVIDER_UNAVAILABLE


def test_a_chain_that_ends_with_the_ca_above_the_leaf() -> None:
    hierarchy = new_hierarchy("Old V2G", None, NOW - timedelta(days=10 * 365 - 10))
    old = hierarchy.issuing
    cps = CpsChain(certificates_pem([leaf_of(issuer=old), old.certificate]), Suite.ISO_2)
    assert cps.valid_until == old.certificate.not_valid_after_utc < NOW + timedelta(days=90)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (key_pem(new_ec_key("P-256")), "the key isn't that of the leaf CN=Test CPS"),
        (key_pem(new_ec_key("P-521")), "the key isn't that of the leaf"),
        (key_pem(new_key(use_rsa=True, rsa_bits=2048)), "the key isn't that of the leaf"),
        (b"", "its key: isn't a private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "its key: isn't a private key"),
    ],
)
def test_another_key(key: bytes, words: str) -> None:
    cps = CpsChain(V2G[Schema.ISO_2].chain_pem, Suite.ISO_2)
    with pytest.raises(CpsUnusable, match=words):
        FileCps(cps, key)


def test_the_key_is_nowhere_to_be_read() -> None:
    v2g = V2G[Schema.ISO_2]
    signer = file_cps(Schema.ISO_2, v2g, NOW)
    assert isinstance(v2g.key, ec.EllipticCurvePrivateKey)
    scalar = v2g.key.private_numbers().private_value
    assert str(scalar) not in repr(signer)
    assert repr(signer).startswith("FileCps(CpsChain(CN=Test CPS")


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ("", "isn't a chain of certificates in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "isn't a chain"),
        (chain_of(leaf_of(CPS[1:])), "has no DC=CPS"),
        (chain_of(leaf_of(((NameOID.DOMAIN_COMPONENT, "MO"), CPS[1]))), "has no DC=CPS"),
        (chain_of(leaf_of(extensions=(key_usage(["key_agreement"]),))), "lacks digitalSignature"),
        (chain_of(leaf_of(key=new_ec_key("P-521").public_key())), "isn't on secp256r1, which ISO 15118-2 wants"),
        (chain_of(leaf_of(key=new_key(use_rsa=True, rsa_bits=2048).public_key())), "isn't on secp256r1"),
        (chain_of(V2G[Schema.ISO_2].leaf), "wasn't issued by the certificate behind it"),
        (certificates_pem([SUB.certificate, leaf_of()]), "wasn't issued by the certificate behind it"),
        (V2G[Schema.ISO_2].chain_pem + certificates_pem([V2G[Schema.ISO_2].root]), "holds a root"),
        (chain_of(leaf_of(), SUB.certificate, SUB.certificate), "holds 3 CAs, ISO 15118-2 allows 2"),
        (
            chain_of(leaf_of(extensions=(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(700)),))),
            "octets, ISO 15118-2 allows 800",
        ),
        (
            chain_of(leaf_of(extensions=(x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.15"), b"\x03"),))),
            "its leaf: ",
        ),
    ],
)
def test_a_chain_that_vehicles_would_refuse(chain: str, words: str) -> None:
    with pytest.raises(CpsUnusable, match=words):
        CpsChain(chain, Suite.ISO_2)


def test_a_chain_of_the_other_generation() -> None:
    with pytest.raises(CpsUnusable, match="isn't on secp521r1, which ISO 15118-20 wants"):
        CpsChain(V2G[Schema.ISO_2].chain_pem, Suite.ISO_20)


def test_a_leaf_that_spells_a_default_out() -> None:
    """As those of a large V2G PKI: DER forbids to spell a default out, and vehicles take it."""
    explicit_default = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.19"), bytes.fromhex("3003010100"))
    cps = CpsChain(chain_of(leaf_of(extensions=(key_usage(["digital_signature"]), explicit_default))), Suite.ISO_2)
    assert cps.leaf.not_valid_after_utc > NOW


def test_a_leaf_without_key_usage_is_told_of() -> None:
    with capture_logs() as logs:
        CpsChain(chain_of(leaf_of(extensions=())), Suite.ISO_2)
    assert [each["event"] for each in logs] == ["cps_without_key_usage"]


@pytest.mark.parametrize(("folder", "suite"), [("pki_iso2", Suite.ISO_2), ("pki_iso20", Suite.ISO_20)])
def test_the_chain_of_the_vectors(folder: str, suite: Suite) -> None:
    names = ("cpsLeaf", "cpsSub2", "cpsSub1")
    files = (Path(__file__).parent / "vectors" / folder / f"{name}.cert.pem" for name in names)
    cps = CpsChain("".join(file.read_text() for file in files), suite)
    assert "CN=V2GRootCA" in cps.v2g_root.rfc4514_string()
