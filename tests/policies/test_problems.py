"""All that is wrong with a policy, told in the order of its lines."""

import pytest

from policies.documents import Where
from policies.problems import PolicyError, Problem, Severity, spelled
from policies.rules import Place


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem(Place("own.yaml", 7), "fields[0]: wrong", "flood"), "own.yaml:7: rule flood: fields[0]: wrong"),
        (Problem(Place("own.yaml", 1), "`name` is missing"), "own.yaml:1: `name` is missing"),
        (Problem(Place("own.yaml", 0), "too large"), "own.yaml: too large"),
    ],
)
def test_a_problem_names_file_line_and_rule(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_problems_are_told_once_each_file_by_file_in_the_order_of_their_lines() -> None:
    own = [Problem(Place("own.yaml", line), "x", severity=Severity.WARNING) for line in (30, 4)]
    base = [Problem(Place("base.yaml", line), "x") for line in (10, 2)]

    error = PolicyError([own[0], base[0], own[0], own[1], base[1]])

    assert str(error).splitlines() == ["own.yaml:4: x", "own.yaml:30: x", "base.yaml:2: x", "base.yaml:10: x"]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ((), ""),
        (("when",), "when"),
        (("fields", 0, "range", "max"), "fields[0].range.max"),
        ((3, "x"), "[3].x"),
    ],
)
def test_a_path_is_spelled_as_people_write_it(where: Where, text: str) -> None:
    assert spelled(where) == text
