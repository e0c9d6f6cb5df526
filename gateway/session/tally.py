"""Plain counters of what happened on the legs, read by the metrics when they are scraped.

Incrementing an integer in a dict is all that the path of a frame pays. Keys are bounded: actions are those of the
official schemas, everything else counts as "other".
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Leg(StrEnum):
    """Which side of Voltgate."""

    STATION = "station"
    BACKEND = "backend"


class Outcome(StrEnum):
    """How a CALL ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """Answered with a CALLERROR."""
    UNANSWERED = "unanswered"
    """Timed out, or the connection was lost."""
    MALFORMED = "malformed"
    """Not a frame at all, or an answer to nothing."""


@dataclass(slots=True)
class Tally:
    """Counts since the process began."""

    calls: Counter[tuple[Leg, str, str, Outcome]] = field(default_factory=Counter)
    """(leg, "in" or "out", action, outcome) -> CALLs."""
    refused_entries: Counter[str] = field(default_factory=Counter)
    """Reason -> connections that were refused at the door."""
    set_aside: Counter[str] = field(default_factory=Counter)
    """Action -> money-moving messages that a backend has refused for good or must not hear."""
    mirror_dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(backend, why) -> CALLs that a mirror did not get."""
    security_events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(kind, "gateway" or "station") -> security events; a kind that no list names counts as "other"."""
    policy_decisions: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """(policy, rule, outcome, "enforce" or "observe") -> messages with which a rule did something, or would have."""
    policy_rule_failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(policy, rule) -> messages on which the rule itself failed."""
    policy_reloads: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(policy, "taken" or "refused") -> changes of its files."""

    def call(self, leg: Leg, direction: str, action: str, outcome: Outcome) -> None:
        """Count one CALL that has ended."""
        self.calls[leg, direction, action, outcome] += 1
