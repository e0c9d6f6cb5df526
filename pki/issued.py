"""Is what came back what was asked? The check of every certificate that an authority gives (attack B1)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from pki.authority import IssuedCertificate, IssuedMismatch, SigningRequest
from pki.issuing import general_name
from pki.keys import STRONG_HASHES, curve_name, subject_key_identifier
from pki.pem_files import read_chain
from pki.profiles import Curve, format_duration
from pki.subject import attribute_name, surplus, wanted_subject

BACKDATE_MAX: Final = timedelta(days=1)
"""How far before now a certificate may begin: authorities backdate for slow clocks."""
SLACK_SHARE: Final = 50
SLACK_MIN: Final = timedelta(minutes=5)
SLACK_MAX: Final = timedelta(days=1)
"""By how much a certificate may outlive its profile: a fiftieth of its lifetime, within these bounds."""
SERIAL_BITS_MIN: Final = 48
"""A random serial number of 64 bits (CA/Browser Forum baseline, 7.1) has fewer than these once in 65,536 times."""
SERIAL_BITS_MAX: Final = 159
"""20 octets, positive (RFC 5280 4.1.2.2)."""

_SIGNED_BY: Final[dict[Curve, x509.ObjectIdentifier]] = {
    "P-256": SignatureAlgorithmOID.ECDSA_WITH_SHA256,
    "P-384": SignatureAlgorithmOID.ECDSA_WITH_SHA384,
    "P-521": SignatureAlgorithmOID.ECDSA_WITH_SHA512,
}
_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)
"""What may be critical: a peer refuses a certificate with a critical extension that it doesn't know (RFC 5280 4.2)."""
_MISSING: Final = {
    NameOID.ORGANIZATION_NAME: "the CSR must hold it where the authority copies its subject: set "
    "SecurityCtrlr.OrganizationName (1.6: CpoName) on the station",
    NameOID.DOMAIN_COMPONENT: "the CSR must hold it where the authority copies its subject",
}


def lifetime_slack(lifetime: timedelta) -> timedelta:
    """Return by how much a certificate may outlive, or fall short of, the lifetime that was asked for."""
    return min(SLACK_MAX, max(SLACK_MIN, lifetime / SLACK_SHARE))


@dataclass(frozen=True, slots=True)
class _Case:
    issued: IssuedCertificate
    request: SigningRequest
    chain: list[x509.Certificate]
    now: datetime

    @property
    def leaf(self) -> x509.Certificate:
        return self.issued.certificate


def verify_issued(issued: IssuedCertificate, request: SigningRequest, *, now: datetime) -> None:
    """Return when ``issued`` is what ``request`` asked for. Raises :class:`pki.authority.IssuedMismatch`."""
    size_max = min(request.profile.chain_size_max, request.chain_size_max or request.profile.chain_size_max)
    if len(issued.chain_pem) > size_max:
        whom = "stations take" if request.chain_size_max is None else "this station takes"
        raise IssuedMismatch(
            f"the chain has {len(issued.chain_pem)} characters, {whom} {size_max} "
            "(OCPP 2.0.1 A02.FR.16); use shorter CA certificates"
        )
    try:
        case = _Case(issued, request, read_chain(issued.chain_pem), now)
        for check in _CHECKS:
            check(case)
    except IssuedMismatch:
        raise
    except Exception as error:
        raise IssuedMismatch("the authority's answer can't be decoded") from error


def _size(case: _Case) -> None:
    """ISO 15118-2 [V2G2-009], [V2G2-010]: what a vehicle takes."""
    size_max, length_max = case.request.profile.certificate_size_max, case.request.profile.chain_length_max
    if length_max is not None and len(case.chain) > length_max:
        raise IssuedMismatch(f"the chain has {len(case.chain)} certificates, {length_max} are allowed (V2G2-009)")
    for certificate in case.chain if size_max is not None else ():
        size = len(certificate.public_bytes(Encoding.DER))
        if size_max is not None and size > size_max:
            name = certificate.subject.rfc4514_string()
            raise IssuedMismatch(f"{name} has {size} bytes, {size_max} are allowed (V2G2-010); use shorter names")


def _key(case: _Case) -> None:
    if case.leaf.public_key() != case.request.csr.public_key():
        raise IssuedMismatch("the certificate is for another key")


def _subject(case: _Case) -> None:
    """A00.FR.405, A00.FR.509, [V2G2-925]: what was asked, once each, and nothing else."""
    request, subject = case.request, case.leaf.subject
    wanted = wanted_subject(request.profile, request.common_name, request.organization)
    for oid, value in wanted.items():
        found = [name.value for name in subject.get_attributes_for_oid(oid)]
        if not found and oid in _MISSING:
            raise IssuedMismatch(
                f"the certificate has no {attribute_name(oid)}, {value!r} was asked for; {_MISSING[oid]}"
            )
        if found != [value]:
            raise IssuedMismatch(f"the certificate's {attribute_name(oid)} isn't {value!r}")
    extra = surplus(subject, wanted, request.profile)
    if extra:
        raise IssuedMismatch(f"the certificate's subject holds {', '.join(extra)}, which nobody asked for")


def _usage(case: _Case) -> None:
    """An end entity, with the key usages that its profile can't do without, without EKU (A00.FR.512, A00.FR.514)."""
    usages: x509.KeyUsage | None = None
    for extension in case.leaf.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise IssuedMismatch("the certificate is a CA's")
        if isinstance(value, x509.ExtendedKeyUsage):
            raise IssuedMismatch("the certificate has an extended key usage (A00.FR.514)")
        if isinstance(value, x509.KeyUsage):
            usages = value
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise IssuedMismatch(f"the certificate has a critical extension {extension.oid.dotted_string}")
    if usages is None:
        raise IssuedMismatch("the certificate has no key usage (A00.FR.512)")
    if usages.key_cert_sign or usages.crl_sign:
        raise IssuedMismatch("the certificate's key usage isn't an end entity's")
    missing = [usage for usage in case.request.profile.key_usage.required if not getattr(usages, usage)]
    if missing:
        raise IssuedMismatch(f"the certificate's key usage lacks {', '.join(missing)}")


