"""Trees as texts: the same condition, and the one that does all the work that it can do."""

import cel
import pytest

from policies.cel.syntax import NESTING_MAX, parse
from policies.cel.writing import dearest, write

WHEN = ("when",)


@pytest.mark.parametrize(
    "text",
    [
        "a + b * c - d",
        "(a + b) * c",
        "a - (b - c)",
        "a - b - c",
        "!(a && b) || c && (d || e)",
        "(a ? b : c) ? d : e",
        "a ? b : c ? d : e",
        "-a.b[c] + [1, 2][0]",
        "(a + b).size() == size(a + b)",
        "a.map(x, x > 1, x + 1).exists(y, y in [1, 2u, 'x', b'y', null])",
        "(a || b) == (c && d)",
        "-9223372036854775808 < a",
    ],
)
def test_a_text_in_its_plainest_form_stays_as_it_is(text: str) -> None:
    assert write(parse(text, WHEN)) == text


@pytest.mark.parametrize(
    "text",
    [
        "false && w(1)",
        "true || w(1)",
        "true ? true : w(1)",
        "false ? w(1) : true",
        "[1, 2].all(x, false && w(1))",
        "false && [1].exists(x, w(1))",
        "1 / 0 == 1 && w(1)",
        "int('x') > 0 || w(1)",
        "true || false || true && true && w(1)",
    ],
)
def test_the_dearest_form_evaluates_every_part(text: str) -> None:
    calls: list[int] = []

    def work(number: int) -> bool:
        calls.append(number)
        return True

    cel.evaluate(write(dearest(parse(text, WHEN))), {"w": work})

    assert calls


@pytest.mark.parametrize(
    ("loop", "times"),
    [
        ("all(x, w(x))", 3),
        ("exists(x, w(x))", 3),
        ("exists_one(x, w(x))", 3),
        ("filter(x, w(x)).size() == 0", 3),
        ("map(x, w(x)).size() == 0", 3),
        ("map(x, w(x), w(x)).size() == 0", 6),
    ],
)
@pytest.mark.parametrize("answer", [True, False])
def test_its_loops_end_with_their_lists(loop: str, times: int, answer: bool) -> None:
    calls: list[int] = []

    def work(number: int) -> bool:
        calls.append(number)
        return answer

    cel.evaluate(write(dearest(parse(f"[1, 2, 3].{loop}", WHEN))), {"w": work})

    assert len(calls) == times


def test_the_deepest_tree_can_be_compiled_in_its_dearest_form() -> None:
    levels = NESTING_MAX - 1
    for text in ("(a && " * levels + "a" + ")" * levels, "(a ? a : " * (levels // 2) + "a" + ")" * (levels // 2)):
        cel.compile(write(dearest(parse(text, WHEN))))
    cel.compile(write(dearest(parse("a" + " && a" * 100, WHEN))))
