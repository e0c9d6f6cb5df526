"""Trust anchors that are given to others: which chain leads to which, and what a change of root must bring with it."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.certificate_hash import CertificateHash, HashAlgorithm, certificate_hash
from pki.paths import load_roots
from pki.presented import PathRejected, check_ca

ROOTS_MAX: Final = 64
"""Trust anchors in one file."""
PEM_MAX: Final = 5500
"""Characters of one certificate in InstallCertificate (OCPP 2.0.1 and 1.6)."""
ANSWERS_REMEMBERED: Final = 4096

Chain = tuple[x509.Certificate, ...]
"""A server's certificate first, then the CAs that it sends along."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A certificate that stations are to trust, with its names in all of OCPP's hash algorithms."""

    certificate: x509.Certificate
    names: frozenset[CertificateHash]

    @classmethod
    def of(cls, certificate: x509.Certificate, issuer: x509.Certificate | None = None) -> Self:
        """Return the anchor; ``issuer`` is another one than itself for a root that its predecessor has signed."""
        names = (certificate_hash(certificate, issuer or certificate, each) for each in HashAlgorithm)
        return cls(certificate, frozenset(names))

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of its DER, in hex."""
        return self.certificate.fingerprint(SHA256()).hex()

    @property
    def subject(self) -> str:
        return self.certificate.subject.rfc4514_string()

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode("ascii")


class RotationRefused(ValueError):
    """A root can't take another one's place; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class RotationRoots:
    """The root that stations trust now, and the one that is to take its place."""

    old: Anchor
    new: Anchor
    cross: Anchor | None
    """The new root's key and name, signed by the old root: what a station that checks (M05.FR.09 to 12) takes."""

    @property
    def new_ones(self) -> tuple[Anchor, ...]:
        """The certificates of the new root, either of which is enough."""
        return (self.new,) if self.cross is None else (self.new, self.cross)


def read_anchors(pem: bytes) -> list[Anchor]:
    """Read the roots of a file. Raises ValueError, which names what is wrong and with which certificate."""
    roots = load_roots(pem)
    if len(roots) > ROOTS_MAX:
        raise ValueError(f"holds more than {ROOTS_MAX} certificates")
    for root in roots:
        name = root.subject.rfc4514_string()
        if not is_issued_by(root, root):
            raise ValueError(f"{name} is signed by {root.issuer.rfc4514_string()}; a root is signed by itself")
        _check_size(root, name)
    return [Anchor.of(root) for root in dict.fromkeys(roots)]


def read_rotation(old_pem: bytes, new_pem: bytes, cross_pem: bytes | None, now: datetime) -> RotationRoots:
    """Read the roots of a rotation and verify each signature. Raises :class:`RotationRefused`."""
    old, new = _only("the old root", old_pem), _only("the new root", new_pem)
    if not is_issued_by(old, old):
        raise RotationRefused("the old root isn't signed by itself; give the root that stations trust now")
    if old == new or _key(old) == _key(new):
        raise RotationRefused("the old and the new root have the same key; there is nothing to rotate")
    if not is_issued_by(new, new):
        raise RotationRefused("the new root isn't signed by itself; what the old one has signed is --cross-signed")
    _check_usable("the new root", new, now)
    if cross_pem is None:
        return RotationRoots(Anchor.of(old), Anchor.of(new), None)
    cross = _only("the cross-signed certificate", cross_pem)
    _check_usable("the cross-signed certificate", cross, now)
    if cross.subject != new.subject or _key(cross) != _key(new):
        raise RotationRefused("the cross-signed certificate doesn't have the new root's name and key; have that signed")
    if not is_issued_by(cross, old):
        raise RotationRefused("the cross-signed certificate isn't signed by the old root (OCPP 2.0.1 M05.FR.09)")
    return RotationRoots(Anchor.of(old), Anchor.of(new), Anchor.of(cross, old))


def leads_to(chain: Chain, root: x509.Certificate) -> bool:
    """Return whether who trusts ``root`` can verify ``chain``: one of it is the root, or issued by it.

    That each of the chain has issued the one before it, its owner has checked.
    """
    return any(each == root or is_issued_by(each, root) for each in chain)


@functools.lru_cache(maxsize=ANSWERS_REMEMBERED)
def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether the names fit and the signature verifies."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001  # a wrong name, signature, algorithm or key: each means no
        return False
    return True


def issuer_names(chain: Chain) -> Iterator[CertificateHash]:
    """Yield, in each hash algorithm, names whose issuer_name a root has that ``chain`` may lead to; the rest is empty.

    Of a root that isn't at hand only that hash can be compared: its issuer is itself.
    """
    for certificate in chain:
        for algorithm in HashAlgorithm:
            name = certificate_hash(certificate, certificate, algorithm).issuer_name
            yield CertificateHash(algorithm, name, "", "")


def _only(what: str, pem: bytes) -> x509.Certificate:
    try:
        found: Sequence[x509.Certificate] = load_roots(pem)
    except ValueError as error:
        raise RotationRefused(f"{what}: the file {error}") from None
    if len(found) != 1:
        raise RotationRefused(f"{what}: the file holds {len(found)} certificates; give the one")
    return found[0]


def _check_usable(what: str, certificate: x509.Certificate, now: datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        span = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        raise RotationRefused(f"{what} is valid from {span} only")
    try:
        check_ca(certificate)
        _check_size(certificate, what)
    except (PathRejected, ValueError) as error:
        raise RotationRefused(f"{what}: {error}") from None


def _check_size(certificate: x509.Certificate, name: str) -> None:
    length = len(certificate.public_bytes(Encoding.PEM))
    if length > PEM_MAX:
        raise ValueError(f"{name} has {length} characters in PEM; a station takes {PEM_MAX} at most")


def _key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
