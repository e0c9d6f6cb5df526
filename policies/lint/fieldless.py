"""Actions that a rule names and that lack the fields which it is about."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policies.lint.directions import can_come
from policies.lint.subjects import Subject
from policies.problems import Problem
from policies.transforms import paths_of
from policies.vocabulary import Vocabulary
from policies.words import Effect


def without_field(subject: Subject, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Find actions, named without a glob, at which a rule never applies or changes nothing: they have no such field."""
    for place, action in enumerate(subject.rule.match.actions):
        targets = [target for target in subject.targets if target.action == action and can_come(target)]
        for key, paths in _wanted(subject) if targets else ():
            if not any(vocabulary.resolve(path, target) for target in targets for path in paths):
                where = f"{key[0]}[{key[1]}]" if len(key) > 1 else key[0]
                does = "changes nothing" if key[0] == "transform" else "never applies"
                text = f"{does} at {action}, which has no field that {where} names"
                yield subject.finding(text, "match", "action", place)
                break


def _wanted(subject: Subject) -> Iterator[tuple[tuple[str | int, ...], Sequence[str]]]:
    """Yield the paths of which one at least must exist, with the part of the rule that names them."""
    rule = subject.rule
    for place, entry in enumerate(rule.fields):
        if not _wants_absence(entry):
            yield ("fields", place), _paths(entry)
    if rule.any and not any(map(_wants_absence, rule.any)):
        yield ("any",), [path for entry in rule.any for path in _paths(entry)]
    if rule.effect is Effect.TRANSFORM:
        yield ("transform",), [path for step in rule.spec for path in paths_of(step)]


def _wants_absence(entry: Mapping[str, Any]) -> bool:
    return entry.get("present") is False


def _paths(entry: Mapping[str, Any]) -> Sequence[str]:
    path = entry["path"]
    return (path,) if isinstance(path, str) else tuple(path)
