"""For which stations a rule is: the globs of its match, asked once per station and not per message."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Final

from policies.rules import Match
from policies.words import Facts

Globs = tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Globs of stations, groups and backends; where there are none, all are meant."""

    stations: Globs = ()
    groups: Globs = ()
    backends: Globs = ()

    def outside(self, facts: Facts) -> tuple[str, str] | None:
        """Return which part of the match leaves the station out, as a path within the rule; None when none does."""
        if self.stations and not _among(facts.identity, self.stations):
            return ("match", "station")
        if self.groups and not _among(facts.group, self.groups):
            return ("match", "group")
        if self.backends and not _among(facts.backend, self.backends):
            return ("match", "backend")
        return None


EVERYBODY: Final = Scope()
ALL: Final = frozenset({0})
"""The indexes of the scopes that every station is in: everybody's is the first of a policy."""


def scope_of(match: Match) -> Scope:
    """Return for which stations a match is. Equal matches give equal scopes."""
    return Scope(_compiled(match.stations), _compiled(match.groups), _compiled(match.backends))


def covering(scopes: Sequence[Scope], facts: Facts) -> frozenset[int]:
    """Return the indexes of the scopes that a station is in."""
    return frozenset(index for index, scope in enumerate(scopes) if scope.outside(facts) is None)


def _compiled(globs: tuple[str, ...]) -> Globs:
    return tuple(re.compile(translate(glob)) for glob in globs)


def _among(name: str | None, globs: Globs) -> bool:
    """A station without a group is in none, not even in ``*``."""
    return name is not None and any(glob.match(name) for glob in globs)
