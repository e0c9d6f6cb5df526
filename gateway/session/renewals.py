"""Where the renewal of a station's certificate stands, as the scheduler and the store share it."""

import enum
from dataclasses import dataclass
from datetime import datetime


class RenewalState(enum.Enum):
    """What is next for a certificate."""

    PLANNED = "planned"
    """The station is asked when its turn has come and it is connected."""
    ASKED = "asked"
    """The station was asked for a CSR; nothing is known yet of what came of it."""
    FAILED = "failed"
    """It was in vain; the station is asked again at ``due_at``."""
    REFUSED = "refused"
    """The station doesn't know the trigger: it isn't asked again for this certificate, unless a person wants it."""
    RENEWED = "renewed"
    """The station has accepted a new certificate; the plan for that one follows."""


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """The certificate that a station has for one usage, ``station`` or ``v2g``: the newest that it accepted or showed.

    ``serial`` is lower-case hex without leading zeros. Times are aware, in UTC.
    """

    identity: str
    usage: str
    serial: str
    not_before: datetime
    """From when on it could be used: one that we issued is backdated, and its lifetime begins when it was issued."""
    not_after: datetime


@dataclass(frozen=True, slots=True)
class RenewalRecord:
    """The plan for one held certificate."""

    identity: str
    usage: str
    serial: str
    not_before: datetime
    not_after: datetime
    state: RenewalState
    due_at: datetime
    """From when on the station may be asked."""
    attempts: int = 0
    """Times that it was asked for this certificate since it was planned."""
    problem: str = ""
    """Why the last time was in vain."""
    alerts: int = 0
    """How many of the alerts before the end were given."""

    @classmethod
    def planned(cls, held: HeldCertificate, due_at: datetime) -> "RenewalRecord":
        """Return the plan with which the life of ``held`` begins."""
        return cls(
            held.identity, held.usage, held.serial, held.not_before, held.not_after, RenewalState.PLANNED, due_at
        )
