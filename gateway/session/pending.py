"""An identity that came without being registered: what the store keeps, and an operator is shown, of it."""

from dataclasses import dataclass
from datetime import datetime

from gateway.wire.versions import Version


@dataclass(frozen=True, slots=True)
class PendingStation:
    """One identity that is not registered, with what it presented: nothing of it is proven.

    That is what it presented under the strongest security profile that it came with, and there with its newest
    connection: who has no certificate can't hide the one that was shown before. Times are aware, in UTC.
    """

    identity: str
    first_seen: datetime
    last_seen: datetime
    times: int
    """Its connections; of many in a short time one is counted."""
    remote: str
    """Its address."""
    profile: int
    serial: str | None
    """The CN of its certificate."""
    subject: str | None
    fingerprint: str | None
    """The SHA-256 of the certificate's DER, in hex."""
    version: Version | None
    """The OCPP version that it offered first, of those that are spoken here."""
