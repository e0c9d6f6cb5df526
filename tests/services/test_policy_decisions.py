"""Decisions as they are counted, logged and raised as security events: a table each, and floods."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.services.policy_decisions import (
    LINES_MAX,
    LINES_WINDOW,
    RULES_MAX,
    STATIONS_MAX,
    PolicyDecisions,
    StationDecisions,
)
from gateway.session.security import SecurityEvent
from gateway.session.tally import Tally
from policies.decisions import Decision
from policies.words import Effect, Kind, Outcome, Reason, Stage, Target

BOOT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "BootNotification")
DENIED = Decision(BOOT, "long-names", Effect.DENY, Outcome.DENIED, Reason.MATCHED, is_observed=False, text="too long")


@dataclass
class FakeStation:
    identity: str = "CS1"
    remote: str = "192.0.2.7"


class FakePolicy:
    name = "site"

    def place_of(self, rule: str) -> str:
        return f"site.yaml:7 {rule}"


class Hall:
    """All that hears of decisions, and a clock."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.events: list[SecurityEvent] = []
        self.now = 0.0
        self.decisions = PolicyDecisions(self.tally, self, lambda: self.now)

    def note(self, event: SecurityEvent) -> None:
        self.events.append(event)

    def of(self, identity: str = "CS1") -> StationDecisions:
        return self.decisions.of(FakeStation(identity), FakePolicy)


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured


def decision(effect: Effect | None, outcome: Outcome, *, is_observed: bool = False) -> Decision:
    return replace(DENIED, effect=effect, outcome=outcome, is_observed=is_observed)


@pytest.mark.parametrize(
    ("heard", "line", "is_event"),
    [
        (decision(Effect.DENY, Outcome.DENIED), ("warning", "policy_denied"), True),
        (decision(None, Outcome.DENIED), ("warning", "policy_denied"), True),
        (decision(Effect.QUARANTINE, Outcome.QUARANTINED), ("warning", "policy_quarantined"), True),
        (decision(Effect.LIMIT, Outcome.QUARANTINED), ("warning", "policy_quarantined"), True),
        (decision(Effect.ANSWER, Outcome.ANSWERED), ("warning", "policy_answered"), False),
        (decision(Effect.AUDIT, Outcome.PASSED), ("info", "policy_audit"), False),
        (decision(Effect.AUDIT, Outcome.PASSED, is_observed=True), ("info", "policy_audit"), False),
        (decision(Effect.DENY, Outcome.DENIED, is_observed=True), ("info", "policy_observed"), False),
        (decision(Effect.TRANSFORM, Outcome.TRANSFORMED), None, False),
        (decision(Effect.TRANSFORM, Outcome.DENIED), ("warning", "policy_denied"), True),
        (decision(Effect.ALLOW, Outcome.PASSED), None, False),
    ],
)
def test_each_is_counted_and_some_are_told(
    hall: Hall, lines: list[Any], heard: Decision, line: tuple[str, str] | None, is_event: bool
) -> None:
    hall.of()(heard)

    mode = "observe" if heard.is_observed else "enforce"
    assert hall.tally.policy_decisions == {("site", "long-names", heard.outcome.value, mode): 1}
    assert [(each["log_level"], each["event"]) for each in lines] == ([] if line is None else [line])
    assert [event.kind for event in hall.events] == (["PolicyDenial"] if is_event else [])


def test_a_line_names_what_a_person_looks_for(hall: Hall, lines: list[Any]) -> None:
    hall.of()(DENIED)

    assert lines == [
        {
            "event": "policy_denied",
            "log_level": "warning",
            "identity": "CS1",
            "policy": "site",
            "rule": "long-names",
            "stage": "from_station",
            "kind": "call",
            "action": "BootNotification",
            "reason": "matched",
            "text": "too long",
        }
    ]


@pytest.mark.parametrize(
    ("stage", "kind", "remote", "what"),
    [
        (Stage.FROM_STATION, Kind.CALL, "192.0.2.7", "Reset, from_station"),
        (Stage.TO_BACKEND, Kind.RESULT, "192.0.2.7", "answer to Reset, to_backend"),
        (Stage.FROM_BACKEND, Kind.CALL, None, "Reset, from_backend"),
        (Stage.TO_STATION, Kind.ERROR, None, "CALLERROR to Reset, to_station"),
    ],
)
def test_an_event_says_whose_message_it_was(
    hall: Hall, stage: Stage, kind: Kind, remote: str | None, what: str
) -> None:
    hall.of()(replace(DENIED, target=Target(stage, kind, "ocpp1.6", "Reset"), reason=Reason.LIMITED))

    (event,) = hall.events
    assert (event.identity, event.remote) == ("CS1", remote)
    assert event.detail == f"long-names (limited): {what}, denied: too long"


def test_a_flood_is_counted_whole_and_logged_in_part(hall: Hall, lines: list[Any]) -> None:
    first, second = hall.of("CS1"), hall.of("CS2")
    for _ in range(100):
        first(DENIED)
    assert len(lines) == LINES_MAX
    assert hall.tally.policy_decisions.total() == 100

    second(DENIED)
    first(replace(DENIED, rule="another"))
    first(replace(DENIED, is_observed=True))
    assert len(lines) == LINES_MAX + 3

    hall.now = LINES_WINDOW
    first(DENIED)
    first(DENIED)
    assert [line.get("left_out") for line in lines[-2:]] == [100 - LINES_MAX, None]


def test_rules_that_come_and_go_with_reloads_are_not_remembered_for_ever(hall: Hall) -> None:
    hear = hall.of()
    for number in range(RULES_MAX * 3):
        hear(replace(DENIED, rule=f"rule-{number}"))

    assert len(hear) <= RULES_MAX


@pytest.mark.parametrize("is_observed", [False, True])
def test_a_rule_that_fails_is_told_once_a_minute_with_its_place(
    hall: Hall, lines: list[Any], is_observed: bool
) -> None:
    failed = replace(DENIED, reason=Reason.RULE_FAILED, text="no such overload", is_observed=is_observed)
    for number in range(30):
        hall.of(f"CS{number}")(failed)
    errors = [line for line in lines if line["log_level"] == "error"]
    assert [(line["event"], line["place"], line["reason"]) for line in errors] == [
        ("policy_rule_failed", "site.yaml:7 long-names", "no such overload")
    ]
    assert hall.tally.policy_rule_failures == {("site", "long-names"): 30}

    hall.now = LINES_WINDOW
    hall.of()(failed)
    assert [line["left_out"] for line in lines if line["log_level"] == "error" and "left_out" in line] == [29]


def test_who_comes_again_and_again_has_no_more_lines_for_it(hall: Hall, lines: list[Any]) -> None:
    for _ in range(20):
        heard = hall.of()
        for _ in range(5):
            heard(DENIED)

    assert len(lines) == LINES_MAX


def test_stations_are_remembered_up_to_a_bound(hall: Hall, lines: list[Any]) -> None:
    for _ in range(LINES_MAX + 1):
        hall.of()(DENIED)
    for number in range(STATIONS_MAX):
        hall.of(f"CS-{number}")
    hall.of()(DENIED)

    assert len(lines) == LINES_MAX + 1
