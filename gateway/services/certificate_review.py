"""Who may have what: each CSR is reviewed before anybody is asked to sign it (attack B1)."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import structlog
from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificate_words import V2G, CertificateKind
from gateway.services.station_commands import ConnectedStation
from gateway.services.station_facts import secc_ids
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from pki.csr import CsrRejected, ReviewedCsr, review

REVIEWS_AT_ONCE: Final = 2
"""CSRs that are taken apart at a time: a storm of them leaves the threads to others, too."""
SMELLS_OF_ATTACK: Final = frozenset(
    {"alternative_names", "authority", "common_name", "key_reused", "proof_of_possession"}
)
"""Checks of :mod:`pki.csr`, and our own, that no honest station fails by accident."""

log = structlog.get_logger(__name__)


class Keys(Protocol):
    """The public keys that stations have asked with."""

    async def claim_key(self, identity: str, fingerprint: str) -> bool:
        """Note that the station asks with this key (SHA-256 of its SPKI, hex); False when it is another's."""


class Names(Protocol):
    """The names that stations have."""

    async def name_of(self, identity: str) -> str | None:
        """Return the certificate name of a station as it is registered now; None when it isn't. Raises StoreAway."""

    async def names_of_others(self, identity: str, name: str, usage: str) -> tuple[bool, Sequence[str]]:
        """Return whether ``name`` is the identity or certificate name of another station than ``identity``.

        And the subjects (RFC 4514) of the certificates of this usage that others have got and that still count.
        """


class CsrReview:
    """Reviews CSRs, and raises a security event for those that smell of an attack."""

    def __init__(self, keys: Keys, names: Names, security: SecurityLog, *, operator: str) -> None:
        self._keys = keys
        self._names = names
        self._security = security
        self._operator = operator
        self._slots = asyncio.Semaphore(REVIEWS_AT_ONCE)

    async def review(self, station: ConnectedStation, text: str, kind: CertificateKind) -> ReviewedCsr:
        """Return a station's CSR as it may be signed, its key claimed for this station. Raises CsrRejected."""
        try:
            csr = await self._with_its_name(station, text, kind)
            await self._claim_key(station, csr)
        except CsrRejected as rejected:
            self._note(station, kind, rejected)
            raise
        return csr

    async def check_name(self, identity: str, name: str, usage: str) -> None:
        """Return when the station may still have a certificate with this ``name``, which a review has allowed.

        People may have given it another serial number since, and the old one to another station. Raises CsrRejected.
        """
        own = await self._names.name_of(identity)
        if own == name:
            return
        if own is None or usage != V2G:
            raise CsrRejected("the CN isn't this station's certificate name any more", check="common_name")
        await self._check_free(identity, name, usage)

    async def again(self, text: str, name: str, kind: CertificateKind) -> ReviewedCsr:
        """Return a CSR that was reviewed before, for the ``name`` that was allowed then. Raises CsrRejected."""
        async with self._slots:
            return await asyncio.to_thread(
                review, text, common_name=name, organization=self._operator, profile=kind.profile
            )

    async def _claim_key(self, station: ConnectedStation, csr: ReviewedCsr) -> None:
        """A00.FR.427: before anything is issued, so that of two stations with one key the second is refused."""
        if not await self._keys.claim_key(station.identity, csr.key_fingerprint):
            raise CsrRejected("the key was seen with another station", check="key_reused")

    async def _with_its_name(self, station: ConnectedStation, text: str, kind: CertificateKind) -> ReviewedCsr:
        """A station's certificate carries its registered name; one for vehicles may carry an id that it reports.

        The registry is asked: a session may be older than what people have changed there since.
        """
        own = await self._names.name_of(station.identity)
        if own is None:
            raise CsrRejected("the station isn't registered any more", check="certificate_name")
        try:
            return await self.again(text, own, kind)
        except CsrRejected as rejected:
            if kind.usage != V2G or rejected.check != "common_name":
                raise
            found = await self._with_reported_name(station, text, kind)
            if found is None:
                raise
            return found

    async def _with_reported_name(
        self, station: ConnectedStation, text: str, kind: CertificateKind
    ) -> ReviewedCsr | None:
        try:
            async for name in secc_ids(station):
                try:
                    csr = await self.again(text, name, kind)
                except CsrRejected as rejected:
                    if rejected.check in {"common_name", "certificate_name"}:
                        continue
                    raise
                await self._check_free(station.identity, name, kind.usage)
                return csr
        except PeerUnavailable as away:
            log.warning("secc_ids_unknown", identity=station.identity, reason=str(away))
        return None

    async def _check_free(self, identity: str, name: str, usage: str) -> None:
        """What a station says of itself gives it no other's name. Raises CsrRejected."""
        is_anothers, subjects = await self._names.names_of_others(identity, name, usage)
        if is_anothers or await asyncio.to_thread(_holds, subjects, name):
            raise CsrRejected("the CN is another station's", check="common_name")

    def _note(self, station: ConnectedStation, kind: CertificateKind, rejected: CsrRejected) -> None:
        log.warning("csr_rejected", identity=station.identity, check=rejected.check, reason=str(rejected))
        if rejected.check in SMELLS_OF_ATTACK:
            presented = {"check": rejected.check, "usage": kind.usage}
            detail = f"its CSR was refused: {rejected}"
            self._security.note(SecurityEvent(Kind.SUSPICIOUS_CSR, detail, station.identity, presented=presented))


def _holds(subjects: Sequence[str], name: str) -> bool:
    """Return whether ``name`` is the CN of one of the subjects."""
    for subject in subjects:
        # Told apart by what they say, not by how they are written: a value may hold what looks like an attribute.
        names = x509.Name.from_rfc4514_string(subject).get_attributes_for_oid(NameOID.COMMON_NAME)
        if any(each.value == name for each in names):
            return True
    return False
