"""Firmware campaigns as their scheduler goes on with them: each step is on record before the next one.

A station is claimed (``ordering``) before it is ordered, so that after a crash the updates on record say whether it
was; and only while its campaign is running, so that a pause that a person was told of is in force.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from gateway.bridge.books import Json
from gateway.session.firmware import REASON_MAX, CampaignState, ImageState, UpdateState
from gateway.session.firmware_campaigns import (
    UNDER_WAY,
    CampaignAtWork,
    CampaignProgress,
    CampaignStationState,
    StationChange,
    UnderWay,
)
from gateway.store.campaign_rows import CAMPAIGN_COLUMNS, campaign_record, progress_of
from gateway.store.columns import bounded_text, from_json_text, utc_now
from gateway.store.database import Database
from gateway.store.firmware_models import CampaignStationRow, FirmwareCampaignRow, FirmwareImageRow, FirmwareUpdateRow
from gateway.store.models import Station

PAGE: Final = 1_000
"""Stations that are read at once, with what they last said of themselves."""
BY_SCHEDULER: Final = "voltgate"
"""Who halted or finished a campaign."""

_C: Final = FirmwareCampaignRow
_S: Final = CampaignStationRow
_U: Final = FirmwareUpdateRow
_NEWEST: Final = aliased(FirmwareUpdateRow)
_UNDER_WAY: Final = [each.value for each in UNDER_WAY]
_OPEN_UPDATES: Final = [each.value for each in UpdateState if each.is_open]
_NOT_OVER: Final = [CampaignState.RUNNING.value, CampaignState.PAUSED.value, CampaignState.HALTED.value]
_IS_UNDER_WAY: Final = (_S.campaign_id == bindparam("of_id"), _S.state.in_(_UNDER_WAY))
_AT_WORK: Final = (
    select(
        *CAMPAIGN_COLUMNS,
        FirmwareImageRow.manufacturer,
        FirmwareImageRow.model,
        FirmwareImageRow.version,
        FirmwareImageRow.state.label("image_state"),
        FirmwareImageRow.reason.label("image_reason"),
    )
    .join(FirmwareImageRow, FirmwareImageRow.id == _C.image_id)
    .where(or_(_C.state.in_(_NOT_OVER), exists().where(_S.campaign_id == _C.id, _S.state.in_(_UNDER_WAY))))
    .order_by(_C.id)
)
_NEWEST_ID: Final = (
    select(func.max(_U.id)).where(_U.campaign_id == _S.campaign_id, _U.identity == _S.identity).scalar_subquery()
)
_FOLLOW: Final = (
    select(
        _S.identity,
        _S.state,
        _S.update_id,
        _NEWEST.id.label("newest_id"),
        _NEWEST.state.label("newest_state"),
        _NEWEST.reason.label("newest_reason"),
        _NEWEST.changed_at.label("newest_changed_at"),
    )
    .outerjoin(_NEWEST, _NEWEST.id == _NEWEST_ID)
    .where(*_IS_UNDER_WAY)
    .order_by(_S.identity)
)
_PENDING: Final = (
    select(_S.identity, Station.identity.label("registered"), Station.boot_payload)
    .outerjoin(Station, Station.identity == _S.identity)
    .where(
        _S.campaign_id == bindparam("of_id"),
        _S.state == CampaignStationState.PENDING.value,
        _S.identity > bindparam("after"),
    )
    .order_by(_S.identity)
    .limit(bindparam("at_most"))
)
_LOCK: Final = (
    update(_C).where(_C.id == bindparam("of_id"), _C.state == CampaignState.RUNNING.value).values(state=_C.state)
)
_BATCH: Final = select(_C.batch_size).where(_C.id == bindparam("of_id"))
_COUNT: Final = select(func.count()).select_from(_S).where(*_IS_UNDER_WAY)
_CLAIM: Final = (
    update(_S)
    .where(
        _S.campaign_id == bindparam("of_id"),
        _S.identity == bindparam("of_identity"),
        _S.state == CampaignStationState.PENDING.value,
    )
    .values(state=CampaignStationState.ORDERING.value, reason=None)
)
_BUSY: Final = exists().where(_U.identity == bindparam("of_identity"), _U.state.in_(_OPEN_UPDATES))
_MOVE: Final = update(_S).where(
    _S.campaign_id == bindparam("of_id"), _S.identity == bindparam("of_identity"), _S.state == bindparam("was")
)
_LATE: Final = update(_S).where(_S.state == CampaignStationState.FAILED.value)
_END: Final = update(_C).where(_C.id == bindparam("of_id"))


class CampaignRounds:
    """The scheduler's side of the campaigns. All raise StoreUnavailable."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def at_work(self) -> Sequence[CampaignAtWork]:
        """Return the campaigns that aren't over, and those of which an update is still under way."""
        rows = await self._database.read(lambda connection: connection.execute(_AT_WORK).mappings().all())
        return [_at_work(row) for row in rows]

    async def under_way(self, campaign_id: int) -> Sequence[UnderWay]:
        """Return the stations whose update is under way, by identity."""
        key = {"of_id": campaign_id}
        rows = await self._database.read(lambda connection: connection.execute(_FOLLOW, key).mappings().all())
        return [_under_way(row) for row in rows]

    async def pending(self, campaign_id: int, after: str) -> Sequence[tuple[str, bool, Json | None]]:
        """Return the next ``PAGE`` pending stations behind ``after``: whether each is registered, and its last boot."""
        values = {"of_id": campaign_id, "after": after, "at_most": PAGE}

        def work(connection: Connection) -> Sequence[tuple[str, bool, Json | None]]:
            rows = connection.execute(_PENDING, values).all()  # read as JSON here, beside the event loop
            return [
                (name, registered is not None, None if boot is None else from_json_text(boot))
                for name, registered, boot in rows
            ]

        return await self._database.read(work)

    async def progress(self, campaign_id: int) -> CampaignProgress:
        """Return how far it is."""
        return (await self._database.read(lambda connection: progress_of(connection, campaign_id)))[campaign_id]

    async def claim(self, campaign_id: int, identity: str) -> bool:
        """A station is ordered next: False where it may not be (any more).

        Its campaign must be running and have a place free, and no other update of the station be under way.
        """
        values, now = {"of_id": campaign_id, "of_identity": identity}, self._clock()

        def work(connection: Connection) -> bool:
            if not connection.execute(_LOCK, values).rowcount:
                return False
            if connection.execute(_COUNT, values).scalar_one() >= connection.execute(_BATCH, values).scalar_one():
                return False
            if connection.execute(select(_BUSY), values).scalar_one():
                return False
            return bool(connection.execute(_CLAIM.values(changed_at=now), values).rowcount)

        return await self._database.write(work)

    async def move(self, campaign_id: int, changes: Collection[StationChange]) -> None:
        """Give stations their next state, each if it is still in the one that it was in; all in one transaction."""
        now = self._clock()

        def work(connection: Connection) -> None:
            for change in changes:
                key = {"of_id": campaign_id, "of_identity": change.identity, "was": change.was.value}
                connection.execute(_MOVE.values(_moved(change, now)), key)

        if changes:
            await self._database.write(work)

    async def installed_late(self, update_ids: Collection[int]) -> int:
        """Of these updates, some had been silent and taken for failed: correct it, and return how many."""
        now, numbers = self._clock(), sorted(update_ids)
        chunks = [numbers[start : start + PAGE] for start in range(0, len(numbers), PAGE)]
        values = {"state": CampaignStationState.INSTALLED.value, "reason": None, "changed_at": now}

        def work(connection: Connection) -> int:
            return sum(
                connection.execute(_LATE.where(_S.update_id.in_(chunk)).values(values)).rowcount for chunk in chunks
            )

        return await self._database.write(work)

    async def halt(self, campaign_id: int, reason: str) -> bool:
        """Halt a campaign until a person has it go on; False where it wasn't running."""
        return await self._end(campaign_id, CampaignState.HALTED, reason)

    async def finish(self, campaign_id: int) -> bool:
        """A campaign is done; False where it wasn't running, or a station still waits or is under way."""
        return await self._end(campaign_id, CampaignState.DONE, None)

    async def _end(self, campaign_id: int, state: CampaignState, reason: str | None) -> bool:
        why = None if reason is None else bounded_text(reason, REASON_MAX)
        stamps = {"state": state.value, "reason": why, "changed_at": self._clock(), "changed_by": BY_SCHEDULER}

        def work(connection: Connection) -> bool:
            if not connection.execute(_LOCK, {"of_id": campaign_id}).rowcount:
                return False
            if state is CampaignState.DONE:
                progress = progress_of(connection, campaign_id)[campaign_id]
                if progress.over < progress.total:
                    return False
            connection.execute(_END.values(stamps), {"of_id": campaign_id})
            return True

        return await self._database.write(work)


def _at_work(row: RowMapping) -> CampaignAtWork:
    return CampaignAtWork(
        campaign_record(row),
        row["manufacturer"],
        row["model"],
        row["version"],
        ImageState(row["image_state"]),
        row["image_reason"],
    )


def _under_way(row: RowMapping) -> UnderWay:
    newest = row["newest_state"]
    states = {
        "state": CampaignStationState(row["state"]),
        "newest_state": None if newest is None else UpdateState(newest),
    }
    return UnderWay(**{**row, **states})


def _moved(change: StationChange, now: datetime) -> Mapping[str, Any]:
    reason = None if change.reason is None else bounded_text(change.reason, REASON_MAX)
    values = {"state": change.state.value, "reason": reason, "changed_at": now}
    return values if change.update_id is None else {**values, "update_id": change.update_id}
