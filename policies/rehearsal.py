"""Cases played on a policy: what was decided otherwise than expected, and which rules were exercised.

A rule is exercised when it decided, changed, noted or (observed) would have decided at least one message of the cases.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from policies.case_payloads import differing
from policies.cases import Case, CaseFile, Step
from policies.decisions import Decision
from policies.engine import Guard, Policy
from policies.problems import Problem
from policies.rules import Place, Rule
from policies.words import DEFAULT_RULE, Effect, Facts, Memory, Reason, Surroundings, Verdict

_DID: Final = frozenset({Reason.MATCHED, Reason.LIMITED})
"""Why a rule did what it is there for; a failure isn't what it is there for."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a case expected otherwise."""

    what: str
    """``outcome``, ``rule``, ...; ``payload.idTag`` for a field of the result."""
    expected: Any
    actual: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """One message of a case that was decided otherwise than expected."""

    place: Place
    case: str
    step: int
    """Of the case, from 1."""
    repetition: int
    """Of the step, from 1."""
    message: str
    differences: tuple[Difference, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which of a policy's own rules the cases exercised; those that it inherits belong to the policy they stand in."""

    own: tuple[Rule, ...]
    exercised: frozenset[str]
    """Of all rules, the inherited ones too."""
    spared: frozenset[str]
    """Ids of the rules that were asked about a message and let it be."""

    @property
    def missing(self) -> tuple[Rule, ...]:
        """The policy's own rules that no case exercised."""
        return tuple(rule for rule in self.own if rule.id not in self.exercised)

    @property
    def unspared(self) -> tuple[Rule, ...]:
        """The policy's own rules with a condition that did something in every case in which they were asked."""
        always = self.exercised - self.spared
        return tuple(rule for rule in self.own if rule.id in always and (rule.fields or rule.any or rule.when))

    @property
    def percent(self) -> float:
        """Return how many of the policy's own rules were exercised; 100 for one that has none."""
        return 100.0 * (len(self.own) - len(self.missing)) / len(self.own) if self.own else 100.0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of all cases of a file."""

    policy: Policy
    cases: int
    failures: tuple[Failure, ...]
    coverage: Coverage


def unknown_rules(policy: Policy, cases: CaseFile) -> Iterator[Problem]:
    """Yield what is wrong with cases that expect something of rules which the policy doesn't have."""
    known = {rule.id for rule in policy.rules} | {DEFAULT_RULE}
    for case in cases.cases:
        for step in case.steps:
            expected = step.expected
            named = {expected.rule or DEFAULT_RULE, *(expected.audited or ()), *(expected.observed or ())}
            for rule in sorted(named - known):
                yield Problem(step.place, f"expect: the policy {policy.name} has no rule {rule!r}")


def rehearse(policy: Policy, cases: CaseFile) -> Rehearsal:
    """Play all cases, each with a memory of its own."""
    seen = _Seen()
    failures = [failure for case in cases.cases for failure in _Play(policy, case, seen).failures()]
    own = tuple(rule for rule in policy.rules if rule.place.source == policy.sources[0].name)
    coverage = Coverage(own, frozenset(seen.exercised), frozenset(seen.spared))
    return Rehearsal(policy, len(cases.cases), tuple(failures), coverage)


@dataclass(slots=True)
class _Seen:
    exercised: set[str] = field(default_factory=set)
    spared: set[str] = field(default_factory=set)


class _Play:
    """One case on its way: the clock moves only as the steps say."""

    def __init__(self, policy: Policy, case: Case, seen: _Seen) -> None:
        self._policy = policy
        self._case = case
        self._seen = seen
        self._elapsed = 0.0
        self._step = case.steps[0]
        self._shared = Memory()
        self._guards: dict[str, Guard] = {}
        self._decisions: list[Decision] = []

    def failures(self) -> Iterator[Failure]:
        for number, step in enumerate(self._case.steps, 1):
            self._elapsed += step.after
            self._step = step
            first: Failure | None = None  # those behind it would only say it again
            for repetition in range(1, step.times + 1):
                verdict = self._verdict(step, repetition)
                if first is None and (differences := tuple(self._differences(step, verdict))):
                    where = (step.place, self._case.name, number, repetition, str(step.message))
                    first = Failure(*where, differences, verdict)
            if first is not None:
                yield first

    def _verdict(self, step: Step, repetition: int) -> Verdict:
        said = step.message
        message = (said.stage, said.kind, said.protocol, said.action, said.payload)
        guard = self._guard(step.facts)
        asked = guard.explain(*message).steps if repetition == 1 else ()
        self._decisions.clear()
        verdict = guard.inspect(*message)
        self._seen.exercised.update(each.rule for each in self._decisions if each.reason in _DID)
        did = {each.rule for each in self._decisions}
        self._seen.spared.update(each.rule for each in asked if each.held is not None and each.rule not in did)
        return verdict

    def _guard(self, facts: Facts) -> Guard:
        """Return the guard of a station: it is one for each identity, what all stations share is shared."""
        guard = self._guards.get(facts.identity)
        if guard is None:
            surroundings = Surroundings(
                now=lambda: self._case.now + self._elapsed,
                monotonic=lambda: self._elapsed,
                facts=lambda: self._step.facts,
                owns=lambda number: number in self._step.owns,
                shared=self._shared,
                revision=lambda: self._step,
            )
            guard = Guard(lambda: self._policy, surroundings, self._decisions.append)
            self._guards[facts.identity] = guard
        return guard

    def _differences(self, step: Step, verdict: Verdict) -> Iterator[Difference]:
        expected = step.expected
        error = verdict.error if verdict.payload is None else None
        actual = {
            "outcome": verdict.outcome.value,
            "rule": verdict.rule,
            "reason": verdict.reason.value,
            "error": error,
            "audited": self._rules(lambda each: each.effect is Effect.AUDIT and not each.is_observed),
            "observed": self._rules(lambda each: each.is_observed),
        }
        for what, was in actual.items():
            wanted = getattr(expected, what)
            wanted = sorted(wanted) if isinstance(wanted, frozenset) else wanted
            if wanted is not None and wanted != was:
                yield Difference(what, wanted, was)
        if expected.payload is not None and expected.outcome is verdict.outcome:
            for path, one, other in differing(expected.payload, verdict.payload, "payload"):
                yield Difference(path, one, other)

    def _rules(self, which: Callable[[Decision], bool]) -> list[str]:
        return sorted({each.rule for each in self._decisions if which(each)})
