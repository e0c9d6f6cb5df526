"""Transforms that change nothing, or whose change doesn't last."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from policies.lint.subjects import Subject
from policies.problems import Problem
from policies.transforms import effect_of, paths_of
from policies.vocabulary import ARRAY, STRING, Vocabulary
from policies.words import Effect, Kind, Mode

_OVERWRITING: Final = frozenset({"drop", "set"})


def overwritten(subjects: Sequence[Subject]) -> Iterator[Problem]:
    """Find steps whose result a later step, that is always taken, drops or sets anew before anybody looks at it."""
    for place, each in enumerate(subjects):
        steps = _steps(each)
        for at, step in enumerate(steps):
            if (later := _overwriting(step, steps[at + 1 :])) is not None:
                yield each.finding(f"undone by the step behind it that says {later}", "transform", at)
                continue
            for other in _always_next(each, subjects[place + 1 :]):
                if (later := _overwriting(step, _steps(other))) is not None:
                    yield each.finding(f"undone by the rule {other.rule.id}, which says {later}", "transform", at)
                    break


def _steps(subject: Subject) -> Sequence[Mapping[str, Any]]:
    return subject.rule.spec if subject.rule.effect is Effect.TRANSFORM else ()


def _always_next(subject: Subject, later: Sequence[Subject]) -> Iterator[Subject]:
    """Yield the transforms that every message comes to after ``subject``, up to a rule that asks what it holds."""
    for other in later:
        if not other.meets(subject):
            continue
        if not other.is_unconditional or other.rule.effect is not Effect.TRANSFORM:
            return
        if other.rule.mode is Mode.ENFORCE and subject.is_within(other) and other.applies_whenever(subject):
            yield other


def _overwriting(step: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the later step, in short, that leaves nothing of what ``step`` did; None when there is none."""
    for other in later:
        effect, paths = effect_of(other), paths_of(other)
        if effect in _OVERWRITING and "where" not in other and all(_is_within(path, paths) for path in paths_of(step)):
            return f"{effect}: {', '.join(paths)}"
    return None


def _is_within(path: str, others: Sequence[str]) -> bool:
    """Return whether one of the others is the path itself, or what holds it."""
    return any(path == other or path.startswith((f"{other}.", f"{other}[]")) for other in others)


def idle(subject: Subject, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Find texts and lists that are cut to no less than what their schema allows."""
    if any(target.kind is Kind.ERROR for target in subject.targets):
        return  # no schema looks at those
    for place, step in enumerate(_steps(subject)):
        if effect_of(step) != "truncate":
            continue
        bounds = [
            field.max_length if field.type == STRING else field.schema.get("maxItems") if field.type == ARRAY else None
            for target in subject.targets
            for path in paths_of(step)
            for field in vocabulary.resolve(path, target)
        ]
        if bounds and all(bound is not None and bound <= step["to"] for bound in bounds):
            text = f"changes nothing: the schema allows {max(filter(None, bounds))} at most"
            yield subject.finding(text, "transform", place, "to")
