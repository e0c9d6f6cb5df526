"""Policies looked at without a gateway: checked, their cases played, one message explained."""

from pathlib import Path

import pytest

from gateway.app import policy_tools
from gateway.app.policy_messages import MessageRefused
from policies.cases import Message
from policies.engine import BUNDLED, PolicyError
from policies.problems import Severity
from policies.words import Facts, Kind, Outcome, Stage

POLICY = """
name: site
rules:
- id: vendor
  stage: from_station
  match: {action: DataTransfer}
  when: payload.vendorId == "bad" && station.security_profile < 2
  deny: {status: UnknownVendorId}
- id: stale
  stage: from_station
  match: {action: StatusNotification}
  fields: [{path: timestamp, not: {timestamp: {past: 60}}}]
  deny: {error: SecurityError}
- id: theirs
  stage: from_station
  match: {action: TransactionEvent}
  fields: [{path: transactionInfo.transactionId, not: {owned: true}}]
  deny: {error: SecurityError}
"""
CASES = """
policy: site.yaml
cases:
- name: bad
  stage: from_station
  action: DataTransfer
  payload: {vendorId: bad}
  expect: {outcome: denied, rule: vendor}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(POLICY)
    (tmp_path / "site.tests.yaml").write_text(CASES)
    return tmp_path / "site.yaml"


def refusal(asked: str | Path) -> str:
    with pytest.raises(PolicyError) as refused:
        policy_tools.play(asked)
    return str(refused.value)


def event(payload: dict[str, object], action: str = "DataTransfer") -> Message:
    return Message(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", action, payload)


def test_a_policy_that_loads(site: Path) -> None:
    checked = policy_tools.check(site)

    assert checked.policy is not None
    assert (checked.asked, checked.policy.name, checked.problems) == (str(site), "site", ())


def test_a_policy_that_doesnt(site: Path) -> None:
    site.write_text(POLICY.replace("action: DataTransfer", "action: DataTransfers"))
    checked = policy_tools.check(site)
    (problem,) = checked.problems

    assert checked.policy is None
    assert (problem.place.line, problem.rule) == (6, "vendor")


def test_what_conditions_cost(site: Path) -> None:
    costs = policy_tools.check(site).costs

    assert {rule: 0 < cost < 0.01 for rule, cost in costs.items()} == {"vendor": True}


def test_a_condition_that_fails_where_an_optional_field_is_missing(site: Path) -> None:
    site.write_text(POLICY.replace("payload.vendorId", "payload.messageId"))
    (problem,) = policy_tools.check(site).problems

    assert (problem.severity, problem.rule, problem.place.line) == (Severity.WARNING, "vendor", 7)
    assert "a message without payload.messageId is denied" in problem.text


@pytest.mark.parametrize(("when", "said"), [("1 < 2", "holds of every message"), ("1 > 2", "never holds")])
def test_a_condition_that_names_nothing(site: Path, when: str, said: str) -> None:
    site.write_text(POLICY.replace('payload.vendorId == "bad" && station.security_profile < 2', when))
    (problem,) = policy_tools.check(site).problems

    assert (problem.severity, problem.rule, problem.place.line) == (Severity.WARNING, "vendor", 7)
    assert said in problem.text


def test_what_can_never_be_meant(site: Path) -> None:
    site.write_text(
        POLICY.replace("rules:", "rules:\n- {id: all, stage: from_station, match: {backend: legacy}, audit: true}")
    )

    assert policy_tools.check(site, ["legacy"]).problems == policy_tools.check(site).problems
    (problem,) = policy_tools.check(site, ["other"]).problems
    assert (problem.severity, problem.rule) == (Severity.WARNING, "all")


@pytest.mark.parametrize("name", BUNDLED)
def test_the_cases_of_a_bundled_policy(name: str) -> None:
    path = policy_tools.cases_of(name)

    assert (path.name, path.parent.name) == (f"{name}.tests.yaml", "policies")


def test_the_cases_beside_a_file(site: Path) -> None:
    assert policy_tools.cases_of(site) == site.with_name("site.tests.yaml")
    assert policy_tools.cases_of(site.with_name("site.tests.yaml")) == site.with_name("site.tests.yaml")


@pytest.mark.parametrize("name", ["site.yaml", "site.tests.yaml"])
def test_cases_are_played_by_either_file(site: Path, name: str) -> None:
    came = policy_tools.play(site.with_name(name))

    assert (came.policy.name, came.cases, came.failures) == ("site", 1, ())
    assert [rule.id for rule in came.coverage.missing] == ["stale", "theirs"]


def test_the_cases_of_another_policy(site: Path) -> None:
    site.with_name("site.tests.yaml").write_text(CASES.replace("site.yaml", "legacy-1.6"))

    assert f"site.tests.yaml:1: policy: these cases are for legacy-1.6, not for {site}" in refusal(site)


def test_cases_of_rules_that_arent(site: Path) -> None:
    site.with_name("site.tests.yaml").write_text(CASES.replace("rule: vendor", "rule: vendors"))

    assert "site.tests.yaml:4: expect: the policy site has no rule 'vendors'" in refusal(site)


def test_no_cases_and_no_policy(site: Path) -> None:
    site.with_name("site.tests.yaml").unlink()
    assert "site.tests.yaml" in refusal(site)
    site.unlink()
    assert "No such file" in refusal(site)
    assert "nowhere.yaml" in refusal(site.with_name("nowhere.yaml"))


def test_a_message_explained_by_what_is_known_of_the_station(site: Path) -> None:
    policy = policy_tools.load(site, policy_tools.OfficialSchemas())
    message = event({"vendorId": "bad"})

    weak, strong = (
        policy_tools.explain(policy, message, Facts("CS-1", security_profile=profile), set()).trace
        for profile in (1, 2)
    )

    assert weak is not None
    assert strong is not None
    assert (weak.verdict.outcome, weak.verdict.rule) == (Outcome.DENIED, "vendor")
    assert (strong.verdict.outcome, strong.steps[0].unmet) == (Outcome.PASSED, ("when",))


def test_a_message_explained_at_its_own_time(site: Path) -> None:
    policy = policy_tools.load(site, policy_tools.OfficialSchemas())
    status = {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
    message = event(status, "StatusNotification")

    then = policy_tools.explain(policy, message, Facts("CS-1"), set(), 1767225601.0).trace
    now = policy_tools.explain(policy, message, Facts("CS-1"), set()).trace

    assert then is not None
    assert now is not None
    assert (then.verdict.outcome, now.verdict.rule) == (Outcome.PASSED, "stale")


def test_a_transaction_of_the_stations_own(site: Path) -> None:
    policy = policy_tools.load(site, policy_tools.OfficialSchemas())
    payload = {
        "eventType": "Ended",
        "timestamp": "2026-01-01T00:00:00Z",
        "triggerReason": "StopAuthorized",
        "seqNo": 1,
        "transactionInfo": {"transactionId": "tx-1"},
    }
    message = event(payload, "TransactionEvent")

    ours = policy_tools.explain(policy, message, Facts("CS-1"), {"tx-1"}).trace
    theirs = policy_tools.explain(policy, message, Facts("CS-1"), {"tx-2"}).trace

    assert ours is not None
    assert theirs is not None
    assert (ours.verdict.outcome, theirs.verdict.outcome) == (Outcome.PASSED, Outcome.QUARANTINED)


def test_a_message_that_breaks_its_schema_meets_no_policy(site: Path) -> None:
    policy = policy_tools.load(site, policy_tools.OfficialSchemas())
    explained = policy_tools.explain(policy, event({}), Facts("CS-1"), set())

    assert (explained.trace, explained.complaint) == (None, "DataTransfer: the payload: the field vendorId is missing")


def test_an_action_that_isnt_known(site: Path) -> None:
    policy = policy_tools.load(site, policy_tools.OfficialSchemas())

    with pytest.raises(MessageRefused, match=r"ocpp2.0.1 has no action 'Beat'"):
        policy_tools.explain(policy, event({}, "Beat"), Facts("CS-1"), set())
