"""What `voltgate policy check|test|explain` do: policies looked at without a gateway, with the official schemas."""

import importlib.resources
import time
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.app.policy_messages import MessageRefused, read_message
from gateway.app.policy_schemas import OfficialSchemas
from policies.case_files import CasesRefused, read_cases
from policies.cases import SUFFIX, CaseFile, Message
from policies.conditions import Condition, compile_condition
from policies.decisions import Trace
from policies.engine import BUNDLED, Guard, Policy, PolicyError, load
from policies.lint import Names, lint
from policies.problems import Problem, Severity, in_order
from policies.rehearsal import Rehearsal, rehearse, unknown_rules
from policies.rules import Place
from policies.source import draft
from policies.vocabulary import Vocabulary
from policies.words import Facts, RuleError, Surroundings

__all__ = ["BUNDLED", "MessageRefused", "OfficialSchemas", "PolicyError", "load", "read_message"]


@dataclass(frozen=True, slots=True)
class PolicyChecked:
    """One policy with all that was found; ``policy`` is None when it doesn't load."""

    asked: str
    """A bundled name, or a file."""
    policy: Policy | None
    problems: tuple[Problem, ...]
    costs: Mapping[str, float] = field(default_factory=dict)
    """What each rule's condition takes at most, in seconds of this machine's CPU, by the rule's id."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What becomes of one message. A message that breaks its official schema meets no policy: it has no ``trace``."""

    policy: Policy
    message: Message
    complaint: str | None
    trace: Trace | None


def check(name_or_path: str | Path, backends: Collection[str] | None = None) -> PolicyChecked:
    """Load a policy, and look for what is allowed but can't be meant.

    ``backends`` are the names that are configured; None where there is no configuration.
    """
    schemas = OfficialSchemas()
    try:
        policy = load(name_or_path, schemas)
    except PolicyError as error:
        return PolicyChecked(str(name_or_path), None, error.problems)
    conditions = dict(_conditions(policy, schemas))
    unmeant = lint(draft(name_or_path), schemas, Names(backends=backends))
    problems = [*policy.warnings, *unmeant, *_failing(policy, conditions)]
    costs = {rule: condition.cost for rule, condition in conditions.items()}
    return PolicyChecked(str(name_or_path), policy, in_order(problems), costs)


def _conditions(policy: Policy, schemas: OfficialSchemas) -> Iterator[tuple[str, Condition]]:
    vocabulary = Vocabulary(schemas)
    for rule in policy.rules:
        with suppress(RuleError):  # one that is dear on a busy machine was cheap enough a moment ago
            if rule.when is not None:
                yield rule.id, compile_condition(rule.when, vocabulary.targets(rule), vocabulary)


def _failing(policy: Policy, conditions: Mapping[str, Condition]) -> Iterator[Problem]:
    """Find conditions that fail, and so deny, where an optional field is missing; and those that ask nothing."""
    for rule in policy.rules:
        if rule.id in conditions and (constant := conditions[rule.id].constant) is not None:
            text = f"when: {'holds of every message: leave it out' if constant else 'never holds: take the rule away'}"
            yield Problem(rule.place_of(("when",)), text, rule.id, Severity.WARNING)
        for path in conditions[rule.id].unasked if rule.id in conditions else ():
            text = f"when: a message without {path} is denied, for the condition fails: write has({path}) && ..."
            yield Problem(rule.place_of(("when",)), text, rule.id, Severity.WARNING)


def cases_of(name_or_path: str | Path) -> Path:
    """Return the file of a policy's cases, whether or not there is one; a file of cases is its own."""
    if str(name_or_path) in BUNDLED:
        return Path(str(importlib.resources.files("policies"))) / f"{name_or_path}{SUFFIX}"
    path = Path(name_or_path)
    return path if path.name.endswith(SUFFIX) else path.with_name(path.stem + SUFFIX)


def play(name_or_path: str | Path) -> Rehearsal:
    """Play the cases beside a policy, or a file of cases. Raises PolicyError for what is wrong with either."""
    schemas = OfficialSchemas()
    file = cases_of(name_or_path)
    own = None if file == Path(name_or_path) else load(name_or_path, schemas)
    cases = read_cases(file, schemas)
    if own is not None and not _is_for(cases, name_or_path):
        place = Place(str(file), 1)
        raise CasesRefused([Problem(place, f"policy: these cases are for {cases.policy}, not for {name_or_path}")])
    policy = own or load(cases.policy, schemas)
    if problems := list(unknown_rules(policy, cases)):
        raise CasesRefused(problems)
    return rehearse(policy, cases)


def _is_for(cases: CaseFile, asked: str | Path) -> bool:
    if str(asked) in BUNDLED:
        return cases.policy == str(asked)
    return isinstance(cases.policy, Path) and cases.policy.resolve() == Path(asked).resolve()


def explain(
    policy: Policy, message: Message, facts: Facts, owns: AbstractSet[str | int], now: float | None = None
) -> Explained:
    """Tell what would become of a message, the first of its station.

    ``now`` is in seconds since 1970 (UTC); None is the present. Raises :class:`MessageRefused` for an action that
    isn't known.
    """
    schemas = OfficialSchemas()
    if message.action not in schemas.actions(message.protocol):
        raise MessageRefused(f"{message.protocol} has no action {message.action!r}")
    complaint = schemas.complaint(message.protocol, message.action, message.kind, message.payload)
    if complaint is not None:
        return Explained(policy, message, complaint, None)
    surroundings = Surroundings(
        now=time.time if now is None else lambda: now,
        monotonic=time.monotonic,
        facts=lambda: facts,
        owns=lambda number: number in owns,
    )
    said = (message.stage, message.kind, message.protocol, message.action, message.payload)
    return Explained(policy, message, None, Guard(lambda: policy, surroundings).explain(*said))
