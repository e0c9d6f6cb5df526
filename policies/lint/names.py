"""What a match names in vain: stations that there aren't, actions that nobody sends there."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from policies.lint.directions import OF_A_STATION, can_come
from policies.lint.subjects import Subject
from policies.problems import Problem
from policies.words import Target


@dataclass(frozen=True, slots=True)
class Names:
    """What is configured; None where it isn't known."""

    stations: Collection[str] | None = None
    groups: Collection[str] | None = None
    backends: Collection[str] | None = None


def matching_nobody(subject: Subject, names: Names) -> Iterator[Problem]:
    """Find globs that no configured name fits."""
    match = subject.rule.match
    for key, globs, known in (
        ("station", match.stations, names.stations),
        ("group", match.groups, names.groups),
        ("backend", match.backends, names.backends),
    ):
        for place, glob in enumerate(globs if known is not None else ()):
            if not any(fnmatchcase(name, glob) for name in known or ()):
                yield subject.finding(f"{glob!r} is no {key} of this configuration", "match", key, place)


def wrong_way(subject: Subject) -> Iterator[Problem]:
    """Find actions that never come at the stages and of the kinds of a rule."""
    if subject.targets and not any(map(can_come, subject.targets)):
        yield subject.finding(f"no such message ever comes there: {_who(next(iter(subject.targets)))}", "stage")
        return
    for place, action in enumerate(subject.rule.match.actions):
        named = [target for target in subject.targets if target.action == action]
        if named and not any(map(can_come, named)):
            text = f"{action} never comes there: {_who(named[0])}"
            yield subject.finding(text, "match", "action", place)


def _who(target: Target) -> str:
    sender = "a station" if target.action in OF_A_STATION else "a backend"
    return f"it is {sender} that asks by {target.action}, and the other side that answers"
