"""What the books learn of a transaction from its events (OCPP 2.0.1 block E), before the ledger is told anything."""

from typing import Final

from gateway.bridge.books import Books, Page, Transaction, TransactionState
from gateway.bridge.timestamps import in_order
from gateway.bridge.v201_v16 import beginnings
from gateway.bridge.v201_v16.connectors import is_one_of_several, locate, of_evse, plugs
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.metering import note_register
from gateway.bridge.v201_v16.start_stop import meter_stop
from gateway.bridge.v201_v16.tokens import tag_for
from gateway.bridge.v201_v16.transaction_event import TransactionEvent
from gateway.wire.errors import CallError, ErrorCode

_HELD = TransactionState.HELD

ENDED_MAX: Final = 100
"""Ended transactions of one station that stay known for repeated events; the store reloads as many."""
HELD_MAX: Final = 100
"""Transactions of one station that may wait for a token or an EVSE at once; it has as many EVSEs at most. The oldest is
one that the station lost: it never ends."""
DELIVERED_MAX: Final = 16
"""Events of one transaction that are known again; a station repeats the last one, until it is answered."""


async def entry_of(context: Context, event: TransactionEvent) -> Transaction:
    """Return the transaction of an event, entered into the books when it is new to them.

    Raises :class:`CallError` GenericError when its id can't be used yet.
    """
    books = context.books
    known = books.transactions.get(event.station_tx)
    if known is not None and not _is_another(known, event):
        return known
    if known is not None:
        context.note("transaction-id-reused", "the station begins a transaction under the id of one that has ended")
        forget(context, known)
    elif event.kind != "Started":
        context.note("unseen-start", "a transaction came whose Started event was never seen; its start may be later")
    await _make_room(context)
    tx = books.transactions[event.station_tx] = Transaction(event.station_tx)
    return tx


def is_repeat(context: Context, tx: Transaction, event: TransactionEvent) -> bool:
    """Return whether all that comes of ``event`` has been delivered.

    Not by seqNo alone: an event that comes late, or from a station that doesn't count, moves money too. After a restart
    an Updated may be told twice, identically.
    """
    if event.kind == "Started":
        was_seen = event.seq_no == tx.last_seq_no and event.timestamp == tx.started_at
        # One that isn't counted has delivered the start, and not what was measured with it.
        return was_seen or tx.is_over or (tx.state is not _HELD and event.seq_no <= tx.last_seq_no)
    is_over = tx.is_over
    if is_over or event.kind == "Ended":
        return is_over
    known = context.memory.delivered.get(tx.station_tx)
    return 0 < event.seq_no == tx.last_seq_no if known is None else (event.seq_no, event.timestamp) in known


def has_delivered(context: Context, tx: Transaction, event: TransactionEvent) -> None:
    """All that comes of ``event`` has been delivered: it is known when the station repeats it.

    All events of a transaction that is over are known by that.
    """
    memory = context.memory
    if tx.is_over:
        memory.delivered.pop(tx.station_tx, None)
        memory.counted.pop(tx.station_tx, None)
        return
    known = memory.delivered.get(tx.station_tx)
    if known is None:
        known = memory.delivered[tx.station_tx] = {}
    elif len(known) >= DELIVERED_MAX:
        del known[next(iter(known))]
    known[event.seq_no, event.timestamp] = None


async def learn(context: Context, tx: Transaction, event: TransactionEvent) -> None:
    """Enter what the event says. Learning it twice changes nothing."""
    is_newest = event.seq_no >= tx.last_seq_no
    if event.seq_no <= tx.last_seq_no and _came_later(context, tx, event):
        is_newest = True
        context.note(
            "sequence-order", "seqNo doesn't rise within a transaction: its events are told apart by their time"
        )
    if tx.state is _HELD:
        await _learn_start(context, tx, event)
    if event.kind == "Started":
        beginnings.keep(context, tx, event.meter_values)
    if not is_newest:
        return
    if tx.station_tx in context.memory.counted and event.seq_no > tx.last_seq_no + 1:
        context.note("sequence-gap", "seqNo of a transaction's events has gaps: the station has dropped events")
    context.memory.counted[tx.station_tx] = None
    if event.registers.last is not None:
        tx.last_register = event.registers.last
        if tx.evse_id is not None:
            note_register(context.books, tx.evse_id, event.registers.last)
    if event.charging_state is not None:
        tx.charging_state = event.charging_state
        tx.energy_flowed = tx.energy_flowed or event.charging_state == "Charging"


