"""Is what came back what was asked? The check of every certificate that an authority gives (attack B1)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.authority import IssuedCertificate, IssuedMismatch, SigningRequest
from pki.keys import STRONG_HASHES

BACKDATE_MAX: Final = timedelta(days=1)
"""How far before now a certificate may begin: authorities backdate for slow clocks."""
LIFETIME_SLACK: Final = timedelta(days=1)
"""By how much a certificate may outlive its profile."""
SERIAL_BITS_MIN: Final = 48
"""A random serial number of 64 bits (CA/Browser Forum baseline, 7.1) has fewer than these once in 65,536 times."""
SERIAL_BITS_MAX: Final = 159
"""20 octets, positive (RFC 5280 4.1.2.2)."""


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
    if len(issued.chain_pem) > request.profile.chain_size_max:
        raise IssuedMismatch(
            f"the chain has {len(issued.chain_pem)} characters, stations take {request.profile.chain_size_max} "
            "(OCPP 2.0.1 A02.FR.16); use shorter CA certificates"
        )
    try:
        chain = x509.load_pem_x509_certificates(issued.chain_pem.encode())
        case = _Case(issued, request, chain, now)
        for check in _CHECKS:
            check(case)
    except IssuedMismatch:
        raise
    except Exception as error:
        raise IssuedMismatch("the authority's answer can't be decoded") from error


def _key(case: _Case) -> None:
    if case.leaf.public_key() != case.request.csr.public_key():
        raise IssuedMismatch("the certificate is for another key")


def _subject(case: _Case) -> None:
    """A00.FR.405, A00.FR.509."""
    for oid, what, wanted in (
        (NameOID.COMMON_NAME, "CN", case.request.common_name),
        (NameOID.ORGANIZATION_NAME, "O", case.request.organization),
    ):
        if [name.value for name in case.leaf.subject.get_attributes_for_oid(oid)] != [wanted]:
            raise IssuedMismatch(f"the certificate's {what} isn't {wanted!r}")


def _extensions(case: _Case) -> None:
    """An end entity, without alternative names where the profile has none, without EKU (A00.FR.511, A00.FR.514)."""
    for extension in case.leaf.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise IssuedMismatch("the certificate is a CA's")
        if isinstance(value, x509.KeyUsage) and (value.key_cert_sign or value.crl_sign or not value.digital_signature):
            raise IssuedMismatch("the certificate's key usage isn't an end entity's")
        if isinstance(value, x509.SubjectAlternativeName) and case.request.profile.alternative_names == "none":
            raise IssuedMismatch("the certificate has alternative names (A00.FR.511)")
        if isinstance(value, x509.ExtendedKeyUsage):
            raise IssuedMismatch("the certificate has an extended key usage (A00.FR.514)")


def _dates(case: _Case) -> None:
    """A02.FR.06: valid already, for as long as the profile says, and no longer."""
    begins, ends = case.issued.not_before, case.issued.not_after
    if not case.now - BACKDATE_MAX <= begins <= case.now:
        raise IssuedMismatch(
            f"the certificate begins at {begins.isoformat()}; compare the authority's clock with this one's"
        )
    if not case.now < ends <= case.now + case.request.profile.validity.lifetime + LIFETIME_SLACK:
        raise IssuedMismatch(f"the certificate ends at {ends.isoformat()}, which its profile doesn't allow")


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


_CHECKS: Final[tuple[Callable[[_Case], None], ...]] = (_key, _subject, _extensions, _dates, _serial, _signature, _chain)
