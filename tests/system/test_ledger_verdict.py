"""The verdict on a ledger finds each thing that can be wrong with one."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.system.backend_process import Row
from tests.system.charging_sessions import Session, messages_16, sessions_of
from tests.system.ledger_verdict import Verdict, judge

Spoil = Callable[[list[Row]], list[Row]]
DICE = random.Random(1)  # noqa: S311 - times and energies, no secret
FIRST, SECOND = (session for identity in ("CS1", "CS2") for session in sessions_of(identity, 1, 1, DICE))


def rows_of(session: Session, number: int) -> list[Row]:
    """What a good backend books."""
    rows = []
    for _, action, payload in messages_16(session):
        if action == "StartTransaction":
            rows.append(Row(session.identity, action, payload, number))
        else:
            rows.append(Row(session.identity, action, payload | {"transactionId": number}, None))
    return rows


def changed(row: Row, **changes: Any) -> Row:
    return replace(row, payload=row.payload | changes)


def verdict_on(spoil: Spoil) -> Verdict:
    return judge([FIRST, SECOND], spoil(rows_of(FIRST, 1)) + rows_of(SECOND, 2))


def test_a_good_ledger_has_no_fault() -> None:
    verdict = verdict_on(lambda rows: rows)
    assert verdict == Verdict(2, planned_wh=FIRST.wh + SECOND.wh, booked_wh=FIRST.wh + SECOND.wh)
    assert "2 sessions run, 7 kills, 0 lost, 0 duplicated" in verdict.told("7 kills")


@pytest.mark.parametrize(
    ("spoil", "lost"),
    [
        (lambda rows: [], "no StartTransaction"),
        (lambda rows: rows[:-1], "no StopTransaction"),
        (lambda rows: [rows[0], *rows[2:]], "no MeterValues of"),
        (lambda rows: [changed(rows[0], meterStart=0), *rows[1:]], "no StartTransaction"),
        (lambda rows: [replace(row, identity="CS2") for row in rows], "no StartTransaction"),
    ],
    ids=["all", "stop", "meter-values", "another-start", "another-station"],
)
def test_what_is_lost(spoil: Spoil, lost: str) -> None:
    verdict = verdict_on(spoil)
    assert [said for said in verdict.lost if lost in said]


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lambda rows: [*rows[:-1], changed(rows[-1], meterStop=FIRST.end.wh + 1)], "meterStop"),
        (lambda rows: [*rows[:-1], changed(rows[-1], timestamp=FIRST.begin.time)], "StopTransaction"),
        (lambda rows: [*rows[:-1], changed(rows[-1], idTag="ANOTHER")], "ANOTHER"),
        (lambda rows: [*rows[:-1], changed(rows[-1], reason="Local")], "StopTransaction"),
        (lambda rows: [*rows, changed(rows[-1], meterStop=FIRST.end.wh + 1)], "stopped 2 times"),
        (lambda rows: [rows[0], changed(rows[1], connectorId=9), *rows[2:]], "MeterValues"),
        (lambda rows: [rows[0], *rows[2:], rows[1]], "in the order"),
        (lambda rows: [*rows, changed(rows[1], transactionId=-1)], "of no session"),
        (lambda rows: [*rows, Row("CS9", "StartTransaction", FIRST.start, 9)], "of no session"),
        (
            lambda rows: [rows[0], replace(rows[0], number=9), *rows[1:-1], changed(rows[-1], transactionId=9)],
            "several",
        ),
    ],
    ids=[
        "energy",
        "time",
        "token",
        "reason",
        "second-stop",
        "meter-value",
        "order",
        "never-started",
        "foreign",
        "two-numbers",
    ],
)
def test_what_is_wrong(spoil: Spoil, wrong: str) -> None:
    verdict = verdict_on(spoil)
    assert [said for said in verdict.wrong if wrong in said]


def test_identical_repeats_are_counted_and_nothing_else() -> None:
    verdict = verdict_on(lambda rows: [rows[0], replace(rows[0], number=9), rows[1], rows[1], *rows[2:], rows[-1]])
    assert (len(verdict.duplicated), verdict.meter_values_repeated) == (2, 1)
    assert (verdict.lost, verdict.wrong, verdict.difference_wh) == ([], [], 0)


def test_energy_that_was_not_charged_is_a_difference() -> None:
    verdict = verdict_on(lambda rows: [*rows[:-1], changed(rows[-1], meterStop=FIRST.end.wh - 7)])
    assert verdict.difference_wh == -7
    assert verdict_on(lambda rows: rows[:-1]).difference_wh == -FIRST.wh
