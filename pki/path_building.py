"""From a certificate to a root that is trusted: path building and validation (RFC 5280 6).

For Plug & Charge and for the signers of firmware. A subset of our own, since neither of the verifiers at hand serves:
pyca's and its parser refuse certificates that vehicles and provisioning services in the field have
(:mod:`pki.extensions`), and OpenSSL's takes what it should not. What isn't supported is refused: name constraints,
policies that a CA insists on, keys but EC and RSA.
"""

import enum
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from pki.anchors import is_issued_by
from pki.extensions import Extensions, ExtensionsUnreadable, Usage, read_extensions
from pki.keys import STRONG_HASHES, KeyRefused, check_key
from pki.presented import CERTIFICATE_SIZE_MAX
from pki.profiles import KeyPolicy, Range

PRESENTED_MAX: Final = 4
"""CA certificates that may come with a leaf: as many as OCPP's certificate hashes and ISO 15118's lists have."""
TRIED_MAX: Final = 32
"""Issuers that are tried for one leaf (attack B4: CAs of one name that could all have issued each other)."""
CAS_REMEMBERED: Final = 1024
SERIAL_SIZE_MAX: Final = 20
"""Octets of a serial number (RFC 5280 4.1.2.2): audit and inventory have room for them."""
NAME_SHOWN_MAX: Final = 128
"""Characters of a name in an error."""
FAULTS_SHOWN_MAX: Final = 4
"""Faults that an error tells of, when there is no path."""

Path = tuple[x509.Certificate, ...]

_KEYS: Final = KeyPolicy(curves=("P-256", "P-384", "P-521"), rsa_bits=Range(minimum=2048, maximum=4096))
_UNDERSTOOD: Final = frozenset(
    each.dotted_string
    # Any policy will do, so that a CA's or a leaf's own list of them has nothing to say.
    for each in (ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.CERTIFICATE_POLICIES)
)
"""What may be critical: what is looked at here (RFC 5280 4.2)."""
_NAME_CONSTRAINTS: Final = ExtensionOID.NAME_CONSTRAINTS.dotted_string


class PathFault(enum.Enum):
    """Why there is no path."""

    MALFORMED = "malformed"
    PROFILE = "profile"
    """The leaf is weak, or none."""
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"


