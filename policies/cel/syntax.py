"""CEL's grammar: the tree of a condition.

Accepted is what a condition needs; messages, maps and optional values aren't. Whatever is accepted here is compiled by
common-expression-language besides, which has the last word on the grammar.
"""

from dataclasses import dataclass
from typing import Final

from policies.cel.lexer import RESERVED, Token, Where, Word, refuse, tokens
from policies.words import RuleError

NESTING_MAX: Final = 16
"""Levels of parentheses, brackets and calls. common-expression-language itself ends at about 90."""

TOKENS_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Node:
    """One expression; ``column`` is where it begins, from 1."""

    column: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, a string, bytes, true, false or null, as it is written."""

    text: str
    word: Word


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Select(Node):
    """``operand.field``."""

    operand: Node
    field: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``operand[index]``."""

    operand: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``function(...)``, or ``target.function(...)``."""

    target: Node | None
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """``over.kind(variable, steps...)``: a comprehension. ``steps`` are one, or for ``map`` with a filter two."""

    over: Node
    kind: str
    variable: str
    steps: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``!x`` and ``-x``."""

    sign: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``left sign right``."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Ternary(Node):
    """``condition ? yes : no``."""

    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Items(Node):
    """``[a, b]``."""

    items: tuple[Node, ...]


LOOPS: Final = {"all": (2,), "exists": (2,), "exists_one": (2,), "filter": (2,), "map": (2, 3)}
"""Comprehension -> its numbers of arguments."""

_LEVELS: Final = (
    ("||",),
    ("&&",),
    ("==", "!=", "<", "<=", ">", ">=", "in"),
    ("+", "-"),
    ("*", "/", "%"),
)
"""Binary operators, loosest first; all are left-associative."""


def parse(text: str, where: Where) -> Node:
    """Return the tree of a condition.

    Raises :class:`RuleError`, naming the column, for what isn't CEL or isn't allowed in a condition.
    """
    words = list(tokens(text, where))
    if len(words) > TOKENS_MAX:
        raise refuse(where, words[TOKENS_MAX].column, f"the condition has more than {TOKENS_MAX} words")
    return _Parser(words, where).whole()


class _Parser:
    def __init__(self, words: list[Token], where: Where) -> None:
        self._words = words
        self._where = where
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._now.word is not Word.END:
            raise self._fault("expected is an operator or the end")
        return node

    @property
    def _now(self) -> Token:
        return self._words[self._at]

    def _fault(self, text: str, token: Token | None = None) -> RuleError:
        token = token or self._now
        found = "the condition ends here" if token.word is Word.END else f"{token.text!r}"
        return refuse(self._where, token.column, f"{found}: {text}")

    def _take(self) -> Token:
        token = self._now
        self._at += token.word is not Word.END
        return token

    def _is(self, *marks: str) -> bool:
        return self._now.word is Word.MARK and self._now.text in marks

    def _skip(self, mark: str) -> bool:
        found = self._is(mark)
        self._at += found
        return found

    def _expect(self, mark: str) -> None:
        if not self._skip(mark):
            raise self._fault(f"expected is {mark!r}")

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise self._fault(f"nested deeper than {NESTING_MAX} levels")
        node = self._binary(0)
        if self._skip("?"):
            yes = self._binary(0)
            self._expect(":")
            node = Ternary(node.column, node, yes, self._expression())
        self._depth -= 1
        return node

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._binary(level + 1)
        while self._is(*_LEVELS[level]):
            sign = self._take().text
            node = Binary(node.column, sign, node, self._binary(level + 1))
        return node

    def _unary(self) -> Node:
        token = self._now
        if not self._is("!", "-"):
            return self._member()
        self._take()
        if self._is(token.text):
            raise self._fault("one sign is enough")
        return Unary(token.column, token.text, self._member())

    def _member(self) -> Node:
        node = self._primary()
        while True:
            if self._skip("."):
                node = self._after_dot(node)
            elif self._skip("["):
                index = self._expression()
                self._expect("]")
                node = Index(node.column, node, index)
            elif self._is("{"):
                raise self._fault("messages and maps can't be written in a condition")
            else:
                return node

    def _after_dot(self, operand: Node) -> Node:
        token = self._take()
        if token.word is not Word.NAME:
            raise self._fault("expected is the name of a field or a function", token)
        if not self._skip("("):
            return Select(operand.column, operand, token.text)
        arguments = self._list(")")
        if token.text in LOOPS:
            return self._loop(token, operand, arguments)
        return Call(token.column, operand, token.text, arguments)

    def _loop(self, token: Token, over: Node, arguments: tuple[Node, ...]) -> Loop:
        if len(arguments) not in LOOPS[token.text]:
            raise self._fault("takes a variable and an expression", token)
        variable = arguments[0]
        if not isinstance(variable, Name):
            raise refuse(self._where, variable.column, f"{token.text}() takes the name of a variable first")
        return Loop(token.column, over, token.text, variable.name, arguments[1:])

    def _primary(self) -> Node:
        token = self._take()
        if token.word in {Word.NUMBER, Word.STRING, Word.BYTES}:
            return Literal(token.column, token.text, token.word)
        if token.word is Word.NAME:
            return self._named(token)
        if token.word is Word.MARK and token.text in {"true", "false", "null"}:
            return Literal(token.column, token.text, token.word)
        if token.text == "(":
            node = self._expression()
            self._expect(")")
            return node
        if token.text == "[":
            return Items(token.column, self._list("]"))
        maps = token.text == "{"
        raise self._fault("messages and maps can't be written in a condition" if maps else "expected is a value", token)

    def _named(self, token: Token) -> Node:
        if token.text in RESERVED:
            raise self._fault("is a reserved word of CEL", token)
        if self._skip("("):
            return Call(token.column, None, token.text, self._list(")"))
        return Name(token.column, token.text)

    def _list(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._skip(end):
            if items:
                self._expect(",")
                if end == "]" and self._skip(end):
                    break
            items.append(self._expression())
        return tuple(items)
