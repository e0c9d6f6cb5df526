"""CEL's words (cel-spec, langdef: Syntax): what common-expression-language doesn't show of a text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from policies.words import RuleError

Where = tuple[str | int, ...]

CEL_TEXT_MAX: Final = 1000
"""Characters of a condition."""


class Word(Enum):
    """What a token is."""

    NUMBER = "number"
    STRING = "string"
    BYTES = "bytes"
    NAME = "name"
    MARK = "mark"
    """Operators, parentheses, commas; ``true``, ``false``, ``null`` and ``in``, too."""
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One word. ``column`` counts the characters of the whole text from 1."""

    word: Word
    text: str
    column: int


KEYWORDS: Final = frozenset({"true", "false", "null", "in"})

RESERVED: Final = frozenset({"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let"}) | {
    *("loop", "namespace", "package", "return", "var", "void", "while")
}

_ESCAPE = r"""\\(?:[abfnrtv\\?"'`]|[xX][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[0-3][0-7]{2})"""
_QUOTED = "|".join(
    [
        rf'"""(?:{_ESCAPE}|[^\\])*?"""',
        rf"'''(?:{_ESCAPE}|[^\\])*?'''",
        rf'"(?:{_ESCAPE}|[^\\"\r\n])*"',
        rf"'(?:{_ESCAPE}|[^\\'\r\n])*'",
    ]
)
_RAW = r'"""(?s:.)*?"""' + r"|'''(?s:.)*?'''" + r'|"[^"\r\n]*"' + r"|'[^'\r\n]*'"

_TOKEN: Final = re.compile(
    "|".join(
        [
            r"(?P<blank>[ \t\r\n\f]+|//[^\n]*)",
            rf"(?P<bytes>[bB](?:[rR](?:{_RAW})|{_QUOTED}))",
            rf"(?P<string>[rR](?:{_RAW})|{_QUOTED})",
            r"(?P<number>0x[0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+[uU]?)",
            r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)",
            r"(?P<mark>==|!=|<=|>=|&&|\|\||[<>+\-*/%!?:.,()\[\]{}])",
        ]
    )
)

_SINGLE: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def refuse(where: Where, column: int, text: str) -> RuleError:
    """Return the error for a place in a condition."""
    return RuleError(where, f"{text} (column {column})")


def tokens(text: str, where: Where) -> Iterator[Token]:
    """Yield the words of a condition, END last.

    Raises :class:`RuleError` for a text that is too long and for what no word of CEL begins with.
    """
    if len(text) > CEL_TEXT_MAX:
        raise RuleError(where, f"the condition has {len(text)} characters; at most {CEL_TEXT_MAX}: make rules of it")
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise refuse(where, at + 1, _stranger(text[at]))
        if found.lastgroup != "blank":
            yield _token(found)
        at = found.end()
    yield Token(Word.END, "", len(text) + 1)


def _token(found: re.Match[str]) -> Token:
    word, text = Word(found.lastgroup), found.group()
    if word is Word.NAME and text in KEYWORDS:
        word = Word.MARK
    return Token(word, text, found.start() + 1)


def _stranger(character: str) -> str:
    if character in "\"'":
        return "the string that begins here doesn't end, or has an escape that CEL doesn't know"
    return f"{character!r} has no meaning in CEL"


def value_of(text: str) -> str:
    """Return the characters that a string literal stands for; ``text`` is a STRING token's."""
    raw = text[0] in "rR"
    body = text[1:] if raw else text
    quotes = 3 if body[:3] in {'"""', "'''"} else 1
    inner = body[quotes:-quotes]
    return inner if raw else re.sub(_ESCAPE, _unescaped, inner)


def _unescaped(found: re.Match[str]) -> str:
    code = found.group()[1:]
    if code[0] in "xXuU":
        return chr(int(code[1:], 16)) if int(code[1:], 16) <= 0x10FFFF else "\ufffd"
    if code[0].isdigit():
        return chr(int(code, 8))
    return _SINGLE.get(code, code)
