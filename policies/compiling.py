"""Rules into what runs: each compiled once for every target that it concerns, and found there by one look-up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

from policies.answers import Consequence, compile_answer, compile_deny, compile_over, compile_quarantine
from policies.conditions import compile_condition
from policies.evaluation import NOT_ALLOWED, Bucket, Check, Compiled, Where
from policies.limits import compile_limit
from policies.matchers import FieldCheck, compile_field
from policies.problems import Problem, spelled
from policies.rules import Rule
from policies.scopes import EVERYBODY, Scope, scope_of
from policies.screen import Screen
from policies.source import Draft
from policies.transforms import compile_transform
from policies.vocabulary import Vocabulary
from policies.words import Effect, Kind, Mode, RuleError, Schemas, Stage, Target

MAX_PROBLEMS: Final = 20
"""Of one rule: one mistake in a rule for every action is as many mistakes."""

Key = tuple[Stage, Kind, str, str]
"""Stage, kind, protocol and action of a message."""
_CONSEQUENCES: Final[Mapping[Effect, Callable[[Any, Target, Schemas, Where], Consequence]]] = {
    Effect.DENY: compile_deny,
    Effect.ANSWER: compile_answer,
    Effect.QUARANTINE: compile_quarantine,
}
_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class Book:
    """All rules of a policy, compiled: for each kind of message those that concern it, whatever the station."""

    rules: Mapping[Key, tuple[Compiled, ...]]
    scopes: tuple[Scope, ...]
    """The first is everybody's."""
    draft: Draft
    schemas: Schemas

    def bucket(self, key: Key, scopes: frozenset[int]) -> Bucket | None:
        """Make the bucket of the stations that are in ``scopes``; None where every message passes."""
        rules = tuple(each for each in self.rules.get(key, ()) if each.scope in scopes)
        is_open = self.draft.default is Effect.ALLOW
        if not rules and is_open:
            return None
        screened, always = _screened(rules)
        found = self.unscreened(key, scopes)
        return replace(found, screen=Screen(screened), always=always)

    def scopes_at(self, key: Key) -> frozenset[int]:
        """Return the scopes of the rules for one kind of message."""
        return frozenset(each.scope for each in self.rules.get(key, ()))

    def unscreened(self, key: Key, scopes: frozenset[int]) -> Bucket:
        """Make a bucket that asks every rule: it decides as :meth:`bucket` does, and shows each rule's part in it."""
        rules = tuple(each for each in self.rules.get(key, ()) if each.scope in scopes)
        default = None if self.draft.default is Effect.ALLOW else NOT_ALLOWED
        observed = self.draft.mode is Mode.OBSERVE
        return Bucket(Target(*key), rules, default, observed, self.schemas, None, tuple(range(len(rules))))


def _screened(rules: Sequence[Compiled]) -> tuple[list[tuple[int, FieldCheck]], tuple[int, ...]]:
    """Return what the screen looks for, by the rule's position, and the positions of the rules that it can't know.

    Of a rule's ``fields`` the first is looked for, of its ``any`` all: one bit of the screen stands for one rule, which
    is enough unless some of them hold where nothing is (``present: false``). What remembers (``register``) is asked in
    its turn, and once.
    """
    screened: list[tuple[int, FieldCheck]] = []
    always = []
    for position, each in enumerate(rules):
        needed = [check for _, check in each.needed if isinstance(check, FieldCheck)]
        any_of = [check for _, check in each.alternatives if isinstance(check, FieldCheck)]
        if any(map(_remembers, each.rule.fields + each.rule.any)):
            always.append(position)
        elif needed:
            screened.append((position, needed[0]))
        elif len(any_of) == 1 or (any_of and not any(check.wants_absence for check in any_of)):
            screened += [(position, check) for check in any_of]
        else:
            always.append(position)
    return screened, tuple(always)


def _remembers(tests: Mapping[str, Any]) -> bool:
    return "register" in tests or ("not" in tests and _remembers(tests["not"]))


