"""TransactionEvent (block E): through the ledger as it is, once each where the books know it again.

Its transactionId is the station's own, so nothing is put in and nothing translated. A Started or Ended is in the
journal before it is sent; an Updated goes straight to the backend while nothing older waits: the station's own
unanswered message is the journal then.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.bridge.former_transactions import set_former_aside
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v201.authorization import verdict
from gateway.bridge.v201_v201.commands import forget_remote_start
from gateway.bridge.v201_v201.context import Context, EventName, Events
from gateway.wire.errors import CallError, ErrorCode

STARTED: Final = "Started"
ENDED: Final = "Ended"

RUNNING_MAX: Final = 100
"""Running transactions of one station; it has as many EVSEs at most. The oldest is one that the station lost."""
ENDED_MAX: Final = 100
"""Ended transactions of one station that stay known for repeated events; the store reloads as many."""
ENDED_IN_DETAIL: Final = 8
"""Of these, whose events are known one by one, and not only by what the store knows of them."""


async def transaction_event(context: Context, payload: Json) -> Json:
    """TransactionEvent of the station; the answer is the backend's, or ``{}`` when the event is only in the journal.

    A refusal of its token that comes late is carried out by RequestStopTransaction (:func:`answered_late`). Raises
    :class:`CallError` GenericError for a transactionId that can't be used again yet, and what the ledger raises: the
    station must not be answered then.
    """
    name = EventName(payload["eventType"], payload["seqNo"], payload["timestamp"])
    known = context.books.transactions.get(payload["transactionInfo"]["transactionId"])
    if known is not None and _is_repeat(context, known, name):
        return await _answer_again(context, known, name, payload)
    if known is not None and context.books.belongs_before(known) and not _is_another(known, name):
        return await set_former_aside(context.ledger, context.note, "TransactionEvent", payload, known.station_tx)
    tx = known if known is not None and not _is_another(known, name) else await _enter(context, payload)
    with _unless_kept(tx):
        answer = await _deliver(context, tx, name, payload) or {}
    events = context.memory.events.pop(tx.station_tx, None) or Events(is_whole=tx is not known)
    context.memory.events[tx.station_tx] = events
    events.add(name, answer)
    if "remoteStartId" in payload["transactionInfo"]:
        forget_remote_start(context, str(payload["transactionInfo"]["remoteStartId"]))
    if tx.is_over:
        context.memory.to_stop.discard(tx.station_tx)
        _forget_events(context.memory.events)
    elif tx.station_tx in context.memory.to_stop:
        await _stop_at_station(context, tx)
    return answer


def _forget_events(events: dict[str, Events]) -> None:
    """Keep the events of few transactions that have ended: a long one has some KiB. The books know the others."""
    ended = [station_tx for station_tx, each in events.items() if each.has_ended]
    for station_tx in ended[: max(0, len(ended) - ENDED_IN_DETAIL)]:
        del events[station_tx]


async def released_event(context: Context, payload: Json) -> Json:
    """A TransactionEvent that a person has let go, some time after it came.

    One of a transaction that has ended meanwhile, at whatever backend, goes straight to the backend.
    """
    tx = context.books.transactions.get(payload["transactionInfo"]["transactionId"])
    if payload["eventType"] in {STARTED, ENDED} or tx is None or not tx.is_over:
        return await transaction_event(context, payload)
    return await context.call_backend("TransactionEvent", payload)


async def answered_late(context: Context, tx: Transaction, conf: Json) -> None:
    """An answer about a token came after the station had its own: a refusal can only be carried out now (E05)."""
    if conf["idTokenInfo"]["status"] == "Accepted":
        return
    tx.deauthorized = True
    if not tx.is_over:
        context.memory.to_stop.add(tx.station_tx)
        await _stop_at_station(context, tx)


def _is_repeat(context: Context, tx: Transaction, name: EventName) -> bool:
    """Return whether the event has been delivered, or is in the journal.

    After a restart, and some time after its end, by what the store says of the transaction. A station that doesn't
    count says 0: of such an Updated nothing is known then, and it is delivered again, identically.
    """
    events = context.memory.events.get(tx.station_tx)
    if events is not None and name in events.names:
        return True
    if name.kind == STARTED:
        return tx.started_at == name.timestamp
    if name.kind == ENDED:  # that of one which was given up is news
        return tx.is_over and (events is None or not events.is_whole)
    return events is None and 0 < name.seq_no == tx.last_seq_no


def _is_another(known: Transaction, name: EventName) -> bool:
    """Return whether the station begins a new transaction under an old id: it must not, but it is a session.

    Raises :class:`CallError` GenericError, so that the station tries again, while the old one's end hasn't been
    delivered.
    """
    begins_anew = name.kind == STARTED and known.is_over and known.started_at not in {None, name.timestamp}
    if begins_anew and known.state is TransactionState.STOPPING:
        raise CallError(ErrorCode.GENERIC_ERROR, "an older transaction with this transactionId isn't settled yet")
    return begins_anew


async def _enter(context: Context, payload: Json) -> Transaction:
    """Make the transaction of an event: that of a Started is on disk by the ledger, any other is written down now."""
    if context.ledger.is_clear:
        await _make_room(context)
    station_tx: str = payload["transactionInfo"]["transactionId"]
    tx = Transaction(station_tx, evse_id=payload.get("evse", {}).get("id"))
    if payload["eventType"] != STARTED:
        tx.state = TransactionState.OPEN
        context.note("unseen-start", "a transaction came whose Started event was never seen")
        await context.ledger.hold(tx)
    context.memory.events.pop(station_tx, None)
    context.books.transactions.pop(station_tx, None)
    context.books.transactions[station_tx] = tx
    return tx


async def _deliver(context: Context, tx: Transaction, name: EventName, payload: Json) -> Json | None:
    """Hand the event to the ledger, and count it as seen. A Started that comes after the end revives nothing."""
    tx.last_seq_no = max(tx.last_seq_no, name.seq_no)
    if name.kind == STARTED:
        tx.started_at = name.timestamp
    if name.kind == STARTED and not tx.is_over:
        return await context.ledger.start(tx, payload)
    if name.kind == ENDED:
        return await context.ledger.stop(tx, payload)
    return await context.ledger.meter(tx, payload)


@contextmanager
def _unless_kept(tx: Transaction) -> Iterator[None]:
    """A ledger that raises has kept nothing: then the books say so too, for the station's repetition."""
    before = tx.state, tx.last_seq_no, tx.started_at
    try:
        yield
    except Exception:
        tx.state, tx.last_seq_no, tx.started_at = before
        raise


