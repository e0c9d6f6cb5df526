"""One compiled test of one value, in the form in which it is cheapest to run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from policies.vocabulary import ANY, Field
from policies.words import Surroundings

Plain = Callable[[Any], Any]
"""Tells by the truth of what it returns whether a value passes; most are functions written in C."""
Holds = Callable[[Any, Surroundings], bool]
Marks = Callable[[Any, Surroundings], int]
"""Returns the bits of the tests that a value passes, or 0."""
Marking = Callable[[int, int], Marks]
"""Makes, of the bits for a value that passes and of those for one that doesn't, the function that returns them: one
call for each value, whatever is done with the outcome."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """A test. Make it with :func:`plain` where it is a function that there is already."""

    marking: Marking
    is_negated: bool = False

    def negated(self) -> "Predicate":
        return Predicate(self.marking, not self.is_negated)

    def marks(self, bits: int) -> Marks:
        """Return a function that returns ``bits`` for a value that passes, else 0."""
        return self.marking(0, bits) if self.is_negated else self.marking(bits, 0)

    def holds(self) -> Holds:
        """Return the test as a function of a value and the surroundings."""
        return self.marking(False, True) if self.is_negated else self.marking(True, False)  # type: ignore[return-value]  # a bool is as good as bits


def plain(test: Plain) -> Predicate:
    """Return the test of a function that looks at the value alone."""
    return Predicate(lambda yes, no: lambda value, _: yes if test(value) else no)


def of_text(test: Plain, field: Field) -> Predicate:
    """Return a test of strings; where any value may stand, none but a string passes."""
    if field.type != ANY:
        return plain(test)
    return Predicate(lambda yes, no: lambda value, _: yes if isinstance(value, str) and test(value) else no)


def all_of(predicates: Sequence[Predicate]) -> Predicate:
    """Return the test that holds when all of them do; at least one."""
    if len(predicates) == 1:
        return predicates[0]
    first, rest = predicates[0].holds(), all_of(predicates[1:]).holds()
    return Predicate(lambda yes, no: lambda value, s: yes if first(value, s) and rest(value, s) else no)
