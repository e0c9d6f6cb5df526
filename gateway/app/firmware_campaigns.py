"""Firmware campaigns, put together: what is on record, the updates of stations, the stations that are here."""

from gateway.app.clock import now
from gateway.app.firmware_manufacturers import Manufacturers
from gateway.app.firmware_updates import Live
from gateway.services.firmware_campaigns import CampaignedStation, CampaignScheduler
from gateway.services.firmware_updates import FirmwareUpdates
from gateway.store.campaign_rounds import CampaignRounds
from gateway.store.database import Database


def campaign_scheduler(
    database: Database,
    updates: FirmwareUpdates,
    manufacturers: Manufacturers,
    *,
    live: Live,
) -> CampaignScheduler:
    """Return the scheduler of the campaigns, which hears of each update."""

    def runtime(identity: str) -> CampaignedStation | None:
        found = live(identity)
        return None if found is None else found[0]

    scheduler = CampaignScheduler(
        CampaignRounds(database), updates, live=runtime, manufacturer_of=manufacturers.of_vendor, now=now
    )
    updates.watch(scheduler.changed)
    return scheduler
