"""The functions that a condition may call: those that common-expression-language 0.10 has, as they were found there.

Left out are ``type`` and ``dyn``, which no condition needs, and ``optional``. The comprehensions are grammar
(``policies.cel.syntax.LOOPS``).
"""

import difflib
from typing import Final

from policies.cel.evaluation import pattern_fault
from policies.cel.lexer import Where, Word, refuse, value_of
from policies.cel.syntax import LOOPS, Call, Literal

PATTERN_MAX: Final = 200
"""Characters of a pattern: it is compiled at each evaluation, 10 us and more."""

CONVERSIONS: Final = frozenset({"int", "uint", "double", "string", "bytes", "timestamp", "duration"})

PREDICATES: Final = frozenset({"contains", "startsWith", "endsWith", "matches"})

NUMBERS_OF_TIME: Final = frozenset(
    {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
) | {*("getHours", "getMinutes", "getSeconds", "getMilliseconds")}

FUNCTIONS: Final = frozenset({"has", "size"}) | CONVERSIONS | PREDICATES | NUMBERS_OF_TIME


def check_call(node: Call, where: Where) -> None:
    """Return when the function exists and is called as it wants to be, else raise :class:`RuleError`."""
    name, given = node.function, len(node.arguments)
    if name not in FUNCTIONS:
        raise refuse(where, node.column, f"unknown function {name}(){_meant(name)}")
    if name == "size":
        is_right = given + (node.target is not None) == 1
        wanted = "size(x) or x.size()"
    elif name == "has" or name in CONVERSIONS:
        is_right = node.target is None and given == 1
        wanted = f"{name}(x)"
    elif name in PREDICATES:
        is_right = node.target is not None and given == 1
        wanted = f"text.{name}('...')"
    else:
        is_right = node.target is not None and given == 0
        wanted = f"time.{name}()"
    if not is_right:
        raise refuse(where, node.column, f"{name} is called as {wanted}")
    if name == "matches":
        _check_pattern(node, where)


def _check_pattern(node: Call, where: Where) -> None:
    pattern = node.arguments[0]
    if not isinstance(pattern, Literal) or pattern.word is not Word.STRING:
        raise refuse(where, node.column, "matches() takes a pattern that is written out, not one that is made up")
    text = value_of(pattern.text)
    if len(text) > PATTERN_MAX:
        raise refuse(where, pattern.column, f"the pattern has {len(text)} characters; at most {PATTERN_MAX}")
    fault = pattern_fault(text)
    if fault is not None:
        raise refuse(where, pattern.column, fault)


def _meant(name: str) -> str:
    if name in LOOPS:
        return f": it is called as list.{name}(x, ...)"
    near = difflib.get_close_matches(name, FUNCTIONS | LOOPS.keys(), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}()?)" if near else f"; known are {', '.join(sorted(FUNCTIONS | LOOPS.keys()))}"
