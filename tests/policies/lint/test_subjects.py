"""Which rule applies whenever another one does."""

from collections.abc import Callable

import pytest

from policies.lint.subjects import Subject
from policies.problems import Severity

Subjects = Callable[..., tuple[Subject, ...]]


def rule(name: str, parts: str = "", effect: str = "deny: {}") -> str:
    return f"{{id: {name}, stage: from_station, {parts}{', ' if parts else ''}{effect}}}"


@pytest.mark.parametrize(
    ("one", "other", "does"),
    [
        ("", "", True),
        ("", "fields: [{path: '**', present: true}]", True),
        ("fields: [{path: '**', present: true}]", "", False),
        ("fields: [{path: '**', present: true}]", "fields: [{path: '**', present: true}], when: 'now > now'", True),
        ("fields: [{path: '**', present: true}]", "fields: [{path: '**', present: false}]", False),
        ("any: [{path: '**', present: true}]", "any: [{path: '**', present: true}]", True),
        ("any: [{path: '**', present: true}]", "fields: [{path: '**', present: true}]", False),
        ("when: 'now > now'", "when: 'now > now'", True),
        ("when: 'now > now'", "", False),
        ("match: {station: 'A*'}", "match: {station: 'A*'}", True),
        ("match: {station: ['A*', B]}", "match: {station: B}", True),
        ("match: {station: B}", "match: {station: ['A*', B]}", False),
        ("match: {group: g}", "", False),
        ("", "match: {backend: b}", True),
    ],
)
def test_one_rule_applies_whenever_the_other_does(subjects: Subjects, one: str, other: str, does: bool) -> None:
    first, second = subjects(rule("one", one), rule("other", other))

    assert first.applies_whenever(second) is does


@pytest.mark.parametrize(
    ("effect", "ends"),
    [
        ("allow: true", True),
        ("deny: {}", True),
        ("quarantine: true", True),
        ("audit: true", False),
        ("limit: {by: station, rate: 1/day}", False),
        ("transform: [{drop: customData}]", False),
        ("mode: observe, deny: {}", False),
    ],
)
def test_what_ends_the_way_of_a_message(subjects: Subjects, effect: str, ends: bool) -> None:
    [subject] = subjects(rule("one", "match: {action: TransactionEvent}", effect))

    assert subject.ends is ends


def test_a_rule_whose_action_is_none_is_left_to_the_compiler(subjects: Subjects) -> None:
    assert subjects(rule("one", "match: {action: Rest}")) == ()


def test_a_finding_is_a_warning_at_its_line(subjects: Subjects) -> None:
    [subject] = subjects("{id: one, stage: from_station,\n   match: {action: Heartbeat},\n   allow: true}")

    finding = subject.finding("says nothing", "match", "action")

    assert (finding.rule, finding.severity, finding.place.line) == ("one", Severity.WARNING, 5)
