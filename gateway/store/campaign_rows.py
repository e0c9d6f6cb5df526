"""The rows of a campaign and of its stations: read as records, counted, and written when it begins.

Plain functions of a connection, for the SQL transactions of those that work with campaigns.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, literal, select

from gateway.session.firmware import (
    CampaignRecord,
    CampaignState,
    FirmwareConflict,
    FirmwareInvalid,
    FirmwareUnknown,
    ImageState,
    NewCampaign,
)
from gateway.session.firmware_campaigns import STATIONS_MAX, CampaignProgress, CampaignStationState
from gateway.store.columns import UtcTime
from gateway.store.firmware_models import CampaignStationRow, FirmwareCampaignRow, FirmwareImageRow
from gateway.store.models import Station

UNKNOWN_SHOWN: Final = 5
"""Stations that aren't registered, of those that are named in an error."""
_CHUNK: Final = 500
"""Names in one statement."""

_C: Final = FirmwareCampaignRow
_S: Final = CampaignStationRow
PLAN_COLUMNS: Final = (
    _C.name,
    _C.image_id,
    _C.group,
    _C.batch_size,
    _C.halt_above,
    _C.halt_after,
    _C.window_from,
    _C.window_until,
)
CAMPAIGN_COLUMNS: Final = (
    _C.id,
    *PLAN_COLUMNS,
    _C.state,
    _C.reason,
    _C.created_at,
    _C.created_by,
    _C.changed_at,
    _C.changed_by,
)
_IMAGE: Final = select(FirmwareImageRow.state, FirmwareImageRow.reason).where(FirmwareImageRow.id == bindparam("of_id"))
_MEMBER: Final = Station.station_group == bindparam("of_group")
_MEMBERS: Final = select(func.count()).where(_MEMBER)
_ADD_STATION: Final = insert(_S)
_PENDING: Final = literal(CampaignStationState.PENDING.value)
_ADD_GROUP: Final = insert(_S).from_select(
    ["campaign_id", "identity", "state", "changed_at"],
    select(
        bindparam("of_id", type_=_S.campaign_id.type), Station.identity, _PENDING, bindparam("at", type_=UtcTime())
    ).where(_MEMBER),
)
_COUNTS: Final = select(_S.campaign_id, _S.state, func.count()).group_by(_S.campaign_id, _S.state)
_BEFORE: Final = select(_C.id, _C.installed_before, _C.failed_before)


def campaign_record(row: RowMapping) -> CampaignRecord:
    """Return the record of a row of :data:`CAMPAIGN_COLUMNS`."""
    fields = {column.key: row[column.key] for column in CAMPAIGN_COLUMNS}
    plan = NewCampaign(**{column.key: fields.pop(column.key) for column in PLAN_COLUMNS})
    return CampaignRecord(plan=plan, **{**fields, "state": CampaignState(fields["state"])})


def progress_of(connection: Connection, *campaign_ids: int) -> dict[int, CampaignProgress]:
    """Count the stations of campaigns by their state, by the campaign's number."""
    counts: dict[int, dict[CampaignStationState, int]] = {each: {} for each in campaign_ids}
    for number, state, count in connection.execute(_COUNTS.where(_S.campaign_id.in_(campaign_ids))):
        counts[number][CampaignStationState(state)] = count
    before = {number: seen for number, *seen in connection.execute(_BEFORE.where(_C.id.in_(campaign_ids)))}
    return {number: CampaignProgress(found, *before.get(number, ())) for number, found in counts.items()}


def check_image(connection: Connection, image_id: int) -> None:
    """Return when stations may get this image. Raises FirmwareUnknown, FirmwareConflict."""
    row = connection.execute(_IMAGE, {"of_id": image_id}).first()
    if row is None:
        raise FirmwareUnknown(f"there is no image {image_id}; `voltgate firmware list` shows those that there are")
    if row.state != ImageState.VERIFIED.value:
        raise FirmwareConflict(
            f"image {image_id} is {row.state}{f': {row.reason}' if row.reason else ''}; only a verified one goes to "
            f"stations (`voltgate firmware verify {image_id}`)"
        )


def add_stations(connection: Connection, campaign_id: int, plan: NewCampaign, now: datetime) -> None:
    """Give a new campaign its stations. Raises FirmwareInvalid where there are none, or too many."""
    if plan.group is not None:
        count = connection.execute(_MEMBERS, {"of_group": plan.group}).scalar_one()
        if not count:
            raise FirmwareInvalid(f"no station is in the group {plan.group[:60]!r}")
        if count > STATIONS_MAX:
            raise FirmwareInvalid(f"{count} stations are in the group: at most {STATIONS_MAX} in one campaign")
        connection.execute(_ADD_GROUP, {"of_id": campaign_id, "of_group": plan.group, "at": now})
        return
    chunks = [plan.stations[start : start + _CHUNK] for start in range(0, len(plan.stations), _CHUNK)]
    known = {
        each
        for chunk in chunks
        for each in connection.scalars(select(Station.identity).where(Station.identity.in_(chunk)))
    }
    missing = [each for each in plan.stations if each not in known]
    if missing:
        shown = ", ".join(f"{each[:60]!a}" for each in missing[:UNKNOWN_SHOWN])
        more = f" and {len(missing) - UNKNOWN_SHOWN} more" if len(missing) > UNKNOWN_SHOWN else ""
        raise FirmwareInvalid(f"stations: {shown}{more} aren't registered")
    state = CampaignStationState.PENDING.value
    connection.execute(
        _ADD_STATION,
        [{"campaign_id": campaign_id, "identity": each, "state": state, "changed_at": now} for each in plan.stations],
    )
