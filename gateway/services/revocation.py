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
        """The station that it was issued for."""

    @property
    def serial(self) -> str:
        """Its serial number: lower-case hex without leading zeros."""


Record_co = TypeVar("Record_co", bound=CertificateOnFile, covariant=True)


class CertificateInventory(Protocol[Record_co]):
    """The inventory, as far as revocation changes it."""

    async def revoke(self, serial: str, reason: str) -> Record_co:
        """Revoke a certificate for good and return its record; of one that is revoked already nothing changes.

        Raises KeyError when no such certificate is recorded, ValueError when ``serial`` isn't hex, StoreAway.
        """


class RevokingAuthority(Protocol):
    """The authority that signed it."""

    async def revoke(self, serial: str, reason: x509.ReasonFlags) -> None:
        """Put a certificate on the authority's own list. Raises AuthorityError."""


@dataclass(frozen=True, slots=True)
class Revoked(Generic[Record_co]):
    """A certificate that the gateway refuses from now on."""

    record: Record_co
    authority_problem: str | None
    """Why the authority's own list doesn't name it, for the operator to mend; None when it does."""


class CertificateRevocation(Generic[Record_co]):
    """Revokes. The session of a station that is connected with the certificate is cut by whoever watches the store."""

    def __init__(
        self, inventory: CertificateInventory[Record_co], authority: RevokingAuthority, security: SecurityLog
    ) -> None:
        self._inventory = inventory
        self._authority = authority
        self._security = security

    async def revoke(self, serial: str, reason: x509.ReasonFlags) -> Revoked[Record_co]:
        """Revoke the certificate of this serial number (hex), in the inventory first: that is durable on return.

        Safe to repeat: it tells an authority that could not be told before. Raises KeyError, ValueError and StoreAway
        as :meth:`CertificateInventory.revoke`.
        """
        record = await self._inventory.revoke(serial, reason.value)
        presented = {"serial": record.serial, "reason": reason.value}
        self._security.note(
            SecurityEvent(Kind.CERTIFICATE_REVOKED, "revoked by an operator", record.identity, presented=presented)
        )
        problem = None
        try:
            await self._authority.revoke(record.serial, reason)
        except AuthorityError as error:
            problem = str(error)
            # The authority's own words say it; a traceback would not.
            log.error("authority_not_told", serial=record.serial, reason=problem)  # noqa: TRY400 - see above
        return Revoked(record, problem)
