"""The largest message that the schemas allow, as far as a condition looks at it."""

import random
import string
from typing import Any, Final

from policies.cel.reading import ELEMENTS_MAX, OPEN_MAX, TEXT_MAX
from policies.cel.shapes import Shape
from policies.cel.slots import Record, Slot, Use
from policies.vocabulary import ANY, ARRAY, OBJECT, STRING

_TIME: Final = "2026-01-01T00:00:00.000Z"
_FITTING: Final = {"timestamp": _TIME, "duration": "1s", "int": "1", "uint": "1", "double": "1.0"}
_NUMBERS: Final = {"integer": 1, "number": 1.5, "boolean": True}
_LETTERS: Final = string.ascii_letters + string.digits + " _-."


def largest(record: Record, *, mixed: bool) -> dict[str, Any]:
    """Return an object with all that the slots of ``record`` ask for: lists and texts as long as they may be.

    ``mixed`` says of what the texts are: one letter, or many. Patterns take longer on the one or on the other.
    """
    return _object(record, TEXT_MAX, mixed=mixed)


def _object(record: Record, room: int, *, mixed: bool) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    # A list in which another slot has a place comes before that place is filled.
    for slot in sorted(record.slots.values(), key=lambda each: (len(each.steps), each.use is not Use.VALUE)):
        _put(whole, slot, _value(slot, slot.shape, room, mixed=mixed))
    return whole


def _put(whole: dict[str, Any], slot: Slot, value: Any) -> None:
    """Set ``value`` at the slot's place unless something is there that holds more."""
    at: Any = whole
    for step, after in zip(slot.steps, (*slot.steps[1:], None), strict=True):
        if after is None:
            _add(at, step, value)
            return
        at = _add(at, step, [] if isinstance(after, int) else {})


def _add(at: Any, step: Any, value: Any) -> Any:
    if isinstance(at, dict):
        return at.setdefault(step, value)
    if isinstance(at, list) and isinstance(step, int):
        while len(at) <= min(step, ELEMENTS_MAX - 1):
            at.append({} if isinstance(value, dict) else value)
        return at[min(step, ELEMENTS_MAX - 1)]
    return {}


def _value(slot: Slot, shape: Shape, room: int, *, mixed: bool) -> Any:
    kinds = shape.kinds
    if ARRAY in kinds:
        many = min(shape.length_max or ELEMENTS_MAX, ELEMENTS_MAX)
        if slot.elements is not None:
            return [_object(slot.elements, room // many, mixed=mixed) for _ in range(many)]
        element = {} if OBJECT in shape.step(0).kinds else _value(slot, shape.step(0), room // many, mixed=mixed)
        return [element] * many
    if STRING in kinds or (slot.conversion and ANY in kinds):
        return _text(slot, shape, room, mixed=mixed)
    if ANY in kinds:
        return [_random(min(room // OPEN_MAX, 100), mixed=mixed)] * (OPEN_MAX - 1)
    return next((value for kind, value in _NUMBERS.items() if kind in kinds), {})


def _text(slot: Slot, shape: Shape, room: int, *, mixed: bool) -> str:
    if slot.conversion in _FITTING:
        return _FITTING[slot.conversion]
    if shape.is_time:
        return _TIME
    if shape.words:
        return max(shape.words, key=len)
    return _random(min(shape.length_max or room, room), mixed=mixed)


def _random(length: int, *, mixed: bool) -> str:
    if not mixed:
        return "a" * length
    return "".join(random.Random(length).choices(_LETTERS, k=length))  # noqa: S311 - an example, the same at each load
