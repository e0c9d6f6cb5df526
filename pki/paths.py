"""Is the certificate that a station presented its own? The path to a trusted root, checked in the application.

The TLS handshake has checked the path already; what it lets pass (a server's certificate, a CA's, one of another
hierarchy: attack A9) or does not see again (a resumed session: attack A10) is refused here. Built on pyca's RFC 5280
verifier, whose rules for a leaf are made for the web: those for a station's are in :mod:`pki.presented`.
"""

import functools
import hashlib
import itertools
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from pki.clock import utc_now
from pki.presented import (
    CAS_REMEMBERED,
    CERTIFICATE_SIZE_MAX,
    INTERMEDIATES_MAX,
    Fault,
    PathRejected,
    Presented,
    check_ca,
    check_sizes,
    read_presented,
)

__all__ = [
    "CERTIFICATE_SIZE_MAX",
    "INTERMEDIATES_MAX",
    "REMEMBERED_MAX",
    "Fault",
    "PathRejected",
    "StationChainVerifier",
    "VerifiedLeaf",
    "check_name",
    "check_organization",
    "load_roots",
    "utc_now",
]

REMEMBERED_MAX: Final = 4096
"""Chains whose path is remembered; their dates are looked at every time."""

_PEM_END: Final = re.compile(rb"-----END [A-Z0-9 ]+-----")


@dataclass(frozen=True, slots=True)
class VerifiedLeaf:
    """A station's certificate that leads to a trusted root."""

    certificate: x509.Certificate
    common_name: str
    organization: str | None
    chain: tuple[x509.Certificate, ...]
    """The path that was found: the leaf first, the root last."""
    not_before: datetime
    """From when on the whole path is valid; aware, in UTC."""
    not_after: datetime


class StationChainVerifier:
    """Verifies station certificates against one listener's roots.

    Raises ValueError when ``roots_pem`` holds no CA certificate. Safe to call from several threads.
    """

    def __init__(
        self, roots_pem: bytes, *, organization: str | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        roots = load_roots(roots_pem)
        self._organizations = None if organization is None else frozenset({organization})
        self._clock = clock
        self._store = Store(roots)
        self._ee_policy = ExtensionPolicy.permit_all()
        self._ca_policy = _ca_policy(frozenset(roots))
        self._known: OrderedDict[bytes, VerifiedLeaf] = OrderedDict()

    def __call__(self, certificate: bytes, chain: Sequence[bytes], expected_name: str) -> None:
        """Return when ``certificate`` (DER) is that of the station ``expected_name`` (A00.FR.403 to 405).

        ``chain`` is what the station presented beside it. Raises :class:`PathRejected`, a ValueError.
        """
        leaf = self.verify(certificate, chain)
        check_name(leaf, expected_name)
        if self._organizations is not None:
            check_organization(leaf, self._organizations)

    def verify(
        self,
        certificate: bytes,
        chain: Sequence[bytes] = (),
        *,
        at: datetime | None = None,
        tolerate_expiry: bool = False,
    ) -> VerifiedLeaf:
        """Return the verified leaf; whose it is, the caller checks. ``at`` is the moment to verify for, else now.

        With ``tolerate_expiry`` a leaf that has expired before then is verified for its last valid moment (A00.FR.429):
        ``VerifiedLeaf.not_after`` tells. What isn't valid yet is never tolerated. Raises :class:`PathRejected`.
        """
        now = at or self._clock()
        check_sizes(certificate, chain)
        key = _digest(certificate, chain)
        known = self._known.get(key)
        if known is not None:
            moment = _moment(known.certificate, now, tolerate_expiry=tolerate_expiry)
            if known.not_before <= moment <= known.not_after:
                return known
        presented = read_presented(certificate, chain)
        moment = _moment(presented.leaf, now, tolerate_expiry=tolerate_expiry)
        verified = self._find_path(presented, moment)
        self._known[key] = verified
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return verified

    def _find_path(self, presented: Presented, moment: datetime) -> VerifiedLeaf:
        leaf = presented.leaf
        _check_dates(leaf, moment)
        verifier = (
            PolicyBuilder()
            .store(self._store)
            .time(moment)
            .max_chain_depth(INTERMEDIATES_MAX)
            .extension_policies(ca_policy=self._ca_policy, ee_policy=self._ee_policy)
            .build_client_verifier()
        )
        failed: VerificationError | None = None
        for issuers in _one_of_each(presented.issuers):
            try:
                path = verifier.verify(leaf, list(issuers)).chain
            except VerificationError as error:
                failed = error
                continue
            check_ca(path[-1])
            kept = as_new(leaf)
            return VerifiedLeaf(
                kept,
                presented.common_name,
                presented.organization,
                (kept, *map(_shared, path[1:])),
                max(each.not_valid_before_utc for each in path),
                min(each.not_valid_after_utc for each in path),
            )
        raise PathRejected(f"no path to a trusted root: {failed}", Fault.NO_PATH) from failed


def check_name(leaf: VerifiedLeaf, expected: str) -> None:
    """Return when the CN is the station's serial number (A00.FR.405). Raises :class:`PathRejected`."""
    if leaf.common_name != expected:
        raise PathRejected(f"the CN is {leaf.common_name!a}, not {expected!a} (A00.FR.405)", Fault.OTHER_NAME)


def check_organization(leaf: VerifiedLeaf, allowed: Collection[str]) -> None:
    """Return when the O is the operator or an organisation that it trusts (A00.FR.404). Raises PathRejected."""
    if leaf.organization not in allowed:
        named = " or ".join(ascii(each) for each in sorted(allowed))
        found = "there is no O" if leaf.organization is None else f"the O is {leaf.organization!a}"
        raise PathRejected(f"{found}; it must be {named} (A00.FR.404)", Fault.OTHER_ORGANIZATION)


def load_roots(pem: bytes) -> list[x509.Certificate]:
    """Read trust anchors: one or more CA certificates in PEM. Raises ValueError."""
    try:
        roots = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError("holds no certificates in PEM") from None
    if pem.count(b"-----BEGIN") != len(_PEM_END.findall(pem)):
        # What follows the last END is passed over in silence: the roots there would seem to be withdrawn.
        raise ValueError("is cut off within a certificate")
    for root in roots:
        try:
            is_ca = root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (x509.ExtensionNotFound, ValueError):
            is_ca = False
        if not is_ca:
            raise ValueError(f"{root.subject.rfc4514_string()} isn't a CA certificate; a root must be one")
    return roots


def _ca_policy(anchors: frozenset[x509.Certificate]) -> ExtensionPolicy:
    """The web's rules for CAs, but that a trust anchor needs no key usage: `openssl req -x509` makes roots without."""

    def check_key_usage(_: Policy, ca: x509.Certificate, usage: x509.KeyUsage | None) -> None:
        if usage is None and ca not in anchors:
            raise ValueError("a CA certificate without key usage (RFC 5280 4.2.1.3)")
        if usage is not None and not usage.key_cert_sign:
            raise ValueError("a CA certificate whose key usage isn't signing certificates (RFC 5280 4.2.1.3)")

    return ExtensionPolicy.webpki_defaults_ca().may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, check_key_usage)


