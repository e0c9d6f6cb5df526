"""The cases of a policy: messages, and what is expected to become of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policies.rules import Place
from policies.words import Facts, Kind, Outcome, Payload, Reason, Stage

SUFFIX: Final = ".tests.yaml"
"""What stands behind a policy's name in the name of its cases' file."""
STATION: Final = "CS-1"
"""The identity of a station of which nothing else is said."""
_FIELD_OF_FACT: Final = {"station": "identity", "booted": "is_booted"}
"""What a fact is called in a policy -> in :class:`Facts`, where it isn't the same."""
BACKENDS_PROTOCOL: Final = "ocpp1.6"
"""What a message at a backend's stage speaks if it doesn't say."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a policy meets it."""

    stage: Stage
    kind: Kind
    protocol: str
    action: str
    payload: Payload

    def __str__(self) -> str:
        return f"{self.stage.value} {self.protocol} {self.action} {self.kind.value}"


@dataclass(frozen=True, slots=True)
class Expected:
    """The decision that a case expects; None where it leaves that open."""

    outcome: Outcome
    rule: str | None = None
    reason: Reason | None = None
    payload: Payload | None = None
    error: str | None = None
    audited: frozenset[str] | None = None
    observed: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One message of a case, or so many equal ones."""

    place: Place
    message: Message
    expected: Expected
    facts: Facts
    owns: frozenset[str | int]
    after: float = 0.0
    """Seconds since the message before."""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Case:
    """Messages one after the other; what the rules remember begins empty."""

    name: str
    place: Place
    now: float
    """When it begins, in seconds since 1970 (UTC)."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One file of cases. ``policy`` is a bundled name, or a file."""

    path: Path
    policy: str | Path
    cases: tuple[Case, ...]


def protocol_at(stage: Stage, facts: Facts) -> str:
    """Return what a message speaks at a stage unless somebody says otherwise."""
    return facts.protocol if stage in {Stage.FROM_STATION, Stage.TO_STATION} else BACKENDS_PROTOCOL


def facts_of(said: Mapping[str, Any]) -> Facts:
    """Return the facts that are given by their names in a policy."""
    return Facts(**{"identity": STATION} | {_FIELD_OF_FACT.get(name, name): value for name, value in said.items()})
