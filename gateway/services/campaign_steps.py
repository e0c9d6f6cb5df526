"""What is next for a station of a campaign, decided from what is on record: no I/O."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from gateway.bridge.books import Json
from gateway.session.campaign_windows import is_in_window
from gateway.session.firmware import CampaignState, ImageState, UpdateState
from gateway.session.firmware_campaigns import CampaignAtWork, CampaignStationState, StationChange, UnderWay
from gateway.session.nameplate import nameplate

AWAY_AFTER: Final = timedelta(minutes=5)
"""How long an update waits for a station that has gone; then another one has its place."""
SILENT_AFTER: Final = timedelta(hours=24)
"""How long nothing may be heard of an update that is under way; then it counts as failed."""
NOT_REGISTERED: Final = "it isn't registered any more"

_S: Final = CampaignStationState
_ENDS: Final = {
    UpdateState.INSTALLED: _S.INSTALLED,
    UpdateState.FAILED: _S.FAILED,
    UpdateState.REFUSED: _S.FAILED,
    UpdateState.CANCELED: _S.SKIPPED,
}
_WITHDRAWABLE: Final = frozenset({UpdateState.PREPARING, UpdateState.WAITING})
"""The station has not heard of it."""


def why_it_halts(campaign: CampaignAtWork) -> str | None:
    """Return why no station may get the image any more, or None."""
    if campaign.image_state is ImageState.VERIFIED:
        return None
    why = f": {campaign.image_reason}" if campaign.image_reason else ""
    return f"its image {campaign.record.plan.image_id} is {campaign.image_state.value}{why}"


def may_order(campaign: CampaignAtWork, now: datetime) -> bool:
    """Return whether stations are ordered at this moment: it runs, its image is good, and it is in its window."""
    is_running = campaign.record.state is CampaignState.RUNNING
    return is_running and why_it_halts(campaign) is None and is_in_window(campaign.record.plan, now)


def why_not_for_it(
    campaign: CampaignAtWork, manufacturer_of: Callable[[str], str | None], boot: Json | None
) -> str | None:
    """Return why a station will never be ordered by this campaign, or None; ``boot``: its last BootNotification.

    ``manufacturer_of``: the one that has a vendorName. Of a station that has not said what it is, nothing is known.
    """
    plate = nameplate(boot)
    if plate.vendor is not None and manufacturer_of(plate.vendor) != campaign.manufacturer:
        return f"its vendor is {plate.vendor[:60]!a}: the image is for stations of {campaign.manufacturer!a}"
    if campaign.model is not None and plate.model is not None and plate.model != campaign.model:
        return f"its model is {plate.model[:60]!a}: the image is for {campaign.model!a}"
    if plate.firmware is not None and plate.firmware == campaign.version:
        return f"it has version {campaign.version} already"
    return None


def next_of(row: UnderWay, campaign: CampaignAtWork, unordered: str | None = None) -> StationChange | None:
    """Return what has become of a station under way, or None where it stays as it is.

    ``unordered``: why it could not be ordered, if that is known.
    """
    newest, state = row.newest_id, row.newest_state
    if row.state is _S.ORDERING:
        if newest is not None and newest > (row.update_id or 0):
            return StationChange(row.identity, row.state, _S.ORDERED, update_id=newest)
        return _back(row, campaign) if unordered is None else _changed(row, _S.FAILED, unordered)
    if state is None:
        return _changed(row, _S.FAILED, "its update isn't on record any more")
    if row.state is _S.WITHDRAWING and state is UpdateState.CANCELED:
        return _back(row, campaign)
    if state in _ENDS:
        return _changed(row, _ENDS[state], row.newest_reason or _WORDS.get(state))
    # A station may have heard of an update after all that was to be taken back.
    is_heard = row.state is _S.WITHDRAWING and state not in _WITHDRAWABLE
    return _changed(row, _S.ORDERED) if is_heard else None


def _back(row: UnderWay, campaign: CampaignAtWork) -> StationChange:
    """It waits for its turn again, unless there will be none."""
    if campaign.record.state is CampaignState.CANCELED:
        return _changed(row, _S.SKIPPED, "the campaign was canceled")
    return _changed(row, _S.PENDING)


def _changed(row: UnderWay, state: CampaignStationState, reason: str | None = None) -> StationChange:
    return StationChange(row.identity, row.state, state, reason=reason)


_WORDS: Final = {
    UpdateState.FAILED: "the station didn't install it",
    UpdateState.REFUSED: "the image was refused",
    UpdateState.CANCELED: "its update was canceled",
}


def is_to_be_withdrawn(row: UnderWay, campaign: CampaignAtWork, now: datetime, is_here: Callable[[str], bool]) -> bool:
    """Return whether an update that its station has not heard of is to be taken back.

    That is when no station is ordered now, and when its station has gone and another could have its place.
    """
    if row.state is not _S.ORDERED or row.newest_state not in _WITHDRAWABLE:
        return False
    if not may_order(campaign, now):
        return True
    is_old = row.newest_changed_at is not None and now - row.newest_changed_at > AWAY_AFTER
    return is_old and row.newest_state is UpdateState.WAITING and not is_here(row.identity)


def silence(row: UnderWay, now: datetime) -> StationChange | None:
    """Return that a station's update has failed of which nothing was heard for too long, or None."""
    if row.state is not _S.ORDERED or row.newest_changed_at is None or now - row.newest_changed_at <= SILENT_AFTER:
        return None
    hours = SILENT_AFTER // timedelta(hours=1)
    return StationChange(
        row.identity, row.state, _S.FAILED, reason=f"nothing was heard of its update for {hours} hours"
    )
