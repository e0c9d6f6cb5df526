"""The logs that stations were asked for: who asked, where each stands; the files themselves lie beside the store."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from gateway.session.firmware import REASON_MAX, FirmwareUnknown, LogRecord, LogState, NewLog
from gateway.store.columns import bounded_text, utc_now
from gateway.store.database import Database
from gateway.store.firmware_models import StationLogRow
from pki.uploading.places import shown

ASKED_MAX: Final = 16
"""Logs of one station that are waited for at once; the oldest of more has failed."""
WITHOUT_FILE_MAX: Final = 100
"""Logs of one station that are on record without a file; the oldest of more are forgotten."""

_WAITED_FOR: Final = [state.value for state in (LogState.ASKED, LogState.RECEIVED)]
_COLUMNS: Final = tuple(StationLogRow.__table__.columns)
_ALL: Final = select(*_COLUMNS).order_by(StationLogRow.id)
_NEWEST: Final = select(*_COLUMNS).order_by(StationLogRow.id.desc())
_BY_ID: Final = _ALL.where(StationLogRow.id == bindparam("of_id"))
_UPDATE: Final = update(StationLogRow).where(StationLogRow.id == bindparam("of_id"))
_OF_STATION: Final = StationLogRow.identity == bindparam("of_identity")
_IS_ASKED: Final = StationLogRow.state == LogState.ASKED.value
_TOO_MANY: Final = _NEWEST.where(_OF_STATION, _IS_ASKED).offset(ASKED_MAX)
_OLD: Final = (
    select(StationLogRow.id)
    .where(_OF_STATION, StationLogRow.sha256.is_(None), ~_IS_ASKED)
    .order_by(StationLogRow.id.desc())
    .offset(WITHOUT_FILE_MAX)
    .scalar_subquery()
)
_PRUNE: Final = delete(StationLogRow).where(StationLogRow.id.in_(_OLD))
_UNTOLD: Final = _ALL.where(_OF_STATION, StationLogRow.is_told.is_(False), StationLogRow.state.not_in(_WAITED_FOR))
_TOTAL: Final = select(func.sum(StationLogRow.size)).where(StationLogRow.sha256.is_not(None))


class StationLogs:
    """The logs of all stations. They outlive their stations, for as long as ``logs.keep`` says."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def add(self, new: NewLog) -> tuple[LogRecord, Sequence[LogRecord]]:
        """Keep a log that a station is asked for, durable on return; and those that are waited for no more for it.

        Raises StoreUnavailable.
        """
        now = self._clock()
        row = {**asdict(new), "state": LogState.ASKED.value, "is_told": new.destination is None}
        values = {**row, "created_at": now, "changed_at": now}
        key = {"of_identity": new.identity}
        failed = {"state": LogState.FAILED.value, "reason": f"{ASKED_MAX} newer ones are waited for", "changed_at": now}

        def work(connection: Connection) -> tuple[RowMapping, Sequence[RowMapping]]:
            added = connection.execute(insert(StationLogRow).returning(StationLogRow.id), values).scalar_one()
            dropped = [each["id"] for each in connection.execute(_TOO_MANY, key).mappings()]
            for each in dropped:
                connection.execute(_UPDATE, {"of_id": each, **failed})
            connection.execute(_PRUNE, key)
            return _read(connection, added), [_read(connection, each) for each in dropped]

        added, dropped = await self._database.write(work)
        return _record(added), [_record(row) for row in dropped]

    async def number(self, log_id: int, request_id: int) -> LogRecord:
        """Enter the requestId that the station is asked under. Raises FirmwareUnknown, StoreUnavailable."""
        return await self._changed(_UPDATE, log_id, {"request_id": request_id})

    async def find(self, log_id: int) -> LogRecord | None:
        """Return one log, or None. Raises StoreUnavailable."""
        row = await self._database.read(
            lambda connection: connection.execute(_BY_ID, {"of_id": log_id}).mappings().first()
        )
        return None if row is None else _record(row)

    async def newest(self, identity: str, *, request_id: int | None, action: str | None = None) -> LogRecord | None:
        """Return the station's last log that it was asked for under ``request_id``, which may be None; or None.

        Of several, one that is waited for goes before one that isn't. ``action``: by this alone. Raises
        StoreUnavailable.
        """
        conditions = [StationLogRow.identity == identity, StationLogRow.request_id == request_id]
        if action is not None:
            conditions.append(StationLogRow.action == action)
        is_over = StationLogRow.state.not_in(_WAITED_FOR)
        statement = select(*_COLUMNS).where(*conditions).order_by(is_over, StationLogRow.id.desc()).limit(1)
        row = await self._database.read(lambda connection: connection.execute(statement).mappings().first())
        return None if row is None else _record(row)

    async def list(
        self,
        *,
        identity: str | None = None,
        states: Collection[LogState] | None = None,
        after_id: int = 0,
        limit: int | None = None,
    ) -> Sequence[LogRecord]:
        """Return the logs that fit, in the order in which they were asked for; None: any. Raises StoreUnavailable."""
        statement = _ALL.where(StationLogRow.id > after_id)
        if identity is not None:
            statement = statement.where(StationLogRow.identity == identity)
        if states is not None:
            statement = statement.where(StationLogRow.state.in_([state.value for state in states]))
        return await self._rows(statement.limit(limit))

    async def untold(self, identity: str) -> Sequence[LogRecord]:
        """Return the station's logs that are over and whose backend hasn't heard so. Raises StoreUnavailable."""
        return await self._rows(_UNTOLD, {"of_identity": identity})

    async def unchanged_since(self, at: datetime, states: Collection[LogState], *, limit: int) -> Sequence[LogRecord]:
        """Return logs that have been in one of these states since ``at`` or longer. Raises StoreUnavailable."""
        is_in = StationLogRow.state.in_([state.value for state in states])
        return await self._rows(_ALL.where(is_in, StationLogRow.changed_at <= at).limit(limit))

    async def oldest_files(self, *, limit: int) -> Sequence[LogRecord]:
        """Return the logs that are here and that nobody waits for, the oldest first. Raises StoreUnavailable."""
        is_here = (StationLogRow.sha256.is_not(None), StationLogRow.state != LogState.RECEIVED.value)
        return await self._rows(_ALL.where(*is_here).limit(limit))

    async def total_size(self, states: Collection[LogState] | None = None) -> int:
        """Return the bytes of all files that are here, or of those in these states. Raises StoreUnavailable."""
        is_in = () if states is None else (StationLogRow.state.in_([state.value for state in states]),)
        total = await self._database.read(lambda connection: connection.execute(_TOTAL.where(*is_in)).scalar_one())
        return int(total or 0)

    async def move(
        self, log_id: int, was: Collection[LogState], state: LogState, *, reason: str | None = None, **values: Any
    ) -> LogRecord | None:
        """Give a log its next state and other ``values``, durable on return; None when it isn't in one of ``was``.

        What is over forgets user, password and query of where it was to go.
        Raises StoreUnavailable.
        """
        is_as_it_was = StationLogRow.state.in_([each.value for each in was])
        text = None if reason is None else bounded_text(reason, REASON_MAX)
        changed = {"state": state.value, "reason": text, "changed_at": self._clock(), **values}
        return await self._change(_UPDATE.where(is_as_it_was), log_id, changed)

    async def told(self, log_id: int) -> None:
        """Its backend has heard what has become of it, or isn't to. Raises StoreUnavailable."""
        await self._change(_UPDATE, log_id, {"is_told": True})

    async def named(self, log_id: int, file_name: str) -> None:
        """The station has said how the file is called. Raises StoreUnavailable."""
        await self._change(_UPDATE, log_id, {"file_name": file_name})

    async def forget(self, before: datetime) -> None:
        """Forget the logs without a file that are over and unchanged since. Raises StoreUnavailable."""
        is_over = StationLogRow.state.not_in(_WAITED_FOR)
        statement = delete(StationLogRow).where(
            is_over, StationLogRow.sha256.is_(None), StationLogRow.changed_at <= before
        )
        await self._database.write(lambda connection: connection.execute(statement))

    async def _rows(self, statement: Any, key: dict[str, Any] | None = None) -> Sequence[LogRecord]:
        rows = await self._database.read(lambda connection: connection.execute(statement, key or {}).mappings().all())
        return [_record(row) for row in rows]

    async def _changed(self, statement: Any, log_id: int, values: dict[str, Any]) -> LogRecord:
        changed = await self._change(statement, log_id, values)
        if changed is None:
            raise FirmwareUnknown(f"there is no log {log_id}")
        return changed

    async def _change(self, statement: Any, log_id: int, values: dict[str, Any]) -> LogRecord | None:
        def work(connection: Connection) -> RowMapping | None:
            if not connection.execute(statement.values(**values), {"of_id": log_id}).rowcount:
                return None
            return _read(connection, log_id)

        row = await self._database.write(work)
        return None if row is None else _record(row)


def _read(connection: Connection, log_id: int) -> RowMapping:
    """Return a row that was changed; of one that is over, the secrets in its destination are forgotten for good."""
    row = connection.execute(_BY_ID, {"of_id": log_id}).mappings().one()
    if row["state"] in _WAITED_FOR or row["destination"] in {None, place := shown(row["destination"] or "")}:
        return row
    connection.execute(_UPDATE, {"of_id": log_id, "destination": place})
    return connection.execute(_BY_ID, {"of_id": log_id}).mappings().one()


def _record(row: RowMapping) -> LogRecord:
    return LogRecord(**{**row, "state": LogState(row["state"])})
