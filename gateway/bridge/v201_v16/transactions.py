"""Transactions (block E): TransactionEvent becomes StartTransaction, MeterValues and StopTransaction, once each.

What makes it once: an event counts as seen (``last_seq_no``) only together with the last message that came of it, and
the ledger persists both in one step. An event of which the station got no answer comes again, and then finds in the
books how far the first one got.
"""

from collections.abc import Awaitable
from typing import Final, TypeVar

from gateway.bridge.books import Json, Page, Transaction, TransactionState
from gateway.bridge.ledger_words import addressed
from gateway.bridge.v201_v16 import beginnings
from gateway.bridge.v201_v16.authorization import verdict
from gateway.bridge.v201_v16.availability import infer_cable, publish
from gateway.bridge.v201_v16.connectors import numbered, of_evse
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.start_stop import start_request, stop_request
from gateway.bridge.v201_v16.tokens import id_token_info, tag_for
from gateway.bridge.v201_v16.transaction_event import TransactionEvent, read_event
from gateway.bridge.v201_v16.transaction_state import (
    account_for,
    entry_of,
    has_delivered,
    is_repeat,
    learn,
    may_begin,
    recall_start,
)

_Answer = TypeVar("_Answer")

_HELD, _TO_STOP = TransactionState.HELD, Page.TO_STOP

ANSWERS_MAX: Final = 16
"""Transactions that are over whose last answer with a token's status is known again."""
STOPS_MAX: Final = 100
"""Transactions of one station of whose stop something is kept; the oldest is one that the station lost."""
_AUTHORIZATION_ENDS: Final = frozenset({"Deauthorized", "RemoteStop", "StopAuthorized"})
"""triggerReason after which a transaction that goes on has no authorization any more."""


async def transaction_event(context: Context, payload: Json) -> Json:
    """TransactionEvent of the station.

    ``idTokenInfo`` is in the answer when the event carried an idToken and the backend has said something of it, or
    somebody in its place (``authorize_offline``). While it is away the event is in the journal, and a refusal that
    comes with the late StartTransaction.conf stops the transaction by RequestStopTransaction (:func:`started_late`).
    """
    event = read_event(payload, context.note)
    tx = context.books.transactions.get(event.station_tx)
    if tx is None or event.kind == "Started":
        tx = await entry_of(context, event)
    if is_repeat(context, tx, event):
        return await _answer_again(context, tx, event)
    await learn(context, tx, event)
    conf = await (_end if event.kind == "Ended" else _go_on)(context, tx, event)
    has_delivered(context, tx, event)
    if event.trigger in _AUTHORIZATION_ENDS:
        tx.deauthorized = True
    answer = {} if event.token is None else await _answer(context, tx, event, event.token, conf)
    await _publish(context, tx, event)
    if tx.station_tx in context.books.page(_TO_STOP):
        await _stop_at_station(context, tx)
    return answer


async def released_event(context: Context, payload: Json) -> Json:
    """A TransactionEvent that a person has let go, some time after it came.

    What was measured in a transaction that has ended meanwhile is no repetition: it goes to the backend by itself.
    """
    event = read_event(payload, context.note)
    tx = context.books.transactions.get(event.station_tx)
    if event.kind != "Updated" or tx is None or not tx.is_over:
        return await transaction_event(context, payload)
    if event.meter_values:
        late: Json = {"connectorId": tx.connector_id or 0, "meterValue": event.meter_values}
        await context.call_backend("MeterValues", addressed("MeterValues", late, tx))
    return {}


async def started_late(context: Context, tx: Transaction, conf: Json) -> None:
    """StartTransaction.conf came after the station had been answered: a refusal can only be carried out now (E05)."""
    if _is_refused(conf):
        tx.deauthorized = True
        if not tx.is_over:
            _is_to_stop(context, tx)
            await context.save_page_now(_TO_STOP)
            await _stop_at_station(context, tx)
            await context.save_changes()


