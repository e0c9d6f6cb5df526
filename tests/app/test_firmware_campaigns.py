"""The scheduler of campaigns on the updates of stations as they are in a gateway."""

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from gateway.app.firmware_campaigns import campaign_scheduler
from gateway.app.firmware_updates import StationUpdates
from gateway.app.tasks import Tasks
from gateway.config import load
from gateway.session.firmware import CampaignState, UpdateState
from gateway.store.database import Database
from tests.campaigns import CampaignDesk, Here, boot_of

if TYPE_CHECKING:
    from gateway.app.firmware_manufacturers import Manufacturers


async def test_a_campaign_orders_updates_and_hears_of_them(tmp_path: Path) -> None:
    """Its image is looked at by the updates, whose catalogue keeps this one waiting."""
    config = load(_configuration(tmp_path), {})
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
    tasks, desk = Tasks(), CampaignDesk(database)
    try:
        await desk.add("CS1", here=False)
        campaign = await desk.create()
        updates = StationUpdates(
            config,
            database,
            cast("Any", SimpleNamespace(find=_image)),
            None,
            live=lambda _: None,
            security=cast("Any", None),
            tasks=cast("Any", SimpleNamespace(spawn=lambda work, _: work.close())),
        )
        here = cast("Any", {"CS1": Here(boot_of("Acme Corp"))})
        manufacturers = cast("Manufacturers", SimpleNamespace(of_vendor={"Acme Corp": "acme", "ACME": "acme"}.get))
        scheduler = campaign_scheduler(
            database, updates.updates, manufacturers, live=lambda name: (here[name], "legacy") if name in here else None
        )
        await scheduler.sweep()
        (ordered,) = await desk.open()
        assert (ordered.identity, ordered.campaign_id, ordered.state) == ("CS1", campaign.id, UpdateState.PREPARING)

        await desk.campaigns.pause(campaign.id, "ann")
        for _ in range(2):
            await scheduler.sweep()
        assert await desk.open() == []
        assert await desk.states(campaign) == {"CS1": "pending"}
        assert scheduler.campaigns[CampaignState.PAUSED] == 1
    finally:
        await tasks.close()
        await database.close()


async def _image(image_id: int) -> Any:
    return SimpleNamespace(id=image_id, state=None, location="https://fw.example.com/a", reason=None)


def _configuration(folder: Path) -> Path:
    path = folder / "voltgate.yaml"
    path.write_text("backends: {legacy: {url: 'wss://csms.example.com/{identity}'}}\n")
    return path
