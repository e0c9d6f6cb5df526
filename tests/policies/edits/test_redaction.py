"""Patterns that may be replaced: never slow, and they match what Python's engine says they match."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.edits.redaction import MESSAGE_WORK_MAX, PATTERN_MAX, REPEAT_MAX, WORK_MAX, Meter, UnsafePattern, replacer

ENDLESS_MAX = 1000
"""Characters that may be searched where each try may look at all of them."""
SLOW = 0.25
"""Seconds; some 2 ms are usual, and a machine may be busy."""


@pytest.mark.parametrize(
    ("pattern", "text", "replaced"),
    [
        (r"\d", "a1b22", "a*b**"),
        (r"\d+", "a1b22", "a*b*"),
        (r"\b\d{13,19}\b", "pan 4111111111111111, id 12", "pan *, id 12"),
        (r"\b\d{13,19}\b", "x4111111111111111", "x4111111111111111"),
        (r"[\w.+-]+@[\w.-]+", "mail a.b@example.com now", "mail * now"),
        (r"//[^/@]*@", "ftp://user:pw@host/x", "ftp:*host/x"),
        (r"^[A-Z]{2}", "DEDE DE", "*DE DE"),
        (r"[A-Z]{2}$", "DE DE", "DE *"),
        (r"x$", "x\n", "x\n"),
        (r"a\$", "a$ a", "* a"),
        (r"\\$", "a\\", "a*"),
        (r"token=.*", "x token=abc", "x *"),
        (r".", "a\nb", "*\n*"),
        (r"[^a-z]", "aÄb", "a*b"),
        (r"\d", "٣3", "٣*"),
        (r"Ä+", "aÄÄ", "a*"),
        (r"[à-ü]", "ö", "*"),
        (r"a{2}b", "aab", "*"),
        (r"a{2,}", "aaa a", "* a"),
        (r"ab?c", "abc ac", "* *"),
        ("[`$;|&~\\n-]", "a|b&c-d~e\n", "a*b*c*d*e*"),
        (r" \t\n", "a \t\nb", "a*b"),
        (r"\x"[:1] + ".", "a.b", "a*b"),
    ],
)
def test_every_match_is_replaced(pattern: str, text: str, replaced: str) -> None:
    assert replacer(pattern, "*", Meter())(text) == replaced


def test_the_replacement_stands_as_it_is() -> None:
    assert replacer("a", r"\1\g<0>", Meter())("bab") == r"b\1\g<0>b"


@pytest.mark.parametrize(
    ("pattern", "bound"),
    [
        ("a", WORK_MAX),
        ("[ac]+", WORK_MAX),
        ("ca*", WORK_MAX),
        ("c{3}a", WORK_MAX // 4),
        ("c{3}$", WORK_MAX // 4),
        (r"\b\d{13,19}\b", WORK_MAX // 21),
        ("^[ac]+@", WORK_MAX),
        ("[ac]+@", ENDLESS_MAX),
        ("[ac]+$", ENDLESS_MAX),
        (r"[ac]+\b", ENDLESS_MAX),
        ("c{1000}d{1000}a", ENDLESS_MAX),
    ],
)
def test_a_text_beyond_the_bound_is_replaced_whole(pattern: str, bound: int) -> None:
    redact = replacer(pattern, "*", Meter())

    assert redact("b" * bound) == "b" * bound
    assert redact("b" * (bound + 1)) == "*"


def test_the_texts_of_a_message_have_a_bound_together() -> None:
    meter = Meter()
    redact = replacer("[ac]+@", "*", meter)
    texts = MESSAGE_WORK_MAX // WORK_MAX

    assert [redact("b" * ENDLESS_MAX) for _ in range(texts)] == ["b" * ENDLESS_MAX] * texts
    assert redact("b") == "*"
    meter.reset()
    assert redact("b") == "b"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "1 to"),
        ("a" * (PATTERN_MAX + 1), "1 to"),
        ("a*", "empty text"),
        ("^", "empty text"),
        ("$", "empty text"),
        (r"\b", "empty text"),
        ("(a)", "'\\(' at character 1"),
        ("(?i)a", "'\\(' at character 1"),
        ("a|b", r"'\|' at character 2"),
        ("a**", r"'\*' at character 3"),
        ("a+?", r"'\?' at character 3"),
        ("a++", r"'\+' at character 3"),
        ("a{2}{3}", r"'\{' at character 5"),
        (r"\b+", r"'\+' at character 3"),
        ("a^", r"'\^' at character 2"),
        ("a$b", r"'\$' at character 2"),
        (r"(a)\1", r"'\('"),
        (r"\1", r"at character 1"),
        (r"\p", r"at character 1"),
        (r"a" + "\\", r"at character 2"),
        ("[a", r"'\[' at character 1"),
        ("[]a]", r"at character 1"),
        ("[[:alpha:]]", r"at character 1"),
        ("[a&&b]", r"a sign stands twice"),
        ("[a||b]", r"a sign stands twice"),
        ("[a~~b]", r"a sign stands twice"),
        ("[!--]", r"a sign stands twice"),
        ("[z-a]", "no regular expression"),
        ("a{3,2}", "must count up"),
        (f"a{{{REPEAT_MAX + 1}}}", "must count up"),
        ("a{,3}", r"'\{' at character 2"),
        (".*@", r"may take what @ behind it"),
        ("a*a", r"may take what a behind it"),
        (r"\d*[a-c]?1", r"may take what 1 behind it"),
        (r"\w+[^-]", "may take what"),
        (r"[^a]+ß", "may take what"),
        (r"[\d ]+\b", "word characters only"),
        (r"x,*\b", "word characters only"),
    ],
)
def test_what_could_be_slow_or_is_no_pattern_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(UnsafePattern, match=words):
        replacer(pattern, "*", Meter())


PIECES = st.sampled_from(["a", "b", "[ab]", "[^a]", r"\d", r"\w", r"\W", ".", "1", " ", r"\b"])
REPEATS = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,3}"])


@given(st.lists(st.tuples(PIECES, REPEATS), min_size=1, max_size=6), st.sampled_from("ab1 -"), st.integers(1, 4))
def test_no_pattern_that_is_taken_is_slow(parts: list[tuple[str, str]], sign: str, period: int) -> None:
    pattern = "".join(piece + ("" if piece == r"\b" else repeat) for piece, repeat in parts)
    try:
        redact = replacer(pattern, "*", Meter())
    except UnsafePattern:
        return
    text = ((sign * period + "ab1 "[period - 1]) * ENDLESS_MAX)[:ENDLESS_MAX]

    began = time.perf_counter()
    replaced = redact(text)

    assert time.perf_counter() - began < SLOW
    assert replaced == re.sub(pattern, "*", text, flags=re.ASCII)


@given(st.text(max_size=30))
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    try:
        redact = replacer(text, "*", Meter())
    except UnsafePattern:
        return
    assert redact("") == ""
