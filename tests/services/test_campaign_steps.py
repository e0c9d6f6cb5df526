"""What is next for a station of a campaign, from what is on record."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.services.campaign_steps import (
    AWAY_AFTER,
    SILENT_AFTER,
    is_to_be_withdrawn,
    may_order,
    next_of,
    silence,
    why_it_halts,
    why_not_for_it,
)
from gateway.session.firmware import CampaignRecord, CampaignState, ImageState, NewCampaign, UpdateState
from gateway.session.firmware_campaigns import CampaignAtWork, CampaignStationState, StationChange, UnderWay
from tests.campaigns import NOON, VENDORS, boot_of

S, U = CampaignStationState, UpdateState
PLAN = NewCampaign("autumn", 7, group="depot")
RECORD = CampaignRecord(1, PLAN, CampaignState.RUNNING, None, NOON, "ann", NOON, "ann")
CAMPAIGN = CampaignAtWork(RECORD, "acme", "M1", "2.0", ImageState.VERIFIED, None)
OVER = replace(CAMPAIGN, record=replace(RECORD, state=CampaignState.CANCELED))
PAUSED = replace(CAMPAIGN, record=replace(RECORD, state=CampaignState.PAUSED))
TICK = timedelta(microseconds=1)


def row(
    state: CampaignStationState,
    known: int | None,
    newest: int | None,
    update: UpdateState | None = None,
    reason: str | None = None,
) -> UnderWay:
    return UnderWay("CS1", state, known, newest, update, reason, None if update is None else NOON)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # being ordered: the updates on record say whether it was
        (row(S.ORDERING, None, None), (S.PENDING, None, None)),
        (row(S.ORDERING, None, 4, U.PREPARING), (S.ORDERED, 4, None)),
        (row(S.ORDERING, 4, 4, U.FAILED), (S.PENDING, None, None)),
        (row(S.ORDERING, 4, 5, U.INSTALLED), (S.ORDERED, 5, None)),
        # under way
        (row(S.ORDERED, 4, 4, U.PREPARING), None),
        (row(S.ORDERED, 4, 4, U.WAITING), None),
        (row(S.ORDERED, 4, 4, U.SENT), None),
        (row(S.ORDERED, 4, 4, U.INSTALLED), (S.INSTALLED, None, None)),
        (row(S.ORDERED, 4, 4, U.FAILED, "no space"), (S.FAILED, None, "no space")),
        (row(S.ORDERED, 4, 4, U.FAILED), (S.FAILED, None, "the station didn't install it")),
        (row(S.ORDERED, 4, 4, U.REFUSED), (S.FAILED, None, "the image was refused")),
        (row(S.ORDERED, 4, 4, U.CANCELED), (S.SKIPPED, None, "its update was canceled")),
        (row(S.ORDERED, None, None), (S.FAILED, None, "its update isn't on record any more")),
        # taken back
        (row(S.WITHDRAWING, 4, 4, U.WAITING), None),
        (row(S.WITHDRAWING, 4, 4, U.CANCELED), (S.PENDING, None, None)),
        (row(S.WITHDRAWING, 4, 4, U.SENT), (S.ORDERED, None, None)),
        (row(S.WITHDRAWING, 4, 4, U.INSTALLED), (S.INSTALLED, None, None)),
        (row(S.WITHDRAWING, 4, 4, U.REFUSED, "revoked"), (S.FAILED, None, "revoked")),
        (row(S.WITHDRAWING, None, None), (S.FAILED, None, "its update isn't on record any more")),
    ],
)
def test_what_is_next(found: UnderWay, expected: Any) -> None:
    change = next_of(found, CAMPAIGN)
    if expected is None:
        assert change is None
    else:
        state, update_id, reason = expected
        assert change == StationChange("CS1", found.state, state, update_id, reason)


@pytest.mark.parametrize("found", [row(S.ORDERING, None, None), row(S.WITHDRAWING, 4, 4, U.CANCELED)])
def test_of_a_canceled_campaign_nobody_waits_for_a_turn(found: UnderWay) -> None:
    assert next_of(found, OVER) == StationChange("CS1", found.state, S.SKIPPED, None, "the campaign was canceled")


def test_who_could_not_be_ordered_has_failed_unless_it_was() -> None:
    why = "the store said no"
    assert next_of(row(S.ORDERING, 4, 4, U.FAILED), CAMPAIGN, why) == StationChange(
        "CS1", S.ORDERING, S.FAILED, None, why
    )
    change = next_of(row(S.ORDERING, 4, 5, U.PREPARING), CAMPAIGN, why)
    assert change == StationChange("CS1", S.ORDERING, S.ORDERED, 5)


@pytest.mark.parametrize(
    ("campaign", "expected"),
    [
        (CAMPAIGN, True),
        (PAUSED, False),
        (OVER, False),
        (replace(CAMPAIGN, image_state=ImageState.WITHDRAWN), False),
        (replace(CAMPAIGN, record=replace(RECORD, plan=replace(PLAN, window_from=0, window_until=720))), False),
        (replace(CAMPAIGN, record=replace(RECORD, plan=replace(PLAN, window_from=720, window_until=0))), True),
    ],
)
def test_when_stations_are_ordered(campaign: CampaignAtWork, *, expected: bool) -> None:
    assert may_order(campaign, NOON) is expected
    unheard = row(S.ORDERED, 4, 4, U.PREPARING)
    assert is_to_be_withdrawn(unheard, campaign, NOON, lambda _: True) is not expected


@pytest.mark.parametrize("found", [row(S.ORDERED, 4, 4, U.SENT), row(S.ORDERING, 4, 5, U.WAITING)])
def test_only_what_was_not_heard_is_taken_back(found: UnderWay) -> None:
    assert not is_to_be_withdrawn(found, PAUSED, NOON, lambda _: False)


@pytest.mark.parametrize(
    ("state", "is_here", "waited", "expected"),
    [
        (U.WAITING, False, AWAY_AFTER, False),
        (U.WAITING, False, AWAY_AFTER + TICK, True),
        (U.WAITING, True, AWAY_AFTER + TICK, False),
        (U.PREPARING, False, AWAY_AFTER + TICK, False),
    ],
)
def test_who_is_gone_for_a_while_leaves_its_place(
    state: UpdateState, waited: timedelta, *, is_here: bool, expected: bool
) -> None:
    found = row(S.ORDERED, 4, 4, state)
    assert is_to_be_withdrawn(found, CAMPAIGN, NOON + waited, lambda _: is_here) is expected


def test_silence_for_a_day_is_a_failure() -> None:
    found = row(S.ORDERED, 4, 4, U.SENT)
    assert silence(found, NOON + SILENT_AFTER) is None
    why = "nothing was heard of its update for 24 hours"
    assert silence(found, NOON + SILENT_AFTER + TICK) == StationChange("CS1", S.ORDERED, S.FAILED, None, why)
    assert silence(row(S.WITHDRAWING, 4, 4, U.SENT), NOON + 2 * SILENT_AFTER) is None


@pytest.mark.parametrize(
    ("state", "reason", "why"),
    [
        (ImageState.VERIFIED, "as it was", None),
        (ImageState.REFUSED, None, "its image 7 is refused"),
        (ImageState.WITHDRAWN, "bricks M1", "its image 7 is withdrawn: bricks M1"),
    ],
)
def test_an_image_that_is_not_good_halts_it(state: ImageState, reason: str | None, why: str | None) -> None:
    assert why_it_halts(replace(CAMPAIGN, image_state=state, image_reason=reason)) == why


@pytest.mark.parametrize(
    ("boot", "why"),
    [
        (None, None),
        (boot_of(), None),
        (boot_of(firmware=None), None),
        (boot_of("acme"), "its vendor is 'acme': the image is for stations of 'acme'"),
        (boot_of("Other"), "its vendor is 'Other': the image is for stations of 'acme'"),
        (boot_of("Ac\x1bme"), "its vendor is 'Ac\\x1bme': the image is for stations of 'acme'"),
        (boot_of(model="M2"), "its model is 'M2': the image is for 'M1'"),
        (boot_of(firmware="2.0"), "it has version 2.0 already"),
        (
            {"chargingStation": {"vendorName": "ACME", "model": "M1", "firmwareVersion": "2.0"}},
            "it has version 2.0 already",
        ),
    ],
)
def test_whom_an_image_is_not_for(boot: Any, why: str | None) -> None:
    assert why_not_for_it(CAMPAIGN, VENDORS.get, boot) == why


def test_an_image_for_all_models_is_for_each() -> None:
    assert why_not_for_it(replace(CAMPAIGN, model=None), VENDORS.get, boot_of(model="M2")) is None
