"""The scheduler of campaigns: who is ordered when, what halts it, and what a crash costs."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.services import firmware_campaigns as module
from gateway.services.campaign_steps import AWAY_AFTER, SILENT_AFTER
from gateway.session.firmware import (
    CampaignState,
    FirmwareConflict,
    FirmwareUnknown,
    ImageState,
    NewUpdate,
    UpdateSource,
    UpdateState,
)
from gateway.session.firmware_campaigns import CampaignStationState
from gateway.session.ports import BootStatus, Provisional, StoreAway
from gateway.store.database import Database
from tests.campaigns import VERSION, CampaignDesk, Here, Killed, boot_of, set_image

HOUR = timedelta(hours=1)
U = UpdateState


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with nothing in its tables, to be copied."""
    path = tmp_path_factory.mktemp("campaigns") / "voltgate.db"

    async def make() -> None:
        await (await Database.open(f"sqlite+aiosqlite:///{path}", exclusive=False)).close()

    asyncio.run(make())
    return path


@pytest.fixture
async def desk(migrated: Path, tmp_path: Path) -> AsyncIterator[CampaignDesk]:
    path = shutil.copyfile(migrated, tmp_path / "voltgate.db")
    database = await Database.open(f"sqlite+aiosqlite:///{path}", exclusive=False)
    yield CampaignDesk(database)
    await database.close()


async def test_so_many_at_once_until_all_are_through(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2", "CS3")
    campaign = await desk.create(batch_size=2)
    await desk.later()
    assert desk.ordered == ["CS1", "CS2"]
    assert await desk.states(campaign) == {"CS1": "ordered", "CS2": "ordered", "CS3": "pending"}
    await desk.later()
    assert desk.ordered == ["CS1", "CS2"]

    await desk.becomes("CS1", U.INSTALLED)
    await desk.later()
    assert desk.ordered == ["CS1", "CS2", "CS3"]
    await desk.becomes("CS2", U.INSTALLED)
    await desk.becomes("CS3", U.FAILED, reason="InstallationFailed")
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "installed", "CS2": "installed", "CS3": "failed"}
    assert await desk.reasons(campaign) == {"CS3": "InstallationFailed"}
    done = await desk.again(campaign)
    assert (done.state, done.changed_by) == (CampaignState.DONE, "voltgate")
    await desk.later()
    assert desk.scheduler.campaigns[CampaignState.RUNNING] == 0


async def test_an_update_says_whose_it_is(desk: CampaignDesk) -> None:
    await desk.add("CS1")
    campaign = await desk.create()
    await desk.later()
    (ordered,) = await desk.open()
    assert (ordered.campaign_id, ordered.by, ordered.source.value) == (campaign.id, "autumn", "campaign")
    (station,) = await desk.campaigns.stations(campaign.id)
    assert station.update_id == ordered.id


async def test_who_can_not_be_told_now_has_its_turn_later(desk: CampaignDesk) -> None:
    await desk.add("AWAY", here=False)
    await desk.add("CLOSED", "FACTORY", "PENDING", "READY")
    desk.here["CLOSED"].is_connected = False
    desk.here["FACTORY"].provisional = Provisional.FACTORY
    desk.here["PENDING"].gate.answered(BootStatus.PENDING)
    campaign = await desk.create()
    await desk.later()
    assert desk.ordered == ["READY"]

    desk.here["AWAY"] = Here(boot_of())
    desk.here["PENDING"].gate.answered(BootStatus.ACCEPTED)
    await desk.later()
    assert desk.ordered == ["READY", "AWAY", "PENDING"]
    assert (await desk.again(campaign)).state is CampaignState.RUNNING


async def test_who_it_is_not_for_is_skipped_with_the_reason_be_it_here_or_not(desk: CampaignDesk) -> None:
    await desk.add("OTHER", boot=boot_of("Other"), here=False)
    await desk.add("UNKNOWN", boot=boot_of("Nobody"))
    await desk.add("MODEL", boot=boot_of(model="M2"))
    await desk.add("THERE", boot=boot_of(firmware=VERSION), here=False)
    await desk.add("MUTE", boot=boot_of(firmware=None))
    campaign = await desk.create(model="M1")
    await desk.later()
    assert desk.ordered == ["MUTE"]
    assert await desk.reasons(campaign) == {
        "OTHER": "its vendor is 'Other': the image is for stations of 'acme'",
        "UNKNOWN": "its vendor is 'Nobody': the image is for stations of 'acme'",
        "MODEL": "its model is 'M2': the image is for 'M1'",
        "THERE": "it has version 2.0 already",
    }


