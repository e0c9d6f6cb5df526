"""What policies decide, counted and told: each in the metrics, a few in the log, what is refused as security events.

Hears of a message only when a rule has done something with it, or would have. Peers choose how often that is: of one
rule and station the log has so many lines in a while, and the next one says how many it hasn't.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog

from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.session.strikes import Strikes
from gateway.session.tally import Tally
from policies.decisions import Decision
from policies.words import Effect, Outcome, Reason, Stage
from policies.words import Kind as MessageKind

LINES_MAX: Final = 10
"""Lines in the log of one rule and station in ``LINES_WINDOW``."""
LINES_WINDOW: Final = 60.0
"""Seconds over which they are counted."""
FAILURES_MAX: Final = 1
"""Lines of one rule that fails in ``LINES_WINDOW``, whatever the station."""
STATIONS_MAX: Final = 20_000
"""Stations whose lines are counted over reconnects; those that came first are forgotten."""
RULES_MAX: Final = 256
"""Rules of one station that are counted apart; beyond them the counting begins anew."""

_OF_THE_STATION: Final = frozenset({Stage.FROM_STATION, Stage.TO_BACKEND})
"""Stages at which is decided what a station has said."""
_OF_KIND: Final = {
    MessageKind.CALL: "",
    MessageKind.RESULT: "answer to ",
    MessageKind.ERROR: "CALLERROR to ",
}
_EVENTS: Final = {
    Outcome.DENIED: "policy_denied",
    Outcome.ANSWERED: "policy_answered",
    Outcome.QUARANTINED: "policy_quarantined",
}
_REFUSED: Final = frozenset({Outcome.DENIED, Outcome.QUARANTINED})

log = structlog.get_logger(__name__)


class Governed(Protocol):
    """A station, as far as a decision names it."""

    @property
    def identity(self) -> str:
        """Its identity."""

    @property
    def remote(self) -> str:
        """The address of its connection; empty for none."""


class Governing(Protocol):
    """The policy that governs a station now."""

    @property
    def name(self) -> str:
        """Its name."""

    def place_of(self, rule: str) -> str:
        """Return the file and line of a rule; empty where there is none."""


@dataclass(slots=True)
class _Lines:
    """Those of one rule."""

    strikes: Strikes
    left_out: int = 0

    def take(self, now: float) -> dict[str, int] | None:
        """Return what else a line says; None for one that is left out."""
        if self.strikes.one_more(now):
            self.left_out += 1
            return None
        left_out, self.left_out = self.left_out, 0
        return {"left_out": left_out} if left_out else {}


@dataclass(slots=True)
class _LinesByRule:
    most: int
    rules: dict[tuple[str, bool], _Lines] = field(default_factory=dict)

    def take(self, rule: str, now: float, *, is_observed: bool = False) -> dict[str, int] | None:
        key = rule, is_observed
        lines = self.rules.get(key)
        if lines is None:
            if len(self.rules) >= RULES_MAX:
                self.rules.clear()
            lines = self.rules[key] = _Lines(Strikes(self.most, LINES_WINDOW))
        return lines.take(now)


class PolicyDecisions:
    """Hears of the decisions on all stations' messages."""

    def __init__(self, tally: Tally, security: SecurityLog, clock: Callable[[], float] = time.monotonic) -> None:
        self._tally = tally
        self._security = security
        self._clock = clock
        self._failures = _LinesByRule(FAILURES_MAX)
        self._lines: OrderedDict[str, _LinesByRule] = OrderedDict()

    def of(self, station: Governed, policy: Callable[[], Governing]) -> "StationDecisions":
        """Return what hears of one station's; ``policy()`` governs it now."""
        # Kept over reconnects: else who comes again and again chooses how much is logged.
        lines = self._lines.pop(station.identity, None) or _LinesByRule(LINES_MAX)
        self._lines[station.identity] = lines
        if len(self._lines) > STATIONS_MAX:
            self._lines.popitem(last=False)
        return StationDecisions(self, station, policy, lines)

    def heard(self, policy: Governing, station: Governed, decision: Decision, lines: "_LinesByRule") -> None:
        """Count one, and tell it as far as ``lines`` has room."""
        mode = "observe" if decision.is_observed else "enforce"
        self._tally.decided(policy.name, decision.rule, decision.outcome.value, mode)
        if decision.reason is Reason.RULE_FAILED:
            self._failed(policy, decision)
        if decision.outcome is Outcome.TRANSFORMED or decision.effect is Effect.ALLOW:
            return
        if not decision.is_observed and decision.outcome in _REFUSED:
            self._event(station, decision)
        more = lines.take(decision.rule, self._clock(), is_observed=decision.is_observed)
        if more is not None:
            _say(station, policy.name, decision, more)

    def _failed(self, policy: Governing, decision: Decision) -> None:
        """A rule that fails refuses what it should have judged: somebody has to mend it."""
        self._tally.policy_rule_failures[policy.name, decision.rule] += 1
        more = self._failures.take(f"{policy.name} {decision.rule}", self._clock())
        if more is not None:
            about = {"place": policy.place_of(decision.rule), "action": decision.target.action, **more}
            log.error("policy_rule_failed", policy=policy.name, rule=decision.rule, reason=decision.text, **about)

    def _event(self, station: Governed, decision: Decision) -> None:
        target = decision.target
        detail = (
            f"{decision.rule} ({decision.reason.value}): {_OF_KIND[target.kind]}{target.action}, {target.stage.value}, "
            f"{decision.outcome.value}{': ' if decision.text else ''}{decision.text}"
        )
        remote = station.remote if target.stage in _OF_THE_STATION else ""
        self._security.note(SecurityEvent(Kind.POLICY_DENIAL, detail, station.identity, remote or None))


class StationDecisions:
    """Hears of the decisions on one station's messages."""

    __slots__ = ("_decisions", "_lines", "_policy", "_station")

    def __init__(
        self, decisions: PolicyDecisions, station: Governed, policy: Callable[[], Governing], lines: _LinesByRule
    ) -> None:
        self._decisions = decisions
        self._station = station
        self._policy = policy
        self._lines = lines

    def __call__(self, decision: Decision) -> None:
        """Hear of one."""
        self._decisions.heard(self._policy(), self._station, decision, self._lines)

    def __len__(self) -> int:
        """Return how many rules are remembered."""
        return len(self._lines.rules)


def _say(station: Governed, policy: str, decision: Decision, more: dict[str, int]) -> None:
    """Warnings are what was refused, or answered in another's place; the rest is for who tries a policy out."""
    target = decision.target
    about: dict[str, Any] = {
        "identity": station.identity,
        "policy": policy,
        "rule": decision.rule,
        "stage": target.stage.value,
        "kind": target.kind.value,
        "action": target.action,
        "reason": decision.reason.value,
        "text": decision.text,
        **more,
    }
    if decision.effect is Effect.AUDIT:
        log.info("policy_audit", **about)
    elif decision.is_observed:
        log.info("policy_observed", outcome=decision.outcome.value, **about)
    else:
        log.warning(_EVENTS[decision.outcome], **about)
