"""Knows whose certificates stations come with, and notes which, those of other issuers too."""

from collections.abc import Callable
from datetime import date, datetime

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.authorities import Authorities
from gateway.app.clock import now as utc_now
from gateway.store.certificate_records import FOREIGN, SEEN, CertificateRecord, CertificateState
from gateway.store.certificate_uses import CertificateUses
from pki.anchors import is_issued_by
from pki.authority import AuthorityError
from pki.keys import certificate_fingerprint
from pki.paths import as_new

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
        """By identity: the fingerprint of the certificate that it came with last, and the day of that.

        None that was issued to another station stands here, so that who comes with such a one is always looked up.
        """

    async def load(self) -> None:
        """Take up what an earlier run has noted. Raises StoreAway."""
        self._noted = await self._uses.last()

    async def other_owner(self, identity: str, fingerprint: str) -> str | None:
        """Return the other registered station that one of our authorities issued this certificate to, or None.

        ``fingerprint``: SHA-256 in lower-case hex. The store is asked when the station comes with another one than the
        last time. None also for what was issued to a station that isn't registered any more: the hardware may have
        been registered anew, under this identity. Raises StoreAway.
        """
        noted = self._noted.get(identity)
        if noted is not None and noted[0] == fingerprint:
            return None
        owner = await self._uses.owner(fingerprint)
        if owner is None or not owner.is_registered or not owner.is_another(identity):
            return None
        return owner.identity

    async def shown(self, identity: str, leaf: x509.Certificate, issuer: x509.Certificate | None = None) -> None:
        """A station was let in with this certificate, which ``issuer`` is known to have signed. Raises StoreAway."""
        fingerprint = certificate_fingerprint(leaf)
        noted = fingerprint, self._clock().date()
        if self._noted.get(identity) == noted:
            return
        owner = await self._uses.in_use(fingerprint)
        if owner is None:
            leaf = as_new(leaf)  # the session keeps the other one, and what is read here would stay in it: 2 KiB
            usage = await self._usage(leaf, issuer)
            if usage is None:
                return  # its authority is away: when the station comes next, it will be known
            await self._uses.add(_record(identity, leaf, fingerprint, usage), _words(usage))
        elif owner.is_another(identity):
            return
        self._noted[identity] = noted

    async def _usage(self, leaf: x509.Certificate, issuer: x509.Certificate | None) -> str | None:
        """Return the usage of the authority that issued it, ``seen`` if none of ours did; None: that can't be said."""
        is_certain = True
        for use, authority in self._authorities.by_use.items():
            try:
                chain = await authority.chain()
                if issuer in chain or any(is_issued_by(leaf, each) for each in chain):
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
