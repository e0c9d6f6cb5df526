"""Regular expressions and globs: what they mean, what is refused, and that no text makes them slow."""

import fnmatch
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.matchers.patterns import PATTERN_MAX, any_glob, search
from policies.words import RuleError


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a", "missing ), unterminated subpattern"),
        ("(?=a)b", "it needs look-around, a back-reference"),
        (r"(a)\1", "it needs look-around, a back-reference"),
        ("(?:a{1000}){1000}", "too much memory"),
        ("[z-a]", "bad character range"),
        ("a" * (PATTERN_MAX + 1), f"at most {PATTERN_MAX} characters"),
    ],
)
def test_what_is_no_pattern(pattern: str, reason: str) -> None:
    with pytest.raises(RuleError, match=re.escape(reason)) as refusal:
        search(pattern, ("fields", 0, "pattern"))

    assert refusal.value.where == ("fields", 0, "pattern")


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "(.*a){20}b", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_no_text_makes_a_pattern_slow(pattern: str) -> None:
    finds = search(pattern, ())
    text = "a" * 20_000 + "!"

    began = time.process_time()
    assert not finds(text)
    assert time.process_time() - began < 1.0


def test_no_text_makes_a_glob_slow() -> None:
    matches = any_glob(["*a" * 50 + "b"], ())

    began = time.process_time()
    assert not matches("a" * 20_000)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("glob", "good", "bad"),
    [
        ("[ab]c", ["ac", "bc"], ["cc", "abc"]),
        ("[!ab]c", ["cc", "!c"], ["ac"]),
        ("[a-c]", ["b"], ["d", "-"]),
        ("[]]", ["]"], ["["]),
        ("[a", ["[a"], ["a"]),
        (r"a\*", ["a\\b"], ["a*"]),
        ("a.b", ["a.b"], ["axb"]),
        ("[^a]*", ["^", "a"], ["b"]),
        ("[&&a]*", ["&", "a"], ["b"]),
        ("a|b*", ["a|bc"], ["a", "b"]),
        ("ä*", ["äö"], ["a"]),
        ("*\n*", ["a\nb"], ["ab"]),
    ],
)
def test_globs(glob: str, good: list[str], bad: list[str]) -> None:
    matches = any_glob([glob], ())

    assert [text for text in good if not matches(text)] == []
    assert [text for text in bad if matches(text)] == []


def test_several_globs() -> None:
    matches = any_glob(["exact", "a*", "*b"], ())

    assert [text for text in ("exact", "ax", "xb", "exactly", "", "xax") if matches(text)] == ["exact", "ax", "xb"]
    assert any_glob(["one", "two"], ())("two")
    assert not any_glob(["one", "two"], ())("tw")


@pytest.mark.parametrize("glob", ["[z-a]*", "a" * PATTERN_MAX + "*"])
def test_what_is_no_glob(glob: str) -> None:
    with pytest.raises(RuleError, match="glob") as refusal:
        any_glob(["a*", glob], ("like",))

    assert refusal.value.where == ("like", 1)


@settings(deadline=None)
@given(st.text("ab*?.^|$(", max_size=6), st.text("ab.^|$(\n", max_size=6))
def test_globs_mean_what_they_mean_elsewhere(glob: str, text: str) -> None:
    assert any_glob([glob], ())(text) == fnmatch.fnmatchcase(text, glob)
