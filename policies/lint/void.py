"""Parts of an effect that have none, and effects that say the opposite of what they do."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.lint.subjects import Subject
from policies.problems import Problem
from policies.words import Effect, Kind

ACCEPTED: Final = "Accepted"


def limiting_answers(subject: Subject) -> Iterator[Problem]:
    """Find limits that count answers only."""
    if subject.rule.effect is Effect.LIMIT and _are_all(subject, Kind.RESULT, Kind.ERROR):
        yield subject.finding("there are no more answers than questions: limit `kind: call`", "match", "kind")


def recoding_errors(subject: Subject) -> Iterator[Problem]:
    """Find errorCodes for CALLERRORs that are refused: those keep their own, by which the asker knows what became."""
    spec = subject.rule.spec
    if subject.rule.effect is Effect.DENY and _are_all(subject, Kind.ERROR) and "error" in spec:
        text = "a CALLERROR that is denied loses its words and keeps its errorCode; use transform to map that"
        yield subject.finding(text, "deny", "error")


def denying_by_yes(subject: Subject) -> Iterator[Problem]:
    """Find denials whose status is Accepted."""
    rule = subject.rule
    denials: Mapping[tuple[str, ...], Mapping[str, Any]] = {}
    if rule.effect is Effect.DENY:
        denials = {("deny",): rule.spec}
    elif rule.effect is Effect.LIMIT:
        denials = {("limit", "over", "deny"): rule.spec.get("over", {}).get("deny", {})}
    for where, spec in denials.items():
        if spec.get("status") == ACCEPTED:
            text = "tells the asker that it was done, and it isn't: if that is meant, use `answer`"
            yield subject.finding(text, *where, "status")


def _are_all(subject: Subject, *kinds: Kind) -> bool:
    return bool(subject.targets) and all(target.kind in kinds for target in subject.targets)
