"""Revoking a station's certificate: the gateway refuses it from then on, whatever becomes of the authority's list."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog
from cryptography import x509

from gateway.session.security import Kind, SecurityEvent, SecurityLog
from pki.authority import AuthorityError

log = structlog.get_logger(__name__)


class CertificateOnFile(Protocol):
    """A certificate of the inventory."""

    @property
    def identity(self) -> str:
        """The station that it was issued for; empty for one of the gateway's own."""

    @property
    def serial(self) -> str:
        """Its serial number: lower-case hex without leading zeros."""


Record = TypeVar("Record", bound=CertificateOnFile)
Record_co = TypeVar("Record_co", bound=CertificateOnFile, covariant=True)


class CertificateInventory(Protocol[Record_co]):
    """The inventory, as far as revocation changes it."""

    async def revoke(self, name: str, reason: str, detail: str) -> Record_co:
        """Revoke a certificate for good and return its record; of one that is revoked already nothing changes.

        Raises LookupError when no such certificate is recorded, or several are, ValueError when ``name`` isn't hex,
        StoreAway.
        """


class Notices(Protocol[Record]):
    """Tells authorities."""

    async def tell(self, record: Record) -> Record:
        """Tell the authority that issued it; return the record as it is now. Raises AuthorityError, StoreAway."""


@dataclass(frozen=True, slots=True)
class Revoked(Generic[Record_co]):
    """A certificate that the gateway refuses from now on."""

    record: Record_co
    authority_problem: str | None
    """Why the authority's own list doesn't name it yet; None when it does, or when no authority of ours issued it."""


class CertificateRevocation(Generic[Record]):
    """Revokes. The session of a station that is connected with the certificate is cut by whoever watches the store."""

    def __init__(
        self, inventory: CertificateInventory[Record], notices: Notices[Record], security: SecurityLog
    ) -> None:
        self._inventory = inventory
        self._notices = notices
        self._security = security

    async def revoke(self, name: str, reason: x509.ReasonFlags) -> Revoked[Record]:
        """Revoke the certificate of this serial number or fingerprint (hex), in the inventory first.

        That is durable on return; an authority that can't be told now is told by the gateway as soon as it can be.
        Safe to repeat: it tells the authority once more. Raises LookupError, ValueError and StoreAway as
        :meth:`CertificateInventory.revoke`.
        """
        record = await self._inventory.revoke(name, reason.value, f"revoked by an operator: {reason.value}")
        presented = {"serial": record.serial, "reason": reason.value}
        identity = record.identity or None
        self._security.note(
            SecurityEvent(Kind.CERTIFICATE_REVOKED, "revoked by an operator", identity, presented=presented)
        )
        try:
            return Revoked(await self._notices.tell(record), None)
        except AuthorityError as error:
            problem = str(error)
            # The authority's own words say it; a traceback would not.
            log.error("authority_not_told", serial=record.serial, reason=problem)  # noqa: TRY400 - see above
        return Revoked(record, problem)
