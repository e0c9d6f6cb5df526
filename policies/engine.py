"""What a policy decides, and the loading of one.

A policy sees every message four times on its way (design: the way of a frame) and says whether it may go on.
"""

import functools
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from policies.compiling import Book, Key, compile_rules
from policies.decisions import Decided, Decision, Step, Trace, nobody
from policies.evaluation import Bucket, Compiled, Evaluation, Where
from policies.problems import PolicyError, Problem, Severity, in_order
from policies.rules import Rule, Source
from policies.scopes import ALL, covering
from policies.source import BUNDLED, Draft, draft
from policies.words import PASSED, Effect, Facts, Kind, Mode, Payload, Schemas, Stage, Surroundings, Target, Verdict

__all__ = ["BUNDLED", "Decision", "Guard", "Policy", "PolicyError", "Problem", "Step", "Trace", "load"]

LOADED_MAX: Final = 8
"""Policies that are kept for the case that somebody loads them again: groups and backends may name the same one."""


class _View(dict[Key, Bucket | None]):
    """The buckets of all stations that are in the same scopes; each made when the first such message comes."""

    def __init__(self, policy: "Policy", scopes: frozenset[int]) -> None:
        super().__init__()
        self._policy = policy
        self._scopes = scopes

    def __missing__(self, key: Key) -> Bucket | None:
        bucket = self._policy.bucket(key, self._scopes)
        if self._policy.knows(key):
            self[key] = bucket
        return bucket


class Policy:
    """One loaded policy: immutable, and shared by all stations."""

    def __init__(self, book: Book, warnings: tuple[Problem, ...]) -> None:
        self._book = book
        self._views: weakref.WeakValueDictionary[frozenset[int], _View] = weakref.WeakValueDictionary()
        self._buckets: weakref.WeakValueDictionary[tuple[Key, frozenset[int]], Bucket] = weakref.WeakValueDictionary()
        """By the scopes that matter for the key: two views that differ elsewhere share it."""
        self._actions = {name: book.schemas.actions(name) for name in book.schemas.protocols()}
        self.warnings = warnings
        self.is_scoped = len(book.scopes) > 1
        """Some rules are for some stations only."""

    @property
    def name(self) -> str:
        return self._book.draft.name

    @property
    def description(self) -> str:
        return self._book.draft.description

    @property
    def mode(self) -> Mode:
        return self._book.draft.mode

    @property
    def default(self) -> Effect:
        """ALLOW or DENY."""
        return self._book.draft.default

    @property
    def values(self) -> Mapping[str, Any]:
        return self._book.draft.values

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, inherited ones too, in the order in which they are asked."""
        return self._book.draft.rules

    @property
    def sources(self) -> tuple[Source, ...]:
        """The policy's own file first, then what it extends."""
        return self._book.draft.sources

    @property
    def sha256(self) -> str:
        """The hex digest of the policy's own file."""
        return self.sources[0].sha256

    def __repr__(self) -> str:
        return f"<Policy {self.name} {self.sha256[:12]}>"

    def knows(self, key: Key) -> bool:
        """Return whether there is such a message: of what there isn't, nothing is kept."""
        return key[3] in self._actions.get(key[2], ())

    def view(self, scopes: frozenset[int]) -> Mapping[Key, Bucket | None]:
        """Return the buckets of the stations that are in ``scopes``, made as they are looked up."""
        view = self._views.get(scopes)
        if view is None:
            view = self._views[scopes] = _View(self, scopes)
        return view

    def scopes_of(self, facts: Facts) -> frozenset[int]:
        """Return the scopes that a station is in."""
        return covering(self._book.scopes, facts)

    def bucket(self, key: Key, scopes: frozenset[int]) -> Bucket | None:
        """Return the rules for one kind of message and the stations in ``scopes``; None where every message passes."""
        name = (key, scopes & self._book.scopes_at(key))
        found = self._buckets.get(name)
        if found is None:
            found = self._book.bucket(*name)
            if found is not None and self.knows(key):
                self._buckets[name] = found
        return found

    def unscreened(self, key: Key, scopes: frozenset[int]) -> Bucket:
        """Return the same rules, each asked by itself."""
        return self._book.unscreened(key, scopes)

    def laid_out(self, target: Target, facts: Facts, steps: Mapping[str, Step], verdict: Verdict) -> Trace:
        """Put what was asked among what wasn't: rules for other stations, and those after the one that decided."""
        return Trace(self.name, target, tuple(self._laid_out(target, facts, steps)), verdict)

    def _laid_out(self, target: Target, facts: Facts, steps: Mapping[str, Step]) -> Iterator[Step]:
        for each in self._book.rules.get((target.stage, target.kind, target.protocol, target.action), ()):
            rule = each.rule
            outside = self._book.scopes[each.scope].outside(facts)
            if rule.id in steps:
                yield steps[rule.id]
            else:
                held = None if outside is None else False
                yield Step(rule.id, rule.place, rule.effect, each.is_observed, held, outside or ())


