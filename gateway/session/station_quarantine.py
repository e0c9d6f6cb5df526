"""What of one station is kept for a person: how it gets there, what the station hears, and how it goes on.

All of it happens in the station's turn: between a message and its repetition, or what follows it, nothing comes.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from gateway.bridge.books import Json, Page, Transaction
from gateway.session.peer import TRY_LATER, Unanswerable
from gateway.session.ports import JournalFull, StaleEpoch, StoreAway
from gateway.session.quarantine import (
    FOLLOWS,
    FOLLOWS_ITS_START,
    FOREIGN,
    Kept,
    QuarantinedMessage,
    QuarantineStore,
    ReleaseRefused,
    Why,
    begins,
    digest_of,
    transaction_of,
)
from gateway.session.releasing import releasing
from gateway.session.tally import Leg
from gateway.wire.versions import Version
from policies.answers import neutral_answer
from policies.money import moves_money
from policies.words import Verdict

if TYPE_CHECKING:
    from gateway.session.station import Station

ToBackend = Callable[[Transaction | None, str, Json], Awaitable[None]]
"""``await to_backend(tx, action, payload)`` sends what is released ahead of what waits (upstream.JournaledLedger)."""

_BOOK_IT_THERE: Final = "its transaction ended at the backend that the station had before: book it there"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a station's quarantine stands on."""

    store: QuarantineStore
    backend: Version
    """What the backend speaks."""
    to_backend: ToBackend
    counted: Callable[[str, str], None]
    """``counted(rule, action)`` hears of each message that is kept."""


