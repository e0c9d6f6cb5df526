"""Firmware campaigns in the metrics. Labels are our own words."""

from collections.abc import Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric

from gateway.session.firmware import CampaignState
from gateway.session.firmware_campaigns import CampaignStationState


def campaign_metrics(
    campaigns: Mapping[CampaignState, int], stations: Mapping[CampaignStationState, int]
) -> Iterable[Metric]:
    """Yield how many campaigns go on, and how far their stations are."""
    found = GaugeMetricFamily(
        "voltgate_firmware_campaigns",
        "Firmware campaigns that aren't over, and those of which an update is still under way.",
        labels=["state"],
    )
    for state, count in campaigns.items():
        found.add_metric([state.value], count)
    yield found
    through = GaugeMetricFamily(
        "voltgate_firmware_campaign_stations", "Stations of these campaigns, by where they stand.", labels=["state"]
    )
    for where, count in stations.items():
        through.add_metric([where.value], count)
    yield through
