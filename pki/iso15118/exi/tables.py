"""The grammar tables: what :mod:`pki.iso15118.exi.generate` wrote, as the codec walks them.

A complex type is a list of states; a state is a line of its first-level productions in the order of their event codes:
``@name>3`` an attribute, ``name=type>3`` an element, ``=type>3`` a value, each with the number of the next state;
``.`` the end, ``*`` any element, ``#`` text between elements, ``-7`` seven that no message of ours has.
"""

import functools
import importlib.resources
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, Final

from pki.iso15118.exi import QName, Schema
from pki.iso15118.exi.datatypes import Binary, Datatype, Enumeration, Integer, Lengths, String

UNUSED: Final = "-"


@dataclass(frozen=True, slots=True)
class Attribute:
    """AT(name)."""

    code: int
    name: QName
    then: int


@dataclass(frozen=True, slots=True)
class Start:
    """SE(name)."""

    code: int
    name: QName
    states: "tuple[State, ...]"
    """Of its type."""
    then: int


@dataclass(frozen=True, slots=True)
class Characters:
    """CH with a value."""

    code: int
    type: Datatype
    then: int


@dataclass(frozen=True, slots=True)
class End:
    """EE."""

    code: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What the schema allows, but no message here has."""

    reason: str


Production = Attribute | Start | Characters | End | Refused

UNREACHED: Final = Refused("an element or attribute that no message of certificate provisioning has")
ANY_ELEMENT: Final = Refused("an element of a wildcard (xs:any)")
MIXED: Final = Refused("text between elements")


@dataclass(frozen=True, slots=True)
class State:
    """A state of an element's grammar."""

    bits: int
    """Of an event code; the code behind the last production leads to the second level: deviations from the schema."""
    productions: tuple[Production, ...]
    attributes: dict[QName, Attribute]
    elements: dict[QName, Start]
    characters: Characters | None
    end: End | None


@dataclass(frozen=True, slots=True)
class Roots:
    """The grammar of a document or of a fragment: which elements it may consist of."""

    bits: int
    """Of the root's event code."""
    by_code: dict[int, Start]
    by_name: dict[QName, Start]
    end: int | None
    """The event code of a fragment's end; a document's takes no bits."""


@dataclass(frozen=True, slots=True)
class Tables:
    """All grammars of a schema."""

    document: Roots
    fragment: Roots


def file_of(schema: Schema) -> Traversable:
    """Return the file with the tables of ``schema``."""
    return importlib.resources.files("pki.iso15118.exi") / "grammar" / f"{schema.name.lower()}.json"


@functools.cache
def tables_of(schema: Schema) -> Tables:
    """Return the tables of ``schema``, read once."""
    return read_tables(json.loads(file_of(schema).read_bytes()))


def read_tables(content: Mapping[str, Any]) -> Tables:
    """Return the tables that a file's content stands for."""
    reading = _Reading(content)
    document, fragment = content["document"], content["fragment"]
    return Tables(
        document=reading.roots(document["bits"], document["elements"], end=None),
        fragment=reading.roots(fragment["bits"], fragment["elements"], end=fragment["end"]),
    )


class _Reading:
    """Makes each type of a file once."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._namespaces: dict[str, str] = content["namespaces"]
        self._simple = {name: simple_type(text) for name, text in content["simple"].items()}
        self._complex: dict[str, list[str]] = content["complex"]
        self._types = {name: value_states(type_) for name, type_ in self._simple.items()}

    def roots(self, bits: int, elements: Mapping[str, str], *, end: int | None) -> Roots:
        starts = [self._start(int(code), text, then=0) for code, text in elements.items()]
        return Roots(bits, {start.code: start for start in starts}, {start.name: start for start in starts}, end)

    def _type(self, name: str) -> tuple[State, ...]:
        if name not in self._types:
            self._types[name] = tuple(self._state(text) for text in self._complex[name])
        return self._types[name]

    def _state(self, text: str) -> State:
        return state_of(tuple(self._productions(text.split())))

    def _productions(self, texts: list[str]) -> Iterator[Production]:
        code = 0
        for text in texts:
            if text.startswith(UNUSED):
                unused = int(text.removeprefix(UNUSED))
                yield from (UNREACHED for _ in range(unused))
                code += unused
            else:
                yield self._production(code, text)
                code += 1

    def _production(self, code: int, text: str) -> Production:
        marks: dict[str, Production] = {".": End(code), "*": ANY_ELEMENT, "#": MIXED}
        if text in marks:
            return marks[text]
        what, _, then = text.partition(">")
        if what.startswith("@"):
            return Attribute(code, self._name(what.removeprefix("@")), int(then))
        if what.startswith("="):
            return Characters(code, self._simple[what.removeprefix("=")], int(then))
        return self._start(code, what, int(then))

    def _start(self, code: int, text: str, then: int) -> Start:
        name, _, type_name = text.partition("=")
        return Start(code, self._name(name), self._type(type_name), then)

    def _name(self, text: str) -> QName:
        prefix, _, local = text.rpartition(":")
        return QName(self._namespaces[prefix] if prefix else "", local)


def state_of(productions: tuple[Production, ...]) -> State:
    """Return a state: one code more than productions leads to the second level, hence the number of bits."""
    return State(
        bits=len(productions).bit_length(),
        productions=productions,
        attributes={each.name: each for each in productions if isinstance(each, Attribute)},
        elements={each.name: each for each in productions if isinstance(each, Start)},
        characters=next((each for each in productions if isinstance(each, Characters)), None),
        end=next((each for each in productions if isinstance(each, End)), None),
    )


def value_states(datatype: Datatype) -> tuple[State, ...]:
    """Return the states of an element that has a value and nothing else."""
    return state_of((Characters(0, datatype, 1),)), state_of((End(0),))


def simple_type(text: str) -> Datatype:
    """Return the datatype that a table's words stand for."""
    kind, *words = text.split()
    match kind:
        case "enumeration":
            return Enumeration(tuple(words))
        case "integer":
            low, high = map(_bound, words)
            return Integer(low, high)
        case "string":
            return String(_lengths(*words))
        case "binary":
            return Binary(_lengths(*words))
    raise ValueError(f"{text}: no datatype of the tables")


def _bound(word: str) -> int | None:
    return None if word == "*" else int(word)


def _lengths(least: str, most: str) -> Lengths:
    return Lengths(int(least), _bound(most))
