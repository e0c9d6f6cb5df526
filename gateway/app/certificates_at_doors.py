"""Notes which certificates stations come with, those of other issuers too."""

from collections.abc import Callable
from datetime import date, datetime

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.authorities import Authorities
from gateway.app.clock import now as utc_now
from gateway.store.certificate_records import FOREIGN, SEEN, CertificateRecord, CertificateState
from gateway.store.certificate_uses import CertificateUses
from pki.anchors import is_issued_by
from pki.authority import AuthorityError

log = structlog.get_logger(__name__)


class CertificatesAtDoors:
    """Writes what is new, and once a day that a certificate was shown; never for each connection."""

    def __init__(
        self, uses: CertificateUses, authorities: Authorities, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._uses = uses
        self._authorities = authorities
        self._clock = clock
        self._noted: dict[str, tuple[str, date]] = {}
        """By identity: the fingerprint of the certificate that it came with last, and the day of that."""

    async def load(self) -> None:
        """Take up what an earlier run has noted. Raises StoreAway."""
        self._noted = await self._uses.last()

    async def shown(self, identity: str, leaf: x509.Certificate) -> None:
        """A station was let in with this certificate. Raises StoreAway."""
        fingerprint = leaf.fingerprint(SHA256()).hex()
        noted = fingerprint, self._clock().date()
        if self._noted.get(identity) == noted:
            return
        if not await self._uses.in_use(fingerprint):
            usage = await self._usage(leaf)
            if usage is None:
                return  # its authority is away: when the station comes next, it will be known
            await self._uses.add(_record(identity, leaf, fingerprint, usage), _words(usage))
        self._noted[identity] = noted

    async def _usage(self, leaf: x509.Certificate) -> str | None:
        """Return the usage of the authority that issued it, ``seen`` if none of ours did; None: that can't be said."""
        is_certain = True
        for use, authority in self._authorities.by_use.items():
            try:
                if any(is_issued_by(leaf, each) for each in await authority.chain()):
                    return use
            except AuthorityError as error:
                is_certain = False
                log.warning("issuer_unknown", use=use, serial=format(leaf.serial_number, "x"), reason=str(error))
        return SEEN if is_certain else None


def _record(identity: str, leaf: x509.Certificate, fingerprint: str, usage: str) -> CertificateRecord:
    return CertificateRecord(
        identity,
        format(leaf.serial_number, "x"),
        fingerprint,
        leaf.subject.rfc4514_string(),
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
        CertificateState.IN_USE,
        leaf.public_bytes(Encoding.PEM).decode("ascii"),
        issued_at=leaf.not_valid_before_utc,
        changed_at=leaf.not_valid_before_utc,
        usage=usage,
        profile=FOREIGN,
    )


def _words(usage: str) -> str:
    if usage == SEEN:
        return "the station came with it; none of our authorities issued it"
    return f"the station came with it; the authority of {usage} issued it, and it was not on record"