class PathRefused(ValueError):
    """No path that holds; the text holds nothing unbounded of a peer's."""

    def __init__(self, fault: PathFault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


class PathBuilder:
    """The roots of one kind of certificates, and sub-CAs that peers needn't send. Immutable; for any thread.

    An intermediate is trusted no more than one that is presented: its path leads to a root, or nowhere.
    """

    def __init__(
        self,
        roots: Sequence[x509.Certificate],
        intermediates: Sequence[x509.Certificate] = (),
        *,
        understood: frozenset[str] = frozenset(),
    ) -> None:
        """``understood``: further extensions (dotted) that may be critical, since the caller looks at them."""
        self._understood = _UNDERSTOOD | understood
        self._anchors = frozenset(roots)
        self._roots = _by_subject(roots)
        self._intermediates = tuple(intermediates)

    def path(self, leaf: bytes, sub_certificates: Sequence[bytes] = (), *, at: datetime, longest: int) -> Path:
        """Return the path of ``leaf`` (DER), itself first and the root last, as it holds at that moment.

        ``sub_certificates`` (DER) came with it; no root among them is trusted for that. ``longest``: how many CAs may
        stand between leaf and root. Raises :class:`PathRefused`.
        """
        certificate = read_leaf(leaf, self._understood)
        if certificate in self._anchors:
            raise PathRefused(PathFault.PROFILE, f"{name_of(certificate)} is a root, not a leaf")
        candidates = _by_subject([*_read_presented(sub_certificates), *self._intermediates])
        search = _Search(self._roots, candidates, longest, self._understood)
        expired: PathRefused | None = None
        for path in search.paths((certificate,)):
            try:
                _check_dates(path, at)
            except PathRefused as refused:
                expired = expired or refused
            else:
                return path
        raise expired or PathRefused(
            PathFault.UNTRUSTED,
            f"no path from {name_of(certificate)} to a trusted root: {search.why()}",
        )


def read_leaf(der: bytes, understood: frozenset[str] = _UNDERSTOOD) -> x509.Certificate:
    """Return the end entity's certificate, by itself sound. Raises MALFORMED, PROFILE."""
    leaf = _load(der)
    try:
        extensions = read_extensions(leaf)
        _check_strength(leaf)
        _check_critical(extensions, understood)
    except _Unfit as unfit:
        raise PathRefused(PathFault.PROFILE, f"{name_of(leaf)} {unfit}") from None
    except ExtensionsUnreadable as error:
        raise PathRefused(PathFault.MALFORMED, f"the extensions of {name_of(leaf)}: {error}") from None
    usage = extensions.key_usage or frozenset()
    if extensions.is_ca or usage & {Usage.KEY_CERT_SIGN, Usage.CRL_SIGN}:
        raise PathRefused(PathFault.PROFILE, f"{name_of(leaf)} is a CA's certificate, not a leaf")
    return leaf


def build_chain(leaf: bytes, sub_certificates: Sequence[bytes], *, at: datetime, longest: int) -> Path:
    """Return a chain that hangs together, where no root is at hand to lead it to: each has issued the one before it.

    Raises as :meth:`PathBuilder.path` does.
    """
    path = (read_leaf(leaf), *_read_presented(sub_certificates))
    if len(path) - 1 > longest:
        raise PathRefused(
            PathFault.UNTRUSTED,
            f"{len(path) - 1} sub-CAs above {name_of(path[0])}, {longest} allowed",
        )
    for below, issuer in enumerate(path[1:]):
        try:
            _check_issuer(issuer, below, _UNDERSTOOD, is_root=False)
        except _Unfit as unfit:
            raise PathRefused(PathFault.UNTRUSTED, f"{name_of(issuer)} {unfit}") from None
        if not is_issued_by(path[below], issuer):
            text = f"{name_of(path[below])} isn't issued by {name_of(issuer)}, which follows it"
            raise PathRefused(PathFault.UNTRUSTED, text)
    _check_dates(path, at)
    return path


def name_of(certificate: x509.Certificate) -> str:
    """Return the subject for an error: printable, bounded."""
    name = ascii(certificate.subject.rfc4514_string())
    return name if len(name) <= NAME_SHOWN_MAX else f"{name[: NAME_SHOWN_MAX - 1]}…"


class _Unfit(ValueError):
    """Why a certificate can't have its place in a path; a predicate for its name."""


@dataclass
class _Search:
    """One search for paths; it ends, whatever was presented."""

    roots: Mapping[bytes, Sequence[x509.Certificate]]
    candidates: Mapping[bytes, Sequence[x509.Certificate]]
    longest: int
    """Sub-CAs at most."""
    understood: frozenset[str]
    tried: int = 0
    faults: dict[str, None] = field(default_factory=dict)
    """What spoke against whoever might have issued it, in the order in which it was found."""
    missing: dict[str, None] = field(default_factory=dict)
    """Issuers at which a way ended: no root is called so, and no further sub-CA."""

    def paths(self, path: Path) -> Iterator[Path]:
        """Yield every path to a root, the shortest way from each CA first."""
        subject, below = path[-1].issuer.public_bytes(), len(path) - 1
        if subject not in self.roots and all(each in path for each in self.candidates.get(subject, ())):
            self.missing[ascii(path[-1].issuer.rfc4514_string())[:NAME_SHOWN_MAX]] = None
        for root in self.roots.get(subject, ()):
            if self._has_issued(root, path[-1], below, is_root=True):
                yield (*path, root)
        for issuer in self.candidates.get(subject, ()):
            if issuer in path:
                continue
            if below == self.longest:
                self.faults[f"more than {self.longest} sub-CAs"] = None
                return
            if self._has_issued(issuer, path[-1], below, is_root=False):
                yield from self.paths((*path, issuer))

    def why(self) -> str:
        """Return what was found instead of a path."""
        missing = [f"nobody trusted is called {name}" for name in self.missing]
        return "; ".join([*self.faults, *missing][:FAULTS_SHOWN_MAX])

    def _has_issued(
        self, issuer: x509.Certificate, certificate: x509.Certificate, below: int, *, is_root: bool
    ) -> bool:
        self.tried += 1
        if self.tried > TRIED_MAX:
            self.faults[f"more than {TRIED_MAX} possible issuers"] = None
            return False
        try:
            _check_issuer(issuer, below, self.understood, is_root=is_root)
        except _Unfit as unfit:
            self.faults[f"{name_of(issuer)} {unfit}"] = None
            return False
        if not is_issued_by(certificate, issuer):
            self.faults[f"{name_of(certificate)} isn't signed by the key of {name_of(issuer)}"] = None
            return False
        return True


def _check_issuer(certificate: x509.Certificate, below: int, understood: frozenset[str], *, is_root: bool) -> None:
    """Raise :class:`_Unfit` unless it may issue a certificate with ``below`` sub-CAs between it and the leaf."""
    extensions = _ca_extensions(certificate)
    _check_critical(extensions, understood)
    if not is_root:
        if extensions.key_usage is None:
            # A root may lack it, since it is trusted by hand: `openssl req -x509` makes such.
            raise _Unfit("is a CA without key usage (RFC 5280 4.2.1.3)")
        _check_hash(certificate)
    if extensions.path_length is not None and below > extensions.path_length:
        raise _Unfit(f"allows {extensions.path_length} sub-CAs below it, not {below}")


@functools.lru_cache(maxsize=CAS_REMEMBERED)
def _ca_extensions(certificate: x509.Certificate) -> Extensions:
    """Return the extensions of a sound CA. Raises :class:`_Unfit`."""
    try:
        extensions = read_extensions(certificate)
    except ExtensionsUnreadable as error:
        raise _Unfit(f"has extensions that can't be read: {error}") from None
    if not extensions.is_ca:
        raise _Unfit("isn't a CA")
    if extensions.key_usage is not None and Usage.KEY_CERT_SIGN not in extensions.key_usage:
        raise _Unfit("is a CA whose key usage isn't signing certificates")
    if _NAME_CONSTRAINTS in extensions.oids:
        raise _Unfit("has name constraints, which aren't supported")
    _check_key(certificate)
    return extensions


def _check_strength(certificate: x509.Certificate) -> None:
    if certificate.version is not x509.Version.v3:
        raise _Unfit("isn't an X.509 v3 certificate")
    if not 0 <= certificate.serial_number < 1 << 8 * SERIAL_SIZE_MAX:
        raise _Unfit(f"has a serial number that isn't one of {SERIAL_SIZE_MAX} octets")
    _check_key(certificate)
    _check_hash(certificate)


def _check_key(certificate: x509.Certificate) -> None:
    try:
        check_key(certificate.public_key(), _KEYS)
    except (KeyRefused, UnsupportedAlgorithm, ValueError) as error:
        # Among them: a curve that is spelt out instead of named (CVE-2020-0601), a point that isn't on it.
        raise _Unfit(f"has a key that isn't accepted: {ascii(str(error))[1:NAME_SHOWN_MAX]}") from None


def _check_hash(certificate: x509.Certificate) -> None:
    """What a root says of itself proves nothing, so that nobody asks this of it."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    if algorithm is None or algorithm.name not in STRONG_HASHES:
        named = "an unsupported algorithm" if algorithm is None else algorithm.name
        raise _Unfit(f"is signed with {named}")


def _check_critical(extensions: Extensions, understood: frozenset[str]) -> None:
    unknown = sorted(extensions.critical - understood)
    if unknown:
        raise _Unfit(f"has a critical extension that isn't supported: {unknown[0]}")


def _check_dates(path: Path, at: datetime) -> None:
    for certificate in path:
        if at > certificate.not_valid_after_utc:
            text = f"{name_of(certificate)} has expired at {certificate.not_valid_after_utc.isoformat()}"
            raise PathRefused(PathFault.EXPIRED, text)
        if at < certificate.not_valid_before_utc:
            text = f"{name_of(certificate)} isn't valid before {certificate.not_valid_before_utc.isoformat()}"
            raise PathRefused(PathFault.NOT_YET_VALID, text)


def _read_presented(sub_certificates: Sequence[bytes]) -> list[x509.Certificate]:
    """Return what came with a leaf, each once. Attack B4: counted before anything is decoded."""
    if len(sub_certificates) > PRESENTED_MAX:
        text = f"{len(sub_certificates)} sub-CAs came with the certificate, at most {PRESENTED_MAX} are looked at"
        raise PathRefused(PathFault.UNTRUSTED, text)
    return [_load(der) for der in dict.fromkeys(sub_certificates)]


def _load(der: bytes) -> x509.Certificate:
    if len(der) > CERTIFICATE_SIZE_MAX:
        text = f"a certificate of {len(der)} octets, {CERTIFICATE_SIZE_MAX} allowed"
        raise PathRefused(PathFault.MALFORMED, text)
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.subject.rfc4514_string()
        certificate.issuer.rfc4514_string()
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except Exception as error:
        # pyca's parser has no one class for what it doesn't like, and reads names and dates when they are asked for.
        raise PathRefused(PathFault.MALFORMED, "a certificate can't be decoded") from error
    return certificate


def _by_subject(certificates: Sequence[x509.Certificate]) -> dict[bytes, list[x509.Certificate]]:
    found: dict[bytes, list[x509.Certificate]] = {}
    for certificate in dict.fromkeys(certificates):
        found.setdefault(certificate.subject.public_bytes(), []).append(certificate)
    return found