def _one_of_each(issuers: Sequence[x509.Certificate]) -> Iterable[tuple[x509.Certificate, ...]]:
    """Yield the presented CA certificates, with one certificate of each CA (name and key) at a time.

    Attack B4: four certificates of one CA, each fit to issue the others, are a search of a second for the verifier;
    and no path leads twice over one CA. Two certificates of a CA under two roots are honest: each is tried.
    """
    if len(issuers) < 2:
        return [tuple(issuers)]
    same: dict[tuple[bytes, bytes], list[x509.Certificate]] = {}
    for issuer in issuers:
        same.setdefault(_ca_of(issuer), []).append(issuer)
    return itertools.product(*same.values())


@functools.lru_cache(maxsize=CAS_REMEMBERED)
def _ca_of(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """Name the CA that a certificate is of; remembered, since all its stations present the same."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certificate.subject.public_bytes(), key


def as_new(certificate: x509.Certificate) -> x509.Certificate:
    """Return the certificate without what reading it has left in it: its names and extensions take 5 KiB as objects.

    It is remembered, and kept by the session that it began.
    """
    return x509.load_der_x509_certificate(certificate.public_bytes(Encoding.DER))


@functools.lru_cache(maxsize=CAS_REMEMBERED)
def _shared(certificate: x509.Certificate) -> x509.Certificate:
    """Return one and the same object for equal CA certificates: all stations of a CA present the same."""
    return certificate


def _digest(certificate: bytes, chain: Sequence[bytes]) -> bytes:
    """Name a presented chain. Each part is hashed alone, so that no two chains run into the same bytes."""
    return b"".join(hashlib.sha256(der).digest() for der in (certificate, *chain))


def _moment(leaf: x509.Certificate, now: datetime, *, tolerate_expiry: bool) -> datetime:
    return min(now, leaf.not_valid_after_utc) if tolerate_expiry else now


def _check_dates(leaf: x509.Certificate, moment: datetime) -> None:
    if moment < leaf.not_valid_before_utc:
        raise PathRejected(f"not valid before {leaf.not_valid_before_utc.isoformat()}", Fault.NOT_YET_VALID)
    if moment > leaf.not_valid_after_utc:
        raise PathRejected(f"expired at {leaf.not_valid_after_utc.isoformat()}", Fault.EXPIRED)
