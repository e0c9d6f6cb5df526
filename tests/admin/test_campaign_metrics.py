"""Campaigns, as Prometheus reads them."""

from gateway.admin.metrics import Levels, Metrics
from gateway.session.firmware import CampaignState
from gateway.session.firmware_campaigns import CampaignStationState
from gateway.session.tally import Tally


def test_campaigns_and_their_stations() -> None:
    levels = Levels(
        0,
        0,
        0,
        0,
        campaigns={CampaignState.RUNNING: 1, CampaignState.HALTED: 0},
        campaign_stations={CampaignStationState.FAILED: 3},
    )
    lines = Metrics(Tally(), lambda: levels).expose().decode().splitlines()
    assert 'voltgate_firmware_campaigns{state="running"} 1.0' in lines
    assert 'voltgate_firmware_campaigns{state="halted"} 0.0' in lines
    assert 'voltgate_firmware_campaign_stations{state="failed"} 3.0' in lines
