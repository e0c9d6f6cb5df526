"""The journal of messages that move money, with the transactions they are about.

Each writing method is one SQL transaction that begins by locking the station's row under the caller's epoch: a stale
owner is refused even in a race with the take-over, and the messages of a station get ascending ids.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, exists, insert, select, update

from gateway.bridge.books import Json, Transaction
from gateway.session.ports import JournalEntry, JournalFull, Register
from gateway.session.quarantine import Why
from gateway.store.columns import from_json_text, json_text, utc_now
from gateway.store.database import Database
from gateway.store.epochs import HOLD, OF_OWNER, own
from gateway.store.models import JournalRow, Station, TransactionRow
from gateway.store.quarantine import QUARANTINE_MAX, keep_refused
from gateway.store.transactions import read_all, row_of, write_row

JOURNAL_MAX: Final = 10_000
"""Messages of one station that wait for the backend at most."""

_COUNT_UP: Final = OF_OWNER.where(Station.pending < bindparam("of_limit")).values(pending=Station.pending + 1)
_COUNT_DOWN: Final = OF_OWNER.values(pending=Station.pending - 1)
_COUNT_BACK: Final = OF_OWNER.values(pending=Station.pending + 1)

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
    JournalRow.released,
)
_PENDING: Final = (
    select(*_ENTRY)
    .where(JournalRow.identity == bindparam("of_identity"))
    .order_by(JournalRow.id)
    .limit(bindparam("at_most"))
)
_PENDING_BESIDE: Final = _PENDING.where(JournalRow.station_tx.not_in(bindparam("beside", expanding=True)))
_DEPTHS: Final = select(Station.identity, Station.pending).where(Station.pending > 0)


class Journal:
    """The journals of all stations, at most ``limit`` messages each, and ``quarantine_limit`` in the quarantine beside.

    To settle, retry or refuse an entry that isn't there any more changes no journal and raises nothing: after an answer
    of the database got lost, the caller may say it again.
    """

    def __init__(
        self,
        database: Database,
        limit: int = JOURNAL_MAX,
        clock: Callable[[], datetime] = utc_now,
        *,
        quarantine_limit: int = QUARANTINE_MAX,
    ) -> None:
        self._database = database
        self._limit = limit
        self._quarantine_limit = quarantine_limit
        self._clock = clock

    async def transactions(self, identity: str) -> Sequence[Transaction]:
        """Return the station's transactions in the order in which they began: all live ones, the newest 100 ended."""
        return await self._database.read(lambda connection: read_all(connection, identity))

    async def save(self, identity: str, epoch: int, tx: Transaction) -> None:
        """Insert or update one transaction. Raises StaleEpoch."""
        row = row_of(tx)

        def work(connection: Connection) -> None:
            own(connection, HOLD, identity, epoch)
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

    async def append(
        self, identity: str, epoch: int, tx: Transaction, action: str, payload: Json, *, released: bool = False
    ) -> JournalEntry:
        """Insert or update the transaction and append a message about it. Raises StaleEpoch, JournalFull.

        ``released``: a person has let it go, and no policy denies it any more. Both are written as they are at the
        call, and the entry's payload is what was written.
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
            "released": released,
        }

        def work(connection: Connection) -> int:
            self._count_up(connection, identity, epoch)
            write_row(connection, identity, row)
            key = connection.execute(_APPEND, entry).inserted_primary_key
            return int(key[0])  # type: ignore[index]  # None is for the INSERT of several rows

        entry_id = await self._database.write(work)
        return JournalEntry(entry_id, identity, tx.station_tx, action, from_json_text(text), 0, released)

    async def settle(self, entry: JournalEntry, epoch: int, tx: Transaction) -> None:
        """The backend has answered ``entry``: remove it and update the transaction. Raises StaleEpoch."""
        row = row_of(tx)

        def work(connection: Connection) -> None:
            own(connection, _COUNT_DOWN, entry.identity, epoch)
            _drop(connection, entry, epoch)
            write_row(connection, entry.identity, row)

        await self._database.write(work)

    async def retry(self, entry: JournalEntry, epoch: int) -> None:
        """Count one more attempt of ``entry``. Raises StaleEpoch."""

        def work(connection: Connection) -> None:
            own(connection, HOLD, entry.identity, epoch)
            connection.execute(_RETRY, _key(entry))

        await self._database.write(work)

    async def refuse(self, entry: JournalEntry, epoch: int, tx: Transaction, why: Why) -> None:
        """The backend must not have ``entry``: move it to the quarantine, update the transaction.

        Raises StaleEpoch; JournalFull when the quarantine of the station is at its bound.
        """
        row = row_of(tx)
        now = self._clock()

        def work(connection: Connection) -> None:
            own(connection, _COUNT_DOWN, entry.identity, epoch)
            keep_refused(connection, entry.id, entry.identity, why, now, self._quarantine_limit)
            _drop(connection, entry, epoch)
            write_row(connection, entry.identity, row)

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

    def _count_up(self, connection: Connection, identity: str, epoch: int) -> None:
        key = {"of_identity": identity, "of_epoch": epoch, "of_limit": self._limit}
        if connection.execute(_COUNT_UP, key).rowcount:
            return
        own(connection, HOLD, identity, epoch)
        raise JournalFull(f"the journal of station {identity!r} holds {self._limit} messages, its bound")


def _drop(connection: Connection, entry: JournalEntry, epoch: int) -> None:
    """Remove the entry, which was counted down already; one that is gone is counted up again."""
    if connection.execute(_DROP, _key(entry)).rowcount == 0:
        own(connection, _COUNT_BACK, entry.identity, epoch)


def _key(entry: JournalEntry) -> dict[str, Any]:
    return {"of_id": entry.id, "of_identity": entry.identity}


def _with_payload(row: RowMapping) -> dict[str, Any]:
    values = dict(row)
    values["payload"] = from_json_text(values["payload"])
    return values
