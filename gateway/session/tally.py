"""Plain counters of what happened on the legs, read by the metrics when they are scraped.

Incrementing an integer in a dict is all that the path of a frame pays. Keys are bounded: actions are those of the
official schemas, everything else counts as "other".
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

RULES_MAX: Final = 500
"""Pairs of rule and action that are counted apart; one past it counts as the rule "other"."""
DECISIONS_MAX: Final = 10_000
"""Decisions of policies that are counted apart, by policy, rule, outcome and mode; then those of the rule "other"."""

PROVISIONING_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 5.0)
"""Seconds in which requests of vehicles are answered; a vehicle gives up after five."""


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
class Durations:
    """How long something took, counted in buckets."""

    bounds: tuple[float, ...]
    """Upper bounds, in seconds; what takes longer is counted beyond the last one."""
    counts: list[int] = field(default_factory=list)
    """One for each bound, and one beyond."""
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Tally:
    """Counts since the process began."""

    calls: defaultdict[tuple[Leg, str, str, Outcome], int] = field(default_factory=lambda: defaultdict(int))
    """(leg, "in" or "out", action, outcome) -> CALLs. Every message counts here, and a Counter takes twice as long."""
    refused_entries: Counter[str] = field(default_factory=Counter)
    """Reason -> connections that were refused at the door."""
    set_aside: Counter[str] = field(default_factory=Counter)
    """Action -> messages that a backend has refused for good or must not hear."""
    quarantined: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(rule, action) -> messages that went into the quarantine; see :meth:`kept`."""
    quarantine_left: Counter[str] = field(default_factory=Counter)
    """"delivered" or "put_back" -> messages that a person has released and that were offered to the backend."""
    mirror_dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(backend, why) -> CALLs that a mirror did not get."""
    security_events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(kind, "gateway" or "station") -> security events; a kind that no list names counts as "other"."""
    policy_decisions: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """(policy, rule, outcome, "enforce" or "observe") -> messages with which a rule did something, or would have; see
    :meth:`decided`."""
    policy_rule_failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(policy, rule) -> messages on which the rule itself failed."""
    policy_reloads: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(policy, "taken" or "refused") -> changes of its files."""

    provisionings: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(Install or Update, provider or "-", "Issued" or the refusal) -> vehicles' requests for contract certificates."""
    provisioning_seconds: Durations = field(default_factory=lambda: Durations(PROVISIONING_BOUNDS))
    """From such a request to its answer."""
    contracts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(certificateStatus, "chain", "hashes" or "none") -> contracts that stations have asked about (Authorize)."""
    files: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(what, outcome) -> requests to the file endpoint that are over; both are our own words."""
    file_octets: Counter[str] = field(default_factory=Counter)
    """"download" or "upload" -> bytes of images that were sent, of logs that were taken."""

    def kept(self, rule: str, action: str) -> None:
        """Count one message that went into the quarantine. Rules come and go as policies are loaded anew."""
        self.set_aside[action] += 1
        if (rule, action) not in self.quarantined and len(self.quarantined) >= RULES_MAX:
            rule = "other"
        self.quarantined[rule, action] += 1

    def decided(self, policy: str, rule: str, outcome: str, mode: str) -> None:
        """Count one decision. Rules come and go as policies are loaded anew."""
        key = policy, rule, outcome, mode
        if key not in self.policy_decisions and len(self.policy_decisions) >= DECISIONS_MAX:
            key = policy, "other", outcome, mode
        self.policy_decisions[key] += 1

    def provisioned(self, action: str, provider: str, outcome: str, seconds: float | None) -> None:
        """Count one request of a vehicle, and how long it took. Providers are those of the configuration."""
        self.provisionings[action, provider, outcome] += 1
        if seconds is not None:
            self.provisioning_seconds.add(seconds)

    def file_moved(self, what: str, outcome: str, octets: int) -> None:
        """Count one request to the file endpoint, and what it moved."""
        self.files[what, outcome] += 1
        if octets:
            self.file_octets[what] += octets

    def call(self, leg: Leg, direction: str, action: str, outcome: Outcome) -> None:
        """Count one CALL that has ended."""
        self.calls[leg, direction, action, outcome] += 1
