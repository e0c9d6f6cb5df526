"""One compiled test of one value, in the form in which it is cheapest to run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    test: Plain | None = None
    """The function that it was made of, if it was: a walk calls it without another around it."""
    bounds: tuple[float, float] | None = None
    """The least and the greatest number that pass, if it is that: a walk compares without any call."""
    is_of_length: bool = False
    """The bounds are those of the value's length."""
    sure: Plain | None = None
    """A function, written in C, that is true of no value but such as pass: of nearly all of these, in no time."""
    never: Plain | None = None
    """The same of values that don't pass."""

    def negated(self) -> "Predicate":
        return replace(self, is_negated=not self.is_negated, sure=self.never, never=self.sure)

    def marks(self, bits: int) -> Marks:
        """Return a function that returns ``bits`` for a value that passes, else 0."""
        return self.marking(*self.outcomes(bits))

    def outcomes(self, bits: int) -> tuple[int, int]:
        """Return what to answer where the function behind it says yes, and where it says no."""
        return (0, bits) if self.is_negated else (bits, 0)

    def holds(self) -> Holds:
        """Return the test as a function of a value and the surroundings."""
        yes = not self.is_negated
        return self.marking(yes, not yes)  # type: ignore[return-value]  # of True and False it makes no other number


def plain(test: Plain) -> Predicate:
    """Return the test of a function that looks at the value alone."""
    return Predicate(lambda yes, no: lambda value, _: yes if test(value) else no, test=test)


def if_text(predicate: Predicate, field: Field) -> Predicate:
    """Return a test of strings; where any value may stand, none but a string passes."""
    if field.type != ANY:
        return predicate
    holds = predicate.holds()
    return Predicate(lambda yes, no: lambda value, s: yes if isinstance(value, str) and holds(value, s) else no)


def of_text(test: Plain, field: Field) -> Predicate:
    """Return the same of a function that looks at the string alone."""
    return if_text(plain(test), field)


def all_of(predicates: Sequence[Predicate]) -> Predicate:
    """Return the test that holds when all of them do; at least one."""
    if len(predicates) == 1:
        return predicates[0]
    first, rest = predicates[0].holds(), all_of(predicates[1:]).holds()
    return Predicate(
        lambda yes, no: lambda value, s: yes if first(value, s) and rest(value, s) else no, never=predicates[0].never
    )
