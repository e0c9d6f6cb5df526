"""The journal of messages that move money, with the transactions they are about.

Each writing method is one SQL transaction that begins by locking the station's row under the caller's epoch: a stale
owner is refused even in a race with the take-over, and the messages of a station get ascending ids.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, exists, insert, select, update

from gateway.bridge.books import Json, Transaction
from gateway.session.ports import JournalEntry, JournalFull, Register, StaleEpoch
from gateway.store.columns import from_json_text, json_text, utc_now
from gateway.store.database import Database
from gateway.store.models import JournalRow, RefusedRow, Station, TransactionRow
from gateway.store.transactions import read_all, row_of, write_row

JOURNAL_MAX: Final = 10_000
"""Messages of one station that wait for the backend at most, and that a station may have set aside at most."""
REASON_MAX: Final = 1000
"""Characters kept of the reason why a message was refused."""

_OWN: Final = update(Station).where(
    Station.identity == bindparam("of_identity"), Station.epoch == bindparam("of_epoch")
)
_HOLD: Final = _OWN.values(epoch=Station.epoch)
_COUNT_UP: Final = _OWN.where(Station.pending < bindparam("of_limit")).values(pending=Station.pending + 1)
_COUNT_DOWN: Final = _OWN.values(pending=Station.pending - 1)
_COUNT_BACK: Final = _OWN.values(pending=Station.pending + 1)

_REGISTER: Final = (
    update(TransactionRow)
    .where(
        TransactionRow.identity == bindparam("of_identity"),
        TransactionRow.station_tx == bindparam("of_station_tx"),
        exists().where(Station.identity == bindparam("of_identity"), Station.epoch == bindparam("of_epoch")),
    )
    .values(last_register=bindparam("to_register"))
)

_THE_ENTRY: Final = (JournalRow.id == bindparam("of_id"), JournalRow.identity == bindparam("of_identity"))
_APPEND: Final = insert(JournalRow)
_DROP: Final = delete(JournalRow).where(*_THE_ENTRY)
_RETRY: Final = update(JournalRow).where(*_THE_ENTRY).values(attempts=JournalRow.attempts + 1)
_ENTRY: Final = (
    JournalRow.id,
    JournalRow.identity,
    JournalRow.station_tx,
    JournalRow.action,
    JournalRow.payload,
    JournalRow.attempts,
)
_PENDING: Final = (
    select(*_ENTRY)
    .where(JournalRow.identity == bindparam("of_identity"))
    .order_by(JournalRow.id)
    .limit(bindparam("at_most"))
)
_PENDING_BESIDE: Final = _PENDING.where(JournalRow.station_tx.not_in(bindparam("beside", expanding=True)))
_DEPTHS: Final = select(Station.identity, Station.pending).where(Station.pending > 0)

_REFUSED: Final = (
    RefusedRow.id,
    RefusedRow.identity,
    RefusedRow.station_tx,
    RefusedRow.action,
    RefusedRow.payload,
    RefusedRow.attempts,
    RefusedRow.reason,
    RefusedRow.recorded_at,
    RefusedRow.refused_at,
)
_SET_ASIDE: Final = insert(RefusedRow).from_select(
    [column.key for column in _REFUSED],
    select(
        *_ENTRY,
        bindparam("why", type_=RefusedRow.reason.type),
        JournalRow.recorded_at,
        bindparam("now", type_=RefusedRow.refused_at.type),
    ).where(*_THE_ENTRY),
)
_ASIDE: Final = select(
    exists(
        select(RefusedRow.id)
        .where(RefusedRow.identity == bindparam("of_identity"))
        .order_by(RefusedRow.id)
        .offset(bindparam("of_limit") - 1)
        .limit(1)
    )
)
"""True when as many messages of the station are set aside as may be; the index answers it."""
_ALL_REFUSED: Final = select(*_REFUSED).order_by(RefusedRow.id)
_REFUSED_OF: Final = _ALL_REFUSED.where(RefusedRow.identity == bindparam("of_identity"))


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """One message that the backend refused for good or must never hear, set aside for a person to look at.

    ``id`` comes out of the journal's numbers. ``station_tx`` is, of a message that was never in the journal, the
    transactionId that it names.
    """

    id: int
    identity: str
    station_tx: str
    action: str
    payload: Json
    attempts: int
    reason: str
    recorded_at: datetime
    refused_at: datetime


class Journal:
    """The journals of all stations, at most ``limit`` messages each.

    To settle, retry or refuse an entry that isn't there any more changes no journal and raises nothing: after an answer
    of the database got lost, the caller may say it again.
    """

    def __init__(self, database: Database, limit: int = JOURNAL_MAX, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._limit = limit
        self._clock = clock

    async def transactions(self, identity: str) -> Sequence[Transaction]:
        """Return the station's transactions in the order in which they began: all live ones, the newest 100 ended."""
        return await self._database.read(lambda connection: read_all(connection, identity))

    async def save(self, identity: str, epoch: int, tx: Transaction) -> None:
        """Insert or update one transaction. Raises StaleEpoch."""
        row = row_of(tx)

        def work(connection: Connection) -> None:
            _own(connection, _HOLD, identity, epoch)
            write_row(connection, identity, row)

        await self._database.write(work)

    async def save_registers(self, registers: Sequence[Register]) -> None:
        """Note registers of many stations' transactions in one SQL transaction; a stale owner's are passed over."""
        rows = [
            {
                "of_identity": each.identity,
                "of_epoch": each.epoch,
                "of_station_tx": each.station_tx,
                "to_register": each.wh,
            }
            for each in registers
        ]

        def work(connection: Connection) -> None:
            for row in rows:
                connection.execute(_REGISTER, row)

        await self._database.write(work)

    async def append(self, identity: str, epoch: int, tx: Transaction, action: str, payload: Json) -> JournalEntry:
        """Insert or update the transaction and append a message about it. Raises StaleEpoch, JournalFull.

        Both are written as they are at the call, and the entry's payload is what was written.
        """
        row = row_of(tx)
        text = json_text(payload)
        entry = {
            "identity": identity,
            "station_tx": tx.station_tx,
            "action": action,
            "payload": text,
            "attempts": 0,
            "recorded_at": self._clock(),
        }

        def work(connection: Connection) -> int:
            self._count_up(connection, identity, epoch)
            write_row(connection, identity, row)
            key = connection.execute(_APPEND, entry).inserted_primary_key
            return int(key[0])  # type: ignore[index]  # None is for the INSERT of several rows

        entry_id = await self._database.write(work)
        return JournalEntry(entry_id, identity, tx.station_tx, action, from_json_text(text), 0)

    async def settle(self, entry: JournalEntry, epoch: int, tx: Transaction) -> None:
        """The backend has answered ``entry``: remove it and update the transaction. Raises StaleEpoch."""
        row = row_of(tx)

        def work(connection: Connection) -> None:
            _own(connection, _COUNT_DOWN, entry.identity, epoch)
            _drop(connection, entry, epoch)
            write_row(connection, entry.identity, row)

        await self._database.write(work)

    async def retry(self, entry: JournalEntry, epoch: int) -> None:
        """Count one more attempt of ``entry``. Raises StaleEpoch."""

        def work(connection: Connection) -> None:
            _own(connection, _HOLD, entry.identity, epoch)
            connection.execute(_RETRY, _key(entry))

        await self._database.write(work)

    async def refuse(self, entry: JournalEntry, epoch: int, tx: Transaction, reason: str) -> None:
        """The backend refuses ``entry`` for good: set it aside with the reason, and update the transaction.

        Raises StaleEpoch.
        """
        row = row_of(tx)
        aside = {
            **_key(entry),
            "why": _clean(reason),
            "now": self._clock(),
        }

        def work(connection: Connection) -> None:
            _own(connection, _COUNT_DOWN, entry.identity, epoch)
            connection.execute(_SET_ASIDE, aside)
            _drop(connection, entry, epoch)
            write_row(connection, entry.identity, row)

        await self._database.write(work)

    async def set_aside(self, identity: str, epoch: int, action: str, payload: Json, reason: str) -> None:
        """Keep a message that must not reach the backend. Raises StaleEpoch, JournalFull at ``limit`` kept ones."""
        now = self._clock()
        entry = {
            "identity": identity,
            "station_tx": str(payload.get("transactionId", "")),
            "action": action,
            "payload": json_text(payload),
            "attempts": 0,
            "recorded_at": now,
        }

        def work(connection: Connection) -> None:
            _own(connection, _HOLD, identity, epoch)
            if connection.execute(_ASIDE, {"of_identity": identity, "of_limit": self._limit}).scalar_one():
                raise JournalFull(f"{self._limit} messages of station {identity!r} are set aside, the bound")
            # Through the journal, within one SQL transaction: its numbers are the ids, and none is used twice.
            (number,) = connection.execute(_APPEND, entry).inserted_primary_key  # type: ignore[misc]  # as in append
            key = {"of_id": number, "of_identity": identity}
            connection.execute(_SET_ASIDE, {**key, "why": _clean(reason), "now": now})
            connection.execute(_DROP, key)

        await self._database.write(work)

    async def pending(self, identity: str, limit: int = 100, *, beside: Sequence[str] = ()) -> Sequence[JournalEntry]:
        """Return the first ``limit`` entries of the station's journal, oldest first.

        Those of the transactions ``beside``, by the station's name for them, are left out.
        """
        statement = _PENDING_BESIDE if beside else _PENDING
        key = {"of_identity": identity, "at_most": limit} | ({"beside": list(beside)} if beside else {})
        rows = await self._database.read(lambda connection: connection.execute(statement, key).mappings().all())
        return [JournalEntry(**_with_payload(row)) for row in rows]

    async def depths(self) -> dict[str, int]:
        """Return the number of pending entries per identity, for those that have any."""
        rows = await self._database.read(lambda connection: connection.execute(_DEPTHS).all())
        return {row.identity: row.pending for row in rows}

    async def refused(self, identity: str | None = None) -> Sequence[RefusedMessage]:
        """Return what was set aside, of one station or of all, oldest first."""
        statement = _ALL_REFUSED if identity is None else _REFUSED_OF
        key = {} if identity is None else {"of_identity": identity}
        rows = await self._database.read(lambda connection: connection.execute(statement, key).mappings().all())
        return [RefusedMessage(**_with_payload(row)) for row in rows]

    def _count_up(self, connection: Connection, identity: str, epoch: int) -> None:
        key = {"of_identity": identity, "of_epoch": epoch, "of_limit": self._limit}
        if connection.execute(_COUNT_UP, key).rowcount:
            return
        _own(connection, _HOLD, identity, epoch)
        raise JournalFull(f"the journal of station {identity!r} holds {self._limit} messages, its bound")


def _own(connection: Connection, statement: Any, identity: str, epoch: int) -> None:
    if connection.execute(statement, {"of_identity": identity, "of_epoch": epoch}).rowcount == 0:
        raise StaleEpoch(f"station {identity!r} has another owner than epoch {epoch}")


def _drop(connection: Connection, entry: JournalEntry, epoch: int) -> None:
    """Remove the entry, which was counted down already; one that is gone is counted up again."""
    if connection.execute(_DROP, _key(entry)).rowcount == 0:
        _own(connection, _COUNT_BACK, entry.identity, epoch)


def _clean(reason: str) -> str:
    """Cut to ``REASON_MAX``, and replace NUL, which PostgreSQL can't hold: a reason may be a backend's own text."""
    return reason[:REASON_MAX].replace("\0", "\N{REPLACEMENT CHARACTER}")


def _key(entry: JournalEntry) -> dict[str, Any]:
    return {"of_id": entry.id, "of_identity": entry.identity}


def _with_payload(row: RowMapping) -> dict[str, Any]:
    values = dict(row)
    values["payload"] = from_json_text(values["payload"])
    return values
