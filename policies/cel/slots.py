"""The values that a condition names: each gets a place of its own, whose name stands in the program that runs.

``payload.a.b`` becomes one variable, ``m.a.b`` of a comprehension one field of the elements that are handed in. So the
least is copied into CEL, ``has(payload.a.b)`` holds for nothing where ``a`` is missing (CEL's own would fail), and what
a program can reach is only what was looked up in the schemas before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from policies.cel.shapes import Shape

Steps = tuple[str | int, ...]


class Use(Enum):
    """What is asked of a field."""

    VALUE = "value"
    PRESENT = "present"
    SIZE = "size"
    """The number of elements of a list."""


@dataclass(slots=True)
class Slot:
    """One value. ``name`` is its own in the program, ``path`` the one that the condition gives it."""

    name: str
    path: str
    steps: Steps
    use: Use
    shape: Shape
    elements: "Record | None" = None
    """Of a list of objects: what is asked of each."""
    conversion: str | None = None
    """``double`` where the text is read as a number, ``timestamp`` ...: an example has to fit."""


@dataclass(slots=True)
class Record:
    """One object, the payload or the element of a list, with what is asked of it."""

    path: str
    shape: Shape
    slots: dict[tuple[Steps, Use], Slot] = field(default_factory=dict)

    def slot(self, name: str, path: str, steps: Steps, use: Use, shape: Shape) -> Slot:
        """Return the slot of a field, a new one under ``name`` when it hasn't been asked for."""
        if (steps, use) not in self.slots:
            slot = Slot(name, path, steps, use, shape)
            if use is Use.VALUE and "object" in shape.step(0).kinds:
                slot.elements = Record(f"{path}[]", shape.step(0))
            self.slots[steps, use] = slot
        return self.slots[steps, use]

    def every(self) -> Iterator[Slot]:
        """Yield all slots, those of the elements of lists too."""
        for slot in self.slots.values():
            yield slot
            if slot.elements is not None:
                yield from slot.elements.every()
