"""The certificate provisioning service (CPS): who vouches to vehicles for a contract, and with which key.

Its leaf lies under the V2G root that vehicles know; ISO 15118-2 Annex F, ISO 15118-20 Annex B.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Final, Protocol

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.clock import utc_now
from pki.extensions import ExtensionsUnreadable, Usage, read_extensions
from pki.iso15118.messages import CertificateChain
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.signature import Suite
from pki.pem_files import parse_key, read_chain

DOMAIN_COMPONENT: Final = "CPS"
"""The DC of its leaf ([V2G2-925])."""
SUB_CAS_MAX: Final = {Suite.ISO_2: 2, Suite.ISO_20: 3}
"""Certificates between the leaf and the root ([V2G2-009])."""
CERTIFICATE_SIZE_MAX: Final = {Suite.ISO_2: 800, Suite.ISO_20: 1600}
"""Octets of DER ([V2G2-010])."""

log = structlog.get_logger(__name__)


class CpsUnusable(ValueError):
    """A chain or a key that vehicles would refuse; the text says what is wrong with it, never what the key is."""


class CpsChain:
    """A CPS leaf and the CAs between it and its V2G root, fit for one generation of ISO 15118."""

    def __init__(self, pem: str, suite: Suite) -> None:
        """Read it, leaf first, without the root. Raises :class:`CpsUnusable`; dates are looked at when it signs."""
        try:
            certificates = read_chain(pem)
        except ValueError:
            raise CpsUnusable("isn't a chain of certificates in PEM, leaf first") from None
        self.suite = suite
        self.leaf = certificates[0]
        self.key = _checked(certificates, suite)
        self.v2g_root = certificates[-1].issuer
        """The name of the root that it leads to."""
        self.valid_until = min(each.not_valid_after_utc for each in certificates)
        """Of the certificate that ends first; aware, in UTC."""
        self.valid_from = max(each.not_valid_before_utc for each in certificates)
        leaf, *above = (each.public_bytes(Encoding.DER) for each in certificates)
        self.certificates = CertificateChain(leaf, tuple(above))

    def __repr__(self) -> str:
        return f"CpsChain({self.leaf.subject.rfc4514_string()})"

    def check_dates(self, now: datetime) -> None:
        """Raise :class:`ProvisioningRefused` when it isn't valid at ``now``."""
        if not self.valid_from <= now <= self.valid_until:
            begins, ends = self.valid_from.date(), self.valid_until.date()
            raise ProvisioningRefused(
                Refusal.PROVIDER_UNAVAILABLE,
                f"the CPS chain of {self.leaf.subject.rfc4514_string()} is valid from {begins} to {ends}; put a new "
                "one in its place, or set this machine's clock",
            )

    def check_signature(self, octets: bytes, value: bytes) -> None:
        """Raise :class:`CpsUnusable` when ``value`` (r||s) isn't the leaf's signature over ``octets``."""
        middle = len(value) // 2
        der = encode_dss_signature(int.from_bytes(value[:middle]), int.from_bytes(value[middle:]))
        try:
            self.key.verify(der, octets, ec.ECDSA(self.suite.hash_algorithm))
        except InvalidSignature:
            raise CpsUnusable("the signature isn't by the key of the CPS leaf") from None
        if len(value) != self.suite.value_size:
            raise CpsUnusable(f"the signature has {len(value)} octets, r||s has {self.suite.value_size}")


class CpsSigner(Protocol):
    """Signs answers to vehicles."""

    cps: CpsChain
    """By whose leaf."""

    async def sign(self, octets: bytes) -> bytes:
        """Return r||s over ``octets`` (ECDSA, the suite's hash), each as long as the curve's order.

        Raises :class:`ProvisioningRefused`, also when a certificate of the chain isn't valid now.
        """

    async def health(self) -> None:
        """Return when it could sign now. Raises :class:`ProvisioningRefused`."""


class FileCps:
    """Signs with a key that this process holds: for development. Fulfils :class:`CpsSigner`."""

    def __init__(self, cps: CpsChain, key_pem: bytes, *, clock: Callable[[], datetime] = utc_now) -> None:
        """``key_pem``: the leaf's private key, unencrypted. Raises :class:`CpsUnusable`."""
        try:
            key = parse_key(key_pem)
        except ValueError as error:
            raise CpsUnusable(f"its key: {error}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != cps.key:
            raise CpsUnusable(f"the key isn't that of the leaf {cps.leaf.subject.rfc4514_string()}")
        self.cps = cps
        self._key = key
        self._clock = clock

    def __repr__(self) -> str:
        return f"FileCps({self.cps!r})"

    async def sign(self, octets: bytes) -> bytes:
        """As :class:`CpsSigner` has it."""
        self.cps.check_dates(self._clock())
        size = self.cps.suite.value_size // 2
        numbers = decode_dss_signature(self._key.sign(octets, ec.ECDSA(self.cps.suite.hash_algorithm)))
        return b"".join(number.to_bytes(size) for number in numbers)

    async def health(self) -> None:
        """As :class:`CpsSigner` has it."""
        self.cps.check_dates(self._clock())


def _checked(certificates: list[x509.Certificate], suite: Suite) -> ec.EllipticCurvePublicKey:
    """Return the leaf's key when vehicles could take the chain. Raises :class:`CpsUnusable`."""
    leaf = certificates[0]
    if len(certificates) - 1 > SUB_CAS_MAX[suite]:
        raise CpsUnusable(f"holds {len(certificates) - 1} CAs, {suite.title} allows {SUB_CAS_MAX[suite]} (V2G2-009)")
    for certificate in certificates:
        _check_one(certificate, suite)
    for certificate, issuer in pairwise(certificates):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            name = certificate.subject.rfc4514_string()
            raise CpsUnusable(f"{name} wasn't issued by the certificate behind it; order them leaf first") from None
    if DOMAIN_COMPONENT not in [each.value for each in leaf.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)]:
        raise CpsUnusable(f"the subject of its leaf has no DC={DOMAIN_COMPONENT}, which vehicles look for (V2G2-925)")
    _check_usage(leaf)
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):  # its curve was looked at
        raise CpsUnusable("the key of its leaf isn't one of an elliptic curve")
    return key


def _check_one(certificate: x509.Certificate, suite: Suite) -> None:
    name, size = certificate.subject.rfc4514_string(), len(certificate.public_bytes(Encoding.DER))
    if certificate.subject == certificate.issuer:
        raise CpsUnusable(f"holds a root, {name}; leave it out: vehicles have theirs")
    if size > CERTIFICATE_SIZE_MAX[suite]:
        most = CERTIFICATE_SIZE_MAX[suite]
        raise CpsUnusable(f"{name} has {size} octets, {suite.title} allows {most} (V2G2-010)")
    try:
        key = certificate.public_key()
    except Exception as error:  # a curve that isn't known, parameters that are spelled out, damaged DER
        raise CpsUnusable(f"the key of {name} can't be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != suite.curve.name:
        raise CpsUnusable(f"the key of {name} isn't on {suite.curve.name}, which {suite.title} wants")


def _check_usage(leaf: x509.Certificate) -> None:
    try:
        usage = read_extensions(leaf).key_usage
    except ExtensionsUnreadable as error:
        raise CpsUnusable(f"its leaf: {error}") from None
    if usage is None:
        log.warning("cps_without_key_usage", leaf=leaf.subject.rfc4514_string(), reason="vehicles may refuse it")
    elif Usage.DIGITAL_SIGNATURE not in usage:
        raise CpsUnusable("the key usage of its leaf lacks digitalSignature (ISO 15118-2 Annex F)")
