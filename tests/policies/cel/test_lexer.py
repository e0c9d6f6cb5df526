"""CEL's words, as common-expression-language has them: what it takes for a string is one here, too."""

import contextlib

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.cel.lexer import CEL_TEXT_MAX, Word, tokens, value_of
from policies.words import RuleError


def words(text: str) -> list[tuple[str, str]]:
    return [(token.word.value, token.text) for token in tokens(text, ("when",))][:-1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a.b_1", [("name", "a"), ("mark", "."), ("name", "b_1")]),
        ("a // b\n.c", [("name", "a"), ("mark", "."), ("name", "c")]),
        ("a // b", [("name", "a")]),
        ("'//'", [("string", "'//'")]),
        ("true in null", [("mark", "true"), ("mark", "in"), ("mark", "null")]),
        ("1 1u 0x1F 1.5", [("number", each) for each in ["1", "1u", "0x1F", "1.5"]]),
        (".5 1e3 1.5e-3", [("number", each) for each in [".5", "1e3", "1.5e-3"]]),
        ("1.size()", [("number", "1"), ("mark", "."), ("name", "size"), ("mark", "("), ("mark", ")")]),
        ("a<=b&&!c||d!=e", [*[("name", "a"), ("mark", "<="), ("name", "b"), ("mark", "&&"), ("mark", "!")],
                            *[("name", "c"), ("mark", "||"), ("name", "d"), ("mark", "!="), ("name", "e")]]),
        ("'a\\'b'", [("string", "'a\\'b'")]),
        ("'a' 'b'", [("string", "'a'"), ("string", "'b'")]),
        ("r'\\' x", [("string", "r'\\'"), ("name", "x")]),
        ("'''a'b''c'''", [("string", "'''a'b''c'''")]),
        ("'''a\n.exists('''", [("string", "'''a\n.exists('''")]),
        ('"""a"b""c"""', [("string", '"""a"b""c"""')]),
        ("b'a' B\"a\" br'\\' bR'''\n'''", [("bytes", each) for each in ["b'a'", 'B"a"', "br'\\'", "bR'''\n'''"]]),
        ("rb'a'", [("name", "rb"), ("string", "'a'")]),
        ("''", [("string", "''")]),
        ("''''''", [("string", "''''''")]),
    ],
)  # fmt: skip
def test_words(text: str, found: list[tuple[str, str]]) -> None:
    assert words(text) == found


def test_columns_count_all_characters_before_from_one() -> None:
    assert [token.column for token in tokens("a +\n bc", ("when",))] == [1, 3, 6, 8]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a @ b", 3),
        ("'a", 1),
        ("'a\nb'", 1),
        ("'\\q'", 1),
        ("'\\x4'", 1),
        ("'\\400'", 1),
        ("payload.é", 9),
        ("a & b", 3),
        ("`a`", 1),
        ("'''a''", 6),
        ("a # b", 3),
        ("\0", 1),
    ],
)
def test_what_is_no_word(text: str, column: int) -> None:
    with pytest.raises(RuleError, match=rf"\(column {column}\)") as refusal:
        words(text)
    assert refusal.value.where == ("when",)


def test_the_longest_condition_and_one_more() -> None:
    assert len(words("a" * CEL_TEXT_MAX)) == 1
    with pytest.raises(RuleError, match="1001 characters; at most 1000"):
        words("a" * (CEL_TEXT_MAX + 1))


LITERALS = [
    r"'a'", r"'\a\b\f\n\r\t\v'", r"'\\\?\"\'\`'", r"'\x41\X42'", r"'\u00e9'", r"'\U0001F600'", r"'\101\377'",
    r"r'\n'", r"R'''\'''", '"""a\nb"""', "'''\n'''", r"'a\\'", r"'\u0000'",
]  # fmt: skip


@pytest.mark.parametrize("literal", LITERALS)
def test_the_value_of_a_string_is_the_library_s(literal: str) -> None:
    assert words(literal) == [("string", literal)]
    assert value_of(literal) == cel.evaluate(literal)


@given(st.text("abnrx0147uU'\"\\ \n`", max_size=12), st.sampled_from(["'", '"', "'''", '"""', "r'", 'R"""']))
def test_a_string_ends_where_the_library_ends_it(body: str, opening: str) -> None:
    """Where it ends elsewhere, a comprehension could hide in what is taken for a string."""
    text = opening + body + opening.lstrip("rR")
    theirs = None
    with contextlib.suppress(ValueError):
        theirs = cel.evaluate(text)
    try:
        ours = list(tokens(text, ("when",)))
    except RuleError:
        return
    if len(ours) == 2 and ours[0].word is Word.STRING and theirs is not None:
        assert value_of(ours[0].text) == theirs


@given(st.text(max_size=60))
def test_every_text_has_words_or_is_refused(text: str) -> None:
    with contextlib.suppress(RuleError):
        assert list(tokens(text, ("when",)))[-1].word is Word.END
