"""What was found in policies, what their cases came to, how one message was decided: as JSON, for command and API."""

from typing import TYPE_CHECKING, Any

from policies.case_payloads import ABSENT
from policies.decisions import Step, Trace
from policies.problems import Problem, spelled
from policies.rules import Match, Place, Rule
from policies.words import Outcome, Verdict

if TYPE_CHECKING:
    from gateway.app.policy_tools import Explained, PolicyChecked
    from policies.rehearsal import Difference, Failure, Rehearsal


def problem_json(problem: Problem) -> dict[str, Any]:
    """Return what is wrong, with its place."""
    place = place_json(problem.place)
    return {**place, "severity": problem.severity.value, "rule": problem.rule, "text": problem.text}


def place_json(place: Place) -> dict[str, Any]:
    """Return a line of a file."""
    return {"file": place.source, "line": place.line}


def matched(match: Match) -> str:
    """Say which messages a rule is for; what isn't restricted isn't named."""
    parts = {
        "": [kind.value for kind in match.kinds],
        "action": match.actions,
        "except": match.exceptions,
        "protocol": match.protocols,
        "station": match.stations,
        "group": match.groups,
        "backend": match.backends,
    }
    return "; ".join(f"{name} {', '.join(said)}".strip() for name, said in parts.items() if said)


def checked_json(checked: "PolicyChecked", *, with_rules: bool) -> dict[str, Any]:
    """Return what was found in a policy; where wanted, its rules too."""
    policy = checked.policy
    shown: dict[str, Any] = {
        "policy": checked.asked,
        "ok": policy is not None,
        "problems": [problem_json(each) for each in checked.problems],
    }
    if policy is not None:
        shown |= {"name": policy.name, "mode": policy.mode.value, "default": policy.default.value}
        shown["sources"] = [{"file": each.name, "sha256": each.sha256} for each in policy.sources]
        if with_rules:
            shown["rules"] = [_rule_json(rule, checked.costs.get(rule.id)) for rule in policy.rules]
    return shown


def _rule_json(rule: Rule, cost: float | None) -> dict[str, Any]:
    return {
        "id": rule.id,
        **place_json(rule.place),
        "stages": [stage.value for stage in rule.stages],
        "match": matched(rule.match),
        "effect": rule.effect.value,
        "mode": rule.mode.value,
        "threat": rule.threat,
        "condition_seconds": cost,
    }


def rehearsal_json(came: "Rehearsal") -> dict[str, Any]:
    """Return the cases that failed, and what was exercised."""
    coverage = came.coverage
    return {
        "policy": came.policy.name,
        "sha256": came.policy.sha256,
        "cases": came.cases,
        "failures": [_failure_json(each) for each in came.failures],
        "coverage": {
            "percent": round(coverage.percent, 1),
            "rules": len(coverage.own),
            "exercised": sorted(coverage.exercised),
            "missing": [{"rule": rule.id, **place_json(rule.place)} for rule in coverage.missing],
            "always_applied": [{"rule": rule.id, **place_json(rule.place)} for rule in coverage.unspared],
        },
    }


def _failure_json(failure: "Failure") -> dict[str, Any]:
    return {
        **place_json(failure.place),
        "case": failure.case,
        "step": failure.step,
        "repetition": failure.repetition,
        "message": failure.message,
        "differences": [_difference_json(each) for each in failure.differences],
    }


def _difference_json(difference: "Difference") -> dict[str, Any]:
    """A side that isn't there is left out."""
    sides = {"expected": difference.expected, "actual": difference.actual}
    return {"what": difference.what, **{name: value for name, value in sides.items() if value is not ABSENT}}


def explained_json(explained: "Explained") -> dict[str, Any]:
    """Return the whole decision path."""
    message, policy = explained.message, explained.policy
    return {
        "policy": policy.name,
        "sha256": policy.sha256,
        "stage": message.stage.value,
        "kind": message.kind.value,
        "protocol": message.protocol,
        "action": message.action,
        "schema": explained.complaint,
        **trace_json(explained.trace),
    }


def trace_json(trace: Trace | None) -> dict[str, Any]:
    """Return each rule's part and the verdict; a message that breaks its schema meets no policy."""
    if trace is None:
        return {"rules": [], "verdict": None}
    return {"rules": [_step_json(each) for each in trace.steps], "verdict": _verdict_json(trace.verdict)}


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "rule": step.rule,
        "place": str(step.place),
        "effect": step.effect.value,
        "observed": step.is_observed,
        "held": step.held,
        "unmet": spelled(step.unmet) or None,
        "did": step.did or None,
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome.value,
        "rule": verdict.rule,
        "reason": verdict.reason.value,
        "text": verdict.text,
        "error": verdict.error if is_error(verdict) else None,
        "payload": verdict.payload,
    }


def is_error(verdict: Verdict) -> bool:
    """Return whether the asker gets a CALLERROR."""
    return verdict.outcome is Outcome.DENIED and verdict.payload is None
