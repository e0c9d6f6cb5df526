"""Walks over a payload: many tests at many places, in one pass.

A walk is one function that follows the shape of the payload. Its text is written here, out of the names of the official
schemas, and compiled once: on the way of every message one function costs half of what a tree of small ones does
(docs/decisions/0016). It returns bits, one for each test that held: numbers, so that a message of which nothing holds
costs no allocation.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from policies.matchers.predicates import Marks, Predicate
from policies.paths import EACH, WITHIN, Step, Steps, texts_within

_INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Leaf:
    """One test of the values at one place."""

    steps: Steps
    predicate: Predicate
    bits: int = 1
    is_described: bool = True
    """The schemas describe all that is on the way there; False: it must be looked at before each step."""


def walk(leaves: Sequence[Leaf], flipped: int = 0) -> Marks:
    """Return a function of a payload: the bits of all leaves of which a value passed, or 0.

    Of the bits that are ``flipped``, those of which none passed.
    """
    return _Writer().function(leaves, flipped)


class _Writer:
    """Writes one walk.

    What it calls is handed to it under names of its own: nothing but field names and numbers is in the text.
    """

    def __init__(self) -> None:
        self._lines = ["def walk(v, surroundings):", f"{_INDENT}found = 0"]
        self._names: dict[str, Any] = {"texts_within": texts_within}
        self._variables = 0

    def function(self, leaves: Sequence[Leaf], flipped: int) -> Marks:
        self._value("v", leaves, 1)
        self._lines.append(f"{_INDENT}return found{f' ^ {flipped}' if flipped else ''}")
        exec(compile("\n".join(self._lines), "<walk>", "exec"), self._names)  # noqa: S102 - our own text, see above
        made: Marks = self._names.pop("walk")  # kept among its own names, it would be free only by a collection
        return made

    def _value(self, variable: str, leaves: Sequence[Leaf], depth: int) -> None:
        """Write what is to be done with the value in ``variable``: first its own tests, then what is below."""
        below: dict[Step, list[Leaf]] = {}
        for leaf in leaves:
            if leaf.steps:
                below.setdefault(leaf.steps[0], []).append(replace(leaf, steps=leaf.steps[1:]))
        self._tests(variable, [leaf for leaf in leaves if not leaf.steps], depth)
        for step, text in ((EACH, variable), (WITHIN, f"texts_within({variable})")):
            if step in below:
                self._elements(variable, text, below.pop(step), depth, is_sure=step is WITHIN)
        if below:
            depth = self._if_a("dict", variable, [leaf for each in below.values() for leaf in each], depth)
            for name, rest in below.items():
                self._write(depth, f"if {name!r} in {variable}:")
                inner = self._variable()
                self._write(depth + 1, f"{inner} = {variable}[{name!r}]")
                self._value(inner, rest, depth + 1)

    def _tests(self, variable: str, leaves: Sequence[Leaf], depth: int) -> None:
        """Write the tests of one value; one that stands there several times, for several rules, is asked once."""
        bits_of: dict[int, int] = {}
        for leaf in leaves:
            bits_of[id(leaf.predicate)] = bits_of.get(id(leaf.predicate), 0) | leaf.bits
        for key, predicate in {id(leaf.predicate): leaf.predicate for leaf in leaves}.items():
            bits, no = bits_of[key], "not " if predicate.is_negated else ""
            if predicate.bounds is not None:
                least, most = map(self._number, predicate.bounds)
                measured = f"len({variable})" if predicate.is_of_length else variable
                self._write(depth, f"if {no}{least} <= {measured} <= {most}:")
                self._write(depth + 1, f"found |= {bits}")
            elif predicate.test is not None:
                self._write(depth, f"if {no}{self._named(predicate.test)}({variable}):")
                self._write(depth + 1, f"found |= {bits}")
            else:
                inner = depth
                if predicate.never is not None:
                    self._write(depth, f"if not {self._named(predicate.never)}({variable}):")
                    inner += 1
                self._write(inner, f"found |= {self._named(predicate.marks(bits))}({variable}, surroundings)")

    def _number(self, number: float) -> str:
        """Return how a bound is written: as it stands, unless it is infinite."""
        if isinstance(number, int) or math.isfinite(number):
            return repr(number)
        return self._named(number)

    def _named(self, value: object) -> str:
        """Return a name under which a walk finds ``value``."""
        name = f"t{len(self._names)}"
        self._names[name] = value
        return name

    def _elements(self, variable: str, elements: str, leaves: Sequence[Leaf], depth: int, *, is_sure: bool) -> None:
        if not is_sure:
            depth = self._if_a("list", variable, leaves, depth)
        inner = self._variable()
        self._write(depth, f"for {inner} in {elements}:")
        self._value(inner, leaves, depth + 1)

    def _if_a(self, kind: str, variable: str, leaves: Iterable[Leaf], depth: int) -> int:
        """Have the kind of a value looked at, unless the schemas describe the way: one leaf's is the way of all."""
        if any(leaf.is_described for leaf in leaves):
            return depth
        self._write(depth, f"if isinstance({variable}, {kind}):")
        return depth + 1

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _write(self, depth: int, line: str) -> None:
        self._lines.append(_INDENT * depth + line)
