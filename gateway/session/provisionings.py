"""Contract certificates that vehicles were given through this gateway, as far as what serves vehicles asks of them."""

import enum
from dataclasses import dataclass


class ContractStatus(enum.Enum):
    """How a contract certificate that was provided here stands."""

    ISSUED = "issued"
    SUPERSEDED = "superseded"
    """An update has replaced it (CertificateUpdateReq); it is revoked a little later."""
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ProvidedCertificate:
    """A contract certificate that was provided here."""

    status: ContractStatus
    emaid: str
    """In its wire form."""
    pcid: str | None
    """Of the vehicle that it was made for, where that is known; for a successor, of the vehicle of the first one."""