class Guard:
    """The policy in force as it meets one station: one per station, on both its legs and over its reconnects.

    ``policy()`` is asked at each message, so that another one is in force from the next message on. ``decided`` hears
    of each decision; it mustn't raise.
    """

    __slots__ = ("_decided", "_known", "_policy", "_revision", "_surroundings", "_view")

    def __init__(self, policy: Callable[[], Policy], surroundings: Surroundings, decided: Decided = nobody) -> None:
        self._policy = policy
        self._surroundings = surroundings
        self._decided = decided
        self._known: Policy | None = None
        """The policy that the view is of."""
        self._revision: object = None
        self._view: Mapping[Key, Bucket | None] = {}

    def inspect(self, stage: Stage, kind: Kind, protocol: str, action: str, payload: Payload) -> Verdict:
        """Decide on one message that fits its official schema. Never raises; ``payload`` isn't changed."""
        policy = self._policy()
        if policy is not self._known or (policy.is_scoped and self._surroundings.revision() is not self._revision):
            self._look_up(policy)
        bucket = self._view[stage, kind, protocol, action]
        if bucket is None:
            return PASSED
        return bucket.inspect(payload, self._surroundings, self._decided)

    def explain(self, stage: Stage, kind: Kind, protocol: str, action: str, payload: Payload) -> Trace:
        """Tell how a message would be decided, rule by rule, and why.

        Nobody hears of the decisions, no token is taken, and no register is remembered.
        """
        forgetful = Guard(self._policy, replace(self._surroundings, remembers=False))
        return forgetful.trace(stage, kind, protocol, action, payload)

    def trace(self, stage: Stage, kind: Kind, protocol: str, action: str, payload: Payload) -> Trace:
        """Decide on a message as :meth:`inspect` does, with all that follows from it, and tell why."""
        policy = self._policy()
        facts = self._surroundings.facts()
        bucket = policy.unscreened((stage, kind, protocol, action), policy.scopes_of(facts))
        steps: dict[str, Step] = {}

        def record(compiled: Compiled, unmet: Where | None, did: str) -> None:
            rule = compiled.rule
            steps[rule.id] = Step(
                rule.id, rule.place, rule.effect, compiled.is_observed, unmet is None, unmet or (), did
            )

        evaluation = Evaluation(bucket, payload, self._surroundings, self._decided)
        verdict = evaluation.verdict(bucket.always, record)
        return policy.laid_out(bucket.target, facts, steps, verdict)

    def _look_up(self, policy: Policy) -> None:
        """Find the buckets of a new policy, or of a station that is now in another group or at another backend."""
        self._revision = self._surroundings.revision()
        scopes = policy.scopes_of(self._surroundings.facts()) if policy.is_scoped else ALL
        self._view = policy.view(scopes)
        self._known = policy


def load(name_or_path: str | Path, schemas: Schemas) -> Policy:
    """Load a bundled policy by name, or one from a file.

    Raises :class:`PolicyError` with all that is wrong: a policy that isn't understood whole never loads. Files that
    haven't changed give the policy that they gave before.
    """
    return _compiled(draft(name_or_path), schemas)


@functools.lru_cache(maxsize=LOADED_MAX)
def _compiled(read: Draft, schemas: Schemas) -> Policy:
    book, found = compile_rules(read, schemas)
    problems = in_order(read.problems + found)
    if any(each.severity is Severity.ERROR for each in problems):
        raise PolicyError(problems)
    return Policy(book, problems)
