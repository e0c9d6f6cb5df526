"""How policies, what was found in them and what they decide are shown: for people, and as JSON."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from gateway.cli.output import print_table, printable
from policies.case_payloads import ABSENT
from policies.problems import Problem, Severity, spelled
from policies.rules import Match, Place, Rule
from policies.words import Outcome, Verdict

if TYPE_CHECKING:
    from gateway.app.policy_tools import Explained, PolicyChecked
    from policies.decisions import Step
    from policies.engine import Policy
    from policies.rehearsal import Difference, Failure, Rehearsal

_SEVERITY_STYLE: Final = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}
_OUTCOME_STYLE: Final = {
    Outcome.PASSED: "green",
    Outcome.TRANSFORMED: "cyan",
    Outcome.DENIED: "bold red",
    Outcome.ANSWERED: "magenta",
    Outcome.QUARANTINED: "yellow",
}


def say(*parts: str | tuple[str, str], err: bool = False) -> None:
    """Print one line, each part plain or (text, style); off a terminal all are plain, and no line is ever broken."""
    safe = (printable(each) if isinstance(each, str) else (printable(each[0]), each[1]) for each in parts)
    Console(file=sys.stderr if err else sys.stdout, highlight=False).print(Text.assemble(*safe), soft_wrap=True)


def say_problem(problem: Problem) -> None:
    """Print what is wrong, as compilers do; errors go to stderr."""
    rule = "" if problem.rule is None else f"rule {problem.rule}: "
    severity = (problem.severity.value, _SEVERITY_STYLE[problem.severity])
    is_error = problem.severity is Severity.ERROR
    say((str(problem.place), "bold"), ": ", severity, f": {rule}{problem.text}", err=is_error)


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
        "protocol": match.protocols,
        "station": match.stations,
        "group": match.groups,
        "backend": match.backends,
    }
    return "; ".join(f"{name} {', '.join(said)}".strip() for name, said in parts.items() if said)


def show_checked(checked: "PolicyChecked", *, with_rules: bool) -> None:
    """Print what was found in a policy; then, where wanted, its rules in their order, and the files it is made of."""
    for problem in checked.problems:
        say_problem(problem)
    policy = checked.policy
    if policy is None:
        return
    say(f"{checked.asked}: ", ("ok", "green"), f", {len(policy.rules)} rules, sha256 {policy.sha256}")
    if with_rules:
        columns = ("rule", "at", "stage", "match", "effect", "condition", "threat")
        print_table(columns, (list(_rule_cells(rule, checked.costs)) for rule in policy.rules))
        for source in policy.sources:
            say(f"sha256 {source.sha256} {source.name}")


def _rule_cells(rule: Rule, costs: Mapping[str, float]) -> Iterator[Any]:
    cost = f"{costs[rule.id] * 1e6:.0f} us" if rule.id in costs else ""
    yield from (rule.id, rule.place, ", ".join(stage.value for stage in rule.stages), matched(rule.match))
    yield from (f"{rule.effect.value}{_observed(is_observed=rule.mode.value == 'observe')}", cost, rule.threat)


def _observed(*, is_observed: bool) -> str:
    return " (observed)" if is_observed else ""


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


def show_rehearsal(came: "Rehearsal") -> None:
    """Print the cases that failed, and the rules that no case exercised."""
    for failure in came.failures:
        _show_failure(failure)
    failed = len({failure.case for failure in came.failures})
    result = (f"{came.cases - failed} of {came.cases} cases hold", "bold red" if failed else "green")
    coverage = came.coverage
    done = len(coverage.own) - len(coverage.missing)
    rules = f"{done} of {len(coverage.own)} rules exercised ({coverage.percent:.1f} %)"
    say((came.policy.name, "bold"), ": ", result, "; ", rules if coverage.own else "no rules of its own")
    for rule in coverage.missing:
        say((str(rule.place), "bold"), f": rule {rule.id} was never exercised")
    for rule in coverage.unspared:
        say((str(rule.place), "bold"), f": rule {rule.id}: no case shows what it lets be")


def _show_failure(failure: "Failure") -> None:
    say((str(failure.place), "bold"), ": ", ("failed", "bold red"), f": {failure.case}")
    say(f"  message {failure.step}, time {failure.repetition}: {failure.message}")
    for each in failure.differences:
        say(f"  {each.what}: expected ", (_value(each.expected), "green"), ", was ", (_value(each.actual), "red"))
    if failure.verdict.text:
        say(f"  it says: {failure.verdict.text}")


def _value(value: Any) -> str:
    return repr(value) if value is ABSENT else json.dumps(value, ensure_ascii=False)


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


def show_explained(explained: "Explained", policy: "Policy") -> None:
    """Print the schema's verdict, each rule's part, the policy's verdict and the resulting payload."""
    say((str(explained.message), "bold"), f", policy {policy.name} (sha256 {policy.sha256})")
    trace = explained.trace
    if trace is None:
        say("official schema: ", ("broken", "bold red"), f": {explained.complaint}; no policy sees it")
        return
    say("official schema: ", ("fits", "green"))
    rules = {rule.id: rule for rule in policy.rules}
    for step in trace.steps:
        _show_step(step, rules[step.rule])
    if not trace.steps:
        say("no rule is for such messages")
    verdict = trace.verdict
    reason = f" by {verdict.rule} ({verdict.reason.value}){': ' if verdict.text else ''}{verdict.text}"
    say("verdict: ", (verdict.outcome.value, _OUTCOME_STYLE[verdict.outcome]), reason, _error_of(verdict))
    if verdict.payload is not None:
        say("answer:" if verdict.outcome is not Outcome.TRANSFORMED else "goes on as:")
        typer.echo(json.dumps(verdict.payload, indent=2))


