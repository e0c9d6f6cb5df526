"""Conditions that no message can fulfil. What one test says wrongly by itself is refused when the policy is loaded."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from policies.lint.subjects import Subject
from policies.problems import Problem
from policies.vocabulary import ARRAY, Vocabulary
from policies.words import Kind

_MANY: Final = ("[]", "**")
"""Signs of a path that may have several values: each entry may then be about another one."""

Interval = tuple[float, float]


def contradicting(subject: Subject) -> Iterator[Problem]:
    """Find two entries of ``fields`` about the same path that exclude each other: a rule that never applies."""
    entries = [(place, entry) for place, entry in enumerate(subject.rule.fields) if isinstance(entry.get("path"), str)]
    for at, (place, entry) in enumerate(entries):
        for earlier, other in entries[:at]:
            if entry["path"] == other["path"] and _exclude(entry, other):
                yield subject.finding(
                    f"never applies: fields[{earlier}] and fields[{place}] exclude each other at {entry['path']}",
                    "fields",
                    place,
                )


def _exclude(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    absent = one.get("present") is False, other.get("present") is False
    if absent[0] != absent[1]:
        return True
    if any(sign in one["path"] for sign in _MANY):
        return False
    if any(_is_negation(*pair) for pair in ((one, other), (other, one))):
        return True
    return (
        _are_apart(_interval(one.get("range")), _interval(other.get("range")))
        or _are_apart(_interval(one.get("length")), _interval(other.get("length")))
        or ("one_of" in one and "one_of" in other and not any(value in other["one_of"] for value in one["one_of"]))
    )


def _is_negation(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether one entry says that another one doesn't hold."""
    tests = {key: test for key, test in other.items() if key != "path"}
    return one.get("not") == tests


def _interval(bounds: Any) -> Interval:
    """Return the numbers between bounds; one that is excluded is the next number beside it."""
    if not isinstance(bounds, Mapping):
        return -math.inf, math.inf
    low = max(bounds.get("min", -math.inf), math.nextafter(bounds.get("above", -math.inf), math.inf))
    high = min(bounds.get("max", math.inf), math.nextafter(bounds.get("below", math.inf), -math.inf))
    return low, high


def _are_apart(one: Interval, other: Interval) -> bool:
    return max(one[0], other[0]) > min(one[1], other[1])


def beyond_the_schema(subject: Subject, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Find tests of a length that the schema doesn't allow: a rule, or an alternative, that never applies."""
    if any(target.kind is Kind.ERROR for target in subject.targets):
        return  # no schema looks at those
    for key, entries in (("fields", subject.rule.fields), ("any", subject.rule.any)):
        for place, entry in enumerate(entries):
            least, where = _wanted_length(entry)
            if not least:
                continue
            most = _longest(entry, subject, vocabulary)
            if most is not None and least > most:
                text = f"never holds: the schema allows {most} at most, and these are {least} or more"
                yield subject.finding(text, key, place, *where)


def _wanted_length(entry: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    """Return from which length on an entry holds, and where it says so; 0 for an entry that doesn't."""
    length = entry.get("length")
    if isinstance(length, Mapping) and isinstance(length.get("min"), int):
        return length["min"], ("length",)
    negated = entry.get("not")
    if not isinstance(negated, Mapping) or negated.keys() != {"length"}:
        return 0, ()
    length = negated["length"]
    if not isinstance(length, Mapping) or length.keys() != {"max"} or not isinstance(length["max"], int):
        return 0, ()
    return length["max"] + 1, ("not", "length")


def _longest(entry: Mapping[str, Any], subject: Subject, vocabulary: Vocabulary) -> int | None:
    """Return the greatest length that a value of the entry may have at any target; None where there is no bound."""
    paths: Sequence[str] = [entry["path"]] if isinstance(entry["path"], str) else entry["path"]
    most = 0
    for target in subject.targets:
        for path in paths:
            for field in vocabulary.resolve(path, target):
                bound = field.schema.get("maxItems") if field.type == ARRAY else field.max_length
                if bound is None:
                    return None
                most = max(most, bound)
    return most or None
