"""The security events that the gateway saw and that stations reported, the newest of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, func, insert, select
from sqlalchemy.orm import aliased

from gateway.session.identity import IDENTITY_MAX
from gateway.session.security import KIND_MAX, EventRow, Source
from gateway.store.columns import UtcTime, bounded_text, from_json_text, json_text, utc_now
from gateway.store.database import Database
from gateway.store.models import SecurityEventRow

DETAIL_MAX: Final = 512
"""Characters kept of an event's detail."""
REMOTE_MAX: Final = 64
"""Characters kept of a peer's address."""
PRESENTED_MAX: Final = 2048
"""Bytes of JSON text kept of what was presented: members that come after are left out."""
NAME_MAX: Final = 50
"""Characters of a member's name in ``presented``."""
VALUE_MAX: Final = 256
"""Characters of a member's value in ``presented``: one that is nothing but escapes still finds room."""
TRIM_BATCH: Final = 1000
"""Events deleted in one SQL transaction: other writers wait for no more than that."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event as it is kept. Times are UTC; ids rise in the order in which events were kept."""

    id: int
    at: datetime
    kind: str
    source: Source
    identity: str | None
    remote: str | None
    detail: str
    presented: Mapping[str, str]
    count: int
    last_at: datetime


_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_COLUMNS: Final = (
    SecurityEventRow.id,
    SecurityEventRow.at,
    SecurityEventRow.kind,
    SecurityEventRow.source,
    SecurityEventRow.identity,
    SecurityEventRow.remote,
    SecurityEventRow.detail,
    SecurityEventRow.presented,
    SecurityEventRow.count,
    SecurityEventRow.last_at,
)
_ADD: Final = insert(SecurityEventRow)
_NEWEST: Final = select(*_COLUMNS).order_by(SecurityEventRow.id.desc()).limit(bindparam("at_most"))
_SINCE: Final = bindparam("from_time", type_=UtcTime())
_ANY: Final = aliased(SecurityEventRow)
# "+ 0": either database would look for the least id by walking up all ids, not by the index of times.
_FIRST_SINCE: Final = select(func.min(_ANY.id + 0)).where(_ANY.last_at >= _SINCE).scalar_subquery()
_FILTERS: Final = {
    "of_identity": SecurityEventRow.identity == bindparam("of_identity"),
    "of_kind": SecurityEventRow.kind == bindparam("of_kind"),
    # Without the lower bound on ids, what is new and rare would be looked for through all that is old.
    "from_time": and_(SecurityEventRow.last_at >= _SINCE, SecurityEventRow.id >= _FIRST_SINCE),
    "before_id": SecurityEventRow.id < bindparam("before_id"),
}
_FIRST_TO_GO: Final = (
    select(SecurityEventRow.id).order_by(SecurityEventRow.id.desc()).offset(bindparam("kept")).limit(1)
)
_OLDEST: Final = (
    select(SecurityEventRow.id)
    .where(SecurityEventRow.id <= bindparam("up_to"))
    .order_by(SecurityEventRow.id)
    .limit(TRIM_BATCH)
)
_TRIM: Final = delete(SecurityEventRow).where(SecurityEventRow.id.in_(_OLDEST))


class SecurityEvents:
    """The events of all stations, of strangers too. They outlive their stations."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def add_many(self, rows: Sequence[EventRow]) -> None:
        """Keep events, all of them or none, in the order given; what is too long is cut.

        Raises StoreUnavailable, and ValueError for a time that isn't aware.
        """
        if not rows:
            return
        values = [self._values(row) for row in rows]
        await self._database.write(lambda connection: connection.execute(_ADD, values))

    async def list(
        self,
        *,
        identity: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> Sequence[EventRecord]:
        """Return at most ``limit`` events, the one kept last first; the next page begins before the last one's id.

        ``since`` leaves out what had ended before it. Raises StoreUnavailable, and ValueError for one that
        isn't aware.
        """
        start = None if since is None else _utc(since)
        wanted = {"of_identity": identity, "of_kind": kind, "from_time": start, "before_id": before_id}
        given = {name: value for name, value in wanted.items() if value is not None}
        statement = _NEWEST.where(*(_FILTERS[name] for name in given))
        values = {**given, "at_most": limit}
        rows = await self._database.read(lambda connection: connection.execute(statement, values).mappings().all())
        return [_record(row) for row in rows]

    async def trim(self, keep: int) -> int:
        """Delete the oldest events beyond the newest ``keep``, ``TRIM_BATCH`` at a time; return how many went.

        Raises StoreUnavailable; what is deleted by then stays so.
        """
        kept = {"kept": keep}
        up_to = await self._database.read(
            lambda connection: connection.execute(_FIRST_TO_GO, kept).scalar_one_or_none()
        )
        gone = 0
        while up_to is not None:
            batch = await self._database.write(lambda connection: _trim(connection, up_to))
            gone += batch
            if batch < TRIM_BATCH:
                break
        return gone

    def _values(self, row: EventRow) -> dict[str, Any]:
        event = row.event
        at = _utc(event.at or self._clock())
        return {
            "at": at,
            "kind": bounded_text(event.kind, KIND_MAX),
            "source": event.source.value,
            "identity": None if event.identity is None else bounded_text(event.identity, IDENTITY_MAX),
            "remote": None if event.remote is None else bounded_text(event.remote, REMOTE_MAX),
            "detail": bounded_text(event.detail, DETAIL_MAX),
            "presented": _presented_text(event.presented),
            "count": row.count,
            "last_at": _utc(row.last_at or at),
        }


def _trim(connection: Connection, up_to: int) -> int:
    return connection.execute(_TRIM, {"up_to": up_to}).rowcount


def _utc(moment: datetime) -> datetime:
    """Return ``moment`` in UTC, or the nearest time that UTC has: a station's clock may say anything.

    Raises ValueError when it isn't aware.
    """
    if moment.tzinfo is None:
        raise ValueError("the time of an event must be aware")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _FIRST if moment < _LAST else _LAST


def _presented_text(presented: Mapping[str, str]) -> str:
    kept: dict[str, str] = {}
    text = json_text(kept)
    for name, value in presented.items():
        kept[bounded_text(name, NAME_MAX)] = bounded_text(value, VALUE_MAX)
        longer = json_text(kept)
        if len(longer.encode()) > PRESENTED_MAX:
            break
        text = longer
    return text


def _record(row: RowMapping) -> EventRecord:
    values = dict(row)
    values["source"] = Source(values["source"])
    values["presented"] = from_json_text(values["presented"])
    return EventRecord(**values)
