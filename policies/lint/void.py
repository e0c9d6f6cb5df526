"""Parts of an effect that have none, and effects that say the opposite of what they do."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.lint.subjects import Subject
from policies.problems import Problem
from policies.transforms import paths_of
from policies.words import Effect, Kind

ACCEPTED: Final = "Accepted"
ALL_WHEN_EMPTY: Final = frozenset(
    {
        ("GetConfiguration", "key"),
        ("GetDisplayMessages", "id"),
        ("GetMonitoringReport", "componentVariable"),
        ("GetReport", "componentVariable"),
        ("SendLocalList", "localAuthorizationList"),
    }
)
"""Lists of questions that, empty or left out, mean everything; of a full SendLocalList, that everything goes."""


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


def meaning_all(subject: Subject) -> Iterator[Problem]:
    """Find dropped lists, or elements, whose absence asks for everything."""
    asked = {target.action for target in subject.targets if target.kind is Kind.CALL}
    for place, step in enumerate(subject.rule.spec if subject.rule.effect is Effect.TRANSFORM else ()):
        for path in paths_of(step) if "drop" in step else ():
            actions = sorted(action for action in asked if (action, path.removesuffix("[]")) in ALL_WHEN_EMPTY)
            if actions:
                text = f"{actions[0]} with nothing in {path.removesuffix('[]')} means all there is: deny it instead"
                yield subject.finding(text, "transform", place, "drop")


def _are_all(subject: Subject, *kinds: Kind) -> bool:
    return bool(subject.targets) and all(target.kind in kinds for target in subject.targets)
