"""What became of vehicles' requests for contract certificates, in the words that services and store share."""

import enum
from dataclasses import dataclass
from datetime import datetime

from pki.iso15118.provisioning import Refusal


class ContractStatus(enum.Enum):
    """How a contract certificate that was provided here stands."""

    ISSUED = "issued"
    SUPERSEDED = "superseded"
    """An update has replaced it (CertificateUpdateReq); it is revoked when its vehicle is seen with the next one."""
    REVOKED = "revoked"
    EXPIRED = "expired"
    """Said where one is looked for by its name alone; otherwise its certificate tells."""


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
    """In its wire form."""
    pcid: str | None
    """Of the vehicle that it was made for, where that is known; for a successor, of the vehicle of the first one."""
    predecessor: int | None = None
    """The record of the certificate that it replaced."""
