"""A policy as its file says it, checked for its form: what the compiler makes rules of that run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.words import Effect, Kind, Mode, Stage


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a policy file, from 1; 0 where it is the whole file."""

    source: str
    """The file, or the name of a bundled policy."""
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


def nearest(places: Mapping[tuple[str | int, ...], Place], where: tuple[str | int, ...], otherwise: Place) -> Place:
    """Return the place of a path, or of the nearest thing around it."""
    while where and where not in places:
        where = where[:-1]
    return places.get(where, otherwise)


@dataclass(frozen=True, slots=True)
class Match:
    """Which messages a rule is for; an empty part is for all. Texts may be globs (``CS-*``)."""

    kinds: tuple[Kind, ...] = ()
    actions: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    """Actions that it is not for, whatever ``actions`` says."""
    protocols: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, its named values filled in."""

    id: str
    threat: str
    stages: tuple[Stage, ...]
    match: Match
    fields: tuple[Mapping[str, Any], ...]
    """All must hold."""
    any: tuple[Mapping[str, Any], ...]
    """One must hold, where there are any."""
    when: str | None
    """A condition in CEL."""
    effect: Effect
    spec: Any
    """What stands behind the effect's key."""
    mode: Mode
    place: Place
    places: Mapping[tuple[str | int, ...], Place]
    """Of each key and element within the rule, by its path: for errors."""

    def place_of(self, where: tuple[str | int, ...]) -> Place:
        """Return the line of a path within the rule, or of the nearest thing around it."""
        return nearest(self.places, where, self.place)


@dataclass(frozen=True, slots=True)
class Source:
    """One file that a policy was made of; ``sha256`` is the hex digest of its bytes."""

    name: str
    sha256: str
