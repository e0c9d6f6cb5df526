"""The updates of stations: what was ordered outlives the process, whoever ordered it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, or_, select, update

from gateway.bridge.request_ids import next_id
from gateway.session.firmware import REASON_MAX, NewUpdate, UpdateRecord, UpdateSource, UpdateState
from gateway.store.columns import UtcTime, bounded_text, utc_now
from gateway.store.database import Database
from gateway.store.firmware_models import FileLinkRow, FirmwareUpdateRow

KEPT_MAX: Final = 50
"""Updates of one station that are kept, the open ones among them."""
REPLACED: Final = "another update took its place"
"""Why an update is canceled of which the station has not heard."""
REMOVED: Final = "the station was removed"
"""Why an update is canceled that was open then: who gets its identity next may be another device."""
NEVER_DONE: Final = "DownloadFailed"
"""What a backend hears of its order when one that isn't its own took its place: nobody has told it so by an answer."""

UNSENT: Final = frozenset({UpdateState.PREPARING, UpdateState.WAITING})
"""States in which the station has not heard of it."""

_UNSENT: Final = sorted(state.value for state in UNSENT)
_OPEN: Final = [state.value for state in UpdateState if state.is_open]
_COLUMNS: Final = tuple(FirmwareUpdateRow.__table__.columns)
_ALL: Final = select(*_COLUMNS).order_by(FirmwareUpdateRow.id)
_BY_ID: Final = _ALL.where(FirmwareUpdateRow.id == bindparam("of_id"))
_OF_STATION: Final = FirmwareUpdateRow.identity == bindparam("of_identity")
_UNSENT_OF_STATION: Final = _ALL.where(_OF_STATION, FirmwareUpdateRow.state.in_(_UNSENT))
_NEWEST: Final = select(*_COLUMNS).where(_OF_STATION).order_by(FirmwareUpdateRow.id.desc()).limit(1)
_OF_REQUEST: Final = _NEWEST.where(FirmwareUpdateRow.request_id == bindparam("of_request"))
_WITHOUT_REQUEST: Final = _NEWEST.where(FirmwareUpdateRow.request_id.is_(None))
_LAST_REQUEST: Final = select(func.max(FirmwareUpdateRow.request_id)).where(_OF_STATION)
_UNFINISHED: Final = (
    select(FirmwareUpdateRow.identity)
    .where(or_(FirmwareUpdateRow.state.in_(_UNSENT), FirmwareUpdateRow.untold.is_(True)))
    .distinct()
)
_SILENT: Final = _ALL.where(
    FirmwareUpdateRow.state == UpdateState.SENT.value,
    FirmwareUpdateRow.changed_at <= bindparam("since", type_=UtcTime()),
    *(
        or_(moment.is_(None), moment <= bindparam("since", type_=UtcTime()))
        for moment in (FirmwareUpdateRow.retrieve_at, FirmwareUpdateRow.install_at)
    ),
)
_ADD: Final = insert(FirmwareUpdateRow).returning(FirmwareUpdateRow.id)
_UPDATE: Final = update(FirmwareUpdateRow).where(FirmwareUpdateRow.id == bindparam("of_id"))
_OLD: Final = (
    select(FirmwareUpdateRow.id)
    .where(_OF_STATION)
    .order_by(FirmwareUpdateRow.id.desc())
    .offset(KEPT_MAX)
    .scalar_subquery()
)
_PRUNE: Final = delete(FirmwareUpdateRow).where(FirmwareUpdateRow.id.in_(_OLD), FirmwareUpdateRow.state.not_in(_OPEN))
_REMOVED: Final = update(FirmwareUpdateRow).where(_OF_STATION, FirmwareUpdateRow.state.in_(_OPEN))
_UNTELL: Final = update(FirmwareUpdateRow).where(_OF_STATION).values(untold=False)
_CLOSE_LINKS: Final = delete(FileLinkRow).where(
    FileLinkRow.identity == bindparam("of_identity"), FileLinkRow.update_id.is_not(None)
)


