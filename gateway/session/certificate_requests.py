"""A station's request for a certificate, from the answer to its SignCertificate to the end (OCPP 2.0.1 A02, A03)."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.bridge.books import Json


class RequestState(enum.Enum):
    """Where a request stands."""

    WAITING = "waiting"
    """For a person to approve it."""
    REQUESTED = "requested"
    """Answered Accepted; to be signed."""
    ISSUED = "issued"
    """Signed; to be delivered."""
    DELIVERED = "delivered"
    """The station has accepted its certificate."""
    REJECTED = "rejected"
    """The station has refused its certificate (A02.FR.07)."""
    REFUSED = "refused"
    """A person has refused it."""
    REPLACED = "replaced"
    """The station has asked anew, with another key."""
    FAILED = "failed"
    """No certificate, or none that the station picked up."""


OPEN: Final = frozenset({RequestState.WAITING, RequestState.REQUESTED, RequestState.ISSUED})
"""The states of a request that isn't over. A station has at most one such request of each usage."""


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """One CSR that passed the review. Times are aware, in UTC."""

    id: int
    identity: str
    usage: str
    """``station`` or ``v2g``: which authority signs it."""
    state: RequestState
    csr: str
    """PEM."""
    key_fingerprint: str
    """SHA-256 of the SubjectPublicKeyInfo, in hex."""
    words: Json
    """How the station said it: see :class:`gateway.services.certificate_words.Words`."""
    serial: str | None
    """Of the certificate that was issued, in hex."""
    attempts: int
    """How often its certificate was sent."""
    detail: str
    """For a person: why it ended, or what it waits for."""
    requested_at: datetime
    changed_at: datetime
    """When it got its state."""


class RequestUnknown(LookupError):
    """No request has this number; the text says so."""


class NotWaiting(Exception):
    """The request waits for nobody's decision; the text says how it stands."""