def _alternative_names(case: _Case) -> None:
    """A00.FR.511: a station has none; a server has those that were asked for, and perhaps its CN (A00.FR.510)."""
    try:
        names = case.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    if case.request.profile.alternative_names == "none":
        if list(names):
            raise IssuedMismatch("the certificate has alternative names (A00.FR.511)")
        return
    wanted = {general_name(name.lower()) for name in case.request.names}
    found = {x509.DNSName(name.value.lower()) if isinstance(name, x509.DNSName) else name for name in names}
    if not wanted <= found <= wanted | {general_name(case.request.common_name.lower())}:
        raise IssuedMismatch("the certificate's alternative names aren't those that were asked for")


def _key_ids(case: _Case) -> None:
    """RFC 5280 4.2.1.1: where both say it, the issuer's key is the one that the certificate names."""
    for certificate, issuer in pairwise(case.chain):
        try:
            named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
            own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        except x509.ExtensionNotFound:
            continue
        if named is not None and named != own:
            raise IssuedMismatch("the certificate names another issuing key than that of its issuer")


def _short_key_id(case: _Case) -> None:
    """[V2G20-2492]: the envelope of the private key is bound to it."""
    key = case.leaf.public_key()
    if not case.request.profile.short_key_identifier or not isinstance(key, ec.EllipticCurvePublicKey):
        return
    try:
        found = case.leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        found = None
    if found != subject_key_identifier(key, is_short=True):
        raise IssuedMismatch(
            "the certificate's SubjectKeyIdentifier isn't the one of 8 octets (RFC 5280 4.2.1.2, method 2) that the "
            "CSR asks for: the CA must take it from there, as sign-verbatim of Vault and OpenBao does"
        )


def _ca_keys(case: _Case) -> None:
    """ISO 15118: one curve and one hash for all certificates of a generation."""
    curves = case.request.profile.ca_curves
    for issuer in case.chain[1:] if curves else ():
        if curve_name(issuer.public_key()) not in curves:
            raise IssuedMismatch(
                f"the key of {issuer.subject.rfc4514_string()} isn't on {' or '.join(curves)}: certificates of the "
                f"profile {case.request.profile.name} need a CA that is, and signs with its hash"
            )
    algorithms = {_SIGNED_BY[curve] for curve in curves}
    for certificate in case.chain if curves else ():  # the topmost is signed by the root, which isn't in the chain
        if certificate.signature_algorithm_oid not in algorithms:
            raise IssuedMismatch(
                f"{certificate.subject.rfc4514_string()} isn't signed as keys on {' or '.join(curves)} sign: the CA "
                f"{certificate.issuer.rfc4514_string()} needs such a key, and its hash"
            )


def _dates(case: _Case) -> None:
    """A02.FR.06: valid already, for as long as the profile says, and no longer."""
    begins, ends = case.issued.not_before, case.issued.not_after
    if not case.now - BACKDATE_MAX <= begins <= case.now:
        raise IssuedMismatch(
            f"the certificate begins at {begins.isoformat()}; compare the authority's clock with this one's"
        )
    lifetime = case.request.profile.validity.lifetime
    slack = lifetime_slack(lifetime)
    if not case.now < ends <= case.now + lifetime + slack:
        raise IssuedMismatch(
            f"the certificate ends at {ends.isoformat()}, which its profile doesn't allow: {format_duration(lifetime)}"
        )


def _serial(case: _Case) -> None:
    """RFC 5280 4.1.2.2: positive, 20 octets at most; and long enough not to be guessed."""
    bits = case.leaf.serial_number.bit_length()
    if not SERIAL_BITS_MIN <= bits <= SERIAL_BITS_MAX:
        raise IssuedMismatch(f"the certificate's serial number has {bits} bits")


def _signature(case: _Case) -> None:
    """A00.FR.506."""
    for certificate in case.chain:
        algorithm = certificate.signature_hash_algorithm
        if algorithm is None or algorithm.name not in STRONG_HASHES:
            raise IssuedMismatch("the chain is signed with a weak or unknown hash (A00.FR.506)")


def _chain(case: _Case) -> None:
    """Leaf first, each issued by the next, without the root (A02, RFC 5280 6.1)."""
    if case.chain[0] != case.leaf:
        raise IssuedMismatch("the chain doesn't begin with the certificate")
    if case.chain[-1].subject == case.chain[-1].issuer:
        raise IssuedMismatch("the chain holds the root, which stations have already")
    for certificate, issuer in pairwise(case.chain):
        try:
            certificate.verify_directly_issued_by(issuer)
        except Exception as error:
            raise IssuedMismatch("the chain's certificates don't follow from each other") from error
        name = issuer.subject.rfc4514_string()
        if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise IssuedMismatch(f"the chain's {name} isn't a CA")
        if not issuer.not_valid_before_utc <= case.now <= issuer.not_valid_after_utc:
            raise IssuedMismatch(f"the chain's {name} isn't valid now")


_CHECKS: Final[tuple[Callable[[_Case], None], ...]] = (
    _size,
    _key,
    _subject,
    _usage,
    _alternative_names,
    _dates,
    _serial,
    _signature,
    _chain,
    _key_ids,
    _short_key_id,
    _ca_keys,
)