class StationQuarantine:
    """The quarantine of one station."""

    def __init__(self, station: "Station", surroundings: Surroundings) -> None:
        self._station = station
        self._on = surroundings
        self._books = station.books
        self.is_releasing = False
        """True while what a person has released is being delivered: the runtime must stay."""

    # --- what comes in

    async def keep(self, action: str, payload: Json, verdict: Verdict, answer: Json) -> Json:
        """Keep a CALL of the station, whose turn it is; return what it is told: ``answer``, with a number of its own.

        Raises :class:`Unanswerable` when it can't be kept now: the station queues it.
        """
        why = Why(verdict.rule, verdict.text, gathers=begins(action, payload))
        with _or_unanswerable():
            kept = await self._append(Leg.STATION, action, payload, why, answer)
        return answer if kept is None else kept.answer

    def follows(self, action: str, payload: Json) -> bool:
        """Return whether the begin of the transaction that a CALL is about is kept as the station said it."""
        gathered = self._books.quarantined
        if not gathered or not moves_money(action, payload):
            return False
        if action == "StartTransaction":  # it names none: it is that begin itself, said again
            return digest_of(Leg.STATION, action, payload) in gathered.values()
        return transaction_of(action, payload) in gathered

    async def follow(self, action: str, payload: Json) -> Json | None:
        """Keep a CALL that follows; return what the station is told, None where it begins another transaction.

        Raises :class:`Unanswerable` when it can't be kept now.
        """
        answer = neutral_answer(self._station.version.value, action, payload)
        with _or_unanswerable():
            kept = await self._append(Leg.STATION, action, payload, Why(FOLLOWS, FOLLOWS_ITS_START), answer)
        if kept is None:
            del self._books.quarantined[transaction_of(action, payload)]
            return None
        return kept.answer

    async def set_aside(self, action: str, payload: Json, reason: str) -> None:
        """Keep what the bridge doesn't let through (``bridge.ports.Ledger``). Raises what the store raises."""
        await self._append(Leg.BACKEND, action, payload, Why(FOREIGN, reason), {})

    async def withhold(self, action: str, payload: Json, verdict: Verdict) -> Json:
        """Keep a CALL that the backend was to hear and that moves no money; return what it would have answered.

        Raises what the store raises.
        """
        await self._append(Leg.BACKEND, action, payload, Why(verdict.rule, verdict.text), {})
        return verdict.payload or {}

    async def _append(self, leg: Leg, action: str, payload: Json, why: Why, answer: Json) -> QuarantinedMessage | None:
        station = self._station
        version = station.version if leg is Leg.STATION else self._on.backend
        message = Kept(leg, version.value, action, payload, why, answer)
        appended = await self._on.store.append(station.identity, station.epoch, message)
        if appended is None:
            return None
        kept, is_new = appended
        if kept.gathers and kept.leg is Leg.STATION:
            self._books.quarantined[kept.station_tx] = message.digest
        if is_new:
            log.warning(
                "quarantined",
                identity=self._station.identity,
                action=action,
                message=kept.id,
                rule=kept.rule,
                reason=kept.reason,
            )
            self._on.counted(kept.rule, action)
        return kept

    # --- what goes on

    async def deliver(self, message: QuarantinedMessage) -> None:
        """Deliver one message that a person has released; the station's turn is taken for it.

        Raises PeerUnavailable, StaleEpoch, StoreAway and JournalFull when it is to be tried again; CallError when the
        backend refuses it, and :class:`ReleaseRefused` when it can't be delivered as things are.
        """
        async with self._station.turn:
            with releasing():
                await (self._through_bridge if message.leg is Leg.STATION else self._to_backend)(message)
            is_over = await self._on.store.delivered(message, self._station.epoch)
            if is_over:
                self._books.quarantined.pop(message.station_tx, None)
                self._books.withheld.discard(message.station_tx)
        log.info(
            "released_message_delivered", identity=self._station.identity, action=message.action, message=message.id
        )

    async def _through_bridge(self, message: QuarantinedMessage) -> None:
        station = self._station
        if message.protocol != station.version.value:
            raise ReleaseRefused(
                f"the station speaks {station.version.value} by now, and the message {message.protocol}"
            )
        if message.action == "BootNotification":
            raise ReleaseRefused("a BootNotification is the station's own to say, when it boots: discard this one")
        if self._on.backend is Version.V16 and self._is_of_the_former_backend(message.station_tx):
            raise ReleaseRefused(_BOOK_IT_THERE)
        service = station.service(message.action)
        if service is not None:
            await service(station, message.payload)
        else:
            await station.bridge.released(message.action, message.payload, message.station_tx)

    async def _to_backend(self, message: QuarantinedMessage) -> None:
        if message.protocol != self._on.backend.value:
            raise ReleaseRefused(
                f"the backend speaks {self._on.backend.value} by now, and the message {message.protocol}"
            )
        await self._on.to_backend(await self._transaction(message), message.action, message.payload)

    async def _transaction(self, message: QuarantinedMessage) -> Transaction | None:
        """Return the transaction whose number a message needs; None where it needs none, or says one itself.

        The books have a hundred that ended; an older one is the present backend's where the station had no other.
        """
        if message.rule == FOREIGN or not message.station_tx:
            return None
        tx = self._books.transactions.get(message.station_tx)
        if tx is None and not self._books.page(Page.BEFORE):
            tx = await self._on.store.transaction(message.identity, message.station_tx)
        if tx is None:
            raise ReleaseRefused("its transaction ended too long ago to be known: book it by hand, and discard this")
        if self._books.belongs_before(tx):
            raise ReleaseRefused(_BOOK_IT_THERE)
        return tx

    def _is_of_the_former_backend(self, name: str) -> bool:
        """Return whether the newest transaction that the station calls ``name`` ended at the backend it had before.

        Under that one's number the backend of now may know another station's (attack A7).
        """
        is_numbered = self._station.version is Version.V16
        for tx in reversed(self._books.transactions.values()):
            if name == (str(tx.station_number) if is_numbered else tx.station_tx):
                return self._books.belongs_before(tx)
        return False


@contextmanager
def _or_unanswerable() -> Iterator[None]:
    """What can't be kept isn't answered. Raises :class:`Unanswerable` for what the store raises."""
    try:
        yield
    except JournalFull:
        raise Unanswerable(TRY_LATER, "the quarantine of this station is full") from None
    except StaleEpoch:
        raise Unanswerable(TRY_LATER, "this station has another owner by now") from None
    except StoreAway:
        raise Unanswerable(TRY_LATER, "nothing can be kept safe now") from None
