"""What a station measured with the begin of a transaction: StartTransaction has room for the register alone.

The rest goes as MeterValues behind it, as OCA's note "Signed Meter Values" has it for signed ones. Where the start is
held, the page keeps it until then.
"""

from typing import Final

from gateway.bridge.books import Json, Page, Transaction
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.samples import REGISTER

_PAGE = Page.BEGINNINGS

BEGINNINGS_MAX: Final = 20
"""Transactions of one station whose begin is kept; each may have some KB of signatures."""


def more_than_register(values: list[Json]) -> bool:
    """Return whether ``values``, of 1.6, say more than StartTransaction's meterStart does."""
    return any(
        sample.get("format") == "SignedData" or sample.get("measurand", REGISTER) != REGISTER
        for value in values
        for sample in value["sampledValue"]
    )


def keep(context: Context, tx: Transaction, values: list[Json]) -> None:
    """Keep what a Started event measured, until the start is delivered."""
    if more_than_register(values):
        context.memory.beginnings[tx.station_tx] = values


async def save(context: Context, tx: Transaction) -> None:
    """The transaction is held: what it began with must outlive the process."""
    values = context.memory.beginnings.pop(tx.station_tx, None)
    if values is None:
        return
    kept = context.books.page(_PAGE)
    kept[tx.station_tx] = values
    while len(kept) > BEGINNINGS_MAX:
        del kept[next(iter(kept))]
        context.note("beginnings", "too many transactions wait for their start: what the oldest measured is left out")
    await context.save_page_now(_PAGE)


def of(context: Context, tx: Transaction) -> list[Json]:
    """Return what is kept of a transaction's begin."""
    found: list[Json] | None = context.memory.beginnings.get(tx.station_tx)
    return found if found is not None else context.books.page(_PAGE).get(tx.station_tx, [])


def forget(context: Context, tx: Transaction) -> None:
    """It is delivered."""
    context.memory.beginnings.pop(tx.station_tx, None)
    if context.books.page(_PAGE).pop(tx.station_tx, None) is not None:
        context.books.changed(_PAGE)
