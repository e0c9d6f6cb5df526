"""How policies, what was found in them and what they decide are printed."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from gateway.app.policy_json import is_error, matched
from gateway.cli.output import print_table, printable
from policies.case_payloads import ABSENT
from policies.problems import Problem, Severity, spelled
from policies.rules import Rule
from policies.words import Outcome

if TYPE_CHECKING:
    from gateway.app.policy_tools import Explained, PolicyChecked
    from policies.decisions import Step
    from policies.rehearsal import Failure, Rehearsal

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


def show_explained(explained: "Explained") -> None:
    """Print the schema's verdict, each rule's part, the policy's verdict and the resulting payload."""
    policy = explained.policy
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
    error = f", CALLERROR {verdict.error}" if is_error(verdict) else ""
    say("verdict: ", (verdict.outcome.value, _OUTCOME_STYLE[verdict.outcome]), reason, error)
    if verdict.payload is not None:
        say("answer:" if verdict.outcome is not Outcome.TRANSFORMED else "goes on as:")
        typer.echo(json.dumps(verdict.payload, indent=2))


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
