"""Named values: ``$max_future`` in a rule stands for what ``values`` says of ``max_future``."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from policies.documents import Document, Where
from policies.problems import Problem, Severity
from policies.rules import Place

_NAMED: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_NOW: Final = "now"
"""``$now`` in an answer, or in what a transform sets, is the time, not a named value."""
_SAID: Final = frozenset({"answer", "to"})


class Values:
    """The values of one policy, from the file that all extend to the policy's own; later ones override."""

    def __init__(self, problems: list[Problem]) -> None:
        self.all: dict[str, Any] = {}
        self._documents: dict[str, Document] = {}
        """Where each was set last."""
        self._overriding: set[str] = set()
        self._problems = problems

    def define(self, values: Any, document: Document) -> None:
        """Take the ``values`` of one file."""
        for name, value in values.items() if isinstance(values, dict) else ():
            place = document.place(("values", name))
            if any(True for _ in references(value)):
                self._problems.append(Problem(place, f"values.{name}: a value can't stand for another: write it out"))
            if name in self.all:
                self._overriding.add(name)
            self.all[name] = value
            self._documents[name] = document

    def unknown(self, data: Any) -> Iterator[tuple[Where, str]]:
        """Yield where a value is named that isn't defined."""
        for where, name in references(data):
            if name not in self.all and not (name == _NOW and _SAID.intersection(where)):
                yield where, f"${name}"

    def fill(self, data: Any) -> Any:
        """Return ``data`` with its names replaced by their values."""
        if isinstance(data, dict):
            return {key: self.fill(value) for key, value in data.items()}
        if isinstance(data, list):
            return [self.fill(value) for value in data]
        name = _name(data)
        return self.all.get(name, data) if name is not None else data

    def origin(self, data: Any, where: Where) -> str:
        """Return where the value was set that stands at a path of a rule."""
        for step in where:
            try:
                data = data[step]
            except (KeyError, IndexError, TypeError):
                break
            name = _name(data)
            if name in self._documents:
                return f"${name} is set at {self._place(name)}"
        return "with its named values"

    def _place(self, name: str) -> Place:
        return self._documents[name].place(("values", name))

    def note_unused(self, used: Iterable[str]) -> None:
        """Warn of values that override nothing and that no rule names."""
        for name in sorted(self._documents.keys() - self._overriding - set(used)):
            text = f"values.{name}: no rule names ${name}: take it away, or look for a typing mistake"
            self._problems.append(Problem(self._place(name), text, severity=Severity.WARNING))


def used_by(data: Any) -> Iterator[str]:
    """Yield the names of the values that ``data`` names."""
    return (name for _, name in references(data))


def references(data: Any, where: Where = ()) -> Iterator[tuple[Where, str]]:
    """Yield every place of ``data`` that names a value."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from references(value, (*where, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from references(value, (*where, index))
    elif (name := _name(data)) is not None:
        yield where, name


def _name(data: Any) -> str | None:
    found = _NAMED.fullmatch(data) if isinstance(data, str) else None
    return found[1] if found else None
