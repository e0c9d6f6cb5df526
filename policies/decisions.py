"""What is told of decisions: each, to those who count and log; and all about one message, to those who ask why."""

from collections.abc import Callable
from dataclasses import dataclass

from policies.rules import Place
from policies.words import Effect, Outcome, Reason, Target, Verdict


@dataclass(frozen=True, slots=True)
class Decision:
    """One rule that did something, or would have: not each that merely let a message pass."""

    target: Target
    rule: str
    effect: Effect | None
    """None: the policy's ``default``."""
    outcome: Outcome
    """What became of the message by this rule: PASSED for ``allow`` and ``audit``, and where it goes on as it was."""
    reason: Reason
    is_observed: bool
    """True when the rule, or the policy, only reports."""
    text: str = ""
    """The rule's own words; of a rule that failed, what failed. Never a peer's value."""


Decided = Callable[[Decision], None]
"""Hears of each decision, at once. Mustn't raise, nor wait."""


def nobody(decision: Decision) -> None:
    """Stands where nobody wants to hear."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule as it looked at a message."""

    rule: str
    place: Place
    effect: Effect
    is_observed: bool
    held: bool | None
    """None: not asked, because a rule before it had decided."""
    unmet: tuple[str | int, ...] = ()
    """What didn't hold, as a path within the rule: ``("fields", 0)``, ``("any",)``, ``("when",)``, or
    ``("match", "group")``.
    """
    did: str = ""
    """What it did, or would have done if it is observed."""


@dataclass(frozen=True, slots=True)
class Trace:
    """How the verdict on one message came about: every rule for its stage, kind, protocol and action, in order."""

    policy: str
    target: Target
    steps: tuple[Step, ...]
    verdict: Verdict
