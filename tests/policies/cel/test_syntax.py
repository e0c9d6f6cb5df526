"""The grammar: its trees, what it refuses and where, and that it reads as common-expression-language does."""

import contextlib

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.cel.syntax import NESTING_MAX, TOKENS_MAX, Binary, Call, Index, Loop, Name, Select, Ternary, Unary, parse
from policies.cel.writing import write
from policies.words import RuleError

WHEN = ("when",)


def refusal_of(text: str) -> str:
    with pytest.raises(RuleError) as refusal:
        parse(text, WHEN)
    assert refusal.value.where == WHEN
    return str(refusal.value)


def test_a_path_is_a_chain_of_selects() -> None:
    assert parse("a.b[c]", WHEN) == Index(1, Select(1, Name(1, "a"), "b"), Name(5, "c"))


def test_a_comprehension_is_no_call() -> None:
    tree = parse("a.exists(x, x)", WHEN)

    assert tree == Loop(3, Name(1, "a"), "exists", "x", (Name(13, "x"),))
    assert isinstance(parse("a.size()", WHEN), Call)
    assert isinstance(parse("exists(x, x)", WHEN), Call)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("!a", Unary),
        ("a ? b : c ? d : e", Ternary),
        ("a + b * c", Binary),
        ("a.map(x, x, x)", Loop),
        ("[a, b,]", object),
    ],
)
def test_kinds(text: str, kind: type) -> None:
    assert isinstance(parse(text, WHEN), kind)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the condition ends here: expected is a value (column 1)"),
        ("a b", "'b': expected is an operator or the end (column 3)"),
        ("(a", "the condition ends here: expected is ')' (column 3)"),
        ("a ? b", "expected is ':' (column 6)"),
        ("a.", "expected is the name of a field or a function (column 3)"),
        ("a.1", "'.1': expected is an operator or the end (column 2)"),
        ("a.'b'", "expected is the name of a field"),
        ("a.b{c: 1}", "messages and maps can't be written in a condition (column 4)"),
        ("{'a': 1}", "messages and maps can't be written in a condition (column 1)"),
        ("--1", "one sign is enough (column 2)"),
        ("!!a", "one sign is enough (column 2)"),
        ("a.exists(x)", "takes a variable and an expression (column 3)"),
        ("a.all(x, x, x)", "takes a variable and an expression (column 3)"),
        ("a.exists(x.y, x)", "exists() takes the name of a variable first (column 10)"),
        ("a.exists('x', x)", "exists() takes the name of a variable first (column 10)"),
        ("while", "'while': is a reserved word of CEL (column 1)"),
        ("[a b]", "expected is ',' (column 4)"),
        ("a[?0]", "expected is a value (column 3)"),
        ("a.?b", "expected is the name of a field"),
        (".a", "expected is a value (column 1)"),
        ("a +", "the condition ends here: expected is a value (column 4)"),
    ],
)
def test_what_isn_t_a_condition(text: str, words: str) -> None:
    assert words in refusal_of(text)


@pytest.mark.parametrize("opening", ["(", "[", "a.b(", "a["])
def test_the_deepest_nesting_and_one_more(opening: str) -> None:
    closing = {"(": ")", "[": "]"}[opening[-1]]
    parse(opening * (NESTING_MAX - 1) + "a" + closing * (NESTING_MAX - 1), WHEN)

    assert f"nested deeper than {NESTING_MAX} levels" in refusal_of(opening * NESTING_MAX + "a" + closing * NESTING_MAX)


def test_a_ternary_within_a_ternary_nests() -> None:
    assert "nested deeper" in refusal_of("a ? b : " * NESTING_MAX + "c")


def test_the_most_words_and_one_more() -> None:
    most = "a" + "+a" * ((TOKENS_MAX - 2) // 2)
    parse(most, WHEN)

    assert f"more than {TOKENS_MAX} words" in refusal_of(most + "+a")


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "1", "'x'", "true", "2.5", "[1, 2]"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["||", "&&", "==", "!=", "<", "in", "+", "-", "*", "/", "%"]), inner).map(
            " ".join
        ),
        inner.map(lambda each: f"({each})"),
        inner.map(lambda each: f"!({each})"),
        inner.map(lambda each: f"-({each})"),
        inner.map(lambda each: f"size({each})"),
        inner.map(lambda each: f"({each}).exists(x, x == {each})"),
        st.tuples(inner, inner, inner).map(lambda each: f"{each[0]} ? {each[1]} : ({each[2]})"),
    ),
    max_leaves=8,
)


def outcome(text: str) -> object:
    try:
        return cel.evaluate(text, {"a": 1})
    except Exception as error:  # noqa: BLE001 - any failure, compared by its kind
        return type(error)


@given(EXPRESSIONS)
def test_a_tree_means_what_its_text_means(text: str) -> None:
    try:
        written = write(parse(text, WHEN))
    except RuleError:
        return
    assert outcome(written) == outcome(text)


@given(st.text("ab.()[]{}?:,!-+&|= 0'\"intrue", max_size=30))
def test_what_is_accepted_is_accepted_by_the_library(text: str) -> None:
    with contextlib.suppress(RuleError):
        tree = parse(text, WHEN)
        with contextlib.suppress(ValueError):
            cel.compile(text)
            cel.compile(write(tree))
