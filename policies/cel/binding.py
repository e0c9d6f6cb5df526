"""Names: each ``payload.a.b`` of a condition is looked up in the schemas and replaced by a slot."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from policies.cel.functions import CONVERSIONS, check_call
from policies.cel.lexer import Where, Word, refuse, value_of
from policies.cel.shapes import Shape, payload_of
from policies.cel.slots import Record, Slot, Steps, Use
from policies.cel.syntax import Binary, Call, Index, Items, Literal, Loop, Name, Node, Select, Ternary, Unary
from policies.vocabulary import ANY, ARRAY, OBJECT, Vocabulary
from policies.words import RuleError, Target

LOOPS_MAX: Final = 2
"""Comprehensions of a condition."""

PAYLOAD: Final = "payload"
NOW: Final = "now"

FACTS: Final[Mapping[str, Mapping[str, str]]] = {
    "station": {
        name: name
        for name in ("identity", "group", "backend", "protocol", "security_profile", "serial", "vendor", "model")
    },
    "session": {"address": "address", "booted": "is_booted", "running": "running"},
}
"""Variable -> what it has -> the attribute of ``policies.words.Facts``."""

_ONE: Final = Literal(0, "1", Word.NUMBER)

ROOTS: Final = (PAYLOAD, *FACTS, NOW)


@dataclass(frozen=True, slots=True)
class Bound:
    """A node with slots in place of paths. ``record`` is that of an object, or of a list's elements."""

    node: Node
    shape: Shape | None = None
    record: Record | None = None
    path: str = ""


@dataclass(slots=True)
class Binding:
    """A condition whose names are all known.

    ``payload`` has the slots that the payload fills, ``facts`` those of station and session: slot's name -> attribute;
    ``asked`` the names of those that tell whether a fact is known.
    """

    payload: Record
    node: Node
    facts: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    uses_now: bool = False
    paths: dict[str, str] = field(default_factory=dict)
    """Slot's name -> the path that the condition gives it."""
    unasked: tuple[str, ...] = ()
    """Paths of optional fields that the condition never asks ``has()`` of: a message without one is denied."""


def bind(tree: Node, targets: Sequence[Target], vocabulary: Vocabulary, where: Where) -> Binding:
    """Look up every name of a condition.

    Raises :class:`RuleError`, naming the column, for what isn't known or isn't allowed.
    """
    return _Binder(targets, vocabulary, where).whole(tree)


@dataclass(frozen=True, slots=True)
class _Named:
    """A path that the condition asks the value of."""

    path: str
    shape: Shape
    column: int


