"""What is told of campaigns."""

from dataclasses import replace

from gateway.admin.campaigns_shown import campaign_shown, campaign_station_shown
from gateway.session.firmware import CampaignRecord, CampaignState, NewCampaign
from gateway.session.firmware_campaigns import CampaignProgress, CampaignStation, CampaignStationState
from tests.campaigns import NOON

S = CampaignStationState
PLAN = NewCampaign("autumn", 7, group="depot", window_from=1320, window_until=330)
RECORD = CampaignRecord(1, PLAN, CampaignState.HALTED, "why", NOON, "ann", NOON, "voltgate")


def test_a_campaign() -> None:
    shown = campaign_shown(RECORD, CampaignProgress({S.PENDING: 2, S.ORDERED: 1, S.FAILED: 4}))
    assert (shown["state"], shown["reason"], shown["window"], shown["changed_by"]) == (
        "halted",
        "why",
        "22:00-05:30",
        "voltgate",
    )
    assert (shown["total"], shown["over"]) == (7, 4)
    assert shown["stations"] == {
        "pending": 2,
        "ordering": 0,
        "ordered": 1,
        "withdrawing": 0,
        "installed": 0,
        "failed": 4,
        "skipped": 0,
    }
    always = replace(RECORD, plan=replace(PLAN, window_from=None, window_until=None))
    assert campaign_shown(always, CampaignProgress())["window"] is None


def test_a_station() -> None:
    assert campaign_station_shown(CampaignStation("CS1", S.ORDERED, 4, "Downloading", None, NOON)) == {
        "identity": "CS1",
        "state": "ordered",
        "update_id": 4,
        "status": "Downloading",
        "reason": None,
        "changed_at": NOON.isoformat(),
    }
