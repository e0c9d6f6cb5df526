"""A YAML file with the line of each of its keys and elements.

Strict: one document, each key once, no tags, anchors or aliases, scalars as YAML 1.2's core schema reads them (``no``
and ``10:30`` are texts), bounded in size and depth.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from policies.problems import Problem
from policies.rules import Place, nearest

MAX_BYTES: Final = 1024 * 1024
"""Of one file."""
MAX_DEPTH: Final = 32
"""Of mappings and lists in one another."""

Where = tuple[str | int, ...]

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS: Final[tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...]] = (
    (re.compile(r"null|Null|NULL|~|"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]{1,18}"), int),
    (re.compile(r"[-+]?(?:[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,2})?"), float),
    (re.compile(r"[-+]?[0-9]{1,18}[eE][-+]?[0-9]{1,2}"), float),
)
"""What an unquoted scalar may be beside a text. Numbers are short by the pattern: none is infinite."""


@dataclass(slots=True)
class Document:
    """One file: what it says, where each thing stands, and what is wrong with it as YAML."""

    source: str
    data: Any = None
    places: dict[Where, Place] = field(default_factory=dict)
    """By path: ``("rules", 0, "id")``; the root is ``()``."""
    problems: list[Problem] = field(default_factory=list)

    def place(self, where: Where) -> Place:
        """Return the line of a path, or of the nearest thing around it."""
        return nearest(self.places, where, Place(self.source, 1))


def contents(path: Path) -> bytes:
    """Return what a file holds, of one that is too large a byte more than may be read. Raises OSError.

    Never waits: a pipe that nobody writes to, or a device, is refused unread.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with open(number, "rb") as file:  # noqa: PTH123 - a path can't be opened with O_NONBLOCK
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(MAX_BYTES + 1)


def read(raw: bytes, source: str) -> Document:
    """Read one file. Never raises: ``problems`` says what is wrong; ``data`` is None when it can't be read at all."""
    document = Document(source)
    if len(raw) > MAX_BYTES:
        return _refused(document, 0, f"too large: at most {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _refused(document, raw[: error.start].count(b"\n") + 1, "not YAML: not UTF-8")
    try:
        document.data = _Reader(document, text).whole()
    except _Unreadable as error:
        return _refused(document, error.line, str(error))
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        said = ", ".join(filter(None, (error.context, error.problem)))
        return _refused(document, mark.line + 1 if mark else 0, f"not YAML: {said}")
    except (yaml.YAMLError, ValueError) as error:
        return _refused(document, 0, f"not YAML: {' '.join(str(error).split())}")
    return document


def _refused(document: Document, line: int, text: str) -> Document:
    document.data = None
    document.problems.append(Problem(Place(document.source, line), text))
    return document


class _Unreadable(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class _Reader:
    """Builds the data out of the parser's events: bounded before anything is built."""

    def __init__(self, document: Document, text: str) -> None:
        self._document = document
        self._events: Iterator[Any] = yaml.parse(text, Loader=_Loader)

    def whole(self) -> Any:
        data = None
        begun = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if begun:
                    line = _line(event)
                    raise _Unreadable(line, "not YAML of one document: cut it at the second `---`")
                begun = True
            elif not isinstance(event, yaml.DocumentEndEvent | yaml.StreamStartEvent | yaml.StreamEndEvent):
                data = self._node(event, ())
        return data

    def _node(self, event: Any, where: Where) -> Any:
        line = _line(event)
        self._document.places.setdefault(where, Place(self._document.source, line))
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise _Unreadable(line, "anchors and aliases aren't read: put the value under `values` and write $name")
        if event.tag not in {None, "!"}:
            raise _Unreadable(line, f"tags aren't read: take {event.tag} away")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if len(where) >= MAX_DEPTH:
            raise _Unreadable(line, f"deeper than {MAX_DEPTH} levels")
        return self._mapping(where) if isinstance(event, yaml.MappingStartEvent) else self._list(where)

    def _mapping(self, where: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            line = _line(key)
            if not isinstance(key, yaml.ScalarEvent) or key.anchor or key.tag not in {None, "!"}:
                raise _Unreadable(line, "not YAML as policies have it: a key must be plain text")
            place = Place(self._document.source, line)
            if key.value in found:
                self._document.problems.append(Problem(place, f"the key {key.value!r} is doubled: keep one"))
            self._document.places.setdefault((*where, key.value), place)
            found[key.value] = self._node(next(self._events), (*where, key.value))
        return found

    def _list(self, where: Where) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._node(event, (*where, len(found))))
        return found


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _scalar(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    if event.implicit[0]:
        for pattern, made in _SCALARS:
            if pattern.fullmatch(text):
                return made(text)
    return text
