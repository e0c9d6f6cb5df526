"""Contract certificates as the store keeps them: what became of each vehicle's request, and what was issued.

Small Protocols, fulfilled by ``store`` and joined with the services in ``app``. No private key is ever in any of it.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509

from pki.iso15118.provisioning import Contract, Refusal


class ContractStatus(enum.Enum):
    """How a contract certificate that was provided here stands."""

    ISSUED = "issued"
    SUPERSEDED = "superseded"
    """An update has replaced it (CertificateUpdateReq); it is revoked a little later."""
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ProvisioningEntry:
    """One request of a vehicle and what became of it: an entry of the audit. Serial numbers are lower-case hex."""

    at: datetime
    """Aware, in UTC."""
    station: str
    """The identity of the station that handed it over."""
    action: str
    """Install or Update."""
    schema: str
    """iso15118SchemaVersion as the station said it; at most 50 characters, printable."""
    digest: str
    """SHA-256 of the request as it came, in hex."""
    provider: str | None = None
    """A key of ``plug_and_charge.providers``; None where none was asked."""
    refusal: Refusal | None = None
    """None: a certificate was provided."""
    text: str = ""
    """Why it was refused, or what was let pass; for a person."""
    pcid: str | None = None
    """Verified, as all that follows; None where the verification ended before."""
    emaid: str | None = None
    vehicle_serial: str | None = None
    """Of the certificate whose key signed the request."""
    contract_serial: str | None = None
    issuer: str | None = None
    """Of the contract certificate (RFC 4514)."""
    cps_serial: str | None = None
    """Of the certificate that signed the answer."""
    not_after: datetime | None = None
    """Of the contract certificate."""


@dataclass(frozen=True, slots=True)
class ProvidedCertificate:
    """A contract certificate that was provided here."""

    status: ContractStatus
    emaid: str
    pcid: str | None
    """Of the vehicle that it was made for; for the successor of another one, of the vehicle of that."""


class Contracts(Protocol):
    """Who has which contract. All methods raise :class:`gateway.session.ports.StoreAway`."""

    async def for_vehicle(self, pcid: str, at: datetime) -> Sequence[Contract]:
        """Return a vehicle's contracts that are valid at a moment, the default one first."""

    async def by_emaid(self, emaid: str, at: datetime) -> Contract | None:
        """Return the contract of an eMAID in its wire form, if it is valid at a moment."""


class ProvidedCertificates(Protocol):
    """The contract certificates that were provided here."""

    async def provided(self, certificate: x509.Certificate) -> ProvidedCertificate | None:
        """Return how one stands, by issuer and serial number; None where it was provided elsewhere.

        Raises StoreAway.
        """


class ProvisioningAudit(Protocol):
    """The audit of all requests. Both methods are durable on return, and raise StoreAway."""

    async def note(self, entry: ProvisioningEntry) -> None:
        """Keep a refusal."""

    async def issued(
        self,
        entry: ProvisioningEntry,
        certificate: x509.Certificate,
        *,
        usage: str,
        predecessor: x509.Certificate | None = None,
    ) -> None:
        """Keep that a certificate was provided, and the certificate, in one database transaction.

        ``usage``: whose authority issued it, ``contract`` or ``contract_20``; ``seen`` for one that isn't ours to
        revoke. ``predecessor`` is superseded from now on, where it was provided here.
        """
