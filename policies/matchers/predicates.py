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
    """The function that it was made of, if it was: several of these are joined without a call for each."""

    def negated(self) -> "Predicate":
        return replace(self, is_negated=not self.is_negated)

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
    return Predicate(lambda yes, no: lambda value, s: yes if first(value, s) and rest(value, s) else no)


def joined(predicates: Sequence[tuple[Predicate, int]]) -> Marks:
    """Return a function that returns the bits of all predicates that a value passes; there is one at least.

    One that stands there several times, for several rules, is asked once.
    """
    bits_of: dict[int, int] = {}
    for each, bits in predicates:
        bits_of[id(each)] = bits_of.get(id(each), 0) | bits
    once = {id(each): each for each, _ in predicates}
    return _joined([(each, bits_of[key]) for key, each in once.items()])


def _joined(predicates: Sequence[tuple[Predicate, int]]) -> Marks:
    if len(predicates) == 1:
        ((one, bits),) = predicates
        return one.marks(bits)
    if len(predicates) == 2:
        (one, bits), (other, other_bits) = sorted(predicates, key=lambda each: each[0].test is None)
        test, other_test = one.test, other.test
        (yes, no), (other_yes, other_no) = one.outcomes(bits), other.outcomes(other_bits)
        if test is not None and other_test is not None:
            return lambda value, _: (yes if test(value) else no) | (other_yes if other_test(value) else other_no)
        if test is not None:
            rest = other.marks(other_bits)
            return lambda value, surroundings: (yes if test(value) else no) | rest(value, surroundings)
    half = len(predicates) // 2  # halves, not one by one: a rule more is no call deeper
    first, rest = _joined(predicates[:half]), _joined(predicates[half:])
    return lambda value, surroundings: first(value, surroundings) | rest(value, surroundings)
