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
_MIXED: Final = "".join(random.Random(0).choices(_LETTERS, k=4096))  # noqa: S311 - an example, always the same


def largest(record: Record, *, mixed: bool, elements: int = ELEMENTS_MAX) -> dict[str, Any]:
    """Return an object with all that the slots of ``record`` ask for: texts as long as they may be, and lists.

    ``mixed`` says of what the texts are: one letter, or many. Patterns take longer on the one or on the other. Lists
    have as many elements as the schema allows, at most ``elements``.
    """
    return _Example(elements, mixed=mixed).object(record, TEXT_MAX)


class _Example:
    def __init__(self, elements: int, *, mixed: bool) -> None:
        self._elements = elements
        self._mixed = mixed

    def object(self, record: Record, room: int) -> dict[str, Any]:
        """Return an object whose texts have ``room`` characters together, where the schema sets no bound to them."""
        whole: dict[str, Any] = {}
        # A list in which another slot has a place comes before that place is filled.
        for slot in sorted(record.slots.values(), key=lambda each: (len(each.steps), each.use is not Use.VALUE)):
            self._put(whole, slot, self._value(slot, slot.shape, room))
        return whole

    def _put(self, whole: dict[str, Any], slot: Slot, value: Any) -> None:
        """Set ``value`` at the slot's place unless something is there that holds more."""
        at: Any = whole
        for step, after in zip(slot.steps, (*slot.steps[1:], None), strict=True):
            below = value if after is None else [] if isinstance(after, int) else {}
            at = self._add(at, step, below)

    def _add(self, at: Any, step: str | int, value: Any) -> Any:
        if isinstance(at, dict):
            return at.setdefault(step, value)
        if isinstance(at, list) and isinstance(step, int):
            place = min(step, ELEMENTS_MAX - 1)
            while len(at) <= place:
                at.append({} if isinstance(value, dict) else value)
            return at[place]
        return {}

    def _value(self, slot: Slot, shape: Shape, room: int) -> Any:
        kinds = shape.kinds
        if ARRAY in kinds:
            return self._list(slot, shape, room)
        if STRING in kinds or (slot.conversion and ANY in kinds):
            return self._text(slot, shape, room)
        if ANY in kinds:
            return [self._letters(room // OPEN_MAX)] * min(self._elements, OPEN_MAX - 1)
        return next((value for kind, value in _NUMBERS.items() if kind in kinds), {})

    def _list(self, slot: Slot, shape: Shape, room: int) -> list[Any]:
        many = min(shape.length_max or ELEMENTS_MAX, self._elements)
        if slot.elements is not None:
            return [self.object(slot.elements, room // many) for _ in range(many)]
        is_counted = OBJECT in shape.step(0).kinds
        return [{} if is_counted else self._value(slot, shape.step(0), room // many)] * many

    def _text(self, slot: Slot, shape: Shape, room: int) -> str:
        if slot.conversion in _FITTING:
            return _FITTING[slot.conversion]
        if shape.is_time:
            return _TIME
        if shape.words:
            return max(shape.words, key=len)
        return self._letters(min(shape.length_max or room, room))

    def _letters(self, length: int) -> str:
        text = _MIXED if self._mixed else "a"
        return (text * (length // len(text) + 1))[:length]