async def test_what_a_station_says_when_it_comes_counts(desk: CampaignDesk) -> None:
    await desk.add("CS1", here=False)
    campaign = await desk.create()
    await desk.later()
    desk.here["CS1"] = Here(boot_of(firmware=VERSION))
    await desk.later()
    assert desk.ordered == []
    assert await desk.states(campaign) == {"CS1": "skipped"}
    await desk.later()
    assert (await desk.again(campaign)).state is CampaignState.DONE


async def test_a_station_that_is_removed_is_skipped(desk: CampaignDesk) -> None:
    await desk.add("CS1", here=False)
    campaign = await desk.create()
    await desk.later()
    await desk.stations.remove("CS1")
    await desk.later(timedelta(seconds=module.PENDING_READ_EVERY))
    assert await desk.reasons(campaign) == {"CS1": "it isn't registered any more"}
    assert (await desk.again(campaign)).state is CampaignState.DONE


async def test_nobody_is_ordered_outside_of_the_window(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create(window_from=22 * 60, window_until=4 * 60, batch_size=1)
    await desk.later()
    assert desk.ordered == []
    await desk.later(10 * HOUR)
    assert desk.ordered == ["CS1"]
    await desk.becomes("CS1", U.SENT)
    await desk.later(6 * HOUR)  # the window has closed: who has heard of it goes on
    await desk.becomes("CS1", U.INSTALLED)
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "installed", "CS2": "pending"}
    assert desk.ordered == ["CS1"]


@pytest.mark.parametrize("state", [U.PREPARING, U.WAITING])
async def test_what_a_station_has_not_heard_of_is_taken_back_when_the_window_closes(
    desk: CampaignDesk, state: UpdateState
) -> None:
    await desk.add("CS1")
    campaign = await desk.create(window_from=11 * 60, window_until=13 * 60)
    await desk.later()
    if state is U.WAITING:
        await desk.becomes("CS1", state)
    await desk.later(2 * HOUR)
    assert await desk.open() == []
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "pending"}
    await desk.later(22 * HOUR)
    assert desk.ordered == ["CS1", "CS1"]


async def test_a_pause_takes_back_what_was_not_heard_and_lets_go_on_what_was(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2", "CS3")
    campaign = await desk.create(batch_size=2)
    await desk.later()
    await desk.becomes("CS1", U.SENT)
    await desk.campaigns.pause(campaign.id, "bob", "the weather")
    await desk.later()
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "ordered", "CS2": "pending", "CS3": "pending"}
    await desk.becomes("CS1", U.INSTALLED)
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "installed", "CS2": "pending", "CS3": "pending"}
    await desk.campaigns.resume(campaign.id, "bob")
    await desk.later()
    assert desk.ordered == ["CS1", "CS2", "CS2", "CS3"]


async def test_a_station_that_hears_of_it_just_then_goes_on(desk: CampaignDesk) -> None:
    await desk.add("CS1")
    campaign = await desk.create()
    await desk.later()
    await desk.campaigns.pause(campaign.id, "bob")
    (update,) = await desk.open()

    async def too_late(update_id: int) -> object:
        await desk.updates.move(update_id, U.SENT, was={U.PREPARING})
        raise FirmwareConflict("the station has it already")

    desk.cancel = too_late  # type: ignore[method-assign]  # the updates, at this moment
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "withdrawing"}
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "ordered"}
    assert [each.id for each in await desk.open()] == [update.id]


