"""Fetching the values that a condition names, and nothing else, out of a payload."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from policies.cel.slots import Record, Slot, Steps, Use
from policies.vocabulary import ANY, ARRAY, STRING
from policies.words import RuleFailed

ELEMENTS_MAX: Final = 100
"""Elements of a list that are handed in. A condition that names a longer one fails: its cost was measured on these."""

TEXT_MAX: Final = 262_144
"""Characters of a text to which the schema sets no bound; ``limits.max_message``, as it is by default."""

OPEN_MAX: Final = 100
"""Values within what the schema leaves open, the names of fields not counted."""

Object = Mapping[str, Any]
Reader = Callable[[Object], dict[str, Any]]

_MISSING: Final = (KeyError, IndexError, TypeError)
"""A path ends: no such field, no such element, or (in what the schema leaves open) no object."""


def reader_of(record: Record) -> Reader:
    """Return what fetches the slots of an object: slot's name -> value, those that are missing left out."""
    pulls = tuple(
        (slot.name, slot.steps, _taker(slot)) for slot in record.slots.values() if slot.use is not Use.PRESENT
    )
    asked = tuple((slot.name, slot.steps) for slot in record.slots.values() if slot.use is Use.PRESENT)

    def read(source: Object) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, steps, take in pulls:
            value: Any = source
            try:
                for step in steps:
                    value = value[step]
            except _MISSING:
                continue
            values[name] = value if take is None else take(value)
        for name, steps in asked:
            values[name] = _is_there(source, steps)
        return values

    return read


def _is_there(source: Any, steps: Steps) -> bool:
    try:
        for step in steps:
            source = source[step]
    except _MISSING:
        return False
    return True


def _taker(slot: Slot) -> Callable[[Any], Any] | None:
    """Return what makes a value one for CEL; None where it is one already."""
    if slot.use is Use.SIZE:
        return len
    if slot.elements is not None:
        return _objects(slot.path, reader_of(slot.elements))
    kinds = slot.shape.kinds
    if ANY in kinds:
        return _opened(slot.path)
    if ARRAY in kinds:
        return _scalars(slot.path, _number(slot.shape.step(0).kinds))
    if STRING in kinds and slot.shape.length_max is None:
        return _bounded(slot.path)
    return _number(kinds)


def _number(kinds: frozenset[str]) -> Callable[[Any], Any] | None:
    return _double if "number" in kinds else None


def _double(value: Any) -> Any:
    """1 in a field of type number is 1.0: CEL adds no integer to a double."""
    return float(value) if type(value) is int else value


def _too_long(path: str, bound: int, what: str) -> RuleFailed:
    return RuleFailed(f"{path} has more than {bound} {what}: too many for a condition")


def _objects(path: str, read: Reader) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        if len(value) > ELEMENTS_MAX:
            raise _too_long(path, ELEMENTS_MAX, "elements")
        return [read(element) for element in value]

    return take


def _scalars(path: str, each: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        if len(value) > ELEMENTS_MAX:
            raise _too_long(path, ELEMENTS_MAX, "elements")
        return value if each is None else [each(element) for element in value]

    return take


def _bounded(path: str) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        if len(value) > TEXT_MAX:
            raise _too_long(path, TEXT_MAX, "characters")
        return value

    return take


def _opened(path: str) -> Callable[[Any], Any]:
    bounded = _bounded(path)

    def take(value: Any) -> Any:
        waiting, seen = [value], 0
        while waiting:
            each = waiting.pop()
            seen += 1
            if isinstance(each, str):
                bounded(each)
            elif isinstance(each, list):
                waiting.extend(each)
            elif isinstance(each, dict):
                waiting.extend(each.values())
            if seen + len(waiting) > OPEN_MAX:
                raise _too_long(path, OPEN_MAX, "values")
        return value

    return take
