"""Certificate revocation lists: bytes in, a table of serial numbers out (RFC 5280 5, 6.3).

A CRL is read whole, once, so that a lookup costs the same in one of 200,000 entries as in an empty one. All that takes
time is done while reading: keep :func:`parse_crls` off the event loop.
"""

import base64
import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from pki.keys import STRONG_HASHES

CRL_SIZE_MAX: Final = 20 * 1024 * 1024
"""Bytes of one file or answer: more than 400,000 entries."""
CRLS_MAX: Final = 64
"""CRLs in one PEM file."""
NUMBER_BITS_MAX: Final = 160
"""Of a CRL number: 20 octets (RFC 5280 5.2.3)."""
NAME_MAX: Final = 200
"""Characters of an issuer's name in a log."""
NO_NUMBER: Final = -1
"""Of a CRL that bears no CRL number: older than every one that bears one."""

_BEGIN: Final = b"-----BEGIN X509 CRL-----"
_END: Final = b"-----END X509 CRL-----"
_SEQUENCE: Final = b"\x30"
_INTEGER: Final = 2
_UNDERSTOOD: Final = (x509.CRLNumber, x509.IssuingDistributionPoint, x509.AuthorityKeyIdentifier)
"""What may be critical in a CRL: what is looked at here (RFC 5280 5.2)."""


class CrlRejected(ValueError):
    """A CRL that doesn't speak for this CA; the text says why."""


@dataclass(frozen=True, slots=True)
class Scope:
    """About which of its issuer's certificates a CRL speaks (RFC 5280 5.2.5)."""

    end_entities: bool = True
    cas: bool = True
    points: frozenset[x509.GeneralName] = frozenset()
    """Where not empty: only about certificates whose CRL distribution points name one of these."""

    def covers(self, leaf: x509.Certificate) -> bool:
        """Return whether ``leaf`` is good when it isn't listed. Of CAs that is asked by nobody: see CrlStore."""
        return self.end_entities and (not self.points or not self.points.isdisjoint(_names_of_points(leaf)))


class _Signature(NamedTuple):
    """A CRL's signature and the digest that it signs; the signed bytes themselves aren't kept."""

    value: bytes
    digest: bytes
    algorithm: hashes.HashAlgorithm
    parameters: padding.PSS | padding.PKCS1v15 | ec.ECDSA


@dataclass(frozen=True, slots=True, eq=False)
class Crl:
    """One CRL. Who signed it is not known before :meth:`check_issuer` has returned."""

    issuer: x509.Name
    number: int
    """The CRL number, or NO_NUMBER."""
    this_update: datetime
    """Aware, in UTC; so is ``next_update``."""
    next_update: datetime | None
    revoked: Mapping[int, str]
    """Serial number -> reason, in the standard's words: ``keyCompromise``."""
    scope: Scope
    fault: str | None
    """Why it is no answer to anything, or None."""
    _signature: _Signature | None

    def __repr__(self) -> str:
        return f"Crl({self.label}, {len(self.revoked)} revoked)"

    @property
    def label(self) -> str:
        """Name it in a log: ``CRL 7 of CN=Example CA``."""
        number = "" if self.number == NO_NUMBER else f" {self.number}"
        return f"CRL{number} of {name_of(self.issuer)}"

    @property
    def age(self) -> tuple[int, datetime]:
        """What orders the CRLs of one issuer and scope: the greater is the newer."""
        return self.number, self.this_update

    def check_issuer(self, ca: x509.Certificate) -> None:
        """Return when ``ca`` issued this CRL (RFC 5280 6.3.3 f, g). Raises :class:`CrlRejected`."""
        if ca.subject != self.issuer:
            raise CrlRejected(f"{self.label} is another CA's")
        if not may_sign_crls(ca):
            raise CrlRejected(f"the key usage of {name_of(self.issuer)} doesn't allow it to sign CRLs")
        if not self._is_signed_with(ca.public_key()):
            raise CrlRejected(f"{self.label} isn't signed by the CA whose name it bears")

    def _is_signed_with(self, key: object) -> bool:
        """Quick however long the CRL is: it was digested while it was read."""
        if self._signature is None:
            return False
        value, digest, algorithm, parameters = self._signature
        try:
            if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(parameters, ec.ECDSA):
                key.verify(value, digest, ec.ECDSA(Prehashed(algorithm)))
            elif isinstance(key, rsa.RSAPublicKey) and not isinstance(parameters, ec.ECDSA):
                key.verify(value, digest, parameters, Prehashed(algorithm))
            else:
                return False
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True


def parse_crls(data: bytes) -> list[Crl]:
    """Read CRLs: one in DER, or one or more in PEM. Costs a few microseconds for an entry.

    Raises ValueError for what isn't a CRL, and for what passes CRL_SIZE_MAX or CRLS_MAX. A CRL that can be read but is
    of a kind that isn't used (a delta, an indirect one) is returned with its ``fault``.
    """
    if len(data) > CRL_SIZE_MAX:
        raise ValueError(f"has {len(data)} bytes; CRLs have at most {CRL_SIZE_MAX}")
    return [_parse(der) for der in _blocks(data)]


def may_sign_crls(ca: x509.Certificate) -> bool:
    """RFC 5280 6.3.3 f: a key usage, where there is one, must allow it; extensions that can't be read don't."""
    try:
        return ca.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return False


def name_of(ca: x509.Name) -> str:
    """Return a CA's name for a log: printable, and not without end."""
    return ascii(ca.rfc4514_string())[1:-1][:NAME_MAX]