def _came_later(context: Context, tx: Transaction, event: TransactionEvent) -> bool:
    """Return whether the event is of a later time than those that were delivered last."""
    known = context.memory.delivered.get(tx.station_tx, {})
    return bool(known) and in_order(event.timestamp) > max(in_order(timestamp) for _, timestamp in known)


def may_begin(context: Context, tx: Transaction) -> bool:
    """Return whether a held transaction has what StartTransaction needs: a connector, and a token to begin it with.

    One that charges all the same has the token that was refused (OCPP 2.0.1 E05, MaxEnergyOnInvalidId), or the default
    idTag. It charges when the station has said so and its register has risen since: the token may still be on its way.
    """
    if tx.connector_id is None:
        return False
    if tx.id_tag is not None and not tx.deauthorized:
        return True
    if not tx.energy_flowed or tx.meter_start is None or (tx.last_register or 0) <= tx.meter_start:
        return False
    _name_a_payer(context, tx)
    return True


def recall_start(context: Context, tx: Transaction) -> None:
    """Complete what StartTransaction needs: without a register of its own, a transaction begins at its EVSE's last."""
    if tx.meter_start is not None:
        return
    tx.meter_start = _last_register(context.books, tx)
    if tx.meter_start is None:
        context.note(
            "meter-start",
            "a transaction began without an energy register and goes to the backend with meterStart 0; "
            "have the station send Energy.Active.Import.Register in SampledDataCtrlr.TxStartedMeasurands",
        )
        tx.meter_start = 0


def account_for(context: Context, tx: Transaction, event: TransactionEvent) -> bool:
    """Decide what becomes of a transaction that ends without ever having been started; return whether it is to be.

    It is when its token and connector are known, and when it charged, be it under the default idTag and on a guessed
    connector: no kWh is lost. A cable that was only plugged in and out, or a token that was refused, was no session.
    """
    if tx.id_tag is not None and tx.connector_id is not None and not tx.deauthorized:
        return True
    has_risen = tx.meter_start is not None and meter_stop(tx, event) > tx.meter_start
    if not has_risen and not tx.energy_flowed:
        return False
    _name_a_payer(context, tx)
    if tx.connector_id is None:
        known = of_evse(context.books, tx.evse_id or 0) or plugs(context.books)
        tx.connector_id = known[0].number if known else 1
        context.note("no-connector", f"a transaction never named its EVSE; it goes to connector {tx.connector_id}")
    return True


def forget(context: Context, tx: Transaction) -> None:
    """Drop a transaction and what is remembered beside it."""
    del context.books.transactions[tx.station_tx]
    context.memory.answers.pop(tx.station_tx, None)
    context.memory.unlocking.pop(tx.station_tx, None)
    context.memory.counted.pop(tx.station_tx, None)
    context.memory.delivered.pop(tx.station_tx, None)
    beginnings.forget(context, tx)
    for page in (Page.STOP_TAGS, Page.TO_STOP):
        context.books.page(page).pop(tx.station_tx, None)


def _name_a_payer(context: Context, tx: Transaction) -> None:
    if tx.id_tag is None:
        tx.id_tag = context.settings.default_id_tag
        context.note("no-token", f"energy flowed without a token; it goes to the backend under {tx.id_tag!r}")


