"""The text of a tree, for common-expression-language; and the text that does all the work that a tree can do."""

from typing import Final

from policies.cel.lexer import Word
from policies.cel.syntax import Binary, Call, Index, Items, Literal, Loop, Name, Node, Select, Ternary, Unary

_TIGHT: Final = 7
_LEVELS: Final = {
    **dict.fromkeys(["||"], 1),
    **dict.fromkeys(["&&"], 2),
    **dict.fromkeys(["==", "!=", "<", "<=", ">", ">=", "in"], 3),
    **dict.fromkeys(["+", "-"], 4),
    **dict.fromkeys(["*", "/", "%"], 5),
}
_UNARY: Final = 6
_TRUE: Final = Literal(0, "true", Word.MARK)


def write(node: Node) -> str:
    """Return the condition that a tree is of, with as few parentheses as it needs."""
    return _write(node)[0]


def _write(node: Node) -> tuple[str, int]:  # noqa: PLR0911 - one for each kind of node
    """Return the text and how tightly it binds."""
    match node:
        case Literal(_, text, _) | Name(_, text):
            return text, _TIGHT
        case Select(_, operand, field):
            return f"{_at(operand, _TIGHT)}.{field}", _TIGHT
        case Index(_, operand, index):
            return f"{_at(operand, _TIGHT)}[{write(index)}]", _TIGHT
        case Call(_, target, function, arguments):
            owner = "" if target is None else f"{_at(target, _TIGHT)}."
            return f"{owner}{function}({_joined(arguments)})", _TIGHT
        case Loop(_, over, kind, variable, steps):
            return f"{_at(over, _TIGHT)}.{kind}({variable}, {_joined(steps)})", _TIGHT
        case Items(_, items):
            return f"[{_joined(items)}]", _TIGHT
        case Unary(_, sign, operand):
            return f"{sign}{_at(operand, _TIGHT)}", _UNARY
        case Binary(_, sign, left, right):
            level = _LEVELS[sign]
            return f"{_at(left, level)} {sign} {_at(right, level + 1)}", level
        case Ternary(_, condition, yes, no):
            return f"{_at(condition, 1)} ? {_at(yes, 1)} : {write(no)}", 0
    raise AssertionError(node)


def _at(node: Node, level: int) -> str:
    text, own = _write(node)
    return text if own >= level else f"({text})"


def _joined(nodes: tuple[Node, ...]) -> str:
    return ", ".join(write(node) for node in nodes)


def dearest(node: Node) -> Node:  # noqa: PLR0911 - one for each kind of node
    """Return a tree that evaluates everything in ``node``: no ``&&`` or ``?:`` spares a part, no loop ends early.

    What fails in one part doesn't spare the others (in CEL ``failure || true`` is true). Its value has no meaning.
    """
    match node:
        case Select(column, operand, field):
            return Select(column, dearest(operand), field)
        case Index(column, operand, index):
            return Index(column, dearest(operand), dearest(index))
        case Call(column, target, function, arguments):
            return Call(column, target and dearest(target), function, _dearest(arguments))
        case Loop():
            return _dearest_loop(node)
        case Items(column, items):
            return Items(column, _dearest(items))
        case Unary(column, sign, operand):
            return Unary(column, sign, dearest(operand))
        case Binary(column, sign, left, right):
            if sign in {"&&", "||"}:
                return _each(column, [_whatever(part) for part in _parts(node, sign)])
            return Binary(column, sign, dearest(left), dearest(right))
        case Ternary(column, condition, yes, no):
            number = Ternary(column, _whatever(condition), Literal(0, "0", Word.NUMBER), Literal(0, "1", Word.NUMBER))
            return Index(column, Items(column, (dearest(yes), dearest(no))), number)
    return node


def _dearest(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(dearest(node) for node in nodes)


def _dearest_loop(node: Loop) -> Loop:
    over = dearest(node.over)
    if node.kind == "map":
        *filters, last = node.steps
        steps = (*(_whatever(step) for step in filters), dearest(last))
        return Loop(node.column, over, "map", node.variable, steps)
    kind = "filter" if node.kind == "filter" else "all"
    return Loop(node.column, over, kind, node.variable, (_whatever(node.steps[0]),))


def _whatever(node: Node) -> Node:
    """Evaluate a part and be true."""
    return Binary(node.column, "||", dearest(node), _TRUE)


def _parts(node: Node, sign: str) -> list[Node]:
    """Flatten ``a && b && c``: nested lists would be deeper than the parser goes."""
    parts: list[Node] = []
    while isinstance(node, Binary) and node.sign == sign:
        parts.append(node.right)
        node = node.left
    return [node, *reversed(parts)]


def _each(column: int, parts: list[Node]) -> Node:
    return Binary(column, "!=", Items(column, tuple(parts)), Items(column, ()))
