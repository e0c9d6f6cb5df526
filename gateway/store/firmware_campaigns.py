"""Firmware campaigns as people see and change them: created, paused, let go on, canceled, and how far they are.

What a person changes is in force for a running gateway at its next look (:mod:`gateway.store.campaign_rounds`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update

from gateway.session.firmware import (
    REASON_MAX,
    CampaignRecord,
    CampaignState,
    FirmwareConflict,
    FirmwareUnknown,
    NewCampaign,
)
from gateway.session.firmware_campaigns import (
    OPEN_MAX,
    CampaignProgress,
    CampaignStation,
    CampaignStationState,
    check_plan,
)
from gateway.store import registry
from gateway.store.campaign_rows import (
    CAMPAIGN_COLUMNS,
    PLAN_COLUMNS,
    add_stations,
    campaign_record,
    check_image,
    progress_of,
)
from gateway.store.columns import bounded_text, utc_now
from gateway.store.database import Database
from gateway.store.firmware_models import CampaignStationRow, FirmwareCampaignRow, FirmwareUpdateRow

WHO_MAX: Final = 100
"""Characters kept of who did it."""
KEPT_MAX: Final = 500
"""Campaigns that are over and are kept; the oldest go when another one begins."""
OPEN: Final = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.HALTED)
"""Where a campaign isn't over."""
_C: Final = FirmwareCampaignRow
_S: Final = CampaignStationRow
_OF_ID: Final = _C.id == bindparam("of_id")
_FIND: Final = select(*CAMPAIGN_COLUMNS).where(_OF_ID)
_NAMED: Final = select(*CAMPAIGN_COLUMNS).where(_C.name == bindparam("of_name"))
_ADD: Final = insert(_C).returning(_C.id)
_STATIONS: Final = (
    select(
        _S.identity,
        _S.state,
        _S.update_id,
        FirmwareUpdateRow.status,
        func.coalesce(_S.reason, FirmwareUpdateRow.reason).label("reason"),
        _S.changed_at,
    )
    .outerjoin(
        FirmwareUpdateRow, and_(FirmwareUpdateRow.id == _S.update_id, _S.state != CampaignStationState.PENDING.value)
    )
    .where(_S.campaign_id == bindparam("of_id"), _S.identity > bindparam("after"))
    .order_by(_S.identity)
    .limit(bindparam("at_most"))
)
_CHANGE: Final = update(_C).where(_OF_ID)
_LOCK: Final = _CHANGE.values(state=_C.state)
"""Locks a campaign before any of its stations, as the scheduler does."""
_IS_OPEN: Final = _C.state.in_([each.value for each in OPEN])
_OPEN: Final = select(func.count()).where(_IS_OPEN)
_OLD: Final = select(_C.id).where(~_IS_OPEN).order_by(_C.id.desc()).offset(bindparam("kept"))
_FORGET: Final = delete(_C).where(_C.id.in_(_OLD.scalar_subquery()))
_OF_CAMPAIGN: Final = update(_S).where(_S.campaign_id == bindparam("of_id"), _S.state == bindparam("was"))


