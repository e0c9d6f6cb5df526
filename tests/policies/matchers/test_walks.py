"""Walks: all tests of all places in one pass say what each says by itself."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.matchers.predicates import Predicate, plain
from policies.matchers.specs import compile_predicate
from policies.matchers.walks import Leaf, walk
from policies.paths import EACH, STEPS_MAX, WITHIN, Steps
from policies.vocabulary import Field
from policies.words import Surroundings

IS_SET = plain(lambda value: value == 1)
LIST = ("list", EACH)
TEXT = Field(("a", "text"), "string")
POSITIVE = plain(lambda value: value > 0)
SMALL = Predicate(lambda yes, no: lambda value, surroundings: yes if value < surroundings.now() else no)


@pytest.mark.parametrize(
    ("steps", "payload", "passes"),
    [
        ((), 1, True),
        (("a",), {"a": 1}, True),
        (("a",), {"b": 1}, False),
        (("a", "b"), {"a": {"b": 1}}, True),
        (LIST, {"list": [0, 1]}, True),
        (LIST, {"list": []}, False),
        ((*LIST, "a"), {"list": [{"a": 0}, {"a": 1}]}, True),
        ((*LIST, EACH), {"list": [[0], [1]]}, True),
    ],
)
def test_one_test(surroundings: Surroundings, steps: Steps, payload: Any, passes: bool) -> None:
    assert walk([Leaf(steps, IS_SET, 8)])(payload, surroundings) == (8 if passes else 0)


@pytest.mark.parametrize(
    "tests", [[POSITIVE, POSITIVE.negated()], [SMALL, POSITIVE], [POSITIVE] * 500, [SMALL.negated()]]
)
def test_the_bits_of_all_that_pass(surroundings: Surroundings, tests: list[Predicate]) -> None:
    marks = walk([Leaf((), test, 1 << place) for place, test in enumerate(tests)])

    for value in (5, -5, 1e12):
        assert marks(value, surroundings) == sum(
            1 << place for place, test in enumerate(tests) if test.holds()(value, surroundings)
        )


@pytest.mark.parametrize(
    "spec",
    [
        {"length": {"min": 2}},
        {"length": {"max": 3}},
        {"not": {"length": {"min": 1, "max": 3}}},
        {"text": "multiline"},
        {"not": {"text": "multiline"}},
        {"not": {"text": "multiline"}, "pattern": "[\\x00-\\x1f]"},
        {"not": {"not": {"text": "multiline"}}},
    ],
)
def test_what_a_walk_compares_itself_is_what_the_test_says(surroundings: Surroundings, spec: dict[str, Any]) -> None:
    predicate = compile_predicate(spec, TEXT, ())
    marks, holds = walk([Leaf((), predicate, 4)]), predicate.holds()

    for value in ("", "a", "ab", "abcd", "a\nb", "a\x00b", "\u200b"):
        assert marks(value, surroundings) == (4 if holds(value, surroundings) else 0)


def test_a_predicate_that_several_rules_share_is_asked_once(surroundings: Surroundings) -> None:
    asked: list[object] = []

    def note(value: object) -> bool:
        asked.append(value)
        return True

    shared = plain(note)
    marks = walk([Leaf((), shared, 1), Leaf((), POSITIVE, 2), Leaf((), shared, 4)])

    assert marks(5, surroundings) == 7
    assert asked == [5]


@pytest.mark.parametrize("step", ["a", EACH])
def test_the_deepest_way_that_a_rule_may_name(surroundings: Surroundings, step: Any) -> None:
    steps = ("tariffs", EACH) * 5 + ("customData", "a") + (step,) * (STEPS_MAX - 1) + (WITHIN,)

    assert walk([Leaf(steps, IS_SET, is_described=False)])({"tariffs": []}, surroundings) == 0


def test_a_walk_that_nobody_needs_is_free_without_a_collection() -> None:
    gc.disable()
    try:
        made = weakref.ref(walk([Leaf((), IS_SET)]))
        assert made() is None
    finally:
        gc.enable()


def test_no_test(surroundings: Surroundings) -> None:
    assert walk([])({"a": 1}, surroundings) == 0


def test_texts_where_no_schema_describes_them(surroundings: Surroundings) -> None:
    leaf = Leaf(("customData", WITHIN), plain(str.isprintable).negated(), 2)

    assert walk([leaf])({"customData": {"a": ["b", {"c": "\n"}]}}, surroundings) == 2
    assert walk([leaf])({"customData": {"a\n": 5}}, surroundings) == 2
    assert walk([leaf])({"customData": {"a": [5, None, "b"]}}, surroundings) == 0


@pytest.mark.parametrize(
    "payload", [{"data": 5}, {"data": "own"}, {"data": ["own"]}, {"data": None}, {"data": {"own": 5}}]
)
@pytest.mark.parametrize(
    "steps", [("data", "own", "a"), ("data", "own", EACH, "a"), ("data", EACH, "x"), ("data", "own", "a", "b")]
)
def test_what_no_schema_describes_is_looked_at_before_each_step(
    surroundings: Surroundings, steps: Steps, payload: dict[str, Any]
) -> None:
    others = [Leaf(("data", "own", "z"), IS_SET, 2, is_described=False), Leaf(("id",), IS_SET, 4)]

    assert walk([Leaf(steps, IS_SET, is_described=False), *others])(payload, surroundings) == 0


def values(value: Any, steps: Steps) -> Iterator[Any]:
    """Yield what lies at ``steps``, one step after the other: the plain way to do what a walk does."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step is EACH:
        if isinstance(value, list):
            for element in value:
                yield from values(element, rest)
    elif isinstance(value, dict) and step in value:
        yield from values(value[step], rest)


SCALARS = st.integers(0, 2)
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "a": SCALARS,
        "b": st.fixed_dictionaries({}, optional={"a": SCALARS, "c": SCALARS}),
        "l": st.lists(SCALARS, max_size=3),
        "o": st.lists(
            st.fixed_dictionaries({}, optional={"a": SCALARS, "l": st.lists(st.fixed_dictionaries({"a": SCALARS}))}),
            max_size=3,
        ),
    },
)
PLACES: list[Steps] = [
    ("a",),
    ("b", "a"),
    ("b", "c"),
    ("l",),
    ("l", EACH),
    ("o", EACH, "a"),
    ("o", EACH, "l", EACH, "a"),
    ("o", EACH, "l"),
    ("o", EACH),
]
TESTS = [
    plain(lambda value: value == 1),
    plain(lambda value: value == 2).negated(),
    plain(lambda value: isinstance(value, list)),
]


@settings(deadline=None)
@given(PAYLOADS, st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(TESTS)), max_size=12))
def test_one_pass_says_what_each_test_says(payload: dict[str, Any], tests: list[tuple[Steps, Any]]) -> None:
    nearby: Any = None
    leaves = [Leaf(steps, predicate, 1 << place) for place, (steps, predicate) in enumerate(tests)]
    naive = sum(
        leaf.bits
        for leaf in leaves
        if any(leaf.predicate.holds()(value, nearby) for value in values(payload, leaf.steps))
    )

    assert walk(leaves)(payload, nearby) == naive
