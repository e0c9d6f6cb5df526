"""What the scheduler of campaigns reads and writes, on either database."""

from datetime import timedelta

import pytest

from gateway.session.firmware import REASON_MAX, CampaignState, NewUpdate, UpdateRecord, UpdateSource, UpdateState
from gateway.session.firmware_campaigns import CampaignStationState, StationChange, UnderWay
from gateway.store import campaign_rounds as module
from gateway.store.campaign_rounds import CampaignRounds
from gateway.store.database import Database
from tests.campaigns import NOON, CampaignDesk, boot_of

S, U = CampaignStationState, UpdateState


@pytest.fixture
async def desk(database: Database) -> CampaignDesk:
    return CampaignDesk(database)


@pytest.fixture
def rounds(desk: CampaignDesk) -> CampaignRounds:
    return CampaignRounds(desk.database, desk.now)


async def test_at_work_are_those_that_are_not_over_or_have_an_update_under_way(
    desk: CampaignDesk, rounds: CampaignRounds
) -> None:
    await desk.add("CS1")
    running, canceled, over = [await desk.create(name) for name in ("running", "canceled", "over")]
    assert await rounds.claim(canceled.id, "CS1")
    for each in (canceled, over):
        await desk.campaigns.cancel(each.id, "ann")
    found = await rounds.at_work()
    assert [each.record.plan.name for each in found] == ["running", "canceled"]
    assert found[0].record == running
    assert (found[0].manufacturer, found[0].model, found[0].version) == ("acme", None, "2.0")


async def test_who_waits_with_what_it_last_said(
    desk: CampaignDesk, rounds: CampaignRounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    await desk.add("CS1", "CS2", "CS3")
    await desk.stations.add("CS4", profile=1, serial=None, backend=None, password_hash=None, group="depot")
    campaign = await desk.create()
    await desk.stations.remove("CS1")
    await rounds.move(campaign.id, [StationChange("CS2", S.PENDING, S.SKIPPED, reason="no")])
    assert await rounds.pending(campaign.id, "") == [("CS1", False, None), ("CS3", True, boot_of())]
    assert await rounds.pending(campaign.id, "CS3") == [("CS4", True, None)]
    assert await rounds.pending(campaign.id, "CS4") == []


async def test_a_claim_is_given_once_and_only_while_there_is_a_place(
    desk: CampaignDesk, rounds: CampaignRounds
) -> None:
    await desk.add("CS1", "CS2", "CS3")
    campaign = await desk.create(batch_size=2)
    assert not await rounds.claim(campaign.id, "nobody")
    assert await rounds.claim(campaign.id, "CS1")
    assert not await rounds.claim(campaign.id, "CS1")
    assert await rounds.claim(campaign.id, "CS2")
    assert not await rounds.claim(campaign.id, "CS3")
    assert await desk.states(campaign) == {"CS1": "ordering", "CS2": "ordering", "CS3": "pending"}


async def test_after_a_pause_no_claim_is_given(desk: CampaignDesk, rounds: CampaignRounds) -> None:
    await desk.add("CS1")
    campaign = await desk.create()
    await desk.campaigns.pause(campaign.id, "ann")
    assert not await rounds.claim(campaign.id, "CS1")


async def test_who_has_an_update_under_way_is_not_claimed(desk: CampaignDesk, rounds: CampaignRounds) -> None:
    await desk.add("CS1")
    campaign = await desk.create()
    new = NewUpdate(identity="CS1", image_id=None, source=UpdateSource.BACKEND, by="legacy", location="https://x/y")
    update, _ = await desk.updates.add(new)
    assert not await rounds.claim(campaign.id, "CS1")
    await desk.moves(update, U.FAILED)
    assert await rounds.claim(campaign.id, "CS1")


async def test_what_is_under_way_comes_with_the_newest_update_of_the_campaign(
    desk: CampaignDesk, rounds: CampaignRounds
) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create()
    assert await rounds.claim(campaign.id, "CS1")
    assert await rounds.under_way(campaign.id) == [UnderWay("CS1", S.ORDERING, None, None, None, None, None)]
    ordered: list[UpdateRecord] = []
    for name in ("CS1", "CS2", "CS1"):
        desk.date += timedelta(seconds=1)
        await desk.order(name, desk.image_id, source=UpdateSource.CAMPAIGN, by="autumn", campaign_id=campaign.id)
        ordered += (await desk.updates.list())[-1:]
    await rounds.move(campaign.id, [StationChange("CS1", S.ORDERING, S.ORDERED, update_id=ordered[0].id)])
    (found,) = await rounds.under_way(campaign.id)
    assert found == UnderWay(
        "CS1", S.ORDERED, ordered[0].id, ordered[2].id, U.PREPARING, None, NOON + timedelta(seconds=3)
    )


async def test_a_station_is_moved_only_from_where_it_was(desk: CampaignDesk, rounds: CampaignRounds) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create()
    changes = [
        StationChange("CS1", S.ORDERED, S.INSTALLED),
        StationChange("CS2", S.PENDING, S.FAILED, reason="\0" + "x" * 2 * REASON_MAX),
    ]
    await rounds.move(campaign.id, changes)
    await rounds.move(campaign.id, [])
    assert await desk.states(campaign) == {"CS1": "pending", "CS2": "failed"}
    reason = (await desk.reasons(campaign))["CS2"]
    assert reason is not None
    assert len(reason) == REASON_MAX


async def test_a_campaign_is_done_when_nobody_waits_or_is_under_way(desk: CampaignDesk, rounds: CampaignRounds) -> None:
    await desk.add("CS1")
    campaign = await desk.create()
    assert not await rounds.finish(campaign.id)
    assert await rounds.claim(campaign.id, "CS1")
    assert not await rounds.finish(campaign.id)
    await rounds.move(campaign.id, [StationChange("CS1", S.ORDERING, S.FAILED, reason="no")])
    assert await rounds.finish(campaign.id)
    assert not await rounds.finish(campaign.id)
    done = await desk.again(campaign)
    assert (done.state, done.reason, done.changed_by) == (CampaignState.DONE, None, "voltgate")


async def test_only_one_that_runs_is_halted(desk: CampaignDesk, rounds: CampaignRounds) -> None:
    await desk.add("CS1")
    campaign = await desk.create()
    assert await rounds.halt(campaign.id, "2 of 3")
    assert not await rounds.halt(campaign.id, "3 of 3")
    halted = await desk.again(campaign)
    assert (halted.state, halted.reason) == (CampaignState.HALTED, "2 of 3")
    assert (await rounds.progress(campaign.id)).counts == {S.PENDING: 1}


async def test_only_who_had_failed_is_found_to_be_installed_late(desk: CampaignDesk, rounds: CampaignRounds) -> None:
    await desk.add("CS1", "CS2")
    campaign = await desk.create()
    await desk.later()
    first, second = await desk.open()
    await rounds.move(campaign.id, [StationChange("CS1", S.ORDERED, S.FAILED, reason="silent")])
    assert await rounds.installed_late([first.id, second.id, 99]) == 1
    assert await desk.states(campaign) == {"CS1": "installed", "CS2": "ordered"}