def _blocks(data: bytes) -> Iterator[bytes]:
    """Yield the CRLs of a file in DER. Text begins with no SEQUENCE of more than 127 bytes, and a CRL is always one."""
    if data[:1] == _SEQUENCE and data[1:2] >= b"\x80":
        yield data
        return
    _, *blocks = data.split(_BEGIN, CRLS_MAX + 1)
    if not blocks:
        raise ValueError("holds no CRL in PEM or DER")
    if len(blocks) > CRLS_MAX:
        raise ValueError(f"holds more than {CRLS_MAX} CRLs")
    for block in blocks:
        body, end, _ = block.partition(_END)
        if not end:
            raise ValueError("holds a CRL in PEM that is cut off")
        try:
            yield base64.b64decode(b"".join(body.split()), validate=True)
        except ValueError as error:
            raise ValueError("holds a CRL in PEM that isn't base64") from error


def _parse(der: bytes) -> Crl:
    try:
        crl = x509.load_der_x509_crl(der)
        number, scope, fault = NO_NUMBER, Scope(), None
        for extension in crl.extensions:
            value = extension.value
            if isinstance(value, x509.CRLNumber):
                number = _number(value)
            elif isinstance(value, x509.IssuingDistributionPoint):
                scope, fault = _scope(value), fault or _partial(value)
            elif isinstance(value, x509.DeltaCRLIndicator):
                fault = "it is a delta CRL; name the complete one"
            if extension.critical and not isinstance(value, (*_UNDERSTOOD, x509.DeltaCRLIndicator)):
                fault = fault or f"it holds an unknown critical extension {extension.oid.dotted_string}"
        signature = _signature(crl, der)
        if signature is None:
            fault = fault or "it is signed with an algorithm that isn't accepted (A00.FR.506)"
        dates = crl.last_update_utc, crl.next_update_utc
        return Crl(crl.issuer, number, *dates, _entries(crl), scope, fault, signature)
    except Exception as error:
        # pyca's parser has no one class for what it doesn't like; whatever it is, nothing of this CRL can be used.
        raise ValueError(f"holds a CRL that can't be decoded: {error}") from error


def _number(value: x509.CRLNumber) -> int:
    if value.crl_number.bit_length() > NUMBER_BITS_MAX:
        raise ValueError("its number is too long")
    return value.crl_number


def _scope(point: x509.IssuingDistributionPoint) -> Scope:
    none = point.only_contains_attribute_certs
    return Scope(
        end_entities=not (point.only_contains_ca_certs or none),
        cas=not (point.only_contains_user_certs or none),
        points=frozenset(point.full_name or ()),
    )


def _partial(point: x509.IssuingDistributionPoint) -> str | None:
    """Return why a CRL with this distribution point is no answer, or None when it is one within its scope."""
    if point.indirect_crl:
        return "it is an indirect CRL"
    if point.only_some_reasons is not None:
        return "it lists only some reasons; name the complete one"
    if point.relative_name is not None:
        return "the name of its distribution point is relative"
    return None


def _entries(crl: x509.CertificateRevocationList) -> dict[int, str]:
    revoked: dict[int, str] = {}
    for entry in crl:
        reason = _reason(entry)
        if reason is not None:
            revoked[entry.serial_number] = reason
    return revoked


def _reason(entry: x509.RevokedCertificate) -> str | None:
    """Return why a listed certificate is revoked, or None when it isn't (any more).

    What can't be understood revokes: it may be the reason (RFC 5280 5.3).
    """
    try:
        extensions = entry.extensions
    except ValueError:
        return "an entry that can't be decoded"
    reason = x509.ReasonFlags.unspecified
    for extension in extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason
        elif extension.critical and not isinstance(extension.value, x509.InvalidityDate):
            return "an entry with an unknown critical extension"
    return None if reason is x509.ReasonFlags.remove_from_crl else reason.value


def _signature(crl: x509.CertificateRevocationList, der: bytes) -> _Signature | None:
    """Take the signature and the digest of what it signs; None when the algorithm isn't accepted.

    The digest is made here, from the bytes as they came: to verify a long CRL later costs no more than a short one.
    Raises ValueError when the CRL names two algorithms (RFC 5280 5.1.1.2).
    """
    algorithm = crl.signature_hash_algorithm
    if algorithm is None or algorithm.name not in STRONG_HASHES:
        return None
    parameters = None
    with contextlib.suppress(UnsupportedAlgorithm):
        parameters = crl.signature_algorithm_parameters
    if parameters is None:
        return None
    signed, _ = _content(der, 0)
    begin, end = _content(der, signed)
    inside = _content(der, begin)[1] if der[begin] == _INTEGER else begin
    if der[inside : _content(der, inside)[1]] != der[end : _content(der, end)[1]]:
        raise ValueError("two signature algorithms")
    digest = hashlib.new(algorithm.name, memoryview(der)[signed:end]).digest()
    return _Signature(crl.signature, digest, algorithm, parameters)


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the DER element at ``at`` begins and ends, of what pyca has decoded before."""
    start, length = at + 2, der[at + 1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start])
    return start, start + length


def distribution_points(certificate: x509.Certificate) -> list[x509.DistributionPoint]:
    """Return where CRLs about a certificate are, by its own word (RFC 5280 4.2.1.13); none where that is unreadable."""
    try:
        return list(certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return []


def _names_of_points(certificate: x509.Certificate) -> set[x509.GeneralName]:
    return {name for point in distribution_points(certificate) for name in point.full_name or ()}
