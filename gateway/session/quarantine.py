"""The quarantine: messages of a station that wait for a person's word, durably, instead of going to the backend.

What a policy denies or limits and moves money comes here, what a rule says is to be kept, what the bridge must not let
through (another's transaction), and what a backend has refused for good. Nothing leaves it but by a person.
"""

import enum
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from gateway.bridge.books import Json, Transaction
from gateway.session.tally import Leg
from policies.money import moves_money

FOLLOWS: Final = "gateway:follows"
"""In place of a rule's id (none has a colon in it): the begin of its transaction is in the quarantine."""
FOREIGN: Final = "gateway:foreign"
"""The bridge lets no message through that names a transaction which isn't the station's at this backend."""
REFUSED: Final = "gateway:refused"
"""The backend has refused it for good."""
FOLLOWS_ITS_START: Final = "follows its start"
"""Why a message is kept that no rule denies."""


class State(enum.Enum):
    """Where a message stands."""

    HELD = "held"
    """It waits for a person."""
    RELEASED = "released"
    """A person has let it go; the backend has not answered it yet."""
    DELIVERED = "delivered"
    """The backend has answered it, or it is in the journal."""
    DISCARDED = "discarded"
    """A person has said that the backend is never to hear it."""


UNDECIDED: Final = frozenset({State.HELD, State.RELEASED})
"""States in which something is still to be done."""


class ReleaseRefused(Exception):
    """A message can't be released, or discarded, as things stand; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Why:
    """Why a message is kept."""

    rule: str
    """The policy's rule, or one of the words above."""
    reason: str
    """For a person; never a peer's value."""
    gathers: bool = False
    """True for the begin of a transaction: what is said of it from now on is kept with it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that is to be kept."""

    leg: Leg
    """STATION: in the station's dialect, to go through the bridge. BACKEND: in the backend's, as it would be sent."""
    protocol: str
    """``ocpp1.6``, ``ocpp2.0.1``: that of the message."""
    action: str
    payload: Json = field(repr=False)
    why: Why
    answer: Json = field(default_factory=dict, repr=False)
    """What the station is told. Of a StartTransaction the number in it is the quarantine's to give."""

    @property
    def station_tx(self) -> str:
        """The station's name for the transaction that it is about; empty for none."""
        return transaction_of(self.action, self.payload)

    @property
    def digest(self) -> str:
        """The same for an identical message on the same leg, whatever order its fields are in."""
        return digest_of(self.leg, self.action, self.payload)


@dataclass(frozen=True, slots=True)
class QuarantinedMessage:
    """One message as the store has it. ``id`` comes out of the journal's numbers: they rise as messages come."""

    id: int
    identity: str
    state: State
    leg: Leg
    protocol: str
    station_tx: str
    action: str
    payload: Json = field(repr=False)
    rule: str
    reason: str
    answer: Json = field(repr=False)
    gathers: bool
    attempts: int
    """Times that it was offered to the backend in vain."""
    last_error: str
    """Why it wasn't delivered the last time; empty before the first."""
    recorded_at: datetime
    """When it came from the station."""
    kept_at: datetime
    decided_at: datetime | None
    decided_by: str
    """Who has released or discarded it."""
    decision: str
    """Why it was discarded."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages a person means: those with these ids, or all of a station's transaction, or all of a rule."""

    ids: Collection[int] = ()
    identity: str | None = None
    station_tx: str | None = None
    rule: str | None = None


class QuarantineStore(Protocol):
    """The quarantine of all stations, durable: when a method returns, a ``kill -9`` loses nothing of it.

    Methods with an ``epoch`` raise :class:`gateway.session.ports.StaleEpoch` when it isn't the station's newest.
    """

    async def append(self, identity: str, epoch: int, message: Kept) -> tuple[QuarantinedMessage, bool] | None:
        """Keep a message, once: an identical one that is there already is returned, with False.

        Of one that follows its start: None when it begins another transaction than the one that was discarded. Raises
        :class:`gateway.session.ports.JournalFull` at the station's bound.
        """

    async def released(self, identity: str, limit: int = 100) -> Sequence[QuarantinedMessage]:
        """Return what a person has released of one station, oldest first."""

    async def delivered(self, message: QuarantinedMessage, epoch: int) -> bool:
        """The backend has it, or the journal. True: nothing more of its transaction is gathered from now on."""

    async def transaction(self, identity: str, station_tx: str) -> Transaction | None:
        """Return a transaction of a station, however long ago it ended; None where nobody knows it."""

    async def put_back(self, message: QuarantinedMessage, epoch: int, error: str) -> None:
        """The backend doesn't take it: it is held again, and what follows it too."""


def transaction_of(action: str, payload: Json) -> str:
    """Return the station's name for the transaction that a message is about; empty for none.

    As every database can hold it: a name is often what a message is kept for.
    """
    if action == "TransactionEvent":
        name = str(payload["transactionInfo"]["transactionId"])
        return name.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    return str(payload["transactionId"]) if moves_money(action, payload) and "transactionId" in payload else ""


def digest_of(leg: Leg, action: str, payload: Json) -> str:
    """Return the name of a message's content: SHA-256, in hex."""
    return hashlib.sha256(json.dumps([leg.value, action, payload], sort_keys=True).encode()).hexdigest()


def begins(action: str, payload: Json) -> bool:
    """Return whether a transaction begins with a message."""
    return action == "StartTransaction" or (action == "TransactionEvent" and payload["eventType"] == "Started")
