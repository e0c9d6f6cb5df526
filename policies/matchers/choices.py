"""``one_of``: a value is exactly one of a few. ``owned``: a transactionId is one of the station's."""

from collections.abc import Sequence
from typing import Any, Final

from policies.matchers.arguments import Where, meant, only_true, shown
from policies.matchers.predicates import Predicate, plain
from policies.vocabulary import ANY, STRING, Field
from policies.words import RuleError

_TYPES: Final = {STRING: str, "integer": int, "number": int | float, "boolean": bool}
_SCALARS: Final = (str, int, float, bool)


def compile_one_of(argument: object, field: Field, where: Where) -> Predicate:
    """``one_of``: exact, letter case too; ``1`` isn't ``true``, and isn't ``"1"``."""
    if field.type not in _TYPES and field.type != ANY:
        raise RuleError(where, f"`one_of` is for single values, and {field}")
    if not isinstance(argument, list | tuple) or not argument:
        raise RuleError(where, f"must be a list of values that isn't empty, not {shown(argument)}")
    for place, value in enumerate(argument):
        _check_possible(value, field, (*where, place))
    if field.type == ANY:
        return plain(_among_any(argument))
    return plain(frozenset(argument).__contains__)


def _check_possible(value: object, field: Field, where: Where) -> None:
    """Raise :class:`RuleError` for what the field can't hold."""
    kind = _TYPES.get(field.type, _SCALARS)
    is_wrong_truth = isinstance(value, bool) and field.type not in {"boolean", ANY}
    if not isinstance(value, kind) or is_wrong_truth:
        raise RuleError(where, f"{shown(value)} can't be there: {field}")
    if field.enum is not None and value not in field.enum:
        words = ", ".join(map(str, field.enum))
        hint = meant(str(value), [str(each) for each in field.enum])
        raise RuleError(where, f"{shown(value)} can't be there{hint}: {field.path} is one of {words}")


def _among_any(values: Sequence[Any]) -> Any:
    """Return a test of JSON values of any type: in Python ``True`` is in ``{1}``."""
    exact = frozenset((isinstance(value, bool), value) for value in values)
    return lambda value: isinstance(value, _SCALARS) and (isinstance(value, bool), value) in exact


def compile_owned(argument: object, field: Field, where: Where) -> Predicate:
    """``owned: true``: the transaction is one that this station opened (attack A7)."""
    if field.type not in {STRING, "integer", ANY} or field.enum is not None or field.format is not None:
        raise RuleError(where, f"`owned` is for a transactionId, and {field}")
    only_true(argument, where)
    return Predicate(lambda yes, no: lambda value, surroundings: yes if surroundings.owns(value) else no)
