"""Is a certificate revoked? What CRLs say about a verified path (RFC 5280 6.3; OCPP 2.0.1 A00.FR.403)."""

import enum
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.clock import utc_now
from pki.crl import CRL_SIZE_MAX, Crl, CrlRejected, Scope, may_sign_crls, name_of, parse_crls

__all__ = [
    "CLOCK_SKEW_MAX",
    "CRL_SIZE_MAX",
    "ISSUERS_MAX",
    "Crl",
    "CrlStore",
    "Finding",
    "HeldCrl",
    "RevocationSource",
    "Status",
    "parse_crls",
]

ISSUERS_MAX: Final = 1024
"""CA certificates that are remembered; more are worked out anew."""
CLOCK_SKEW_MAX: Final = timedelta(minutes=5)
"""By how much a CA's clock may be ahead of ours: its newest CRL is of use at once."""


class Status(enum.Enum):
    """What is known about a certificate; the value is a label for logs and metrics."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    """Nobody who may say so says anything: whether it gets in is the operator's decision (hard or soft fail)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A status, and for the log the reason of it; empty for GOOD."""

    status: Status
    reason: str = ""


class RevocationSource(Protocol):
    """Knows whether certificates are revoked: by CRLs here, by OCSP elsewhere."""

    async def status(self, path: Sequence[x509.Certificate]) -> Finding:
        """Return what is known about a verified path: the leaf first, the root last.

        REVOKED when any certificate but the root is; else GOOD or UNKNOWN, which is about the leaf alone. Never raises
        for what a peer presented.
        """

    def known(self, path: Sequence[x509.Certificate]) -> Finding:
        """Return the same by what is known already, without waiting for anybody."""


@dataclass(frozen=True, slots=True)
class HeldCrl:
    """One CRL of a :class:`CrlStore`, for the log."""

    label: str
    this_update: datetime
    """Aware, in UTC; so is ``next_update``, until when it holds."""
    next_update: datetime | None
    revoked: int
    """How many certificates it lists."""
    in_use: bool
    """A CA that is known signed it, and no newer one is held. False also while nobody of that CA has come yet."""
    fault: str | None
    """Why it is never used: it is a delta, an indirect one, ..."""


@dataclass(frozen=True, slots=True)
class _Authority:
    """A CA, whichever of its certificates is presented: its name and key."""

    name: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class _Book:
    """What a CA says: the newest CRL of each scope, and a certificate of the CA to verify further ones with."""

    ca: x509.Certificate
    crls: tuple[Crl, ...]


_GOOD: Final = Finding(Status.GOOD)