def _error_of(verdict: Verdict) -> str:
    is_error = verdict.outcome is Outcome.DENIED and verdict.payload is None
    return f", CALLERROR {verdict.error}" if is_error else ""


def _show_step(step: "Step", rule: Rule) -> None:
    style = {None: "dim", False: "dim", True: "bold"}[step.held]
    effect = f"{step.effect.value}{_observed(is_observed=step.is_observed)}"
    say(f"{step.place} ", (step.rule, style), f" {effect}: {_part_of(step, rule)}")


def _part_of(step: "Step", rule: Rule) -> str:
    """Say what a rule's part was: what it did, or what of it didn't hold and where that stands."""
    if step.held is None:
        return "not asked, for it was decided before"
    if step.held:
        return step.did
    if step.unmet[:1] == ("match",):
        return f"not for this station ({spelled(step.unmet)})"
    line = rule.place_of(step.unmet).line
    part = _entry(rule, step.unmet)
    return f"{spelled(step.unmet)} in line {line} doesn't hold{': ' if part else ''}{part}"


def _entry(rule: Rule, where: tuple[str | int, ...]) -> str:
    """Write the part of a rule that didn't hold, its named values filled in."""
    match where:
        case ("fields", int(index)):
            return json.dumps(rule.fields[index], ensure_ascii=False)
        case ("any", int(index)):
            return json.dumps(rule.any[index], ensure_ascii=False)
        case ("any",):
            return "none of its entries does"
        case ("when",):
            return rule.when or ""
        case _:
            return ""


def explained_json(explained: "Explained", policy: "Policy") -> dict[str, Any]:
    """Return the whole decision path."""
    message, trace = explained.message, explained.trace
    shown: dict[str, Any] = {
        "policy": policy.name,
        "sha256": policy.sha256,
        "stage": message.stage.value,
        "kind": message.kind.value,
        "protocol": message.protocol,
        "action": message.action,
        "schema": explained.complaint,
        "rules": [],
        "verdict": None,
    }
    if trace is not None:
        shown["rules"] = [_step_json(each) for each in trace.steps]
        shown["verdict"] = _verdict_json(trace.verdict)
    return shown


def _step_json(step: "Step") -> dict[str, Any]:
    return {
        "rule": step.rule,
        **place_json(step.place),
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
        "error": verdict.error if _error_of(verdict) else None,
        "payload": verdict.payload,
    }
