"""Certificates of Plug & Charge in any shape, and the three hierarchies of a generation, made for a test."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.extensions import Usage
from pki.iso15118.exi import Schema

NOW: Final = datetime(2026, 2, 1, 12, tzinfo=UTC)
DAY: Final = timedelta(days=1)
Hash = hashes.SHA224 | hashes.SHA256 | hashes.SHA512
EMAID: Final = "DE8EXC12345678A"
PCID: Final = "WEXAMPLE000000001"
CURVES: Final = {Schema.ISO_2: ec.SECP256R1, Schema.ISO_20: ec.SECP521R1}
HASHES: Final[dict[Schema, Hash]] = {Schema.ISO_2: hashes.SHA256(), Schema.ISO_20: hashes.SHA512()}
BASIC_CONSTRAINTS: Final = x509.ObjectIdentifier("2.5.29.19")
ENCODED_DEFAULT: Final = x509.UnrecognizedExtension(BASIC_CONSTRAINTS, bytes.fromhex("3003010100"))
"""BasicConstraints that write out cA FALSE, as certificates in the field have them."""

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extension = tuple[x509.ExtensionType, bool]


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{each.name.lower(): each.name.lower() in names for each in Usage})


LEAF_USAGE: Final = usage("digital_signature", "key_agreement")
CA_USAGE: Final = usage("key_cert_sign", "crl_sign")
NO_CA: Final = x509.BasicConstraints(ca=False, path_length=None)


def named(common_name: str | None, component: str | None = None) -> x509.Name:
    parts = [] if common_name is None else [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"))
    if component is not None:
        parts.append(x509.NameAttribute(NameOID.DOMAIN_COMPONENT, component))
    return x509.Name(parts)


def issued(
    subject: x509.Name,
    issuer: Issued | None,
    extensions: Sequence[Extension],
    *,
    key: PrivateKey | None = None,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + 30 * DAY,
    schema: Schema = Schema.ISO_2,
    digest: Hash | None = None,
) -> Issued:
    """Return a certificate; without an issuer, one that is signed by itself."""
    key = key or ec.generate_private_key(CURVES[schema]())
    builder = x509.CertificateBuilder(
        subject if issuer is None else issuer.certificate.subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        begins,
        ends,
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    signer = key if issuer is None else issuer.key
    return Issued(builder.sign(signer, digest or HASHES[schema]), key)


def authority(
    name: str,
    issuer: Issued | None = None,
    *,
    component: str | None = None,
    path_length: int | None = None,
    key_usage: x509.KeyUsage | None = CA_USAGE,
    extensions: Sequence[Extension] = (),
    key: PrivateKey | None = None,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + 300 * DAY,
    schema: Schema = Schema.ISO_2,
) -> Issued:
    """Return a CA; without an issuer, a root."""
    every: list[Extension] = [(x509.BasicConstraints(ca=True, path_length=path_length), True)]
    if key_usage is not None:
        every.append((key_usage, True))
    subject = named(name, component)
    return issued(subject, issuer, [*every, *extensions], key=key, begins=begins, ends=ends, schema=schema)


def leaf(
    common_name: str | None,
    issuer: Issued,
    *,
    component: str | None = None,
    key_usage: x509.KeyUsage | None = LEAF_USAGE,
    basic_constraints: x509.ExtensionType | None = NO_CA,
    extensions: Sequence[Extension] = (),
    key: PrivateKey | None = None,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + 30 * DAY,
    schema: Schema = Schema.ISO_2,
) -> Issued:
    """Return an end entity's certificate."""
    every: list[Extension] = [] if basic_constraints is None else [(basic_constraints, True)]
    if key_usage is not None:
        every.append((key_usage, True))
    subject = named(common_name, component)
    return issued(subject, issuer, [*every, *extensions], key=key, begins=begins, ends=ends, schema=schema)


@dataclass(frozen=True)
class Branch:
    """A root, two sub-CAs below it and a leaf, in the DC of their role."""

    root: Issued
    sub1: Issued
    sub2: Issued
    leaf: Issued

    @property
    def subs(self) -> tuple[bytes, ...]:
        """The sub-CAs as they are sent, next to the leaf first."""
        return (self.sub2.der, self.sub1.der)


def branch(role: str, common_name: str, *, root: Issued | None = None, schema: Schema = Schema.ISO_2) -> Branch:
    """Return the branch of ``role``: its DC."""
    top = root or authority(f"{role} Root", component="V2G" if role == "CPS" else role, schema=schema)
    sub1 = authority(f"{role} Sub 1", top, component=role, path_length=1, schema=schema)
    sub2 = authority(f"{role} Sub 2", sub1, component=role, path_length=0, schema=schema)
    return Branch(top, sub1, sub2, leaf(common_name, sub2, component=role, schema=schema))
