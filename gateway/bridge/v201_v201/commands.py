"""Commands of the backend that are about a transaction: only about one of this very station (attack A7)."""

from typing import Final

from gateway.bridge.books import Json, Page
from gateway.bridge.v201_v201.context import Context
from gateway.wire.errors import CallError

REMOTE_STARTS_MAX: Final = 100
"""Tokens of remote starts that are kept in mind for one station; the oldest is forgotten."""


async def request_start(context: Context, payload: Json) -> Json:
    """RequestStartTransaction, relayed. Its token is kept in mind: the station may ask about it, without a proof (F01).

    Not worth a write of its own: it goes to the store with the next change of the books. A start that the station
    refuses is none.
    """
    start_id = str(payload["remoteStartId"])
    remote_starts = context.books.page(Page.REMOTE_STARTS)
    while len(remote_starts) >= REMOTE_STARTS_MAX:
        del remote_starts[next(iter(remote_starts))]
    remote_starts[start_id] = payload["idToken"]["idToken"]
    context.books.changed(Page.REMOTE_STARTS)
    try:
        answer = await context.call_station("RequestStartTransaction", payload)
    except CallError:
        forget_remote_start(context, start_id)
        raise
    if answer["status"] != "Accepted":
        forget_remote_start(context, start_id)
    return answer


async def request_stop(context: Context, payload: Json) -> Json:
    """RequestStopTransaction, of a transaction of this station that still runs."""
    if not _runs(context, payload["transactionId"]):
        return _no_such_transaction()
    return await context.call_station("RequestStopTransaction", payload)


async def set_charging_profile(context: Context, payload: Json) -> Json:
    """SetChargingProfile; where it names a transaction, that is one of this station that still runs (K01)."""
    transaction = payload["chargingProfile"].get("transactionId")
    if transaction is not None and not _runs(context, transaction):
        return _no_such_transaction()
    return await context.call_station("SetChargingProfile", payload)


async def get_transaction_status(context: Context, payload: Json) -> Json:
    """GetTransactionStatus: what waits in the journal is in the queue too (E14)."""
    answer = await context.call_station("GetTransactionStatus", payload)
    return answer if context.ledger.is_clear else {**answer, "messagesInQueue": True}


def forget_remote_start(context: Context, start_id: str) -> None:
    """Its transaction has begun, or the station refused it: its token needs its own proof from now on."""
    if context.books.page(Page.REMOTE_STARTS).pop(start_id, None) is not None:
        context.books.changed(Page.REMOTE_STARTS)


def _runs(context: Context, transaction: str) -> bool:
    tx = context.books.transactions.get(transaction)
    return tx is not None and not tx.is_over


def _no_such_transaction() -> Json:
    return {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