async def _go_on(context: Context, tx: Transaction, event: TransactionEvent) -> Json | None:
    """Deliver what a Started or Updated event brings; return the StartTransaction.conf that came of it, if any."""
    own = event.meter_values if event.kind == "Updated" else []
    begun_with, conf = beginnings.of(context, tx), None
    if tx.state is _HELD:
        if not may_begin(context, tx):
            await _hold(context, tx, event, own)
            return None
        context.memory.soft_reset = False
        was_told = event.token is not None or tx.deauthorized
        conf = await _start(context, tx, seq_no=None if begun_with or own else event.seq_no)
        if conf is not None and _is_refused(conf) and not was_told:
            _is_to_stop(context, tx)
    if begun_with:
        await _meter(context, tx, begun_with, seq_no=None if own else event.seq_no)
    if own:
        await _meter(context, tx, own, seq_no=event.seq_no)
    if begun_with:
        beginnings.forget(context, tx)
    tx.last_seq_no = max(tx.last_seq_no, event.seq_no)
    return conf


def _meter(context: Context, tx: Transaction, values: list[Json], *, seq_no: int | None) -> Awaitable[Json | None]:
    """Hand meter values to the ledger; ``seq_no`` is the event's, unless more is to come of the event."""
    return _counted(tx, seq_no, context.ledger.meter(tx, {"connectorId": tx.connector_id, "meterValue": values}))


async def _hold(context: Context, tx: Transaction, event: TransactionEvent, values: list[Json]) -> None:
    """Nothing can be begun yet. What is measured meanwhile belongs to no transaction of 1.6, and is told as such."""
    await beginnings.save(context, tx)
    await _counted(tx, event.seq_no, context.ledger.hold(tx))
    if values and tx.connector_id is not None:
        await context.ask_backend("MeterValues", {"connectorId": tx.connector_id, "meterValue": values})


async def _start(context: Context, tx: Transaction, *, seq_no: int | None) -> Json | None:
    """Hand StartTransaction to the ledger; ``seq_no`` is the event's, unless more is to come of the event."""
    recall_start(context, tx)
    conf = await _counted(tx, seq_no, context.ledger.start(tx, start_request(tx)))
    if conf is not None:
        tx.deauthorized = _is_refused(conf)
        if tx.deauthorized and tx.id_tag == context.settings.default_id_tag:
            context.note("default-tag", f"the backend refuses the default idTag; register {tx.id_tag!r} there")
    return conf


async def _end(context: Context, tx: Transaction, event: TransactionEvent) -> Json | None:
    """Deliver what an Ended event brings; return StopTransaction.conf, if it has come."""
    if tx.state is _HELD:
        if not account_for(context, tx, event):
            await _counted(tx, event.seq_no, context.ledger.close(tx))
            return None
        await _start(context, tx, seq_no=None)
    stop_tags = context.books.page(Page.STOP_TAGS)
    id_tag = tag_for(context, event.token) if event.token is not None else stop_tags.get(tx.station_tx)
    memory = context.memory
    payload = stop_request(
        tx,
        event,
        id_tag,
        soft_reset=memory.soft_reset,
        unlocked=tx.station_tx in memory.unlocking,
        begun_with=beginnings.of(context, tx),
    )
    conf = await _counted(tx, event.seq_no, context.ledger.stop(tx, payload))
    # Not worth a write: what a restart finds of it again belongs to no transaction that runs.
    stop_tags.pop(tx.station_tx, None)
    memory.unlocking.pop(tx.station_tx, None)
    context.books.page(_TO_STOP).pop(tx.station_tx, None)
    beginnings.forget(context, tx)
    return conf


async def _counted(tx: Transaction, seq_no: int | None, delivery: Awaitable[_Answer]) -> _Answer:
    """Count the event as seen, together with what ``delivery``, of the ledger, is about to persist.

    A ledger that raises has kept nothing: then the books say so too, and the station's repetition finds them as the
    first attempt did.
    """
    last, state = tx.last_seq_no, tx.state
    if seq_no is not None and seq_no > last:
        tx.last_seq_no = seq_no
    try:
        return await delivery
    except Exception:
        tx.last_seq_no = last
        if tx.state in _ENTERED_BY_CALL and tx.state is not state:
            tx.state = state if tx.backend_tx is None else TransactionState.OPEN
        raise


_ENTERED_BY_CALL: Final = frozenset({TransactionState.STARTING, TransactionState.STOPPING, TransactionState.ENDED})
"""States into which a ledger puts a transaction before it persists it."""


