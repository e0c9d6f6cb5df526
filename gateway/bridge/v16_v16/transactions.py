"""StartTransaction, StopTransaction and MeterValues of a 1.6 charge point: once each, and only of its own transactions.

A charge point queues these messages by itself while it is offline, and repeats identically what was not answered
(OCPP 1.6, 3.7.1). So a start waits at the station until the backend takes it: no transactionId is ever made up. A stop
and the meter values of a transaction that the backend knows go through the ledger.

A transaction belongs to the station that opened it through Voltgate (attack A7). What names another one is set aside
for a person: the backend never hears it, and it isn't lost. So are the stop and the meter values of a transaction that
the station had opened before Voltgate stood in front of it: nobody can tell them from a stranger's. And so is what it
says late of one that ended at the backend which it had before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.bridge.books import Books, Json, Transaction, TransactionState
from gateway.bridge.former_transactions import set_former_aside
from gateway.bridge.ledger_words import addressed
from gateway.bridge.ports import FOREIGN_TRANSACTION, NotSent, PeerUnavailable
from gateway.bridge.v16_v16.context import Context

RUNNING_MAX: Final = 100
"""Running transactions of one station; it has as many connectors at most. The oldest is one that the station lost."""
ENDED_MAX: Final = 100
"""Ended transactions of one station that stay known for repeated messages; the store reloads as many."""
NEVER_STARTED: Final = -1
"""transactionId of a StopTransaction whose start the backend never took (OCPP 1.6 errata)."""
OF_NO_TRANSACTION: Final = frozenset({0, -1})
"""transactionId by which some charge points say in MeterValues that there is none."""


async def start_transaction(context: Context, payload: Json, key: str = "") -> Json:
    """StartTransaction: straight to the backend; the station is answered when the transaction is on disk.

    ``key``: what the station calls it by now, because a person had to let it go; empty: what the backend will call it.

    A repetition of a running transaction's start is answered from the books, even while the backend is away: the
    backend has it, so what a second one could bring is a second transaction, at a backend that doesn't compare.

    Raises :class:`PeerUnavailable` while the backend can't take it, or something older waits for it.
    """
    known = _started_by(context.books, payload)
    if known is not None:
        return _answer_again(context, known, payload)
    if not context.ledger.may_begin:
        raise NotSent("it is away, or older messages of this station wait for it")
    await _make_room(context)
    conf = await context.call_backend("StartTransaction", payload)
    tx = Transaction(
        key or _free_key(context.books, conf["transactionId"]),
        TransactionState.OPEN,
        backend_tx=conf["transactionId"],
        connector_id=payload["connectorId"],
        id_tag=payload["idTag"],
        started_at=payload["timestamp"],
        meter_start=payload["meterStart"],
        reservation_id=payload.get("reservationId"),
        deauthorized=conf["idTagInfo"]["status"] != "Accepted",
    )
    await context.ledger.hold(tx)
    context.books.transactions.pop(tx.station_tx, None)
    context.books.transactions[tx.station_tx] = tx
    context.memory.last_start = payload, conf
    return conf


async def stop_transaction(context: Context, payload: Json) -> Json:
    """StopTransaction, through the ledger; ``idTagInfo`` is in the answer if the backend has given it by then.

    A repetition is answered and not delivered again. Raises what the ledger raises: the station must not be answered.
    """
    repeated, answer = context.memory.last_stop
    if payload == repeated:
        return answer
    number: int = payload["transactionId"]
    if (tx := context.books.by_station_number(number)) is not None:
        answer = await _stop(context, tx, payload)
    elif (tx := _ended(context.books, number)) is not None:
        answer = await _stop_again(context, tx, payload)
    elif number == NEVER_STARTED:
        answer = await _stop_unstarted(context, payload)
    else:
        await _set_foreign_aside(context, "StopTransaction", payload)
        answer = {}
    context.memory.last_stop = payload, answer
    return answer


async def meter_values(context: Context, payload: Json) -> Json:
    """MeterValues; of a running transaction through the ledger. No session depends on others: they may get lost.

    Raises what the ledger raises: the station must not be answered.
    """
    number = payload.get("transactionId")
    if number is None:
        return await _relay(context, payload)
    tx = context.books.by_station_number(number)
    if tx is not None:
        await context.ledger.meter(tx, _without_number(payload))
        return {}
    if (tx := _ended(context.books, number)) is not None:
        if context.books.belongs_before(tx):
            return await set_former_aside(context.ledger, context.note, "MeterValues", payload, number)
        return await _relay(context, addressed("MeterValues", payload, tx))
    if number in OF_NO_TRANSACTION:
        return await _relay(context, _without_number(payload))
    await _set_foreign_aside(context, "MeterValues", payload)
    return {}


async def released(context: Context, action: str, payload: Json) -> None:
    """StopTransaction, or MeterValues of a transaction, that a person has let go, some time after it came.

    What is of no running transaction goes straight to the backend, under the number that this one knows. Raises what
    the ledger raises, :class:`PeerUnavailable` and CallError.
    """
    number: int = payload["transactionId"]
    if (tx := context.books.by_station_number(number)) is not None:
        deliver = context.ledger.meter if action == "MeterValues" else context.ledger.stop
        with _unless_kept(tx):
            tx.last_register = payload.get("meterStop", tx.last_register)
            await deliver(tx, _without_number(payload))
        return
    tx = _ended(context.books, number)
    if tx is None:
        await context.call_backend(action, payload)
    elif action == "MeterValues" or tx.last_register != payload["meterStop"]:  # the same stop again is a repetition
        await context.call_backend(action, addressed(action, payload, tx))


async def remote_stop(context: Context, payload: Json) -> Json:
    """RemoteStopTransaction, for any transactionId: a station refuses one that it doesn't know.

    It alone knows those that it had opened before Voltgate stood in front of it.
    """
    return await context.call_station("RemoteStopTransaction", _as_the_station_says(context.books, payload))


async def set_charging_profile(context: Context, payload: Json) -> Json:
    """SetChargingProfile; the transaction that it may be for has the station's number there."""
    profile = _as_the_station_says(context.books, payload["csChargingProfiles"])
    return await context.call_station("SetChargingProfile", {**payload, "csChargingProfiles": profile})


