"""Making certificates: a root, the issuing CA under it, what that issues and what it revokes (RFC 5280).

Everything is signed with ECDSA and the hash of its curve's size, or RSA and SHA-256; all names are UTF8String.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from pki.keys import RSA_EXPONENT, PublicKey, subject_key_identifier
from pki.profiles import CertificateProfile, Curve, as_ip, check_common_name
from pki.subject import wanted_subject

ROOT_LIFETIME: Final = timedelta(days=20 * 365)
ISSUING_LIFETIME: Final = timedelta(days=10 * 365)
CA_BACKDATE: Final = timedelta(days=1)
"""How far before now a CA begins, for stations whose clocks are slow."""
RSA_CA_BITS: Final = 3072
"""Of the RSA hierarchy's CAs (BSI TR-02102-1 asks for 3000 and more)."""

_CURVES: Final[Mapping[Curve, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True, repr=False)
class Issuer:
    """A CA certificate with its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    def __repr__(self) -> str:
        return f"Issuer({self.certificate.subject.rfc4514_string()})"


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A root and the one issuing CA under it."""

    root: Issuer
    issuing: Issuer


def new_key(*, use_rsa: bool = False, rsa_bits: int = RSA_CA_BITS, curve: Curve = "P-256") -> PrivateKey:
    """Generate a private key: ECDSA on ``curve``, or RSA."""
    return rsa.generate_private_key(RSA_EXPONENT, rsa_bits) if use_rsa else new_ec_key(curve)


def new_ec_key(curve: Curve) -> ec.EllipticCurvePrivateKey:
    """Generate a private key on ``curve``."""
    return ec.generate_private_key(_CURVES[curve])


def new_hierarchy(
    label: str,
    organization: str | None,
    now: datetime,
    *,
    use_rsa: bool = False,
    curve: Curve = "P-256",
    domain_components: tuple[str | None, str | None] = (None, None),
) -> Hierarchy:
    """Make a root and its issuing CA. ``label`` says what for: ``Voltgate station``.

    A few random digits in the names keep two generations of the same CA apart. ``domain_components``: the DC of both,
    by which ISO 15118 tells the roles apart ([V2G2-925]).
    """
    of_root, of_issuing = domain_components
    tag = secrets.token_hex(3)
    root_key, issuing_key = (new_key(use_rsa=use_rsa, curve=curve) for _ in range(2))
    start = _whole(now) - CA_BACKDATE
    root_name = _subject(f"{label} root {tag}", organization, of_root)
    root = _sign(
        _ca_builder(root_name, root_key, path_length=1)
        .not_valid_before(start)
        .not_valid_after(start + ROOT_LIFETIME)
        .issuer_name(root_name),
        root_key,
    )
    issuing = _sign(
        _ca_builder(_subject(f"{label} issuing CA {tag}", organization, of_issuing), issuing_key, path_length=0)
        .not_valid_before(start)
        .not_valid_after(start + ISSUING_LIFETIME)
        .issuer_name(root_name)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False),
        root_key,
    )
    return Hierarchy(Issuer(root, root_key), Issuer(issuing, issuing_key))


def issue(
    issuer: Issuer,
    profile: CertificateProfile,
    key: PublicKey,
    *,
    common_name: str,
    organization: str,
    now: datetime,
    names: Sequence[str] = (),
) -> x509.Certificate:
    """Issue an end-entity certificate of ``profile``: it never outlives its issuer.

    ``names`` become the subject alternative names where the profile asks for them. Raises ValueError.
    """
    check_common_name(common_name, profile.subject.common_name)
    if bool(names) != (profile.alternative_names == "required"):
        raise ValueError(f"the profile {profile.name} has alternative names: {profile.alternative_names}")
    ca = issuer.certificate
    usages = profile.key_usage.rsa if isinstance(key, rsa.RSAPublicKey) else profile.key_usage.ec
    builder = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name(wanted_subject(profile, common_name, organization)))
        .issuer_name(ca.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(_whole(now) - profile.validity.backdate, ca.not_valid_before_utc))
        .not_valid_after(min(_whole(now) + profile.validity.lifetime, ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(usages), critical=True)
        .add_extension(subject_key_identifier(key, is_short=profile.short_key_identifier), critical=False)
        .add_extension(_authority_key(ca), critical=False)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([general_name(name) for name in names]), critical=False
        )
    return _sign(builder, issuer.key)


def revocation_list(
    issuer: Issuer, entries: Sequence[x509.RevokedCertificate], *, number: int, now: datetime, lifetime: timedelta
) -> x509.CertificateRevocationList:
    """Sign a complete CRL: it never outlives its issuer (RFC 5280 5)."""
    ca = issuer.certificate
    extensions: list[x509.Extension[x509.ExtensionType]] = [
        x509.Extension(value.oid, critical=False, value=value) for value in (_authority_key(ca), x509.CRLNumber(number))
    ]
    until = min(_whole(now) + lifetime, ca.not_valid_after_utc)
    # Given at once: a builder that grows entry by entry copies all of them each time.
    builder = x509.CertificateRevocationListBuilder(ca.subject, _whole(now), until, extensions, list(entries))
    return builder.sign(issuer.key, hash_for(issuer.key))


def general_name(name: str) -> x509.GeneralName:
    """Return a host name or IP address as it stands among alternative names."""
    address = as_ip(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _ca_builder(subject: x509.Name, key: PrivateKey, path_length: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(("key_cert_sign", "crl_sign")), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    return builder.sign(key, hash_for(key))


def hash_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    """Return what is signed with: the hash as long as the key's curve, SHA-256 for RSA."""
    bits = key.key_size if isinstance(key, ec.EllipticCurvePrivateKey) else 0
    if bits > 384:
        return hashes.SHA512()
    return hashes.SHA384() if bits > 256 else hashes.SHA256()


def _subject(common_name: str, organization: str | None, domain_component: str | None) -> x509.Name:
    role = {NameOID.DOMAIN_COMPONENT: domain_component} if domain_component else {}
    owner = {NameOID.ORGANIZATION_NAME: organization} if organization else {}
    return distinguished_name({**role, **owner, NameOID.COMMON_NAME: common_name})


def distinguished_name(attributes: Mapping[x509.ObjectIdentifier, str]) -> x509.Name:
    """Return a name of one attribute after the other, each a UTF8String."""
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes.items()])


def key_usage(usages: Sequence[str]) -> x509.KeyUsage:
    """Return the extension that holds ``usages``, by pyca's names."""
    return x509.KeyUsage(**{usage: usage in usages for usage in _USAGES})


def _authority_key(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    key_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)


def _whole(moment: datetime) -> datetime:
    """Cut to whole seconds, which is all that a certificate can say (RFC 5280 4.1.2.5)."""
    return moment.replace(microsecond=0)
