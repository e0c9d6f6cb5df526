"""What a campaign may be, and when too many of its stations have failed."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.session import firmware_campaigns as module
from gateway.session.firmware import FirmwareInvalid, NewCampaign
from gateway.session.firmware_campaigns import (
    BATCH_MAX,
    NAME_MAX,
    STATIONS_MAX,
    CampaignProgress,
    CampaignStationState,
    check_plan,
)

PLAN = NewCampaign("autumn", 1, group="depot")
S = CampaignStationState


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "x" * NAME_MAX},
        {"group": None, "stations": ("CS1", "CS2")},
        {"batch_size": 1, "halt_above": 0, "halt_after": 1},
        {"batch_size": BATCH_MAX, "halt_above": 100, "halt_after": STATIONS_MAX},
        {"window_from": 1320, "window_until": 330},
    ],
)
def test_what_can_be(changes: dict[str, Any]) -> None:
    check_plan(replace(PLAN, **changes))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * (NAME_MAX + 1)}, "name"),
        ({"name": " autumn"}, "name"),
        ({"name": "au\ttumn"}, "name"),
        ({"name": "12"}, "isn't a number"),
        ({"group": None}, "either a group or stations"),
        ({"stations": ("CS1",)}, "either a group or stations"),
        ({"group": None, "stations": ("CS1", "CS1")}, "named twice"),
        ({"group": "de\0pot"}, "printable"),
        ({"group": None, "stations": ("CS1", "CS\n2")}, "printable"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": BATCH_MAX + 1}, "batch_size"),
        ({"halt_above": -1}, "halt_above"),
        ({"halt_above": 101}, "halt_above"),
        ({"halt_after": 0}, "halt_after"),
        ({"halt_after": STATIONS_MAX + 1}, "halt_after"),
        ({"window_from": 1}, "window"),
    ],
)
def test_what_can_not_be(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(FirmwareInvalid, match=why):
        check_plan(replace(PLAN, **changes))


def test_a_campaign_has_so_many_stations_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATIONS_MAX", 2)
    check_plan(replace(PLAN, group=None, stations=("A", "B"), halt_after=1))
    with pytest.raises(FirmwareInvalid, match="at most 2 in one campaign"):
        check_plan(replace(PLAN, group=None, stations=("A", "B", "C"), halt_after=1))


@pytest.mark.parametrize(
    ("failed", "installed", "halts"),
    [
        (4, 0, False),  # not enough of them are through
        (5, 0, True),
        (1, 4, False),  # exactly 20 %
        (2, 4, True),
        (0, 50, False),
    ],
)
def test_too_many_is_more_than_was_said_of_those_that_are_through(failed: int, installed: int, *, halts: bool) -> None:
    counts = {S.FAILED: failed, S.INSTALLED: installed, S.SKIPPED: 90, S.PENDING: 7}
    why = CampaignProgress(counts).too_many_failed(PLAN)
    assert why == (f"{failed} of {failed + installed} stations have failed, which is more than 20 %" if halts else None)
    assert CampaignProgress(counts).too_many_failed(replace(PLAN, halt_above=100)) is None


def test_what_a_person_has_seen_counts_no_more() -> None:
    counts = {S.FAILED: 9, S.INSTALLED: 1}
    assert CampaignProgress(counts, installed_before=1, failed_before=9).too_many_failed(PLAN) is None
    assert CampaignProgress(counts, installed_before=1, failed_before=4).too_many_failed(PLAN) is not None


def test_progress_in_numbers() -> None:
    progress = CampaignProgress(
        {S.PENDING: 1, S.ORDERING: 2, S.ORDERED: 3, S.WITHDRAWING: 4, S.INSTALLED: 5, S.SKIPPED: 6}
    )
    assert (progress.total, progress.under_way, progress.over, progress[S.FAILED]) == (21, 9, 11, 0)
    assert [each for each in S if each.is_under_way] == [S.ORDERING, S.ORDERED, S.WITHDRAWING]