class FirmwareCampaigns:
    """The campaigns, each change in one SQL transaction. All raise StoreUnavailable."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def create(self, plan: NewCampaign, by: str) -> CampaignRecord:
        """Begin a campaign: a group's stations are those that are in it now.

        Raises FirmwareInvalid, FirmwareUnknown for its image, and FirmwareConflict for an image that isn't verified or
        a name that is taken.
        """
        check_plan(plan)
        now, who = self._clock(), bounded_text(by, WHO_MAX)

        def work(connection: Connection) -> CampaignRecord:
            registry.hold(connection)  # one after the other: neither two of one name nor one campaign too many
            check_image(connection, plan.image_id)
            if connection.execute(_NAMED, {"of_name": plan.name}).first() is not None:
                raise FirmwareConflict(f"there is a campaign {plan.name!r} already: give it another name")
            if connection.execute(_OPEN).scalar_one() >= OPEN_MAX:
                raise FirmwareConflict(f"{OPEN_MAX} campaigns are under way: cancel those that aren't needed any more")
            row = {column.key: getattr(plan, column.key) for column in PLAN_COLUMNS}
            stamps = {"created_at": now, "created_by": who, "changed_at": now, "changed_by": who}
            start = {"state": CampaignState.RUNNING.value}
            added = connection.execute(_ADD, {**row, **start, **stamps}).scalar_one()
            add_stations(connection, added, plan, now)
            connection.execute(_FORGET, {"kept": KEPT_MAX})
            return _found(connection, added)

        return await self._database.write(work)

    async def find(self, campaign_id: int) -> CampaignRecord | None:
        """Return one, or None. The stations of its plan are left out: :meth:`stations` has them."""
        key = {"of_id": campaign_id}
        row = await self._database.read(lambda connection: connection.execute(_FIND, key).mappings().first())
        return None if row is None else campaign_record(row)

    async def named(self, name: str) -> CampaignRecord | None:
        """Return the one of this name, or of this number if it is one; else None."""
        if name.isascii() and name.isdecimal():
            return await self.find(int(name)) if len(name) < 19 else None  # no database numbers higher
        key = {"of_name": name}
        row = await self._database.read(lambda connection: connection.execute(_NAMED, key).mappings().first())
        return None if row is None else campaign_record(row)

    async def list(
        self, *, states: Collection[CampaignState] | None = None, after_id: int = 0, limit: int = 1000
    ) -> Sequence[CampaignRecord]:
        """Return at most ``limit`` in the order in which they were created; ``states`` None: any."""
        statement = select(*CAMPAIGN_COLUMNS).where(_C.id > after_id).order_by(_C.id).limit(limit)
        if states is not None:
            statement = statement.where(_C.state.in_([each.value for each in states]))
        rows = await self._database.read(lambda connection: connection.execute(statement).mappings().all())
        return [campaign_record(row) for row in rows]

    async def stations(
        self,
        campaign_id: int,
        *,
        states: Collection[CampaignStationState] | None = None,
        after: str = "",
        limit: int = 1000,
    ) -> Sequence[CampaignStation]:
        """Return at most ``limit`` of its stations by identity, behind ``after``; ``states`` None: any."""
        statement = _STATIONS if states is None else _STATIONS.where(_S.state.in_([each.value for each in states]))
        values = {"of_id": campaign_id, "after": after, "at_most": limit}
        rows = await self._database.read(lambda connection: connection.execute(statement, values).mappings().all())
        return [CampaignStation(**{**row, "state": CampaignStationState(row["state"])}) for row in rows]

    async def progress(self, *campaign_ids: int) -> Mapping[int, CampaignProgress]:
        """Return how far campaigns are, by their number; of one that isn't there, nothing is counted."""
        return await self._database.read(lambda connection: progress_of(connection, *campaign_ids))

    async def pause(self, campaign_id: int, by: str, reason: str | None = None) -> CampaignRecord:
        """Order no more stations; what a station has not heard of yet is taken back.

        Raises FirmwareUnknown, and FirmwareConflict where it isn't running.
        """
        return await self._moved(campaign_id, CampaignState.PAUSED, {CampaignState.RUNNING}, by, reason)

    async def cancel(self, campaign_id: int, by: str, reason: str | None = None) -> CampaignRecord:
        """End it: stations that have heard of their update go on with it, no other hears of it.

        Raises FirmwareUnknown, and FirmwareConflict where it is over.
        """
        return await self._moved(campaign_id, CampaignState.CANCELED, set(OPEN), by, reason)

    async def resume(self, campaign_id: int, by: str, *, retry_failed: bool = False) -> CampaignRecord:
        """Let it go on; with ``retry_failed`` those that failed are tried again, of one that is done, too.

        What has failed before doesn't count towards the next halt. Raises FirmwareUnknown, FirmwareConflict.
        """
        may = {CampaignState.PAUSED, CampaignState.HALTED}
        may |= {CampaignState.RUNNING, CampaignState.DONE} if retry_failed else set()

        def also(connection: Connection, record: CampaignRecord, now: datetime) -> dict[str, Any]:
            if retry_failed and not _restate(connection, record.id, CampaignStationState.FAILED, _AGAIN, now):
                raise FirmwareConflict(
                    f"of campaign {record.plan.name!r} no station has failed: there is none to retry"
                )
            if record.state is CampaignState.PAUSED and not retry_failed:
                return {}
            reached = progress_of(connection, record.id)[record.id]
            return {
                "installed_before": reached[CampaignStationState.INSTALLED],
                "failed_before": reached[CampaignStationState.FAILED],
            }

        return await self._moved(campaign_id, CampaignState.RUNNING, may, by, None, also)

    async def _moved(
        self,
        campaign_id: int,
        state: CampaignState,
        may: Collection[CampaignState],
        by: str,
        reason: str | None,
        also: Callable[[Connection, CampaignRecord, datetime], Mapping[str, Any]] | None = None,
    ) -> CampaignRecord:
        now, who = self._clock(), bounded_text(by, WHO_MAX)
        why = None if reason is None else bounded_text(reason, REASON_MAX)

        def work(connection: Connection) -> CampaignRecord:
            connection.execute(_LOCK, {"of_id": campaign_id})
            record = _found(connection, campaign_id)
            if record.state not in may:
                raise FirmwareConflict(_NOT_SO[state].format(name=record.plan.name, state=record.state.value))
            more = {} if also is None else also(connection, record, now)
            if state is CampaignState.CANCELED:
                _restate(connection, campaign_id, CampaignStationState.PENDING, _OVER, now)
            stamps = {"state": state.value, "reason": why, "changed_at": now, "changed_by": who}
            connection.execute(_CHANGE.values({**stamps, **more}), {"of_id": campaign_id})
            return _found(connection, campaign_id)

        return await self._database.write(work)


CANCELED: Final = "the campaign was canceled"
_AGAIN: Final = {"state": CampaignStationState.PENDING.value, "reason": None}
_OVER: Final = {"state": CampaignStationState.SKIPPED.value, "reason": CANCELED}
_NOT_SO: Final = {
    CampaignState.PAUSED: "campaign {name!r} isn't running, but {state}: there is nothing to pause",
    CampaignState.CANCELED: "campaign {name!r} is {state} already",
    CampaignState.RUNNING: "campaign {name!r} is {state}: it can't be let go on; those that failed are retried with "
    "--failed (API: retry_failed), unless it was canceled",
}


def _found(connection: Connection, campaign_id: int) -> CampaignRecord:
    row = connection.execute(_FIND, {"of_id": campaign_id}).mappings().first()
    if row is None:
        raise FirmwareUnknown(f"there is no campaign {campaign_id}")
    return campaign_record(row)


def _restate(
    connection: Connection, campaign_id: int, was: CampaignStationState, to: Mapping[str, Any], now: datetime
) -> int:
    """Give all stations that are in one state another one; return how many."""
    values = {"of_id": campaign_id, "was": was.value}
    return connection.execute(_OF_CAMPAIGN.values({**to, "changed_at": now}), values).rowcount