async def _answer_again(context: Context, tx: Transaction, name: EventName, payload: Json) -> Json:
    """Answer a repeated event as before; nothing is delivered twice."""
    events = context.memory.events.get(tx.station_tx)
    if events is not None and events.names[-1] == name:
        return events.last_answer
    if "idToken" not in payload or tx.is_over or tx.state is TransactionState.STARTING:
        return {}
    info = await verdict(context, payload["idToken"])
    return {} if info is None else {"idTokenInfo": info}


async def _stop_at_station(context: Context, tx: Transaction) -> None:
    """Let the station stop by command. Where it doesn't agree to, it is asked again with the next event."""
    try:
        answer = await context.call_station("RequestStopTransaction", {"transactionId": tx.station_tx})
    except (CallError, PeerUnavailable):
        answer = {"status": "Rejected"}
    if answer["status"] == "Accepted":
        context.memory.to_stop.discard(tx.station_tx)
    else:
        context.note("refused-start", "the backend refused a transaction, and the station doesn't stop it when asked")


async def _make_room(context: Context) -> None:
    """Keep the books bounded, whatever is made up. The journal must be empty: it refers to them."""
    running = [tx for tx in context.books.transactions.values() if not tx.is_over]
    for tx in running[: max(0, len(running) - RUNNING_MAX + 1)]:
        context.note("never-ended", "a transaction was given up that never ended: too many began after it")
        await context.ledger.close(tx)
    ended = [tx for tx in context.books.transactions.values() if tx.is_over]
    for tx in ended[: max(0, len(ended) - ENDED_MAX)]:
        del context.books.transactions[tx.station_tx]
        context.memory.events.pop(tx.station_tx, None)
        context.memory.to_stop.discard(tx.station_tx)
