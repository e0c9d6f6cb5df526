"""What the API and the commands tell of firmware campaigns: plain JSON."""

from typing import Any

from gateway.session.campaign_windows import window_text
from gateway.session.firmware import CampaignRecord
from gateway.session.firmware_campaigns import CampaignProgress, CampaignStation, CampaignStationState


def campaign_shown(record: CampaignRecord, progress: CampaignProgress) -> dict[str, Any]:
    """Return what is told of a campaign, with how far it is."""
    plan = record.plan
    return {
        "id": record.id,
        "name": plan.name,
        "image_id": plan.image_id,
        "group": plan.group,
        "batch_size": plan.batch_size,
        "halt_above": plan.halt_above,
        "halt_after": plan.halt_after,
        "window": window_text(plan),
        "state": record.state.value,
        "reason": record.reason,
        "total": progress.total,
        "over": progress.over,
        "stations": {state.value: progress[state] for state in CampaignStationState},
        "created_at": record.created_at.isoformat(),
        "created_by": record.created_by,
        "changed_at": record.changed_at.isoformat(),
        "changed_by": record.changed_by,
    }


def campaign_station_shown(station: CampaignStation) -> dict[str, Any]:
    """Return what is told of one station of a campaign."""
    return {
        "identity": station.identity,
        "state": station.state.value,
        "update_id": station.update_id,
        "status": station.status,
        "reason": station.reason,
        "changed_at": station.changed_at.isoformat(),
    }