def end_with_station(connection: Connection, identity: str, now: datetime) -> None:
    """A station is removed: its open updates are canceled, its links to firmware end, and nobody is told."""
    key = {"of_identity": identity}
    values = {"state": UpdateState.CANCELED.value, "reason": REMOVED, "changed_at": now}
    connection.execute(_REMOVED.values(values), key)
    connection.execute(_UNTELL, key)
    connection.execute(_CLOSE_LINKS, key)


class FirmwareUpdateRecords:
    """The updates of all stations. Every method raises StoreUnavailable."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self, new: NewUpdate, *, state: UpdateState = UpdateState.PREPARING, **told: Any
    ) -> tuple[UpdateRecord, Sequence[UpdateRecord]]:
        """Keep a new update, durable on return, under a requestId that its station has not had.

        One of which the station has not heard yet is canceled for it, and its backend is to hear of it unless it has
        ordered this one, too. ``told``: its status, reason and untold, of one
        that is over at once. Return it, and those that it replaces as they are now.
        """
        now = self._clock()
        row = {
            **asdict(new),
            "source": new.source.value,
            "state": state.value,
            "status": None,
            "reason": None,
            "untold": False,
            "created_at": now,
            "changed_at": now,
            **_bounded(told),
        }
        key = {"of_identity": new.identity}

        def work(connection: Connection) -> tuple[RowMapping, Sequence[RowMapping]]:
            older = connection.execute(_UNSENT_OF_STATION, key).mappings().all()
            replaced = [_changed(connection, each["id"], _replaced(each, new, now)) for each in older]
            request_id = next_id(connection.execute(_LAST_REQUEST, key).scalar() or 0, now)
            added = connection.execute(_ADD, {**row, "request_id": request_id}).scalar_one()
            connection.execute(_PRUNE, key)
            return connection.execute(_BY_ID, {"of_id": added}).mappings().one(), replaced

        added, replaced = await self._database.write(work)
        return _record(added), [_record(each) for each in replaced]

    async def find(self, update_id: int) -> UpdateRecord | None:
        """Return one update, or None."""
        return await self._first(_BY_ID, {"of_id": update_id})

    async def of_request(self, identity: str, request_id: int | None) -> UpdateRecord | None:
        """Return what a station calls ``request_id``; None: the last one that it was told by plain UpdateFirmware."""
        key: dict[str, Any] = {"of_identity": identity}
        if request_id is None:
            return await self._first(_WITHOUT_REQUEST, key)
        return await self._first(_OF_REQUEST, {**key, "of_request": request_id})

    async def list(
        self,
        *,
        identity: str | None = None,
        campaign_id: int | None = None,
        states: Collection[UpdateState] | None = None,
        after: int = 0,
        at_most: int | None = None,
    ) -> Sequence[UpdateRecord]:
        """Return the updates above the id ``after`` that fit, in the order in which they were ordered; None: any."""
        conditions = [FirmwareUpdateRow.id > after]
        if identity is not None:
            conditions.append(FirmwareUpdateRow.identity == identity)
        if campaign_id is not None:
            conditions.append(FirmwareUpdateRow.campaign_id == campaign_id)
        if states is not None:
            conditions.append(FirmwareUpdateRow.state.in_([state.value for state in states]))
        return await self._all(_ALL.where(*conditions).limit(at_most))

    async def untold(self, identity: str) -> Sequence[UpdateRecord]:
        """Return those of a station whose status its backend has not heard."""
        return await self._all(_ALL.where(FirmwareUpdateRow.identity == identity, FirmwareUpdateRow.untold.is_(True)))

    async def unfinished(self) -> Sequence[str]:
        """Return the stations that must be told of an update, or whose backend must."""
        return await self._database.read(lambda connection: connection.scalars(_UNFINISHED).all())

    async def silent(self, since: datetime) -> Sequence[UpdateRecord]:
        """Return those that the station agreed to, and of which it has told nothing since then."""
        return await self._all(_SILENT, {"since": since})

    async def move(
        self, update_id: int, state: UpdateState, *, was: Collection[UpdateState], **values: Any
    ) -> UpdateRecord | None:
        """Give an update that is in one of the states ``was`` its next one, durable on return; None when it isn't.

        ``values``: other fields of the record.
        """
        changed = {"state": state.value, "changed_at": self._clock(), **_bounded(values)}
        return await self._change(update_id, changed, FirmwareUpdateRow.state.in_([each.value for each in was]))

    async def told(self, update_id: int) -> UpdateRecord | None:
        """Its backend has heard its status; None when it had already."""
        return await self._change(update_id, {"untold": False}, FirmwareUpdateRow.untold.is_(True))

    async def cancel_sent(self, agreed: UpdateRecord) -> Sequence[UpdateRecord]:
        """A station has agreed to an update: cancel the older ones that it had agreed to; return them."""
        statement = _ALL.where(
            FirmwareUpdateRow.identity == agreed.identity,
            FirmwareUpdateRow.id < agreed.id,
            FirmwareUpdateRow.state == UpdateState.SENT.value,
        )
        now = self._clock()

        def work(connection: Connection) -> Sequence[RowMapping]:
            older = connection.execute(statement).mappings().all()
            return [_changed(connection, each["id"], _replaced(each, agreed, now)) for each in older]

        return [_record(row) for row in await self._database.write(work)]

    async def _change(self, update_id: int, values: dict[str, Any], condition: Any) -> UpdateRecord | None:
        statement = _UPDATE.where(condition)

        def work(connection: Connection) -> RowMapping | None:
            if not connection.execute(statement, {"of_id": update_id, **values}).rowcount:
                return None
            return connection.execute(_BY_ID, {"of_id": update_id}).mappings().one()

        row = await self._database.write(work)
        return None if row is None else _record(row)

    async def _first(self, statement: Any, key: dict[str, Any]) -> UpdateRecord | None:
        row = await self._database.read(lambda connection: connection.execute(statement, key).mappings().first())
        return None if row is None else _record(row)

    async def _all(self, statement: Any, key: dict[str, Any] | None = None) -> Sequence[UpdateRecord]:
        rows = await self._database.read(lambda connection: connection.execute(statement, key or {}).mappings().all())
        return [_record(row) for row in rows]


def _changed(connection: Connection, update_id: int, values: dict[str, Any]) -> RowMapping:
    connection.execute(_UPDATE, {"of_id": update_id, **values})
    return connection.execute(_BY_ID, {"of_id": update_id}).mappings().one()


def _replaced(row: RowMapping, by: NewUpdate | UpdateRecord, now: datetime) -> dict[str, Any]:
    """Return what becomes of an update whose place another one took; a backend that didn't order that hears of it."""
    values = {"state": UpdateState.CANCELED.value, "reason": REPLACED, "changed_at": now}
    is_backends = row["source"] == UpdateSource.BACKEND.value
    is_its_own = by.source is UpdateSource.BACKEND and by.by == row["by"]
    # Without a requestId it hears the statuses of the other one as its own, and is amid them.
    is_amid = row["state"] == UpdateState.SENT.value and row["backend_request_id"] is None
    if not is_backends or is_its_own or is_amid:
        return values
    return {**values, "status": NEVER_DONE, "untold": True}


def _bounded(values: dict[str, Any]) -> dict[str, Any]:
    """A reason may hold a station's own words."""
    reason = values.get("reason")
    return values if reason is None else {**values, "reason": bounded_text(reason, REASON_MAX)}


def _record(row: RowMapping) -> UpdateRecord:
    return UpdateRecord(**{**row, "source": UpdateSource(row["source"]), "state": UpdateState(row["state"])})
