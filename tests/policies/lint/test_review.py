"""The whole lint: nothing to say of the bundled policies, all of it in the order of the lines."""

from collections.abc import Callable

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.lint import lint
from policies.problems import Severity
from policies.source import BUNDLED, Draft, draft


@pytest.mark.parametrize("name", BUNDLED)
def test_there_is_nothing_to_say_of_a_bundled_policy(name: str) -> None:
    assert lint(draft(name), OfficialSchemas()) == ()


def test_findings_are_warnings_in_the_order_of_their_lines(drafted: Callable[..., Draft]) -> None:
    found = lint(
        drafted(
            "{id: a, stage: from_station, match: {action: Reset}, audit: true}",
            "{id: b, stage: from_station, match: {action: Heartbeat}, deny: {}}",
            "{id: c, stage: from_station, match: {action: Heartbeat}, audit: true}",
            "{id: d, stage: from_station, match: {action: Clear*}, fields: [{path: '**', present: true}], audit: true}",
        ),
        OfficialSchemas(),
    )

    assert [(each.rule, each.place.line, each.severity) for each in found] == [
        ("a", 4, Severity.WARNING),
        ("c", 6, Severity.WARNING),
    ]
