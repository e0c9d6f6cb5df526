"""From a request that was answered Accepted to a certificate on file: the authority is asked, a few at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.services.certificate_review import CsrReview, Keys
from gateway.services.certificate_words import CertificateKind, Kinds, Words
from gateway.services.station_commands import ConnectedStation
from gateway.services.station_facts import ChainSizes
from gateway.session.certificate_requests import CertificateRequest
from pki.authority import IssuedCertificate, SigningRefused, SigningRequest

SIGNING_AT_ONCE: Final = 32
"""Requests that authorities work on at a time, of all stations together."""
ASKED_ABOVE: Final = 5000
"""Characters: a station is asked what it takes only where more than these are certain. All are advised to take 5600."""
CHAIN_KEPT: Final = 600.0
"""Seconds for which an authority isn't asked for its chain again."""
_LEAF_AROUND: Final = 120
"""Octets that every leaf holds beside keys, names and signature: dates, serial number, algorithms (RFC 5280 4.1)."""
_EC_SIGNATURE: Final = 64
_PEM_AROUND: Final = 54
"""Characters of the two lines around a PEM certificate."""


@dataclass(frozen=True, slots=True)
class OnFile:
    """A certificate of the inventory."""

    serial: str
    chain_pem: str
    state: str
    """``issued``, ``installed``, ``revoked``, ..."""
    not_after: datetime
    """Aware, in UTC."""


class CertificateLog(Keys, Protocol):
    """The inventory of issued certificates."""

    async def add(self, identity: str, issued: IssuedCertificate, *, usage: str, profile: str) -> None:
        """Record a certificate that the authority gave out for this station."""

    async def mark(self, serial: str, state: str, detail: str = "") -> None:
        """Record what became of a certificate: installed, rejected."""

    async def on_file(self, serial: str) -> OnFile | None:
        """Return a certificate that was recorded."""

    async def undelivered(self, identity: str, usage: str, key_fingerprint: str) -> OnFile | None:
        """Return the newest certificate of this station, usage and key of which nothing became yet."""


class Signing:
    """Asks the authorities, and writes down what they give."""

    def __init__(
        self, kinds: Kinds, review: CsrReview, inventory: CertificateLog, sizes: ChainSizes, *, operator: str
    ) -> None:
        self._kinds = kinds
        self._review = review
        self._inventory = inventory
        self._sizes = sizes
        self._operator = operator
        self._slots = asyncio.Semaphore(SIGNING_AT_ONCE)
        self._chains: dict[str, tuple[float, Sequence[x509.Certificate]]] = {}
        """By usage: the authority's chain, and when, in the loop's time, it was asked for."""

    async def sign(self, station: ConnectedStation, request: CertificateRequest) -> IssuedCertificate:
        """Have a certificate issued; the caller records it at once (:meth:`record`).

        Raises AuthorityError, CsrRejected, PeerUnavailable.
        """
        words = Words(**request.words)
        kind = self._kind(words)
        csr = await self._review.again(request.csr, words.name, kind)
        wanted = csr.request_for(self._operator)
        least = least_size(wanted, await self._issuers(kind))
        size = await self._sizes.of(station) if least > ASKED_ABOVE or self._sizes.is_doubtful(station) else None
        if size is not None and least > size:
            raise SigningRefused(
                f"the station takes chains of {size} characters (MaxCertificateChainSize), and this one has {least} at "
                "least, of which no issuing CA can be left out (OCPP 2.0.1 A02.FR.16); use smaller CA certificates"
            )
        async with self._slots:
            return await kind.authority.sign(replace(wanted, chain_size_max=size))

    async def check_name(self, request: CertificateRequest) -> None:
        """Return when the name that the request was allowed is still the station's. Raises CsrRejected, StoreAway."""
        await self._review.check_name(request.identity, Words(**request.words).name, request.usage)

    async def record(self, request: CertificateRequest, issued: IssuedCertificate) -> None:
        """Put a certificate on file. Raises StoreAway."""
        kind = self._kind(Words(**request.words))
        await self._inventory.add(request.identity, issued, usage=kind.usage, profile=kind.profile.name)

    async def left_behind(self, request: CertificateRequest) -> str | None:
        """Return the serial of what was signed for this request before a restart, if anything was.

        Raises StoreAway.
        """
        found = await self._inventory.undelivered(request.identity, request.usage, request.key_fingerprint)
        return None if found is None else found.serial

    async def _issuers(self, kind: CertificateKind) -> Sequence[x509.Certificate]:
        now = asyncio.get_running_loop().time()
        known = self._chains.get(kind.usage)
        if known is None or now >= known[0] + CHAIN_KEPT:
            known = self._chains[kind.usage] = now, await kind.authority.chain()
        return known[1]

    def _kind(self, words: Words) -> CertificateKind:
        kind = self._kinds.get(words.kind)
        if kind is None:
            raise SigningRefused(f"no authority is configured for {words.kind} any more")
        return kind


def least_size(wanted: SigningRequest, issuers: Sequence[x509.Certificate]) -> int:
    """Return how many characters the chain will have at least, before anything is issued.

    Counted are the issuing CAs without their root, and of the leaf what it can't do without.
    """
    needed = [each for each in issuers if each.subject != each.issuer]
    return sum(_pem_size(len(each.public_bytes(Encoding.DER))) for each in needed) + _leaf_size(wanted, issuers)


def _leaf_size(wanted: SigningRequest, issuers: Sequence[x509.Certificate]) -> int:
    """Return how many PEM characters a leaf has at least."""
    if not issuers:
        return 0
    issuer_key = issuers[0].public_key()
    signature = issuer_key.key_size // 8 if isinstance(issuer_key, rsa.RSAPublicKey) else _EC_SIGNATURE
    key = wanted.csr.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    names = len(issuers[0].subject.public_bytes()) + len(wanted.common_name) + len(wanted.organization)
    return _pem_size(_LEAF_AROUND + len(key) + names + signature)


def _pem_size(der: int) -> int:
    """Return the characters of a PEM certificate of ``der`` octets: base64, a line end after each 64."""
    coded = (der + 2) // 3 * 4
    return _PEM_AROUND + coded + (coded + 63) // 64