class CrlStore:
    """CRLs in memory. Fulfils :class:`RevocationSource`.

    A certificate is looked up in the newest CRL that its issuer in the path signed. Whom that lists is revoked; whom it
    doesn't list is good, if the CRL is current and speaks about such certificates. A CRL that is stale, has no end, or
    comes from the future makes nobody good, but whom it lists stays revoked: revocation is for ever, and who can keep
    fresh CRLs away must not win a revoked certificate back by it (attack B2).

    An intermediate CA about which nothing is known is no reason to refuse: few roots publish CRLs, and the CA that
    issued the leaf is checked by its presence in a path to a root that the operator chose.

    The greatest CRL number of each CA and scope is remembered as long as this object lives. An older CRL that comes in
    place of a newer one is a replay: the newer one stays.

    ``issuers`` are CAs that are known beforehand; others are learned from the paths. Without that, a CRL that nobody
    asked about may be replaced by an older one. All methods may be called from any thread.
    """

    def __init__(
        self,
        crls: Iterable[Crl] = (),
        *,
        issuers: Iterable[x509.Certificate] = (),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._clock = clock
        self._crls = tuple(crls)
        self._authorities: dict[x509.Certificate, _Authority] = {}
        self._books: dict[_Authority, _Book] = {}
        self._newest: dict[tuple[_Authority, Scope], tuple[int, datetime]] = {}
        self._changing = threading.Lock()
        self.learn(issuers)

    def learn(self, issuers: Iterable[x509.Certificate]) -> None:
        """Know these CAs, too, before anybody of theirs comes."""
        for issuer in issuers:
            self._learn(issuer)

    def replace(self, crls: Iterable[Crl]) -> None:
        """Take ``crls`` in place of all that are held, at once; a newer one isn't given up for an older one."""
        taken = tuple(crls)
        with self._changing:
            self._books = {
                authority: _Book(book.ca, self._choose(authority, book.ca, taken, book.crls))
                for authority, book in self._books.items()
            }
            self._crls = taken

    def summary(self) -> list[HeldCrl]:
        """Return which CRLs are held, until when they hold, and whether they are used."""
        with self._changing:
            used = {crl for book in self._books.values() for crl in book.crls}
            held = dict.fromkeys((*self._crls, *used))
        return [
            HeldCrl(crl.label, crl.this_update, crl.next_update, len(crl.revoked), crl in used, crl.fault)
            for crl in held
        ]

    async def status(self, path: Sequence[x509.Certificate]) -> Finding:
        """Return what the CRLs say about ``path``. Never waits for anything."""
        return self.known(path)

    def known(self, path: Sequence[x509.Certificate]) -> Finding:
        """Return what the CRLs say about ``path``."""
        for certificate, issuer in pairwise(path):
            if why := self.why_revoked(certificate.serial_number, issuer):
                return Finding(Status.REVOKED, why)
        if len(path) < 2:
            return Finding(Status.UNKNOWN, "its path holds no issuer")
        leaf, issuer, *_ = path
        now = self._clock()
        silent = f"there is no CRL of {name_of(issuer.subject)}" if not (crls := self._book(issuer).crls) else ""
        for crl in crls:
            silence = _silence(crl, leaf, now)
            if silence is None:
                return _GOOD
            silent = silence
        return Finding(Status.UNKNOWN, silent)

    def why_revoked(self, serial: int, issuer: x509.Certificate) -> str:
        """Return which CRL of its issuer lists a certificate, of which no more need be known; empty: none does."""
        for crl in self._book(issuer).crls:
            reason = crl.revoked.get(serial)
            if reason is not None:
                return f"{serial:x} is revoked ({reason}) by {crl.label}"
        return ""

    def _book(self, issuer: x509.Certificate) -> _Book:
        authority = self._authorities.get(issuer)
        book = None if authority is None else self._books.get(authority)
        return self._learn(issuer) if book is None else book

    def _learn(self, ca: x509.Certificate) -> _Book:
        key = ca.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        authority = _Authority(ca.subject.public_bytes(), key)
        with self._changing:
            if len(self._authorities) >= ISSUERS_MAX:
                self._authorities = {}
                self._books = {}
            self._authorities[ca] = authority
            book = self._books.get(authority)
            # A certificate of the CA that may not sign CRLs doesn't silence another one that may.
            if book is None or (may_sign_crls(ca) and not may_sign_crls(book.ca)):
                book = _Book(ca, self._choose(authority, ca, self._crls, ()))
                self._books[authority] = book
            return book

    def _choose(
        self, authority: _Authority, ca: x509.Certificate, crls: Sequence[Crl], before: Sequence[Crl]
    ) -> tuple[Crl, ...]:
        """Return the newest CRL of each scope that ``ca`` issued, and remember how new it is."""
        fresh = [crl for crl in crls if _is_of(crl, ca)]
        scopes = {crl.scope for crl in fresh}
        stay = [crl for crl in before if crl.scope in scopes]
        newest = {crl.scope: crl for crl in sorted((*stay, *fresh), key=lambda crl: crl.age)}
        chosen = []
        for scope, crl in newest.items():
            if crl.age >= self._newest.get((authority, scope), crl.age):
                self._newest[authority, scope] = crl.age
                chosen.append(crl)
        return tuple(chosen)


def _is_of(crl: Crl, ca: x509.Certificate) -> bool:
    if crl.fault is not None or crl.issuer != ca.subject:
        return False
    try:
        crl.check_issuer(ca)
    except CrlRejected:
        return False
    return True


def _silence(crl: Crl, leaf: x509.Certificate, now: datetime) -> str | None:
    """Return why ``crl``, which doesn't list ``leaf``, doesn't make it good either; None when it does."""
    if not crl.scope.covers(leaf):
        return f"{crl.label} isn't about such certificates"
    if now < crl.this_update - CLOCK_SKEW_MAX:
        return f"{crl.label} is from {crl.this_update.isoformat()}; compare its CA's clock with this one's"
    if crl.next_update is None:
        return f"{crl.label} doesn't say until when it holds"
    if now > crl.next_update:
        return f"{crl.label} is stale since {crl.next_update.isoformat()}"
    return None