async def _learn_start(context: Context, tx: Transaction, event: TransactionEvent) -> None:
    await _learn_place(context, tx, event)
    tag = _id_tag(context, event)
    if tag is not None and (tx.id_tag is None or (tx.deauthorized and event.trigger != "StopAuthorized")):
        tx.id_tag, tx.deauthorized = tag, False
    if event.kind == "Started" or tx.started_at is None:
        was_seen = event.kind == "Started"
        tx.started_at = event.timestamp if was_seen else (event.registers.begin_at or event.timestamp)
    if event.registers.begin is not None:
        tx.meter_start = event.registers.begin
    elif (tx.meter_start is None or event.seq_no < tx.last_seq_no) and event.registers.first is not None:
        tx.meter_start = _register_before(context, tx, event.registers.first)
    tx.reservation_id = event.reservation_id if event.reservation_id is not None else tx.reservation_id
    tx.remote_start_id = event.remote_start_id if event.remote_start_id is not None else tx.remote_start_id


def _register_before(context: Context, tx: Transaction, first: int) -> int:
    """Return where a transaction began of which ``first`` is the first register that came, and not with the begin."""
    if not tx.energy_flowed:
        return first
    before = _last_register(context.books, tx)
    if before is None:
        context.note(
            "meter-start", "a transaction's first energy register came when energy had flowed; it begins there"
        )
    return first if before is None else before


async def _learn_place(context: Context, tx: Transaction, event: TransactionEvent) -> None:
    """An EVSE without its connector says nothing new, nor which of several the cable will be in."""
    if event.evse_id is None:
        return
    tx.evse_id = event.evse_id
    if event.connector_id is None and (tx.connector_id is not None or is_one_of_several(context.books, event.evse_id)):
        return
    tx.connector_id = (await locate(context, event.evse_id, event.connector_id)).number


def _id_tag(context: Context, event: TransactionEvent) -> str | None:
    """Return the event's own token as idTag, else the one of the remote start that it names."""
    # Not worth a write: an entry that is there again after a restart fits no other transaction.
    asked_for = context.books.page(Page.REMOTE_STARTS).pop(str(event.remote_start_id), None)
    return tag_for(context, event.token) if event.token is not None else asked_for


def _is_another(known: Transaction, event: TransactionEvent) -> bool:
    """Return whether the station begins a new transaction under an old id: it must not, but it is a session.

    A repeated Started is identical, its time included. Raises :class:`CallError` GenericError, so that the station
    tries again, while the old one's stop hasn't been delivered yet.
    """
    begins_later = (
        event.kind == "Started"
        and known.is_over
        and known.started_at is not None
        and in_order(event.timestamp) > in_order(known.started_at)
    )
    if begins_later and known.state is TransactionState.STOPPING:
        raise CallError(ErrorCode.GENERIC_ERROR, "an older transaction with this transactionId isn't settled yet")
    return begins_later


def _last_register(books: Books, tx: Transaction) -> int | None:
    """Return the register that was last seen at the transaction's EVSE, in this process or in the ledger's memory."""
    if tx.evse_id is None:
        return None
    seen: int | None = books.page(Page.REGISTERS).get(str(tx.evse_id))
    if seen is not None:
        return seen
    newest_first = (other for other in reversed(books.transactions.values()) if other.evse_id == tx.evse_id)
    return next((other.last_register for other in newest_first if other.last_register is not None), None)


async def _make_room(context: Context) -> None:
    """Keep the books bounded, whatever a station makes up."""
    transactions = list(context.books.transactions.values())
    held = [tx for tx in transactions if tx.state is _HELD]
    for tx in held[: max(0, len(held) - HELD_MAX + 1)]:
        context.note("held-too-long", "a transaction without a token was given up: too many began after it")
        await context.ledger.close(tx)
    ended = [tx for tx in transactions if tx.state is TransactionState.ENDED]
    for tx in ended[: max(0, len(ended) - ENDED_MAX)]:
        forget(context, tx)
