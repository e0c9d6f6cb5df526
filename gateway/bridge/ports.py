"""What a bridge needs from outside: a way to call either side, and the ledger for what moves money.

The bridge calls these; the session and the upstream leg fulfil them. Every payload handed over here is checked against
the official schema of its version, and by the policy, on the other side of the port.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from gateway.bridge.books import Json, Transaction

Call = Callable[[str, Json], Awaitable[Json]]
"""``await call(action, payload)`` returns the payload of the CALLRESULT.

Raises :class:`gateway.wire.errors.CallError` when the peer answered CALLERROR, :class:`PeerUnavailable` when it isn't
connected or didn't answer in time.
"""

Note = Callable[[str, str], None]
"""``note(topic, text)`` says in the log, once per station and topic, that a mapping could not be exact."""

Clock = Callable[[], datetime]
"""Returns the present time, aware, in UTC."""


class PeerUnavailable(Exception):
    """The other side isn't connected, or gave no answer in time. Nothing is known of what it did."""


class Ledger(Protocol):
    """The 1.6 ledger of one station: what moves money goes through here and is never lost.

    Each method returns when the backend has answered or when the message is durably in the journal. Messages reach the
    backend in the order of the calls. ``payload`` of :meth:`meter` and :meth:`stop` carries no ``transactionId``: it is
    put in when the backend's number is known.
    """

    async def hold(self, tx: Transaction) -> None:
        """Persist a transaction that has begun at the station but can't be started at the backend yet."""

    async def start(self, tx: Transaction, payload: Json) -> Json | None:
        """Deliver StartTransaction.req; return StartTransaction.conf, or None when the backend is away."""

    async def meter(self, tx: Transaction, payload: Json) -> None:
        """Deliver MeterValues.req of a transaction."""

    async def stop(self, tx: Transaction, payload: Json) -> Json | None:
        """Deliver StopTransaction.req; return StopTransaction.conf, or None when the backend is away."""

    async def close(self, tx: Transaction) -> None:
        """Persist that a transaction ended which the backend never had to hear of."""
