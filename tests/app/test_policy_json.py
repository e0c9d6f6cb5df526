"""Policies, their cases and their decisions as JSON."""

import json
from pathlib import Path

import pytest

from gateway.app import policy_tools
from gateway.app.policy_json import (
    checked_json,
    explained_json,
    is_error,
    matched,
    place_json,
    problem_json,
    rehearsal_json,
)
from policies.cases import Message
from policies.problems import Problem, Severity
from policies.rules import Match, Place
from policies.words import PASSED, Facts, Kind, Outcome, Stage, Verdict

POLICY = """
name: site
rules:
- id: vendor
  threat: "C6"
  stage: from_station
  match: {action: DataTransfer}
  any: [{path: vendorId, one_of: [bad]}, {path: vendorId, one_of: [worse]}]
  deny: {error: SecurityError, text: "no"}
"""
CASES = """
policy: site.yaml
cases:
- name: passes
  stage: from_station
  action: DataTransfer
  payload: {vendorId: good}
  expect: {outcome: transformed, payload: {vendorId: good}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(POLICY)
    (tmp_path / "site.tests.yaml").write_text(CASES)
    return tmp_path / "site.yaml"


def explained(site: Path, payload: dict[str, object]) -> dict[str, object]:
    message = Message(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "DataTransfer", payload)
    policy = policy_tools.load(site, policy_tools.OfficialSchemas())
    shown = explained_json(policy_tools.explain(policy, message, Facts("CS-1"), set()))
    read: dict[str, object] = json.loads(json.dumps(shown))
    return read


def test_a_problem_and_its_place() -> None:
    here = Place("site.yaml", 3)

    assert place_json(here) == {"file": "site.yaml", "line": 3}
    assert problem_json(Problem(here, "unused", severity=Severity.WARNING)) == {
        "file": "site.yaml",
        "line": 3,
        "severity": "warning",
        "rule": None,
        "text": "unused",
    }


def test_a_policy_and_its_rules(site: Path) -> None:
    checked = policy_tools.check(site)
    (rule,) = checked_json(checked, with_rules=True)["rules"]

    assert "rules" not in checked_json(checked, with_rules=False)
    assert (rule["id"], rule["stages"], rule["match"], rule["threat"], rule["condition_seconds"]) == (
        "vendor",
        ["from_station"],
        "call; action DataTransfer",
        "C6",
        None,
    )


def test_a_policy_that_doesnt_load(site: Path) -> None:
    site.write_text("name: site\nrules: 5\n")
    shown = checked_json(policy_tools.check(site), with_rules=True)

    assert (shown["ok"], len(shown["problems"]), "sources" in shown) == (False, 1, False)


def test_cases_and_what_they_came_to(site: Path) -> None:
    shown = rehearsal_json(policy_tools.play(site))
    (failure,) = shown["failures"]

    assert failure["differences"] == [{"what": "outcome", "expected": "transformed", "actual": "passed"}]
    assert shown["coverage"]["missing"] == [{"rule": "vendor", "file": str(site), "line": 4}]
    assert (shown["coverage"]["percent"], shown["coverage"]["rules"], shown["cases"]) == (0.0, 1, 1)


def test_the_way_to_a_decision(site: Path) -> None:
    shown = explained(site, {"vendorId": "worse"})

    assert shown["rules"] == [
        {
            "rule": "vendor",
            "place": f"{site}:4",
            "effect": "deny",
            "observed": False,
            "held": True,
            "unmet": None,
            "did": "denied",
        }
    ]
    assert shown["verdict"] == {
        "outcome": "denied",
        "rule": "vendor",
        "reason": "matched",
        "text": "no",
        "error": "SecurityError",
        "payload": None,
    }


def test_a_message_that_meets_no_policy(site: Path) -> None:
    shown = explained(site, {})

    assert (shown["rules"], shown["verdict"]) == ([], None)
    assert shown["schema"] == "DataTransfer: the payload: the field vendorId is missing"


def test_which_verdict_is_an_error() -> None:
    assert is_error(Verdict(Outcome.DENIED))
    assert not is_error(Verdict(Outcome.DENIED, payload={"status": "Rejected"}))
    assert not is_error(PASSED)


@pytest.mark.parametrize(
    ("match", "words"),
    [
        (Match(), ""),
        (Match(kinds=(Kind.CALL,)), "call"),
        (
            Match(
                (Kind.CALL, Kind.RESULT),
                ("Reset", "Get*"),
                ("GetLog",),
                ("ocpp1.6",),
                ("CS-*",),
                ("depot",),
                ("legacy",),
            ),
            (
                "call, result; action Reset, Get*; except GetLog; protocol ocpp1.6; station CS-*; group depot; "
                "backend legacy"
            ),
        ),
    ],
)
def test_which_messages_a_rule_is_for(match: Match, words: str) -> None:
    assert matched(match) == words
