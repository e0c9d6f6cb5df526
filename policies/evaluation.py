"""The one loop that decides on a message, rule after rule, and what a decision becomes where money is moved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from policies.answers import Answer, Consequence, Kept, Refusal, neutral_answer
from policies.decisions import Decided, Decision
from policies.money import moves_money
from policies.rules import Rule
from policies.words import (
    DEFAULT_RULE,
    PASSED,
    Effect,
    Kind,
    Mode,
    Outcome,
    Payload,
    Reason,
    RuleFailed,
    Schemas,
    Stage,
    Surroundings,
    Target,
    Verdict,
)

Where = tuple[str | int, ...]

NOT_ALLOWED: Final = Refusal(text="no rule allows it")
"""What a policy whose default is deny does with what no rule decided."""
_FAILED: Final = Refusal()
_STATIONS_STAGES: Final = frozenset({Stage.FROM_STATION, Stage.TO_BACKEND})


class Check(Protocol):
    """One condition of a rule."""

    def holds(self, payload: Payload, surroundings: Surroundings) -> bool:
        """Return whether it holds of a payload. Raises RuleFailed."""


class Level(Protocol):
    """What a token bucket holds."""

    @property
    def wait(self) -> float:
        """Seconds until there is a token; 0.0 where there is one."""


class Limit(Protocol):
    """A token bucket (``policies.limits``)."""

    def take(self, target: Target, surroundings: Surroundings) -> bool:
        """Take one token; False when there is none."""

    def peek(self, target: Target, surroundings: Surroundings) -> Level:
        """Look how many there are."""


class Transform(Protocol):
    """Steps that change a message (``policies.transforms``)."""

    def apply(self, payload: Payload, surroundings: Surroundings) -> Payload:
        """Return the changed payload, or the same object when nothing changed."""


class Screen(Protocol):
    """One walk for the first condition of many rules (``policies.screen``)."""

    def look(self, payload: Payload, surroundings: Surroundings, /) -> int:
        """Return the bits of the rules whose first condition holds; 0 for none."""

    def positions(self, found: int) -> Sequence[int]:
        """Return the positions of the rules of these bits, in order."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """One rule, compiled for one target. Exactly the part that its effect needs is set."""

    rule: Rule
    scope: int
    """Which stations it is for: an index into the policy's scopes."""
    needed: tuple[tuple[Where, Check], ...]
    """Its ``fields``: all must hold."""
    alternatives: tuple[tuple[Where, Check], ...] = ()
    """Its ``any``: one must hold, where there are any."""
    when: Check | None = None
    """Asked last: it may fail, and costs the most."""
    consequence: Consequence | None = None
    """Of deny, answer, quarantine; of a limit that is over; None for allow."""
    limit: Limit | None = None
    transform: Transform | None = None
    note: str = ""
    """The text of an audit."""
    only: Callable[[Payload, Surroundings], int] | None = None
    """Tells whether its one condition holds, where it has one: the same as asking for each, at less cost."""

    @property
    def is_observed(self) -> bool:
        """True when it only reports."""
        return self.rule.mode is Mode.OBSERVE

    def unmet(self, payload: Payload, surroundings: Surroundings) -> Where | None:
        """Return the path of the first condition that doesn't hold; None when all do."""
        for where, check in self.needed:
            if not check.holds(payload, surroundings):
                return where
        if self.alternatives and not any(check.holds(payload, surroundings) for _, check in self.alternatives):
            return ("any",)
        if self.when is not None and not self.when.holds(payload, surroundings):
            return ("when",)
        return None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Bucket:
    """The rules for one target and one set of scopes, in their order."""

    target: Target
    rules: tuple[Compiled, ...]
    default: Consequence | None
    """None: allow."""
    is_observed: bool
    """The policy only reports: its default, too."""
    schemas: Schemas = field(repr=False)
    screen: Screen | None = None
    """Finds the rules whose first condition holds; None: every rule is asked."""
    always: tuple[int, ...] = ()
    """Positions of the rules that the screen doesn't know."""

    def inspect(self, payload: Payload, surroundings: Surroundings, decided: Decided) -> Verdict:
        """Decide on one message. Never raises; of one that passes nothing is made."""
        candidates = self.candidates(payload, surroundings)
        if candidates is not self.always or self.default is not None:
            return Evaluation(self, payload, surroundings, decided).verdict(candidates)
        # Only the rules that the screen doesn't know may apply: most have nothing to say.
        for place, position in enumerate(candidates):
            compiled = self.rules[position]
            try:
                if compiled.only is None:
                    if compiled.unmet(payload, surroundings) is not None:
                        continue
                elif not compiled.only(payload, surroundings):
                    continue
                if compiled.limit is not None and compiled.limit.take(self.target, surroundings):
                    continue
            except Exception:  # noqa: BLE001 - asked again, it fails as a rule does
                return Evaluation(self, payload, surroundings, decided).verdict(self.always[place:])
            return Evaluation(self, payload, surroundings, decided).verdict(self.always[place:], is_met=True)
        return PASSED

    def candidates(self, payload: Payload, surroundings: Surroundings) -> Sequence[int]:
        """Return the positions of the rules that may apply, in order. A rule that isn't among them doesn't apply."""
        if self.screen is None:
            return self.always
        try:
            found = self.screen.look(payload, surroundings)
        except Exception:  # noqa: BLE001 - whose rule failed is seen when each is asked for itself
            return range(len(self.rules))
        if not found:
            return self.always
        return sorted({*self.screen.positions(found), *self.always})


