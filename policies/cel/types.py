"""Types: a condition that fails on every message, or holds for none, is refused when it is loaded.

The schemas say what a field is. Only of what they leave open the type isn't known, and its errors show at run time.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from policies.cel.binding import Binding
from policies.cel.functions import NUMBERS_OF_TIME, PREDICATES
from policies.cel.lexer import Where, Word, refuse
from policies.cel.slots import Use
from policies.cel.syntax import Binary, Call, Index, Items, Literal, Loop, Name, Node, Select, Ternary, Unary
from policies.words import RuleError


class Type(StrEnum):
    """The types of CEL's values, as errors name them."""

    BOOL = "true or false"
    INT = "an integer"
    UINT = "an unsigned integer"
    DOUBLE = "a number with a fraction"
    STRING = "a text"
    BYTES = "bytes"
    LIST = "a list"
    TIME = "a time"
    SPAN = "a duration"
    NULL = "null"
    UNKNOWN = "of a type that isn't known"


BOOL, INT, UINT, DOUBLE, STRING = Type.BOOL, Type.INT, Type.UINT, Type.DOUBLE, Type.STRING
BYTES, LIST, TIME, SPAN, UNKNOWN = Type.BYTES, Type.LIST, Type.TIME, Type.SPAN, Type.UNKNOWN

_NUMBERS: Final = frozenset({INT, UINT, DOUBLE})
_ORDERED: Final = (_NUMBERS, *(frozenset({each}) for each in (STRING, BYTES, TIME, SPAN, BOOL)))
_OF_SCHEMA: Final = {"string": STRING, "integer": INT, "number": DOUBLE, "boolean": BOOL, "array": LIST}

_OF_FACT: Final = {"security_profile": INT, "running": INT, "is_booted": BOOL}
"""Attribute of ``policies.words.Facts`` -> its type; the others are texts."""

_SUMS: Final[Mapping[tuple[str, Type, Type], Type]] = {
    **{(sign, each, each): each for sign in "+-*/" for each in _NUMBERS},
    **{("%", each, each): each for each in (INT, UINT)},
    **{("+", each, each): each for each in (STRING, BYTES, SPAN)},
    ("+", TIME, SPAN): TIME,
    ("-", TIME, SPAN): TIME,
    ("-", TIME, TIME): SPAN,
    ("-", SPAN, SPAN): SPAN,
}
"""Lists aren't added: in a comprehension they would grow."""

_CONVERSIONS: Final[Mapping[str, tuple[Type, frozenset[Type]]]] = {
    "int": (INT, _NUMBERS | {STRING}),
    "uint": (UINT, _NUMBERS | {STRING}),
    "double": (DOUBLE, _NUMBERS | {STRING}),
    "string": (STRING, _NUMBERS | {STRING, BYTES, TIME, SPAN}),
    "bytes": (BYTES, frozenset({STRING})),
    "timestamp": (TIME, frozenset({STRING})),
    "duration": (SPAN, frozenset({STRING})),
}
"""Conversion -> what it gives, of what."""

_SIZED: Final = frozenset({STRING, BYTES, LIST})
_INDEXED: Final = frozenset({LIST})
_CLOCKS: Final = frozenset({TIME, SPAN})


def check_types(binding: Binding, where: Where) -> None:
    """Return when a condition can be evaluated and is true or false; else raise :class:`RuleError`."""
    _Types(binding, where).check(binding.node)