async def _answer(context: Context, tx: Transaction, event: TransactionEvent, token: Json, conf: Json | None) -> Json:
    """Return the answer to an event with a token, and remember it for the case that it gets lost."""
    info = None
    if conf is not None and "idTagInfo" in conf:
        info = id_token_info(context, conf["idTagInfo"])
    elif event.kind != "Ended":
        info = await _judge_token(context, tx, event, token)
    if info is None:
        return {}
    answer = {"idTokenInfo": info}
    answers = context.memory.answers
    answers.pop(tx.station_tx, None)
    answers[tx.station_tx] = (event.seq_no, answer)
    transactions = context.books.transactions
    over = [each for each in answers if each not in transactions or transactions[each].is_over]
    for station_tx in over[: max(0, len(over) - ANSWERS_MAX)]:
        del answers[station_tx]
    return answer


async def _judge_token(context: Context, tx: Transaction, event: TransactionEvent, token: Json) -> Json | None:
    """Ask for a token of which no StartTransaction.conf spoke: one ahead of the cable, a second one, or no conf came.

    A held transaction isn't begun with a token that is refused; a running one keeps a token that isn't, as the one that
    may stop it.
    """
    info = await verdict(context, token)
    is_refused = info is not None and info["status"] != "Accepted"
    tag = tag_for(context, token)
    if tx.state is _HELD and event.trigger != "StopAuthorized":
        if is_refused and tx.id_tag == tag:
            tx.deauthorized = True
            await context.ledger.hold(tx)
    elif not is_refused and (event.trigger == "StopAuthorized" or tag != tx.id_tag):
        if event.trigger == "Authorized":
            context.note("second-token", "a running transaction got another token; all of it stays under the first")
        _may_stop(context, tx, tag)
    return info


def _may_stop(context: Context, tx: Transaction, tag: str) -> None:
    stop_tags = context.books.page(Page.STOP_TAGS)
    if stop_tags.pop(tx.station_tx, None) != tag:
        context.books.changed(Page.STOP_TAGS)
    stop_tags[tx.station_tx] = tag
    while len(stop_tags) > STOPS_MAX:
        del stop_tags[next(iter(stop_tags))]


async def _answer_again(context: Context, tx: Transaction, event: TransactionEvent) -> Json:
    """Answer a repeated event as before; nothing is delivered twice."""
    seq_no, answer = context.memory.answers.get(tx.station_tx, (None, {}))
    if seq_no == event.seq_no:
        return answer
    if event.token is None or tx.is_over:
        return {}
    info = await verdict(context, event.token)
    return {} if info is None else {"idTokenInfo": info}


async def _publish(context: Context, tx: Transaction, event: TransactionEvent) -> None:
    """Tell the backend of the connector states that follow from the event, after what it says of the transaction."""
    connector = numbered(context.books, tx.connector_id or 0)
    if connector is None:
        return
    if tx.is_over:
        was_started = tx.state is not TransactionState.ENDED or tx.backend_tx is not None
        if was_started and connector.status == "Occupied":
            context.memory.finishing[connector.number] = None
    elif not event.offline:
        infer_cable(connector, event.charging_state)
    await publish(context, of_evse(context.books, connector.evse_id), event.timestamp)


async def _stop_at_station(context: Context, tx: Transaction) -> None:
    """The backend refused the token when no answer could say so: let the station stop by command.

    Where it doesn't agree to, it is asked again with the transaction's next event.
    """
    answer = await context.ask_station("RequestStopTransaction", {"transactionId": tx.station_tx})
    if answer is not None and answer["status"] == "Accepted":
        context.books.page(_TO_STOP).pop(tx.station_tx, None)
        context.books.changed(_TO_STOP)
    else:
        context.note("refused-start", "the backend refused a transaction, and the station doesn't stop it when asked")


def _is_to_stop(context: Context, tx: Transaction) -> None:
    to_stop = context.books.page(_TO_STOP)
    to_stop[tx.station_tx] = True
    while len(to_stop) > STOPS_MAX:
        del to_stop[next(iter(to_stop))]
    context.books.changed(_TO_STOP)


def _is_refused(conf: Json) -> bool:
    return bool(conf["idTagInfo"]["status"] != "Accepted")
