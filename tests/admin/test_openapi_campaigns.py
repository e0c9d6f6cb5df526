"""The description of campaigns names what the answers have."""

from typing import Any

import pytest

from gateway.admin.campaigns_shown import campaign_shown, campaign_station_shown
from gateway.admin.openapi_campaigns import CAMPAIGN_SCHEMAS, firmware_campaigns
from gateway.session.firmware import CampaignRecord, CampaignState, NewCampaign
from gateway.session.firmware_campaigns import CampaignProgress, CampaignStation, CampaignStationState
from tests.campaigns import NOON

RECORD = CampaignRecord(1, NewCampaign("autumn", 7), CampaignState.DONE, None, NOON, "ann", NOON, "ann")
STATION = CampaignStation("CS1", CampaignStationState.PENDING, None, None, None, NOON)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("FirmwareCampaign", campaign_shown(RECORD, CampaignProgress())),
        ("FirmwareCampaignStation", campaign_station_shown(STATION)),
    ],
)
def test_every_member_is_described(name: str, shown: dict[str, Any]) -> None:
    schema = CAMPAIGN_SCHEMAS[name]
    assert set(schema["properties"]) == set(schema["required"]) == set(shown)


def test_stations_have_pages_by_identity() -> None:
    answer = firmware_campaigns()["firmware/campaigns/{id}/stations"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"]["properties"]["next"]["type"] == ["string", "null"]
