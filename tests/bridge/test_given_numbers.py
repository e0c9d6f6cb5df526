"""The numbers that stand in for a backend's: positive int32, from the top, one after the other."""

from itertools import pairwise

import pytest

from gateway.bridge.given_numbers import COUNT, FIRST, LAST, after, given, is_given


def test_each_row_has_a_lower_one_until_they_begin_again() -> None:
    numbers = [given(row) for row in range(1, 10)]
    assert numbers[0] == 2_147_483_646
    assert all(higher == lower + 1 for higher, lower in pairwise(numbers))
    assert (given(0), given(COUNT - 1), given(COUNT)) == (LAST, FIRST, LAST)


@pytest.mark.parametrize(
    ("number", "is_one"), [(LAST, True), (LAST + 1, False), (FIRST, True), (FIRST - 1, False), (1, False), (-1, False)]
)
def test_a_number_says_where_it_is_from(number: int, is_one: bool) -> None:
    assert is_given(number) is is_one


def test_one_that_is_taken_makes_way_to_the_next() -> None:
    assert after(LAST) == LAST - 1
    assert after(FIRST) == LAST
