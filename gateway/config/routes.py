"""What the file says of stations by identity or group: which backend is theirs, how their connectors are numbered."""

import fnmatch
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from gateway.config.values import Named, Section, Text

PATTERN_MAX: Final = 100
"""Characters of a pattern; an identity has at most 48."""
NUMBER_MAX: Final = 65_535
"""Of an EVSE, of a connector, and of a connector in 1.6."""
GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What may name a group of stations."""

_PLACE: Final = re.compile(r"([1-9][0-9]{0,4})\.([1-9][0-9]{0,4})")


def _pattern(text: str) -> str:
    """Check a shell-style pattern. What ``fnmatch`` would silently read as something else is refused."""
    if not text or len(text) > PATTERN_MAX:
        raise ValueError(f"must have 1 to {PATTERN_MAX} characters; * alone is every station")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be of the characters of an identity, with * ? and [...]")
    if _has_open_bracket(text):
        raise ValueError("has a [ without its ]; write [[] for the character itself")
    if "(?!)" in fnmatch.translate(text):
        raise ValueError("has a range that runs backwards and fits nothing, such as [z-a]")
    return text


def _has_open_bracket(text: str) -> bool:
    at = text.find("[")
    while at >= 0:
        first = at + 2 if text[at + 1 : at + 2] == "!" else at + 1
        # A ] that comes first is one of the characters.
        end = text.find("]", first + 1)
        if end < 0:
            return True
        at = text.find("[", end)
    return False


def _group(text: str) -> str:
    if not GROUP.fullmatch(text):
        raise ValueError("isn't a group's name: up to 64 letters, digits, and . _ - behind the first")
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
"""Shell-style, for the whole identity, upper and lower case being different."""
Group = Annotated[str, AfterValidator(_group)]
Number = Annotated[int, Field(ge=1, le=NUMBER_MAX)]


class Selection(Section):
    """Which stations are meant: those of an identity, of a group, or of both together."""

    identity: Pattern | None = None
    group: Group | None = None

    def matches(self, identity: str, group: str | None) -> bool:
        """Return whether a station of this identity and group is meant."""
        if self.identity is not None and not fnmatch.fnmatchcase(identity, self.identity):
            return False
        return self.group is None or self.group == group

    def covers(self, other: "Selection") -> bool:
        """Return whether this one plainly means each station that ``other`` means: by its conditions, or fewer."""
        return self.identity in {None, "*", other.identity} and self.group in {None, other.group}


class Route(Selection):
    """To which backend stations go that have none of their own."""

    backend: Text


class ConnectorTable(Selection):
    """How the connectors of 2.0.1 stations are numbered towards a 1.6 backend."""

    connectors: Named[Number]
    """``EVSE.CONNECTOR`` -> the 1.6 connectorId."""

    @property
    def places(self) -> Mapping[tuple[int, int], int]:
        """(evseId, connectorId) -> the 1.6 connectorId."""
        return {place: self.connectors[key] for key, place in self.named() if place is not None}

    def named(self) -> Iterator[tuple[str, tuple[int, int] | None]]:
        """Yield each key of ``connectors`` with the place that it names, None where it names none."""
        for key in self.connectors:
            found = _PLACE.fullmatch(key)
            yield key, None if found is None else (int(found[1]), int(found[2]))
