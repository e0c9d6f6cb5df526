"""The charging transactions of a station, written within the journal's SQL transactions."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, union_all, update

from gateway.bridge.books import Transaction, TransactionState
from gateway.store.hot import HotStatement
from gateway.store.models import TransactionRow

ENDED_KEPT_IN_BOOKS: Final = 100
"""Ended transactions of a station that are read back, the newest; more are of no use to a bridge."""

_FIELDS: Final = tuple(field.name for field in fields(Transaction))
_LIVE_STATES: Final = tuple(state.value for state in TransactionState if state is not TransactionState.ENDED)

_STATES: Final = {state.value: state for state in TransactionState}

_INSERT: Final = insert(TransactionRow)
_UPDATE: Final = update(TransactionRow).where(
    TransactionRow.identity == bindparam("of_identity"), TransactionRow.station_tx == bindparam("of_station_tx")
)
_OF_STATION: Final = select(TransactionRow.id, *(getattr(TransactionRow, name) for name in _FIELDS)).where(
    TransactionRow.identity == bindparam("of_identity")
)
_THE_ONE: Final = _OF_STATION.where(TransactionRow.station_tx == bindparam("of_station_tx"))
_LIVE: Final = _OF_STATION.where(TransactionRow.state.in_(_LIVE_STATES))
_ENDED: Final = (
    _OF_STATION.where(TransactionRow.state == TransactionState.ENDED.value)
    .order_by(TransactionRow.id.desc())
    .limit(ENDED_KEPT_IN_BOOKS)
    .subquery()
)
_IN_BOOKS: Final = HotStatement(union_all(_LIVE, select(_ENDED)))


def row_of(tx: Transaction) -> dict[str, Any]:
    """Return the columns of ``tx`` as it is now: the caller may change it before the row is written."""
    row = {name: getattr(tx, name) for name in _FIELDS}
    row["state"] = tx.state.value
    return row


def write_row(connection: Connection, identity: str, row: dict[str, Any]) -> None:
    """Insert or update a transaction. The caller holds the station's row, so that no other inserts the same."""
    changes = {**row, "of_identity": identity, "of_station_tx": row["station_tx"]}
    del changes["station_tx"]  # what isn't set leaves its index alone
    if connection.execute(_UPDATE, changes).rowcount == 0:
        connection.execute(_INSERT, {"identity": identity, **row})


def read_all(connection: Connection, identity: str) -> Sequence[Transaction]:
    """Return all transactions that aren't ended and the newest that are, in the order in which they began."""
    rows = _IN_BOOKS.all(connection, {"of_identity": identity})
    return [_transaction(row) for row in sorted(rows, key=lambda row: int(row.id))]


def read_one(connection: Connection, identity: str, station_tx: str) -> Transaction | None:
    """Return one transaction, however long ago it ended, or None."""
    row = connection.execute(_THE_ONE, {"of_identity": identity, "of_station_tx": station_tx}).first()
    return None if row is None else _transaction(row)


def _transaction(row: Any) -> Transaction:
    """Make one of a row of _OF_STATION. By place: by name it takes twice as long, and who comes may have a hundred."""
    _, station_tx, state, *others = row
    return Transaction(station_tx, _STATES[state], *others)