async def test_a_canceled_campaign_leaves_only_those_that_have_heard_of_it(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2", "CS3")
    campaign = await desk.create(batch_size=2)
    await desk.later()
    await desk.becomes("CS1", U.SENT)
    await desk.campaigns.cancel(campaign.id, "bob")
    for _ in range(2):
        await desk.later()
    canceled = "the campaign was canceled"
    assert await desk.states(campaign) == {"CS1": "ordered", "CS2": "skipped", "CS3": "skipped"}
    assert await desk.reasons(campaign) == {"CS2": canceled, "CS3": canceled}
    await desk.becomes("CS1", U.INSTALLED)
    await desk.later()
    assert (await desk.states(campaign))["CS1"] == "installed"
    assert (await desk.again(campaign)).state is CampaignState.CANCELED


async def test_too_many_failures_halt_it_until_a_person_has_seen_them(desk: CampaignDesk) -> None:
    await desk.add(*(f"CS{number}" for number in range(6)))
    campaign = await desk.create(batch_size=2, halt_after=2, halt_above=50)
    await desk.later()
    for name in ("CS0", "CS1"):
        await desk.becomes(name, U.FAILED, reason="InstallationFailed")
    with capture_logs() as logs:
        await desk.later()
    halted = await desk.again(campaign)
    why = "2 of 2 stations have failed, which is more than 50 %"
    assert (halted.state, halted.reason) == (CampaignState.HALTED, why)
    assert [each["reason"] for each in logs if each["event"] == "firmware_campaign_halted"] == [why]
    await desk.later()
    assert desk.ordered == ["CS0", "CS1"]

    await desk.campaigns.resume(campaign.id, "bob")
    await desk.later()
    assert desk.ordered == ["CS0", "CS1", "CS2", "CS3"]
    await desk.becomes("CS2", U.FAILED)
    await desk.becomes("CS3", U.INSTALLED)
    await desk.later()
    assert (await desk.again(campaign)).state is CampaignState.RUNNING  # exactly half of those since then


async def test_who_has_failed_is_tried_again_when_a_person_wants_it(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create()
    await desk.later()
    await desk.becomes("CS1", U.FAILED)
    await desk.becomes("CS2", U.INSTALLED)
    await desk.later()
    assert (await desk.again(campaign)).state is CampaignState.DONE
    await desk.campaigns.resume(campaign.id, "bob", retry_failed=True)
    await desk.later()
    assert desk.ordered == ["CS1", "CS2", "CS1"]
    await desk.becomes("CS1", U.INSTALLED)
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "installed", "CS2": "installed"}


async def test_an_image_that_is_not_good_any_more_halts_it(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create(batch_size=1)
    await desk.later()
    await set_image(desk.database, desk.image_id, ImageState.WITHDRAWN, "bricks M1")
    await desk.later()
    halted = await desk.again(campaign)
    assert (halted.state, halted.reason) == (CampaignState.HALTED, f"its image {desk.image_id} is withdrawn: bricks M1")
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "pending", "CS2": "pending"}
    assert await desk.open() == []
    await desk.campaigns.resume(campaign.id, "bob")
    await desk.later()
    assert (await desk.again(campaign)).state is CampaignState.HALTED
    assert desk.ordered == ["CS1"]


async def test_a_station_that_another_updates_is_waited_for(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create()
    (other, _) = await desk.updates.add(_backends("CS1"))
    await desk.later()
    assert desk.ordered == ["CS2"]
    await desk.updates.move(other.id, U.FAILED, was={other.state})
    await desk.later()
    assert desk.ordered == ["CS2", "CS1"]
    assert await desk.states(campaign) == {"CS1": "ordered", "CS2": "ordered"}


async def test_whose_update_another_one_takes_the_place_of_is_skipped(desk: CampaignDesk) -> None:
    await desk.add("CS1")
    campaign = await desk.create()
    await desk.later()
    await desk.updates.add(_backends("CS1"))
    await desk.later()
    assert await desk.reasons(campaign) == {"CS1": "another update took its place"}


async def test_who_goes_away_leaves_its_place_to_another(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create(batch_size=1)
    await desk.later()
    await desk.becomes("CS1", U.WAITING)
    gone = desk.here.pop("CS1")
    await desk.later(AWAY_AFTER)
    assert desk.ordered == ["CS1"]
    for _ in range(2):
        await desk.later()
    assert desk.ordered == ["CS1", "CS2"]
    assert await desk.states(campaign) == {"CS1": "pending", "CS2": "ordered"}
    desk.here["CS1"] = gone
    await desk.becomes("CS2", U.INSTALLED)
    await desk.later()
    assert desk.ordered == ["CS1", "CS2", "CS1"]


async def test_silence_ends_after_a_day_unless_the_clock_was_set(desk: CampaignDesk) -> None:
    await desk.add("CS1")
    campaign = await desk.create(halt_after=1)
    await desk.later()
    await desk.becomes("CS1", U.SENT)
    desk.date += 2 * SILENT_AFTER
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "ordered"}
    desk.date -= 2 * SILENT_AFTER
    await desk.later(SILENT_AFTER - timedelta(minutes=1))
    assert await desk.states(campaign) == {"CS1": "ordered"}
    await desk.later(timedelta(minutes=1))
    assert await desk.reasons(campaign) == {"CS1": "nothing was heard of its update for 24 hours"}
    await desk.becomes("CS1", U.INSTALLED)
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "installed"}
    assert desk.scheduler.stations[CampaignStationState.INSTALLED] == 1


@pytest.mark.parametrize("refusal", [FirmwareConflict("it may not"), FirmwareUnknown("it may not")])
async def test_who_can_not_be_ordered_has_failed(desk: CampaignDesk, refusal: Exception) -> None:
    await desk.add("CS1")
    campaign = await desk.create()
    desk.refusals["CS1"] = refusal
    for _ in range(2):
        await desk.later()
    assert await desk.reasons(campaign) == {"CS1": "it may not"}


async def test_a_defect_in_one_order_is_no_other_stations(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create()
    desk.refusals["CS1"] = RuntimeError("secret")
    with capture_logs() as logs:
        for _ in range(2):
            await desk.later()
    assert await desk.reasons(campaign) == {"CS1": "it could not be ordered; the gateway's log says why"}
    assert (await desk.states(campaign))["CS2"] == "ordered"
    assert [each["identity"] for each in logs if each["event"] == "firmware_update_not_ordered"] == ["CS1"]


@pytest.mark.parametrize("when", ["order", "ordered"])
@pytest.mark.parametrize("error", [Killed(), StoreAway("the disk is full")])
async def test_no_station_is_ordered_twice_wherever_it_ends(
    desk: CampaignDesk, when: str, error: BaseException
) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create()

    def kill(moment: str) -> None:
        if moment == when:
            desk.killed = None
            raise error

    desk.killed = kill
    with pytest.raises(type(error)):
        await desk.later()
    assert (await desk.states(campaign))["CS1"] == "ordering"
    if isinstance(error, Killed):
        desk.restart()
    await desk.later()
    assert sorted(desk.ordered) == ["CS1", "CS2"]
    assert await desk.states(campaign) == {"CS1": "ordered", "CS2": "ordered"}


async def test_after_a_restart_the_results_of_meanwhile_are_taken_over(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create(batch_size=1)
    await desk.later()
    await desk.becomes("CS1", U.INSTALLED)
    desk.restart()
    await desk.later()
    assert await desk.states(campaign) == {"CS1": "installed", "CS2": "ordered"}


async def test_what_is_counted_for_the_metrics(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2")
    await desk.add("CS3", here=False)
    await desk.create(batch_size=1)
    await desk.create("spring", batch_size=1)
    for _ in range(2):
        await desk.later()
    assert desk.scheduler.campaigns == {
        **dict.fromkeys(CampaignState, 0),
        CampaignState.RUNNING: 2,
    }
    assert desk.scheduler.stations == {
        **dict.fromkeys(CampaignStationState, 0),
        CampaignStationState.ORDERED: 2,
        CampaignStationState.PENDING: 4,
    }


async def test_each_has_its_turn_where_there_are_many(desk: CampaignDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 2)
    await desk.add("A", "B", "C", here=False)
    await desk.add("D")
    await desk.create()
    await desk.later()
    assert desk.ordered == []
    await desk.later(timedelta(seconds=module.PENDING_READ_EVERY))  # read anew, and the turn goes on
    assert desk.ordered == ["D"]


async def test_a_look_that_fails_is_not_the_last(desk: CampaignDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    async def sweep(_: Any) -> None:
        looks.append(1)
        if len(looks) == 1:
            raise StoreAway("the disk is full")
        raise Killed

    monkeypatch.setattr(module.CampaignScheduler, "sweep", sweep)
    desk.scheduler._sleep = _at_once
    with pytest.raises(Killed):
        await desk.scheduler.run()
    assert len(looks) == 2


async def _at_once(_: float) -> None:
    return


def _backends(identity: str) -> NewUpdate:
    return NewUpdate(
        identity=identity, image_id=None, source=UpdateSource.BACKEND, by="legacy", location="https://fw.example.com/b"
    )
