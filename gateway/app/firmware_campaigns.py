"""Firmware campaigns, put together: what is on record, the updates of stations, the stations that are here."""

from collections.abc import Callable

from gateway.app.clock import now
from gateway.app.firmware_manufacturers import Manufacturers
from gateway.services.firmware_campaigns import CampaignScheduler
from gateway.services.firmware_updates import FirmwareUpdates
from gateway.session.station import Station
from gateway.store.campaign_rounds import CampaignRounds
from gateway.store.database import Database


def campaign_scheduler(
    database: Database,
    updates: FirmwareUpdates,
    manufacturers: Manufacturers,
    *,
    live: Callable[[str], Station | None],
) -> CampaignScheduler:
    """Return the scheduler of the campaigns, which hears of each update; ``live``: the runtime of a station, if any."""
    scheduler = CampaignScheduler(
        CampaignRounds(database), updates, live=live, manufacturer_of=manufacturers.of_vendor, now=now
    )
    updates.watch(scheduler.changed)
    return scheduler