def compile_rules(draft: Draft, schemas: Schemas) -> tuple[Book, tuple[Problem, ...]]:
    """Compile every rule. What is wrong with a rule is among the problems returned, and the rule isn't in the book."""
    compiler = _Compiler(schemas)
    for rule in draft.rules:
        compiler.add(rule)
    rules = {key: tuple(found) for key, found in compiler.rules.items()}
    return Book(rules, tuple(compiler.scopes), draft, schemas), tuple(compiler.problems)


def _can_apply(compiled: Compiled) -> bool:
    """Return whether the target has the fields that the rule asks for."""

    def can_hold(check: Check) -> bool:
        return not isinstance(check, FieldCheck) or check.can_hold

    return all(can_hold(check) for _, check in compiled.needed) and (
        not compiled.alternatives or any(can_hold(check) for _, check in compiled.alternatives)
    )


class _Compiler:
    def __init__(self, schemas: Schemas) -> None:
        self.rules: dict[Key, list[Compiled]] = {}
        self.scopes: dict[Scope, int] = {EVERYBODY: 0}
        self.problems: list[Problem] = []
        self._schemas = schemas
        self._vocabulary = Vocabulary(schemas)

    def add(self, rule: Rule) -> None:
        found: dict[Problem, None] = {}

        def attempt(part: Callable[[], _Part]) -> _Part | None:
            try:
                return part()
            except RuleError as fault:
                for error in (fault, *fault.further):
                    text = f"{spelled(error.where)}: {error}" if error.where else str(error)
                    found[Problem(rule.place_of(error.where), text, rule.id)] = None
                return None

        targets = attempt(lambda: self._vocabulary.targets(rule)) or ()
        when: Check | None = None
        if rule.when is not None and targets:
            condition = rule.when
            when = attempt(lambda: compile_condition(condition, targets, self._vocabulary, ("when",)))
        scope = self.scopes.setdefault(scope_of(rule.match), len(self.scopes))
        for target in targets:
            compiled = self._compiled(rule, target, targets, scope, when, attempt)
            if _can_apply(compiled):
                key = (target.stage, target.kind, target.protocol, target.action)
                self.rules.setdefault(key, []).append(compiled)
            if len(found) >= MAX_PROBLEMS:
                break
        self.problems += found

    def _compiled(
        self,
        rule: Rule,
        target: Target,
        targets: Sequence[Target],
        scope: int,
        when: Check | None,
        attempt: Callable[[Callable[[], Any]], Any],
    ) -> Compiled:
        def checks(entries: Sequence[Mapping[str, Any]], key: str) -> list[tuple[Where, Check]]:
            found: list[tuple[Where, Check]] = []
            for index, entry in enumerate(entries):
                where = (key, index)
                compiling = partial(compile_field, entry, targets, target, self._vocabulary, where)
                check = attempt(compiling)
                if check is not None:
                    found.append((where, check))
            return found

        needed, alternatives = checks(rule.fields, "fields"), checks(rule.any, "any")
        compiled = Compiled(rule, scope, tuple(needed), tuple(alternatives), when)
        if len(needed) == 1 and not alternatives and when is None and isinstance(needed[0][1], FieldCheck):
            compiled = replace(compiled, only=needed[0][1].of_whole)
        parts = attempt(lambda: self._effect(rule, target, targets))
        return compiled if parts is None else replace(compiled, **parts)

    def _effect(self, rule: Rule, target: Target, targets: Sequence[Target]) -> dict[str, Any]:
        """Return the parts of ``Compiled`` that the rule's effect needs. Raises RuleError."""
        spec, where = rule.spec, (rule.effect.value,)
        if rule.effect in _CONSEQUENCES:
            return {"consequence": _CONSEQUENCES[rule.effect](spec, target, self._schemas, where)}
        if rule.effect is Effect.LIMIT:
            over = compile_over(spec.get("over"), target, self._schemas, (*where, "over"))
            return {"limit": compile_limit(rule.id, spec, target, where), "consequence": over}
        if rule.effect is Effect.TRANSFORM:
            return {"transform": compile_transform(spec, target, self._vocabulary, where, targets)}
        return {"note": spec if isinstance(spec, str) else ""}
