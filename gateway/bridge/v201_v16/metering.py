"""MeterValues outside a transaction (OCPP 2.0.1 J01): relayed without a transactionId."""

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.v201_v16.connectors import locate
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.samples import measured

_REGISTERS = Page.REGISTERS


async def relay_meter_values(context: Context, payload: Json) -> Json:
    """MeterValues of the station; evseId 0 is the main meter, connectorId 0.

    No session depends on them: while the backend is away they are dropped.
    """
    evse_id: int = payload["evseId"]
    values, registers = measured(payload["meterValue"], context.note)
    last = registers.last
    number = (await locate(context, evse_id, None)).number if evse_id != 0 else 0
    if last is not None and evse_id != 0:
        note_register(context.books, evse_id, last)
    if values:
        await context.ask_backend("MeterValues", {"connectorId": number, "meterValue": values})
    return {}


def restore(books: Books) -> None:
    """A transaction's register is saved with its start and stop, the page now and then: the further one is newer.

    Of each EVSE's transactions only the newest counts: its meter may have been swapped since the others.
    """
    registers = books.page(_REGISTERS)
    newest = {
        str(tx.evse_id): tx.last_register
        for tx in books.transactions.values()
        if tx.evse_id is not None and tx.last_register is not None
    }
    for evse_id, wh in newest.items():
        registers[evse_id] = max(registers.get(evse_id, wh), wh)


def note_register(books: Books, evse_id: int, wh: int) -> None:
    """Remember where the meter of an EVSE stands: a transaction without a register of its own begins there."""
    books.page(_REGISTERS)[str(evse_id)] = wh
    books.changed(_REGISTERS)
