"""length, pattern, like and text."""

from collections.abc import Callable
from typing import Any

import pytest

Ask = Callable[..., Any]


@pytest.mark.parametrize(
    ("charset", "good", "bad"),
    [
        (
            "printable",
            ["", "Straße 5", "日本", "a b"],
            ["a\nb", "\x00", "\x1b[31m", "\u202e", "\u00a0", "\ud800", "\x7f", "\ue000"],
        ),
        ("printable_ascii", ["", "a b~!"], ["ä", "a\tb", "\x7f", "\uff11"]),
        ("identifier", ["", "04A1-b_c=d:e+f|g@h.i*"], ["a b", "a\n", "a/b", "ä", "a'b", "٣", "<"]),
        ("multiline", ["a\tb\r\nc ä", "", "\n"], ["a\x00\n", "\n\x1b", "\u2028"]),
    ],
)
def test_charsets(holds: Ask, charset: str, good: list[str], bad: list[str]) -> None:
    for kind in ("string", "any"):
        assert [text for text in good if not holds({"text": charset}, kind, text)] == []
        assert [text for text in bad if holds({"text": charset}, kind, text)] == []
        assert [text for text in bad if not holds({"not": {"text": charset}}, kind, text)] == []


@pytest.mark.parametrize(
    ("length", "good", "bad"),
    [
        ({"max": 3}, ["", "abc", "äöü"], ["abcd"]),
        ({"min": 1}, ["a"], [""]),
        ({"min": 2, "max": 3}, ["ab", "abc"], ["a", "abcd"]),
        ({"min": 0, "max": 0}, [""], ["a"]),
    ],
)
def test_length(holds: Ask, length: dict[str, int], good: list[str], bad: list[str]) -> None:
    for kind in ("string", "any", "date-time"):
        assert all(holds({"length": length}, kind, text) for text in good)
        assert not any(holds({"length": length}, kind, text) for text in bad)
    for kind in ("array", "any"):
        assert all(holds({"length": length}, kind, list(text)) for text in good)
        assert not any(holds({"length": length}, kind, list(text)) for text in bad)


@pytest.mark.parametrize("value", [5, True, None, {"a": 1}])
def test_where_any_value_may_stand_none_but_a_string_passes(holds: Ask, value: object) -> None:
    for spec in ({"text": "printable"}, {"pattern": ""}, {"like": "*"}, {"length": {"min": 0}}):
        assert not holds(spec, "any", value)
        assert holds({"not": spec}, "any", value)


def test_patterns_are_searched_for(holds: Ask) -> None:
    assert holds({"pattern": "b+"}, "string", "abbc")
    assert not holds({"pattern": "^b+$"}, "string", "abbc")
    assert not holds({"pattern": "^b$"}, "string", "b\n")
    assert not holds({"pattern": r"^\d+$"}, "string", "\uff11\uff12")


@pytest.mark.parametrize(
    ("globs", "good", "bad"),
    [
        (
            ["AuthorizationKey"],
            ["AuthorizationKey", "AUTHORIZATIONKEY", " authorizationkey\t"],
            ["AuthorizationKeys", ""],
        ),
        (["com.example.*", "org"], ["COM.example.x", "com.example.", "org "], ["com.example", "comXexample.y"]),
        (["a?c"], ["abc", "A\nC"], ["ac", "abbc"]),
        (["*KEY*"], ["xkeyx", "Key"], ["k ey"]),
        (["STRASSE"], ["straße"], []),
        (["*"], ["", "anything"], []),
    ],
)
def test_like_ignores_letter_case_and_blanks_around(
    holds: Ask, globs: list[str], good: list[str], bad: list[str]
) -> None:
    assert [text for text in good if not holds({"like": globs}, "string", text)] == []
    assert [text for text in bad if holds({"like": globs}, "string", text)] == []


@pytest.mark.parametrize("kind", ["integer", "number", "boolean", "object", "array", "words"])
def test_tests_of_texts_fit_texts_only(refusal: Ask, kind: str) -> None:
    for spec in ({"text": "printable"}, {"pattern": "a"}, {"like": ["a"]}):
        (name,) = spec
        where, text = refusal(spec, kind)
        assert where == (name,)
        assert text.startswith(f"`{name}` is for texts, and ")


@pytest.mark.parametrize(
    ("spec", "where", "complaint"),
    [
        ({"text": "ascii"}, ("text",), "must be printable, printable_ascii, identifier or multiline, not 'ascii'"),
        ({"text": "printble"}, ("text",), "(did you mean printable?)"),
        ({"text": ["printable"]}, ("text",), "must be printable"),
        ({"pattern": 5}, ("pattern",), "must be a text, not 5"),
        ({"like": []}, ("like",), "must be a list of texts that isn't empty, not []"),
        ({"like": ["a", 5]}, ("like", 1), "must be a text, not 5"),
        ({"length": {}}, ("length",), "needs min or max"),
        ({"length": 5}, ("length",), "must be a mapping with min and max"),
        ({"length": {"min": 3, "max": 2}}, ("length",), "min not above max"),
        ({"length": {"min": -1}}, ("length", "min"), "must be a whole number from 0, not -1"),
        ({"length": {"max": True}}, ("length", "max"), "must be a whole number from 0, not true"),
        ({"length": {"maximum": 5}}, ("length", "maximum"), "unknown key 'maximum'"),
    ],
)
def test_what_is_no_test_of_texts(refusal: Ask, spec: dict[str, Any], where: tuple[Any, ...], complaint: str) -> None:
    at, text = refusal(spec, "string")

    assert at == where
    assert complaint in text


@pytest.mark.parametrize("kind", ["integer", "boolean", "object", "words"])
def test_length_is_of_texts_and_lists(refusal: Ask, kind: str) -> None:
    assert refusal({"length": {"max": 1}}, kind)[0] == ("length",)
