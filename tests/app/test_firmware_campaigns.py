"""The scheduler of campaigns on the updates of stations as they are in a gateway."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest

from gateway.app.firmware_campaigns import campaign_scheduler
from gateway.app.firmware_updates import StationUpdates
from gateway.app.serving import serving
from gateway.app.setup import scaffold
from gateway.app.tasks import Tasks
from gateway.config import Config, load
from gateway.session.firmware import CampaignState, UpdateState
from gateway.store.database import Database
from tests.campaigns import CampaignDesk, Here, boot_of

if TYPE_CHECKING:
    from gateway.app.firmware_manufacturers import Manufacturers

TOKEN = "a-token-for-tests"
CHANGES = {
    "VOLTGATE__LISTENERS__0__BIND": "127.0.0.1:0",
    "VOLTGATE__LISTENERS__1__BIND": "127.0.0.1:0",
    "VOLTGATE__ADMIN__BIND": "127.0.0.1:0",
    "VOLTGATE__ADMIN__TOKEN": "env:VOLTGATE_TEST_TOKEN",
}


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


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A configuration with a manufacturer ``acme``, from whose own place stations load."""
    monkeypatch.setenv("VOLTGATE_TEST_TOKEN", TOKEN)
    monkeypatch.setattr("gateway.services.firmware_campaigns.LOOK_EVERY", 0.01)
    scaffold(tmp_path / "gw", backend_url="ws://127.0.0.1:1/{identity}", operator="A CPO", names=["localhost"])
    path = tmp_path / "gw" / "voltgate.yaml"
    (tmp_path / "gw" / "acme.pem").write_text("")
    path.write_text(
        f"{path.read_text()}\nfirmware: {{serve: original, manufacturers: {{acme: {{roots: acme.pem}}}}}}\n"
    )
    return load(path, CHANGES)


async def test_a_running_gateway_goes_on_with_what_a_command_has_begun(served: Config) -> None:
    lines: list[str] = []
    async with serving(served, lines.append):
        (admin,) = [line.split()[1] for line in lines if line.endswith("admin")]
        beside = await Database.open(served.store.connect_url(), exclusive=False)
        desk = CampaignDesk(beside)
        await desk.add("CS1", boot=boot_of("Other"))
        await desk.add("CS2", boot=boot_of("acme"), here=False)
        campaign = await desk.create()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with asyncio.timeout(20), aiohttp.ClientSession(admin, headers=headers) as session:

            async def asked(path: str) -> Any:
                async with session.get(path) as answer:
                    assert answer.status == 200, path
                    return await answer.read()

            shown: Any = {}
            while shown.get("over") != 1:
                shown = json.loads(await asked(f"/api/v1/firmware/campaigns/{campaign.id}"))
            assert (shown["state"], shown["stations"]["skipped"], shown["stations"]["pending"]) == ("running", 1, 1)
            gauge = b'voltgate_firmware_campaign_stations{state="pending"} 1.0'
            while gauge not in await asked("/metrics"):
                pass
        assert await desk.reasons(campaign) == {"CS1": "its vendor is 'Other': the image is for stations of 'acme'"}
        await beside.close()


async def _image(image_id: int) -> Any:
    return SimpleNamespace(id=image_id, state=None, location="https://fw.example.com/a", reason=None)


def _configuration(folder: Path) -> Path:
    path = folder / "voltgate.yaml"
    path.write_text("backends: {legacy: {url: 'wss://csms.example.com/{identity}'}}\n")
    return path
