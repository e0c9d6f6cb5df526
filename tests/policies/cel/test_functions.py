"""Functions: those of common-expression-language that a condition may call, each called as it wants to be."""

import cel
import pytest

from policies.cel.functions import FUNCTIONS, PATTERN_MAX, check_call
from policies.cel.syntax import Call, parse
from policies.words import RuleError

WHEN = ("when",)


def check(text: str) -> None:
    call = parse(text, WHEN)
    assert isinstance(call, Call)
    check_call(call, WHEN)


EXAMPLES = {
    "has": "has(a.b)", "size": "size('a')", "int": "int('1')", "uint": "uint('1')", "double": "double('1')",
    "string": "string(1)", "bytes": "bytes('a')", "timestamp": "timestamp('2026-01-01T00:00:00Z')",
    "duration": "duration('1h')", "contains": "'a'.contains('b')", "startsWith": "'a'.startsWith('b')",
    "endsWith": "'a'.endsWith('b')", "matches": "'a'.matches('b')",
} | {name: f"now.{name}()" for name in FUNCTIONS if name.startswith("get")}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_library_has_what_is_allowed(name: str) -> None:
    check(EXAMPLES[name])
    cel.evaluate(EXAMPLES[name], {"a": {"b": 1}, "now": cel.evaluate(EXAMPLES["timestamp"])})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("foo(1)", "unknown function foo(); known are all, bytes"),
        ("'a'.startswith('b')", "unknown function startswith() (did you mean startsWith()?) (column 5)"),
        ("type(1)", "unknown function type()"),
        ("dyn(1)", "unknown function dyn()"),
        ("max(1, 2)", "unknown function max()"),
        ("exists(a, b)", "unknown function exists(): it is called as list.exists(x, ...)"),
        ("size()", "size is called as size(x) or x.size()"),
        ("'a'.size(1)", "size is called as"),
        ("a.has(b)", "has is called as has(x)"),
        ("'1'.int()", "int is called as int(x)"),
        ("timestamp(1, 2)", "timestamp is called as timestamp(x)"),
        ("matches('a', 'b')", "matches is called as text.matches('...')"),
        ("contains('a', 'b')", "contains is called as text.contains('...')"),
        ("now.getHours('Europe/Berlin')", "getHours is called as time.getHours()"),
        ("getHours(now)", "getHours is called as time.getHours()"),
        ("'a'.matches(b)", "a pattern that is written out"),
        ("'a'.matches('a' + 'b')", "a pattern that is written out"),
        ("'a'.matches(b'a')", "a pattern that is written out"),
        ("'a'.matches(1)", "a pattern that is written out"),
        ("'a'.matches('(')", "the pattern isn't a regular expression, or too large a one (column 13)"),
        ("'a'.matches('(?=a)')", "the pattern isn't a regular expression"),
        ("'a'.matches('(a{1000}){1000}')", "the pattern isn't a regular expression, or too large a one"),
        (r"'a'.matches(r'(\w{50}){2}x')", "ms to compile, at each message; at most 0.5"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(RuleError) as refusal:
        check(text)
    assert words in str(refusal.value)
    assert refusal.value.where == WHEN


def test_the_longest_pattern_and_one_more() -> None:
    check(f"'a'.matches('{'a' * PATTERN_MAX}')")
    with pytest.raises(RuleError, match="201 characters; at most 200"):
        check(f"'a'.matches('{'a' * (PATTERN_MAX + 1)}')")