Record = Callable[[Compiled, Where | None, str], None]
"""Hears of each rule that was asked: what didn't hold (None: all did), and what the rule did."""


def _unheard(compiled: Compiled, unmet: Where | None, did: str) -> None:
    """Stands where nobody asks why."""


class Evaluation:
    """One message on its way through the rules of its bucket. Only made when a rule may apply."""

    def __init__(self, bucket: Bucket, payload: Payload, surroundings: Surroundings, decided: Decided) -> None:
        self._bucket = bucket
        self._target = bucket.target
        self._asked = payload
        self._payload = payload
        self._surroundings = surroundings
        self._decided = decided
        self._transformed_by = ""

    def verdict(self, candidates: Sequence[int], record: Record = _unheard, *, is_met: bool = False) -> Verdict:
        """Ask the candidates, one after the other, and return what is decided. Never raises.

        With ``is_met`` the first of them was asked already: its conditions hold, and its limit is over.
        """
        place = 0
        while place < len(candidates):
            position = candidates[place]
            place += 1
            compiled = self._bucket.rules[position]
            before = self._payload
            try:
                ended = self._apply(compiled, record, is_met=is_met)
            except Exception as error:  # noqa: BLE001 - whatever fails, it is the rule that failed: fails closed
                ended = self._failed(compiled, error)
                record(compiled, None, f"failed: {_why(error)}")
            is_met = False
            if ended is not None:
                return ended if ended.outcome is not Outcome.PASSED else self._passed(ended)
            if self._payload is not before:
                after = self._bucket.candidates(self._payload, self._surroundings)
                candidates, place = [each for each in after if each > position], 0
        return self._default()

    def _apply(self, compiled: Compiled, record: Record, *, is_met: bool) -> Verdict | None:
        """Ask one rule, and do what it says. Return the verdict if it is terminal, else None."""
        unmet = None if is_met else compiled.unmet(self._payload, self._surroundings)
        if unmet is not None:
            record(compiled, unmet, "")
            return None
        if compiled.transform is not None:
            record(compiled, None, self._transform(compiled, compiled.transform))
            return None
        if compiled.limit is not None and not is_met and self._is_within(compiled.limit):
            record(compiled, None, "within the limit")
            return None
        if compiled.consequence is None:
            return self._noted(compiled, record)
        reason = Reason.MATCHED if compiled.limit is None else Reason.LIMITED
        verdict = self._ending(compiled.consequence, compiled.rule.id, reason)
        self._tell(compiled, verdict.outcome, reason, verdict.text)
        record(compiled, None, f"{'' if compiled.limit is None else 'over the limit: '}{verdict.outcome.value}")
        return None if compiled.is_observed else verdict

    def _noted(self, compiled: Compiled, record: Record) -> Verdict | None:
        """Do what ``allow`` and ``audit`` say."""
        is_allowed = compiled.rule.effect is Effect.ALLOW
        self._tell(compiled, Outcome.PASSED, Reason.MATCHED, compiled.note)
        record(compiled, None, "allowed" if is_allowed else "noted")
        is_last = is_allowed and not compiled.is_observed
        return Verdict(Outcome.PASSED, compiled.rule.id, Reason.MATCHED) if is_last else None

    def _is_within(self, limit: Limit) -> bool:
        if self._surroundings.remembers:
            return limit.take(self._target, self._surroundings)
        return limit.peek(self._target, self._surroundings).wait == 0

    def _transform(self, compiled: Compiled, transform: Transform) -> str:
        result = transform.apply(self._payload, self._surroundings)
        if result is self._payload:
            return "changed nothing"
        self._tell(compiled, Outcome.TRANSFORMED, Reason.MATCHED)
        if not compiled.is_observed:
            self._payload = result
            self._transformed_by = compiled.rule.id
        return "transformed"

    def _failed(self, compiled: Compiled, error: Exception) -> Verdict | None:
        why = _why(error)
        verdict = self._ending(_FAILED, compiled.rule.id, Reason.RULE_FAILED, why)
        self._tell(compiled, verdict.outcome, Reason.RULE_FAILED, why)
        return None if compiled.is_observed else verdict

    def _default(self) -> Verdict:
        if self._bucket.default is not None:
            verdict = self._ending(self._bucket.default, DEFAULT_RULE, Reason.NO_RULE)
            observed = self._bucket.is_observed
            self._decided(
                Decision(self._target, DEFAULT_RULE, None, verdict.outcome, Reason.NO_RULE, observed, verdict.text)
            )
            if not observed:
                return verdict
        return self._passed()

    def _passed(self, unchanged: Verdict = PASSED) -> Verdict:
        """Return the verdict on a message that goes on, transformed or not."""
        rule = self._transformed_by
        if not rule:
            return unchanged
        target = self._target
        complaint = self._bucket.schemas.complaint(target.protocol, target.action, target.kind, self._payload)
        if complaint is None:
            return Verdict(Outcome.TRANSFORMED, rule, Reason.MATCHED, payload=self._payload)
        verdict = self._ending(_FAILED, rule, Reason.RESULT_INVALID, complaint)
        self._decided(
            Decision(target, rule, Effect.TRANSFORM, verdict.outcome, Reason.RESULT_INVALID, False, complaint)
        )
        return verdict

    def _ending(self, consequence: Consequence, rule: str, reason: Reason, why: str = "") -> Verdict:
        """Return what ends the way of the message: of one that moves money, that it is kept (design: Nothing lost)."""
        target = self._target
        is_money = (
            target.kind is Kind.CALL and target.stage in _STATIONS_STAGES and moves_money(target.action, self._asked)
        )
        answer = consequence.answer if isinstance(consequence, Refusal | Kept) else consequence
        text = why or (consequence.text if isinstance(consequence, Refusal) else "")
        payload = answer.payload(self._surroundings) if answer is not None else None
        if is_money or isinstance(consequence, Kept):
            if payload is None or isinstance(consequence, Refusal):
                payload = neutral_answer(target.protocol, target.action, self._asked)
            return Verdict(Outcome.QUARANTINED, rule, reason, text, payload)
        if isinstance(consequence, Answer):
            return Verdict(Outcome.ANSWERED, rule, reason, text, payload)
        return Verdict(Outcome.DENIED, rule, reason, text, payload, consequence.error)

    def _tell(self, compiled: Compiled, outcome: Outcome, reason: Reason, text: str = "") -> None:
        rule = compiled.rule
        self._decided(Decision(self._target, rule.id, rule.effect, outcome, reason, compiled.is_observed, text))


def _why(error: Exception) -> str:
    """Say what failed without a peer's value: a rule's own failure in its words, a defect by its kind and place."""
    if isinstance(error, RuleFailed):
        return str(error)
    trace: Any = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{place}"