def _as_the_station_says(books: Books, named: Json) -> Json:
    """Return an object of the backend's with the number that the station knows its transaction by."""
    tx = books.by_backend_tx(named["transactionId"]) if "transactionId" in named else None
    return named if tx is None else {**named, "transactionId": tx.station_number}


def _started_by(books: Books, payload: Json) -> Transaction | None:
    """Return the running transaction that an identical StartTransaction.req began, or None."""
    for tx in reversed(books.transactions.values()):
        if (
            tx.started_at == payload["timestamp"]
            and tx.id_tag == payload["idTag"]
            and tx.connector_id == payload["connectorId"]
            and tx.meter_start == payload["meterStart"]
            and tx.backend_tx is not None
            and not tx.is_over
        ):
            return tx
    return None


def _answer_again(context: Context, tx: Transaction, payload: Json) -> Json:
    """Return the conf; after a restart, without what of it only the station needs to know: expiry and parent."""
    asked, conf = context.memory.last_start
    if asked == payload and conf["transactionId"] == tx.station_number:
        return conf
    return {"transactionId": tx.station_number, "idTagInfo": {"status": "Invalid" if tx.deauthorized else "Accepted"}}


def _free_key(books: Books, number: int) -> str:
    """Return the key for a new transaction that the backend calls ``number``: ``"17"``, or ``"17/2"``.

    There are backends that use a number again, or give everybody 0. One that has ended makes room; one that still runs
    is kept beside the new one, so that neither's stop is taken for the other's repetition.
    """
    key, count = str(number), 1
    while (known := books.transactions.get(key)) is not None and known.state is not TransactionState.ENDED:
        count += 1
        key = f"{number}/{count}"
    return key


def _ended(books: Books, number: int) -> Transaction | None:
    """Return this station's transaction ``number`` that ended last, or None."""
    for tx in reversed(books.transactions.values()):
        if number in {tx.backend_tx, tx.station_number} and tx.is_over:
            return tx
    return None


async def _stop(context: Context, tx: Transaction, payload: Json) -> Json:
    with _unless_kept(tx):
        tx.last_register = payload["meterStop"]
        conf = await context.ledger.stop(tx, _without_number(payload))
    return {} if conf is None else conf


async def _stop_again(context: Context, tx: Transaction, payload: Json) -> Json:
    """With as many Wh as before it is a repetition from before a restart. Else it is news, and the station's own."""
    if tx.last_register == payload["meterStop"]:
        return {}
    if context.books.belongs_before(tx):
        return await set_former_aside(context.ledger, context.note, "StopTransaction", payload, tx.backend_tx)
    context.note("stopped-twice", "a transaction was stopped twice with different registers; the backend hears both")
    return await _stop(context, tx, payload)


async def _stop_unstarted(context: Context, payload: Json) -> Json:
    """A session whose start the backend never took: there is no other trace of it, so it is delivered, with -1."""
    key = f"{NEVER_STARTED} {payload['timestamp']} {payload['meterStop']}"
    tx = context.books.transactions.get(key)
    if tx is None:
        if context.ledger.is_clear:
            await _make_room(context)
        tx = context.books.transactions[key] = Transaction(key, TransactionState.UNSTARTED, id_tag=payload.get("idTag"))
    return {} if tx.is_over else await _stop(context, tx, payload)


@contextmanager
def _unless_kept(tx: Transaction) -> Iterator[None]:
    """A ledger that raises has kept nothing: then the books say so too, for the station's repetition."""
    before = tx.state, tx.last_register
    try:
        yield
    except Exception:
        tx.state, tx.last_register = before
        raise


async def _relay(context: Context, payload: Json) -> Json:
    try:
        return await context.call_backend("MeterValues", payload)
    except PeerUnavailable:
        return {}


async def _set_foreign_aside(context: Context, action: str, payload: Json) -> None:
    number = payload["transactionId"]
    reason = f"transaction {number} was not opened by this station through Voltgate"
    await context.ledger.set_aside(action, payload, reason)
    context.note(
        "foreign-transaction",
        f"{reason}: what it says of it is set aside for a person. It may have begun before Voltgate stood in front of "
        "this station",
    )
    context.report(FOREIGN_TRANSACTION, f"{action}: {reason}")


async def _make_room(context: Context) -> None:
    """Keep the books bounded, whatever is made up."""
    running = [tx for tx in context.books.transactions.values() if not tx.is_over]
    for tx in running[: max(0, len(running) - RUNNING_MAX + 1)]:
        context.note("never-stopped", "a transaction was given up that never ended: too many began after it")
        await context.ledger.close(tx)
    # One whose stop is in the journal stays: that refers to it.
    ended = [tx for tx in context.books.transactions.values() if tx.state is TransactionState.ENDED]
    for tx in ended[: max(0, len(ended) - ENDED_MAX)]:
        del context.books.transactions[tx.station_tx]


def _without_number(payload: Json) -> Json:
    return {name: value for name, value in payload.items() if name != "transactionId"}
