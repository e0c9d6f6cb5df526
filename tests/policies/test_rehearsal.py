"""Cases played on real policies: what is told of those that fail, and which rules count as exercised."""

from pathlib import Path

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.case_files import read_cases
from policies.engine import load
from policies.rehearsal import Rehearsal, rehearse, unknown_rules

SCHEMAS = OfficialSchemas()
POLICY = """
name: site
rules:
- id: flood
  stage: from_station
  match: {action: StatusNotification}
  limit: {by: station, rate: 1/minute, burst: 2}
- id: noted
  stage: from_station
  match: {action: DataTransfer, station: CS-1}
  fields: [{path: vendorId, one_of: [noted]}]
  audit: "seen"
- id: watched
  stage: from_station
  match: {action: DataTransfer}
  fields: [{path: vendorId, one_of: [watched]}]
  mode: observe
  deny: {error: SecurityError}
- id: vendor
  stage: from_station
  match: {action: DataTransfer}
  fields: [{path: vendorId, one_of: [bad]}]
  deny: {status: UnknownVendorId}
- id: cut
  stage: from_station
  match: {action: DataTransfer}
  fields: [{path: messageId, length: {min: 3}}]
  transform: [{truncate: messageId, to: 2}]
- id: refused
  stage: to_station
  match: {action: Reset}
  deny: {error: SecurityError, text: "no resets"}
"""
CASES = """
policy: site.yaml
cases:
- name: a flood
  stage: from_station
  action: StatusNotification
  payload: {timestamp: 2026-01-01T00:00:00Z, connectorStatus: Available, evseId: 1, connectorId: 1}
  steps:
  - {times: 2, expect: {outcome: passed}}
  - {expect: {outcome: denied, rule: flood, reason: limited, error: GenericError}}
  - {facts: {station: CS-2}, expect: {outcome: passed}}
  - {after: 60, expect: {outcome: passed}}
- {name: noted, stage: from_station, action: DataTransfer, payload: {vendorId: noted},
   expect: {outcome: passed, audited: [noted], observed: []}}
- {name: not noted at another station, stage: from_station, action: DataTransfer, payload: {vendorId: noted},
   facts: {station: CS-9}, expect: {outcome: passed, audited: []}}
- {name: watched, stage: from_station, action: DataTransfer, payload: {vendorId: watched},
   expect: {outcome: passed, rule: default, observed: [watched]}}
- {name: vendor, stage: from_station, action: DataTransfer, payload: {vendorId: bad},
   expect: {outcome: denied, rule: vendor, reason: matched, payload: {status: UnknownVendorId}}}
- {name: cut, stage: from_station, action: DataTransfer, payload: {vendorId: x, messageId: abcd},
   expect: {outcome: transformed, rule: cut, with: {messageId: ab}}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(POLICY)
    return tmp_path / "site.yaml"


def played(policy: Path, cases: str) -> Rehearsal:
    file = policy.with_suffix(".tests.yaml")
    file.write_text(cases)
    return rehearse(load(policy, SCHEMAS), read_cases(file, SCHEMAS))


def told(rehearsal: Rehearsal) -> list[tuple[str, object, object]]:
    return [(each.what, each.expected, each.actual) for failure in rehearsal.failures for each in failure.differences]


def test_cases_that_hold(site: Path) -> None:
    came = played(site, CASES)

    assert told(came) == []
    assert (came.policy.name, came.cases) == ("site", 6)


def test_a_rule_is_exercised_when_it_did_something(site: Path) -> None:
    coverage = played(site, CASES).coverage

    assert coverage.exercised == {"flood", "noted", "watched", "vendor", "cut"}
    assert [(rule.id, rule.place.line) for rule in coverage.missing] == [
        ("refused", POLICY[: POLICY.index("- id: refused")].count("\n") + 1)
    ]
    assert round(coverage.percent, 1) == 83.3
    assert coverage.spared == {"flood", "noted", "watched", "vendor", "cut"}
    assert coverage.unspared == ()


def test_a_rule_with_a_condition_that_no_case_shows_not_to_hold(site: Path) -> None:
    text = """
