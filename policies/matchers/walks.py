"""Walks over a payload: many tests at many places, in one pass.

A walk is a tree of functions that follows the shape of the payload, made once. Every function returns bits, one for
each test that held: numbers, so that a message of which nothing holds costs no allocation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from policies.matchers.predicates import Marks, Predicate, joined
from policies.paths import EACH, WITHIN, Step, Steps, texts_within
from policies.words import Surroundings


@dataclass(frozen=True, slots=True)
class Leaf:
    """One test of the values at one place."""

    steps: Steps
    predicate: Predicate
    bits: int = 1
    is_described: bool = True
    """The schemas describe all that is on the way there; False: it must be looked at before each step."""


def walk(leaves: Sequence[Leaf]) -> Marks:
    """Return a function of a payload: the bits of all leaves of which a value passed, or 0."""
    below: dict[Step, list[Leaf]] = {}
    for leaf in leaves:
        if leaf.steps:
            below.setdefault(leaf.steps[0], []).append(replace(leaf, steps=leaf.steps[1:]))
    here = [(leaf.predicate, leaf.bits) for leaf in leaves if not leaf.steps]
    visits = [joined(here)] if here else []
    if EACH in below:
        visits.append(_of_list(below.pop(EACH)))
    if WITHIN in below:
        visits.append(_of_texts(walk(below.pop(WITHIN))))
    if below:
        visits.append(_of_object(below))
    return _in_turn(visits)


def _is_described(leaves: Iterable[Leaf]) -> bool:
    """True where one leaf's way is described by the schemas: then all of them find there what they expect."""
    return any(leaf.is_described for leaf in leaves)


def _in_turn(visits: Sequence[Marks]) -> Marks:
    if not visits:
        return lambda _value, _surroundings: 0
    if len(visits) == 1:
        return visits[0]
    first, rest = visits[0], _in_turn(visits[1:])
    return lambda value, surroundings: first(value, surroundings) | rest(value, surroundings)


def _of_object(leaves: Mapping[Step, list[Leaf]]) -> Marks:
    visits = {step: walk(below) for step, below in leaves.items()}
    is_sure = _is_described(leaf for below in leaves.values() for leaf in below)
    if len(visits) == 1:
        ((name, visit),) = visits.items()

        def of_one(fields: Any, surroundings: Surroundings) -> int:
            return visit(fields[name], surroundings) if name in fields else 0

        return of_one if is_sure else _if_a(dict, of_one)
    visit_of = visits.get

    def of_all(fields: Any, surroundings: Surroundings) -> int:
        found = 0
        for name in fields:
            visit = visit_of(name)
            if visit is not None:
                found |= visit(fields[name], surroundings)
        return found

    return of_all if is_sure else _if_a(dict, of_all)


def _of_list(leaves: Sequence[Leaf]) -> Marks:
    if not _is_described(leaves):
        return _if_a(list, _of_each(walk(leaves)))
    if all(leaf.steps and isinstance(leaf.steps[0], str) for leaf in leaves):
        return _of_objects(leaves)
    return _of_each(walk(leaves))


def _of_each(visit: Marks) -> Marks:
    def of_each(elements: Any, surroundings: Surroundings) -> int:
        found = 0
        for element in elements:
            found |= visit(element, surroundings)
        return found

    return of_each


def _of_objects(leaves: Sequence[Leaf]) -> Marks:
    """A list of objects, its most frequent kind, in one function instead of one for each element."""
    names = {str(leaf.steps[0]) for leaf in leaves}
    visits = {
        name: walk([replace(leaf, steps=leaf.steps[1:]) for leaf in leaves if leaf.steps[0] == name]) for name in names
    }
    visit_of = visits.get

    def of_objects(elements: Any, surroundings: Surroundings) -> int:
        found = 0
        for fields in elements:
            for name in fields:
                visit = visit_of(name)
                if visit is not None:
                    found |= visit(fields[name], surroundings)
        return found

    return of_objects


def _of_texts(visit: Marks) -> Marks:
    def of_texts(value: Any, surroundings: Surroundings) -> int:
        found = 0
        for text in texts_within(value):
            found |= visit(text, surroundings)
        return found

    return of_texts


def _if_a(kind: type, visit: Marks) -> Marks:
    return lambda value, surroundings: visit(value, surroundings) if isinstance(value, kind) else 0
