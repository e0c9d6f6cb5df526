"""The way of a transform through a payload: copies what it changes, shares the rest, changes nothing in place."""

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from policies.paths import EACH, WITHIN, Steps
from policies.words import Surroundings


class Gone(Enum):
    """What an edit returns in place of a value that is dropped."""

    DROPPED = "dropped"


DROPPED: Final = Gone.DROPPED

Edit = Callable[[Any, Surroundings], Any]
"""Returns what stands in the place of a value: the very same object when nothing changes, or :data:`DROPPED`."""
Make = Callable[[Surroundings], Any]
"""Returns the value of a field that isn't there yet."""
Check = Callable[[Any, Surroundings], bool]


class Branch:
    """One place in a payload, with what is done there and below.

    Several paths share a branch as far as they go together, so that a payload is walked once.
    """

    __slots__ = ("_check", "_each", "_edit", "_falls", "_fields", "_make", "_within")

    def __init__(self) -> None:
        self._check: Check | None = None
        self._each: Branch | None = None
        self._edit: Edit | None = None
        self._falls = False
        self._fields: dict[str, Branch] = {}
        self._make: Make | None = None
        self._within = False

    def at(self, steps: Steps) -> "Branch":
        """Return the branch at ``steps`` from here; :data:`~policies.paths.WITHIN` is no branch of its own."""
        branch = self
        for step in steps:
            if step is WITHIN:
                branch._within = True
            elif step is EACH:
                branch._each = branch = branch._each or Branch()
            elif isinstance(step, str):
                branch = branch._fields.setdefault(step, Branch())
        return branch

    def edits(self, edit: Edit, make: Make | None = None) -> None:
        """Have the value here edited; with ``make``, a field that isn't there is made where its object is."""
        self._edit, self._make = edit, make

    def checks(self, check: Check) -> None:
        """Do nothing here or below unless ``check`` holds of the value here."""
        self._check = check

    def falls_when_empty(self) -> None:
        """Drop the list here when its last element was dropped: its schema wants it filled or absent."""
        self._falls = True

    def apply(self, value: Any, surroundings: Surroundings) -> Any:
        """Return ``value`` as it goes on: itself when nothing changed."""
        if self._check is not None and not self._check(value, surroundings):
            return value
        if self._fields:
            if isinstance(value, dict):
                value = self._in_object(value, surroundings)
        elif self._each is not None and isinstance(value, list):
            value = self._in_list(value, self._each, surroundings)
            if value is DROPPED:
                return value
        if self._edit is None:
            return value
        return _within(value, self._edit, surroundings) if self._within else self._edit(value, surroundings)

    def _in_object(self, holder: dict[str, Any], surroundings: Surroundings) -> dict[str, Any]:
        changed = None
        for name, branch in self._fields.items():
            if name in holder:
                old = holder[name]
                new = branch.apply(old, surroundings)
                if new is old:
                    continue
                changed = dict(holder) if changed is None else changed
                if new is DROPPED:
                    del changed[name]
                else:
                    changed[name] = new
            elif branch._make is not None:
                changed = dict(holder) if changed is None else changed
                changed[name] = branch._make(surroundings)
        return holder if changed is None else changed

    def _in_list(self, elements: list[Any], each: "Branch", surroundings: Surroundings) -> Any:
        changed = [each.apply(element, surroundings) for element in elements]
        if all(new is old for new, old in zip(changed, elements, strict=True)):
            return elements
        kept = [element for element in changed if element is not DROPPED]
        return DROPPED if self._falls and not kept else kept


def _within(value: Any, edit: Edit, surroundings: Surroundings) -> Any:
    """Edit every text in a value that no schema describes, at any depth; the names of its fields stay."""
    if isinstance(value, str):
        return edit(value, surroundings)
    if isinstance(value, dict):
        changed = {name: _within(part, edit, surroundings) for name, part in value.items()}
        return value if all(changed[name] is part for name, part in value.items()) else changed
    if isinstance(value, list):
        parts = [_within(part, edit, surroundings) for part in value]
        return value if all(new is old for new, old in zip(parts, value, strict=True)) else parts
    return value