class _Types:
    def __init__(self, binding: Binding, where: Where) -> None:
        self._slots = {slot.name: slot for slot in binding.payload.every()}
        self._own = {"now": TIME, **dict.fromkeys(binding.asked, BOOL)}
        self._own |= {name: _OF_FACT.get(attribute, STRING) for name, attribute in binding.facts.items()}
        self._where = where
        self._element = UNKNOWN
        """What the variable of the comprehension is."""

    def check(self, tree: Node) -> None:
        self._want(tree, frozenset({BOOL}), "the condition")

    def _refuse(self, node: Node, text: str) -> RuleError:
        return refuse(self._where, node.column, text)

    def _want(self, node: Node, wanted: frozenset[Type], what: str) -> Type:
        found = self.of(node)
        if found is not UNKNOWN and found not in wanted:
            raise self._refuse(
                node, f"{what} must be {' or '.join(sorted(wanted))}; this is {found}{_hint(found, wanted)}"
            )
        return found

    def of(self, node: Node) -> Type:  # noqa: C901, PLR0911 - one for each kind of node
        """Return the type of an expression. Raises :class:`RuleError` where its parts don't go together."""
        match node:
            case Literal():
                return _of_literal(node)
            case Name(_, name):
                return self._named(name)
            case Select(_, operand, name):
                self.of(operand)
                return self._named(name)
            case Index(_, operand, index):
                self._want(operand, _INDEXED, "what has a place [ ]")
                self._want(index, _NUMBERS, "a place in a list")
                return self._elements(operand)
            case Call():
                return self._call(node)
            case Loop():
                return self._loop(node)
            case Items(_, items):
                for item in items:
                    self.of(item)
                return LIST
            case Unary(_, "!", operand):
                return self._want(operand, frozenset({BOOL}), "what ! stands before")
            case Unary(_, _, operand):
                return self._want(operand, _NUMBERS - {UINT}, "what - stands before")
            case Binary():
                return self._binary(node)
            case Ternary(_, condition, yes, no):
                self._want(condition, frozenset({BOOL}), "what stands before ?")
                first, second = self.of(yes), self.of(no)
                return first if first is second else UNKNOWN
        raise AssertionError(node)

    def _named(self, name: str) -> Type:
        if name == "x":
            return self._element
        slot = self._slots.get(name)
        if slot is None:
            return self._own.get(name, UNKNOWN)
        if slot.use is not Use.VALUE:
            return INT if slot.use is Use.SIZE else BOOL
        return _of_kinds(slot.shape.kinds)

    def _elements(self, node: Node) -> Type:
        """Return what a list is of."""
        if isinstance(node, Name | Select):
            slot = self._slots.get(node.name if isinstance(node, Name) else node.field)
            return UNKNOWN if slot is None else _of_kinds(slot.shape.step(0).kinds)
        if isinstance(node, Loop) and node.kind == "filter":
            return self._elements(node.over)
        if isinstance(node, Items):
            found = {self.of(item) for item in node.items}
            return found.pop() if len(found) == 1 else UNKNOWN
        return UNKNOWN

    def _call(self, node: Call) -> Type:
        operands = [operand for operand in (node.target, *node.arguments) if operand is not None]
        if node.function in _CONVERSIONS:
            result, wanted = _CONVERSIONS[node.function]
            self._want(operands[0], wanted, f"what {node.function}() is made of")
            return result
        if node.function == "size":
            self._want(operands[0], _SIZED, "what size() is asked of")
            return INT
        if node.function in PREDICATES:
            for operand in operands:
                self._want(operand, frozenset({STRING}), f"what {node.function}() looks at")
            return BOOL
        if node.function in NUMBERS_OF_TIME:
            self._want(operands[0], _CLOCKS, f"what {node.function}() is asked of")
            return INT
        return BOOL  # has()

    def _loop(self, node: Loop) -> Type:
        self._want(node.over, _INDEXED, f"what .{node.kind}() goes through")
        before, self._element = self._element, self._elements(node.over)
        *filters, last = node.steps
        for step in filters:
            self._want(step, frozenset({BOOL}), f"what .{node.kind}() asks")
        if node.kind == "map":
            self.of(last)
        else:
            self._want(last, frozenset({BOOL}), f"what .{node.kind}() asks")
        self._element = before
        return LIST if node.kind in {"map", "filter"} else BOOL

    def _binary(self, node: Binary) -> Type:
        if node.sign in {"&&", "||"}:
            for part in (node.left, node.right):
                self._want(part, frozenset({BOOL}), f"what {node.sign} joins")
            return BOOL
        if node.sign == "in":
            self.of(node.left)
            self._want(node.right, _INDEXED, "what stands behind `in`")
            self._compare(node, self.of(node.left), self._elements(node.right))
            return BOOL
        left, right = self.of(node.left), self.of(node.right)
        if node.sign in {"+", "-", "*", "/", "%"}:
            return self._sum(node, left, right)
        self._compare(node, left, right)
        return BOOL

    def _sum(self, node: Binary, left: Type, right: Type) -> Type:
        if UNKNOWN in {left, right}:
            return UNKNOWN
        found = _SUMS.get((node.sign, left, right))
        if found is None:
            way = "; write double(...) around the integer" if {left, right} == {INT, DOUBLE} else ""
            raise self._refuse(node, f"{left} and {right} don't go together with {node.sign}{way}")
        return found

    def _compare(self, node: Binary, left: Type, right: Type) -> None:
        if UNKNOWN in {left, right} or (left is right and node.sign in {"==", "!=", "in"}):
            return
        if Type.NULL in {left, right} and node.sign in {"==", "!="}:
            raise self._refuse(node, "no field of a message is null; ask has()")
        if not any({left, right} <= kinds for kinds in _ORDERED):
            way = "; write timestamp(...) around the text" if {left, right} == {STRING, TIME} else ""
            raise self._refuse(node, f"{left} can't be compared with {right}{way}")


def _of_literal(node: Literal) -> Type:
    if node.word is Word.NUMBER:
        if node.text[-1] in "uU":
            return UINT
        return INT if node.text.isdecimal() or node.text.startswith("0x") else DOUBLE
    if node.word is Word.MARK:
        return Type.NULL if node.text == "null" else BOOL
    return STRING if node.word is Word.STRING else BYTES


def _of_kinds(kinds: frozenset[str]) -> Type:
    """Return a field's type; that of a number where it is one in every message, unknown where messages differ."""
    found = {_OF_SCHEMA.get(kind, UNKNOWN) for kind in kinds}
    if found == {INT, DOUBLE}:
        return DOUBLE
    return found.pop() if len(found) == 1 else UNKNOWN


def _hint(found: Type, wanted: frozenset[Type]) -> str:
    if found is STRING and TIME in wanted:
        return "; write timestamp(...) around it"
    if found is LIST and BOOL in wanted:
        return "; ask size(...) > 0"
    return ""
