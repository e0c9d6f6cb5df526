"""Predicates: bits for what passes, whatever they were made of."""

import pytest

from policies.matchers.predicates import Predicate, all_of, of_text, plain
from policies.vocabulary import Field
from policies.words import Surroundings

POSITIVE = plain(lambda value: value > 0)
SMALL = Predicate(lambda yes, no: lambda value, surroundings: yes if value < surroundings.now() else no)


def test_bits_for_what_passes(surroundings: Surroundings) -> None:
    assert POSITIVE.marks(4)(1, surroundings) == 4
    assert POSITIVE.marks(4)(-1, surroundings) == 0
    assert POSITIVE.negated().marks(4)(-1, surroundings) == 4
    assert POSITIVE.negated().negated().marks(4)(1, surroundings) == 4


@pytest.mark.parametrize(("value", "is_both"), [(5, True), (0, False), (1e12, False)])
def test_several_at_once(surroundings: Surroundings, value: float, is_both: bool) -> None:
    both = all_of([POSITIVE, SMALL])

    assert both.holds()(value, surroundings) is is_both
    assert both.negated().holds()(value, surroundings) is not is_both
    assert all_of([POSITIVE, SMALL, POSITIVE]).holds()(value, surroundings) is is_both


def test_the_second_is_not_asked_when_the_first_fails(surroundings: Surroundings) -> None:
    def fail(_: object) -> bool:
        raise AssertionError

    assert not all_of([POSITIVE, plain(fail)]).holds()(-1, surroundings)


def test_strings_where_any_value_may_stand(surroundings: Surroundings) -> None:
    text, anything = Field(("a",), "string"), Field(("a",), "any")

    assert of_text(str.isprintable, text).holds()("a", surroundings)
    assert of_text(str.isprintable, anything).holds()("a", surroundings)
    assert not of_text(str.isprintable, anything).holds()(5, surroundings)