policy: site.yaml
cases:
- {name: vendor, stage: from_station, action: DataTransfer, payload: {vendorId: bad}, expect: {outcome: denied}}
- {name: reset, stage: to_station, action: Reset, payload: {type: OnIdle}, expect: {outcome: denied}}
"""

    assert [rule.id for rule in played(site, text).coverage.unspared] == ["vendor"]


def test_a_limit_that_was_never_over_is_not_exercised(site: Path) -> None:
    status = "{timestamp: 2026-01-01T00:00:00Z, connectorStatus: Available, evseId: 1, connectorId: 1}"
    case = f"name: x, stage: from_station, action: StatusNotification, payload: {status}, expect: {{outcome: passed}}"

    assert played(site, f"policy: site.yaml\ncases: [{{{case}}}]").coverage.exercised == frozenset()


@pytest.mark.parametrize(
    ("payload", "expect", "differences"),
    [
        ("{vendorId: x}", "{outcome: denied}", [("outcome", "denied", "passed")]),
        (
            "{vendorId: bad}",
            "{outcome: answered, rule: cut, reason: limited, payload: {status: Rejected}}",
            [("outcome", "answered", "denied"), ("rule", "cut", "vendor"), ("reason", "limited", "matched")],
        ),
        ("{vendorId: bad}", "{outcome: denied, error: SecurityError}", [("error", "SecurityError", None)]),
        (
            "{vendorId: bad}",
            "{outcome: denied, payload: {status: Rejected}}",
            [("payload.status", "Rejected", "UnknownVendorId")],
        ),
        (
            "{vendorId: x, messageId: abc}",
            "{outcome: transformed, with: {messageId: a, data: 1}}",
            [("payload.messageId", "a", "ab"), ("payload.data", 1, "ABSENT")],
        ),
        ("{vendorId: noted}", "{outcome: passed, audited: []}", [("audited", [], ["noted"])]),
        ("{vendorId: watched}", "{outcome: passed, observed: []}", [("observed", [], ["watched"])]),
        ("{vendorId: x}", "{outcome: passed, observed: [watched]}", [("observed", ["watched"], [])]),
    ],
)
def test_what_is_told_of_a_case_that_fails(
    site: Path, payload: str, expect: str, differences: list[tuple[str, object, object]]
) -> None:
    case = f"{{name: x, stage: from_station, action: DataTransfer, payload: {payload}, expect: {expect}}}"
    came = played(site, f"policy: site.yaml\ncases:\n- {case}")
    (failure,) = came.failures

    assert [(w, e, "ABSENT" if repr(a) == "nothing" else a) for w, e, a in told(came)] == differences
    assert (str(failure.place).rpartition("/")[2], failure.case, failure.step, failure.repetition) == (
        "site.tests.yaml:3",
        "x",
        1,
        1,
    )
    assert failure.message == "from_station ocpp2.0.1 DataTransfer call"


def test_of_many_equal_messages_the_first_that_differs_is_told(site: Path) -> None:
    text = CASES.replace("times: 2", "times: 5")
    (failure, *_), first = played(site, text).failures, "denied"

    assert (failure.step, failure.repetition, failure.verdict.outcome.value) == (1, 3, first)


def test_cases_dont_remember_one_another(site: Path) -> None:
    text = CASES.replace("a flood", "one flood") + CASES.partition("cases:\n")[2].partition("- {name: noted,")[0]

    assert told(played(site, text)) == []


def test_what_all_stations_share_is_shared(site: Path) -> None:
    site.write_text(POLICY.replace("by: station", "by: global"))
    text = CASES.replace(
        "{facts: {station: CS-2}, expect: {outcome: passed}}", "{facts: {station: CS-2}, expect: {outcome: denied}}"
    )

    assert told(played(site, text)) == []


def test_a_station_that_changes_its_group_meets_other_rules(site: Path) -> None:
    site.write_text(POLICY.replace("station: CS-1", "group: depot"))
    came = played(
        site,
        """
policy: site.yaml
cases:
- name: moved
  stage: from_station
  action: DataTransfer
  payload: {vendorId: noted}
  steps:
  - {expect: {outcome: passed, audited: []}}
  - {facts: {group: depot}, expect: {outcome: passed, audited: [noted]}}
""",
    )

    assert told(came) == []


def test_inherited_rules_belong_to_the_policy_that_they_stand_in(site: Path) -> None:
    ours = site.with_name("ours.yaml")
    ours.write_text("name: ours\nextends: site.yaml\n")
    coverage = played(ours, CASES.replace("site.yaml", "ours.yaml")).coverage

    assert (coverage.own, coverage.percent) == ((), 100.0)
    assert "vendor" in coverage.exercised


def test_rules_that_the_policy_doesnt_have(site: Path) -> None:
    file = site.with_suffix(".tests.yaml")
    file.write_text(CASES.replace("rule: vendor", "rule: vendors").replace("[noted]", "[noted, notes]"))

    found = [str(each).rpartition("/")[2] for each in unknown_rules(load(site, SCHEMAS), read_cases(file, SCHEMAS))]

    assert found == [
        "site.tests.yaml:13: expect: the policy site has no rule 'notes'",
        "site.tests.yaml:19: expect: the policy site has no rule 'vendors'",
    ]


def test_what_a_rule_allows_passes_by_that_rule_and_not_by_the_default_that_refuses_the_rest(tmp_path: Path) -> None:
    policy = tmp_path / "open.yaml"
    policy.write_text(
        "name: open\ndefault: deny\nrules:\n"
        "- {id: known, stage: from_station, match: {action: Heartbeat}, allow: true}\n"
    )
    cases = tmp_path / "open.tests.yaml"
    cases.write_text(
        "policy: open.yaml\ncases:\n- {name: known, stage: from_station, action: Heartbeat,"
        " expect: {outcome: passed, rule: known, reason: matched}}\n"
    )

    assert not rehearse(load(policy, SCHEMAS), read_cases(cases, SCHEMAS)).failures