class _Binder:
    def __init__(self, targets: Sequence[Target], vocabulary: Vocabulary, where: Where) -> None:
        self._targets = frozenset(targets)
        self._vocabulary = vocabulary
        self._where = where
        self._root = Record(PAYLOAD, payload_of(targets, vocabulary))
        self._found = Binding(self._root, Literal(1, "true", Word.MARK))
        self._scope: dict[str, Bound] = {}
        self._loops = 0
        self._named: list[_Named] = []
        self._has: set[str] = set()

    def whole(self, tree: Node) -> Binding:
        self._found.node = self._bind(tree).node
        unasked = [named for named in self._named if not self._is_asked(named.path)]
        for named in unasked:
            self._check_everywhere(named)
        self._found.unasked = tuple(dict.fromkeys(named.path for named in unasked if not named.shape.is_certain))
        return self._found

    def _refuse(self, column: int, text: str) -> RuleError:
        return refuse(self._where, column, text)

    def _is_asked(self, path: str) -> bool:
        return any(path == asked or path.startswith((f"{asked}.", f"{asked}[")) for asked in self._has)

    def _check_everywhere(self, named: _Named) -> None:
        lacking = sorted({target.action for target in self._targets - named.shape.targets})
        if lacking:
            some = ", ".join(lacking[:3]) + (" and others" if len(lacking) > 3 else "")
            raise self._refuse(
                named.column,
                f"{some} has no {named.path}: every such message would be denied; ask has({named.path}) first, or let "
                "the rule match less",
            )

    # --- the kinds of nodes ------------------------------------------------------------------------------------------

    def _bind(self, node: Node) -> Bound:  # noqa: PLR0911 - one for each kind of node
        match node:
            case Literal():
                return Bound(node)
            case Name() | Select() | Index():
                return self._path(node)
            case Call():
                return self._call(node)
            case Loop():
                return self._loop(node)
            case Unary(column, sign, operand):
                return Bound(Unary(column, sign, self._value(operand)))
            case Binary(column, sign, left, right):
                return Bound(Binary(column, sign, self._value(left), self._value(right)))
            case Ternary(column, condition, yes, no):
                return Bound(Ternary(column, self._value(condition), self._value(yes), self._value(no)))
            case Items(column, items):
                return Bound(Items(column, tuple(self._value(item) for item in items)))
        raise AssertionError(node)

    def _value(self, node: Node) -> Node:
        """Bind what is used as a whole: no object is."""
        return self._whole(self._bind(node), node.column)

    def _whole(self, bound: Bound, column: int) -> Node:
        if bound.record is not None:
            what = "is a list of objects: ask size(), .exists() or .all() of it" if _is_list(bound) else "is an object"
            raise self._refuse(column, f"{bound.path} {what}; name the field that you mean")
        return bound.node

    def _call(self, node: Call) -> Bound:
        check_call(node, self._where)
        if node.function == "has":
            return self._presence(node)
        if node.function == "size":
            return self._size(node.target or node.arguments[0])
        arguments = tuple(self._value(argument) for argument in node.arguments)
        if node.function in CONVERSIONS:
            self._convert(arguments[0], node.function)
        target = None if node.target is None else self._value(node.target)
        return Bound(Call(node.column, target, node.function, arguments))

    def _convert(self, node: Node, function: str) -> None:
        """Note that a text is read as something: the example that the cost is measured on has to be one."""
        name = node.field if isinstance(node, Select) else node.name if isinstance(node, Name) else ""
        for slot in self._root.every():
            if slot.name == name:
                slot.conversion = function

    def _loop(self, node: Loop) -> Bound:
        self._loops += 1
        if self._loops > LOOPS_MAX:
            raise self._refuse(node.column, f"more than {LOOPS_MAX} comprehensions: make rules of it")
        over = self._bind(node.over)
        if self._scope:
            raise self._refuse(node.column, f".{node.kind}() within another comprehension: its cost would multiply")
        if node.variable in ROOTS:
            raise self._refuse(node.column, f"{node.variable} can't be the variable of a comprehension")
        if over.shape is not None and not over.shape.kinds <= {ARRAY, ANY}:
            raise self._refuse(node.column, f"{over.path} isn't a list")
        variable = Name(node.column, "x")
        shape = over.shape.step(0) if over.shape is not None and ARRAY in over.shape.kinds else over.shape
        self._scope = {node.variable: Bound(variable, shape, over.record, node.variable)}
        steps = [self._bind(step) for step in node.steps]
        self._scope = {}
        loop = Loop(node.column, over.node, node.kind, "x", tuple(step.node for step in steps))
        return self._looped(node, over, steps, loop)

    def _looped(self, node: Loop, over: Bound, steps: list[Bound], loop: Loop) -> Bound:
        for step, bound in zip(node.steps, steps, strict=True):
            self._whole(bound, step.column)
        if node.kind == "filter":
            return Bound(loop, over.shape, over.record, over.path)
        return Bound(loop)

    # --- paths -------------------------------------------------------------------------------------------------------

    def _peel(self, node: Node) -> tuple[Node, Steps]:
        """Split ``base.a[0].b`` into its base and its steps; ``['a']`` is a step like ``.a``."""
        steps: list[str | int] = []
        while True:
            if isinstance(node, Select):
                steps.append(node.field)
                node = node.operand
            elif isinstance(node, Index) and isinstance(node.index, Literal):
                step = self._literal(node.index)
                if step is None:
                    break
                steps.append(step)
                node = node.operand
            else:
                break
        return node, tuple(reversed(steps))

    def _literal(self, index: Literal) -> str | int | None:
        if index.word is Word.STRING:
            return value_of(index.text)
        if index.word is Word.NUMBER and index.text.isdecimal():
            return int(index.text)
        return None

    def _path(self, node: Node) -> Bound:
        base, steps = self._peel(node)
        if isinstance(base, Name) and base.name not in self._scope:
            return self._global(base, steps)
        if isinstance(base, Index):
            bound = self._place(base)
        else:
            bound = self._scope[base.name] if isinstance(base, Name) else self._bind(base)
        return self._below(bound, steps, base.column)

    def _global(self, base: Name, steps: Steps) -> Bound:
        if base.name == NOW:
            if steps:
                raise self._refuse(base.column, "now is a time, without fields: ask now.getHours() and the like")
            self._found.uses_now = True
            return Bound(base)
        if base.name == PAYLOAD:
            if not steps:
                raise self._refuse(base.column, "payload can't be taken whole: name the field that you mean")
            return self._field(Bound(base, self._root.shape, self._root, PAYLOAD), steps, base.column)
        if base.name in FACTS:
            name = self._fact(base, steps, "f", self._found.facts)
            return Bound(Name(base.column, name))
        raise self._refuse(base.column, f"unknown name {base.name!r}{_meant(base.name, (*ROOTS, *self._scope))}")

    def _fact(self, base: Name, steps: Steps, prefix: str, slots: dict[str, str]) -> str:
        known = FACTS[base.name]
        if len(steps) != 1:
            raise self._refuse(base.column, f"{base.name} has {', '.join(known)}: name one of them")
        attribute = known.get(str(steps[0]))
        if attribute is None:
            raise self._refuse(base.column, f"no {base.name}.{steps[0]}{_meant(str(steps[0]), known)}")
        slots[f"{prefix}_{attribute}"] = attribute
        self._found.paths[f"{prefix}_{attribute}"] = f"{base.name}.{steps[0]}"
        return f"{prefix}_{attribute}"

    def _place(self, node: Index) -> Bound:
        """Bind ``list[expression]``."""
        over = self._bind(node.operand)
        index = self._value(node.index)
        if over.shape is None:
            return Bound(Index(node.column, over.node, index))
        if not over.shape.kinds <= {ARRAY}:
            raise self._refuse(node.column, f"{over.path} isn't a list: its fields are named, as in {over.path}.name")
        return Bound(Index(node.column, over.node, index), over.shape.step(0), over.record, f"{over.path}[]")

    def _below(self, bound: Bound, steps: Steps, column: int) -> Bound:
        """Bind what is beneath a variable of a comprehension, or beneath what an expression gives."""
        if not steps:
            return bound
        if bound.record is not None and not _is_list(bound):
            return self._field(bound, steps, column)
        step, rest = steps[0], steps[1:]
        if isinstance(step, int):
            literal = Literal(column, str(step), Word.NUMBER)
            shape = None if bound.shape is None else bound.shape.step(0)
            index = Index(column, bound.node, literal)
            return self._below(Bound(index, shape, bound.record, f"{bound.path}[{step}]"), rest, column)
        if bound.shape is None or bound.shape.kinds != {ANY}:
            raise self._refuse(column, f"{bound.path or 'this value'} has no fields, {step!r} neither")
        return self._below(
            Bound(Select(column, bound.node, step), bound.shape, None, f"{bound.path}.{step}"), rest, column
        )

    def _field(self, bound: Bound, steps: Steps, column: int) -> Bound:
        shape = self._shape(bound, steps, column)
        path = _spelt(bound.path, steps)
        self._named.append(_Named(path, shape, column))
        if OBJECT in shape.kinds:
            return Bound(bound.node, shape, Record(path, shape), path)
        slot = self._slot(bound, steps, Use.VALUE, shape)
        return Bound(self._read(bound, slot, column), shape, slot.elements, path)

    def _shape(self, bound: Bound, steps: Steps, column: int) -> Shape:
        assert bound.shape is not None  # noqa: S101 - a record has one
        shape = bound.shape
        for place, step in enumerate(steps):
            below = shape.step(step)
            if not below.spots:
                raise self._unknown(bound, shape, steps[: place + 1], column)
            shape = below
        return shape

    def _unknown(self, bound: Bound, above: Shape, steps: Steps, column: int) -> RuleError:
        path = _spelt(bound.path, steps)
        if isinstance(steps[-1], int):
            return self._refuse(column, f"{_spelt(bound.path, steps[:-1])} isn't a list: it has no {path}")
        if ARRAY in above.kinds:
            return self._refuse(column, f"{_spelt(bound.path, steps[:-1])} is a list: ask .exists() or .all() of it")
        text = f"no such field: {path}"
        try:
            self._vocabulary.require(above.step(steps[-1]).path, sorted(self._targets, key=str), self._where)
        except RuleError as error:
            text = str(error)
        return self._refuse(column, text)

    def _slot(self, bound: Bound, steps: Steps, use: Use, shape: Shape) -> Slot:
        assert bound.record is not None  # noqa: S101 - the caller has looked
        path = _spelt(bound.path, steps)
        slot = bound.record.slot(f"v{len(self._found.paths)}", path, steps, use, shape)
        self._found.paths[slot.name] = path
        return slot

    def _read(self, bound: Bound, slot: Slot, column: int) -> Node:
        return Name(column, slot.name) if bound.record is self._root else Select(column, bound.node, slot.name)

    # --- has() and size() --------------------------------------------------------------------------------------------

    def _presence(self, node: Call) -> Bound:
        argument = node.arguments[0]
        base, steps = self._peel(argument)
        if not isinstance(argument, Select):
            raise self._refuse(node.column, "has() takes a path, as in has(payload.a.b)")
        if isinstance(base, Name) and base.name in FACTS:
            return Bound(Name(node.column, self._fact(base, steps, "h", self._found.asked)))
        bound = self._owner(base)
        if bound.record is None or _is_list(bound):
            return Bound(Call(node.column, None, "has", (self._below(bound, steps, node.column).node,)))
        shape = self._shape(bound, steps, node.column)
        self._has.add(_spelt(bound.path, steps))
        slot = self._slot(bound, steps, Use.PRESENT, shape)
        return Bound(self._read(bound, slot, node.column))

    def _owner(self, base: Node) -> Bound:
        if isinstance(base, Name) and base.name == PAYLOAD:
            return Bound(base, self._root.shape, self._root, PAYLOAD)
        return self._bind(base)

    def _size(self, node: Node) -> Bound:
        """Bind size(); of a list in the payload the elements needn't be handed in."""
        base, steps = self._peel(node)
        owner = self._scope.get(base.name) or self._owner(base) if isinstance(base, Name) and steps else None
        if owner is not None and owner.record is not None and not _is_list(owner):
            shape = self._shape(owner, steps, node.column)
            if shape.kinds == {ARRAY}:
                self._named.append(_Named(_spelt(owner.path, steps), shape, node.column))
                slot = self._slot(owner, steps, Use.SIZE, shape)
                return Bound(self._read(owner, slot, node.column))
        bound = self._bind(node)
        whole = bound.node if _is_list(bound) else self._whole(bound, node.column)
        if isinstance(whole, Loop) and whole.kind == "filter":
            # To gather objects takes a time that grows with the square of their number: they are only counted here.
            whole = Loop(whole.column, whole.over, "map", whole.variable, (*whole.steps, _ONE))
        return Bound(Call(node.column, None, "size", (whole,)))


def _is_list(bound: Bound) -> bool:
    return bound.shape is not None and ARRAY in bound.shape.kinds


def _spelt(base: str, steps: Steps) -> str:
    return base + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _meant(name: str, known: Sequence[str] | Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else f"; known are {', '.join(known)}"
