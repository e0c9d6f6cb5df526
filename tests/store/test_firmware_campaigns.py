"""What people do with campaigns, on either database."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.session.firmware import (
    REASON_MAX,
    CampaignState,
    FirmwareConflict,
    FirmwareInvalid,
    FirmwareUnknown,
    ImageState,
    NewCampaign,
)
from gateway.session.firmware_campaigns import CampaignStationState, StationChange
from gateway.store import campaign_rows
from gateway.store import firmware_campaigns as module
from gateway.store.campaign_rounds import CampaignRounds
from gateway.store.database import Database
from gateway.store.firmware_campaigns import WHO_MAX, FirmwareCampaigns
from tests.campaigns import NOON, CampaignDesk, add_image

S = CampaignStationState


@pytest.fixture
async def desk(database: Database) -> CampaignDesk:
    return CampaignDesk(database)


@pytest.fixture
def campaigns(desk: CampaignDesk) -> FirmwareCampaigns:
    return desk.campaigns


async def put(desk: CampaignDesk, campaign_id: int, **states: S) -> None:
    """Stations get states, as if the scheduler had given them."""
    changes = [StationChange(name, S.PENDING, state, reason=f"{name} it is") for name, state in states.items()]
    await CampaignRounds(desk.database, desk.now).move(campaign_id, changes)


async def test_a_group_is_who_is_in_it_when_the_campaign_begins(desk: CampaignDesk) -> None:
    await desk.add("CS2", "CS1")
    await desk.add("CS3", group="other")
    created = await desk.create(window_from=1320, window_until=330, batch_size=3, halt_above=5, halt_after=9)
    await desk.add("CS4")
    assert await desk.states(created) == {"CS1": "pending", "CS2": "pending"}
    assert await desk.campaigns.find(created.id) == created
    assert (created.state, created.created_by, created.created_at) == (CampaignState.RUNNING, "ann", NOON)
    plan = NewCampaign("autumn", desk.image_id, "depot", (), 3, 5, 9, 1320, 330)
    assert created.plan == plan


async def test_stations_can_be_named(desk: CampaignDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_rows, "_CHUNK", 2)
    await desk.add("CS1", "CS2", "CS3", "CS4")
    created = await desk.create(group=None, stations=("CS4", "CS1", "CS3"))
    assert list(await desk.states(created)) == ["CS1", "CS3", "CS4"]
    assert (await desk.again(created)).plan.stations == ()


@pytest.mark.parametrize(
    ("plan", "error", "why"),
    [
        ({"name": "12"}, FirmwareInvalid, "isn't a number"),
        ({"group": "nobody"}, FirmwareInvalid, "no station is in the group 'nobody'"),
        (
            {"group": None, "stations": ("CS1", "\u00fc", "Y")},
            FirmwareInvalid,
            r"stations: '\\xfc', 'Y' aren't registered",
        ),
        ({"group": None, "stations": tuple("ABCDEFG")}, FirmwareInvalid, "'E' and 2 more aren't registered"),
        ({"image_id": 9}, FirmwareUnknown, "there is no image 9"),
        ({"name": "autumn"}, FirmwareConflict, "there is a campaign 'autumn' already"),
    ],
)
async def test_what_can_not_begin(desk: CampaignDesk, plan: dict[str, Any], error: type[Exception], why: str) -> None:
    await desk.add("CS1")
    await desk.create()
    wanted = replace(NewCampaign("spring", desk.image_id, group="depot"), **plan)
    with pytest.raises(error, match=why):
        await desk.campaigns.create(wanted, "ann")
    assert len(await desk.campaigns.list()) == 1


@pytest.mark.parametrize("state", [each for each in ImageState if each is not ImageState.VERIFIED])
async def test_only_a_verified_image_is_given_to_stations(desk: CampaignDesk, state: ImageState) -> None:
    await desk.add("CS1")
    number = await add_image(desk.database, state=state)
    with pytest.raises(FirmwareConflict, match=f"image {number} is {state.value}; only a verified one"):
        await desk.campaigns.create(NewCampaign("autumn", number, group="depot"), "ann")


async def test_a_group_has_so_many_and_no_more(desk: CampaignDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_rows, "STATIONS_MAX", 2)
    await desk.add("CS1", "CS2")
    await desk.create()
    await desk.add("CS3")
    with pytest.raises(FirmwareInvalid, match="3 stations are in the group: at most 2"):
        await desk.create("spring")


async def test_so_many_are_open_and_no_more(desk: CampaignDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_MAX", 2)
    await desk.add("CS1")
    first = await desk.create("one")
    await desk.campaigns.pause((await desk.create("two")).id, "ann")
    with pytest.raises(FirmwareConflict, match="2 campaigns are under way"):
        await desk.create("three")
    await desk.campaigns.cancel(first.id, "ann")
    await desk.create("three")


async def test_so_many_that_are_over_are_kept(desk: CampaignDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_MAX", 2)
    await desk.add("CS1")
    await desk.create("open")
    for name in ("one", "two", "three"):
        await desk.campaigns.cancel((await desk.create(name)).id, "ann")
    assert [each.plan.name for each in await desk.campaigns.list()] == ["open", "one", "two", "three"]
    last = await desk.create("four")
    assert [each.plan.name for each in await desk.campaigns.list()] == ["open", "two", "three", "four"]
    assert await desk.states(last) == {"CS1": "pending"}


async def test_one_is_found_by_its_name_or_its_number(desk: CampaignDesk) -> None:
    await desk.add("CS1")
    created = await desk.create()
    assert await desk.campaigns.named("autumn") == created
    assert await desk.campaigns.named(str(created.id)) == created
    for name in ("winter", str(created.id + 1), "9" * 30, "\u0661"):
        assert await desk.campaigns.named(name) is None
    assert await desk.campaigns.find(created.id + 1) is None


async def test_they_are_listed_in_pages(desk: CampaignDesk) -> None:
    await desk.add("CS1")
    one, two, three = [await desk.create(name) for name in ("one", "two", "three")]
    paused = await desk.campaigns.pause(two.id, "ann")
    assert await desk.campaigns.list() == [one, paused, three]
    assert await desk.campaigns.list(after_id=one.id, limit=1) == [paused]
    assert await desk.campaigns.list(states=[CampaignState.RUNNING]) == [one, three]


async def test_stations_are_shown_in_pages_with_what_their_update_says(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2", "CS3")
    campaign = await desk.create(batch_size=1)
    await desk.later()
    (update,) = await desk.open()
    await desk.moves(update, update.state, status="Downloading", reason="slowly")
    await put(desk, campaign.id, CS3=S.SKIPPED)
    first, second, third = await desk.campaigns.stations(campaign.id)
    assert (first.state, first.update_id, first.status, first.reason) == (S.ORDERED, update.id, "Downloading", "slowly")
    assert (second.state, second.update_id, second.status, second.reason) == (S.PENDING, None, None, None)
    assert (third.state, third.reason) == (S.SKIPPED, "CS3 it is")
    assert await desk.campaigns.stations(campaign.id, states=[S.PENDING, S.SKIPPED]) == [second, third]
    assert await desk.campaigns.stations(campaign.id, after="CS1", limit=1) == [second]


async def test_a_pause_and_its_end(desk: CampaignDesk) -> None:
    await desk.add("CS1")
    created = await desk.create()
    paused = await desk.campaigns.pause(created.id, "b" * 2 * WHO_MAX, "\0" + "x" * 2 * REASON_MAX)
    assert (paused.state, paused.changed_by) == (CampaignState.PAUSED, "b" * WHO_MAX)
    assert paused.reason is not None
    assert len(paused.reason) == REASON_MAX
    with pytest.raises(FirmwareConflict, match="campaign 'autumn' isn't running, but paused"):
        await desk.campaigns.pause(created.id, "bob")
    resumed = await desk.campaigns.resume(created.id, "bob")
    assert (resumed.state, resumed.reason, resumed.changed_by) == (CampaignState.RUNNING, None, "bob")
    with pytest.raises(FirmwareConflict, match="is running: it can't be let go on"):
        await desk.campaigns.resume(created.id, "bob")


async def test_the_end_skips_who_has_not_been_ordered(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2", "CS3")
    created = await desk.create()
    await put(desk, created.id, CS1=S.INSTALLED, CS2=S.ORDERED)
    canceled = await desk.campaigns.cancel(created.id, "bob", "enough")
    assert (canceled.state, canceled.reason) == (CampaignState.CANCELED, "enough")
    assert await desk.states(canceled) == {"CS1": "installed", "CS2": "ordered", "CS3": "skipped"}
    for again in (desk.campaigns.cancel(created.id, "x"), desk.campaigns.resume(created.id, "x", retry_failed=True)):
        with pytest.raises(FirmwareConflict, match="is canceled"):
            await again


@pytest.mark.parametrize("word", ["pause", "resume", "cancel"])
async def test_one_that_is_not_there(campaigns: FirmwareCampaigns, word: str) -> None:
    with pytest.raises(FirmwareUnknown, match="there is no campaign 9"):
        await getattr(campaigns, word)(9, "ann")


async def test_what_failed_before_counts_no_more_after_a_halt_but_does_after_a_pause(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2", "CS3")
    created = await desk.create()
    await put(desk, created.id, CS1=S.INSTALLED, CS2=S.FAILED)
    await desk.campaigns.pause(created.id, "bob")
    await desk.campaigns.resume(created.id, "bob")
    progress = (await desk.campaigns.progress(created.id))[created.id]
    assert (progress.installed_before, progress.failed_before) == (0, 0)
    assert progress.counts == {S.INSTALLED: 1, S.FAILED: 1, S.PENDING: 1}

    assert await CampaignRounds(desk.database, desk.now).halt(created.id, "too many")
    await desk.campaigns.resume(created.id, "bob")
    progress = (await desk.campaigns.progress(created.id))[created.id]
    assert (progress.installed_before, progress.failed_before) == (1, 1)


async def test_who_has_failed_is_tried_again(desk: CampaignDesk) -> None:
    await desk.add("CS1", "CS2")
    created = await desk.create()
    with pytest.raises(FirmwareConflict, match="no station has failed"):
        await desk.campaigns.resume(created.id, "bob", retry_failed=True)
    await put(desk, created.id, CS1=S.INSTALLED, CS2=S.FAILED)
    resumed = await desk.campaigns.resume(created.id, "bob", retry_failed=True)
    assert resumed.state is CampaignState.RUNNING
    assert await desk.states(created) == {"CS1": "installed", "CS2": "pending"}
    assert await desk.reasons(created) == {}
    progress = (await desk.campaigns.progress(created.id))[created.id]
    assert (progress.installed_before, progress.failed_before) == (1, 0)


async def test_progress_of_none_is_nothing(campaigns: FirmwareCampaigns) -> None:
    assert (await campaigns.progress(9))[9].total == 0
    assert await campaigns.progress() == {}
