"""The words of a policy: what it looks at, what it may decide, and what it is told of a station."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

Payload = dict[str, Any]
"""The payload of a CALL or CALLRESULT: what JSON can hold, and nothing else. Never changed in place by a policy."""


class Stage(StrEnum):
    """The four places on the way of a message where a policy looks at it."""

    FROM_STATION = "from_station"
    TO_BACKEND = "to_backend"
    FROM_BACKEND = "from_backend"
    TO_STATION = "to_station"

    @property
    def is_towards_us(self) -> bool:
        """True where a peer speaks, False where it is spoken to."""
        return self in {Stage.FROM_STATION, Stage.FROM_BACKEND}


class Kind(StrEnum):
    """CALL, CALLRESULT or CALLERROR: an answer is looked at like a question."""

    CALL = "call"
    RESULT = "result"
    ERROR = "error"
    """Its payload is ``{"errorCode", "errorDescription", "errorDetails"}``, its action that of the CALL."""


class Mode(StrEnum):
    """What becomes of a decision."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    """Decided, counted and logged; the message goes on as it is."""


class Effect(StrEnum):
    """What a rule does; the names are the keys of the policy's file."""

    ALLOW = "allow"
    """Goes on, and no later rule looks at it."""
    DENY = "deny"
    ANSWER = "answer"
    """Answered at once; it goes no further."""
    TRANSFORM = "transform"
    LIMIT = "limit"
    QUARANTINE = "quarantine"
    """Kept for a person; the station gets a valid answer."""
    AUDIT = "audit"
    """Noted; it goes on."""


class Outcome(StrEnum):
    """What a policy decided of one message."""

    PASSED = "passed"
    TRANSFORMED = "transformed"
    DENIED = "denied"
    ANSWERED = "answered"
    QUARANTINED = "quarantined"


class Reason(StrEnum):
    """Why a rule decided as it did."""

    NO_RULE = "no_rule"
    """No rule concerned the message: the policy's ``default`` decided."""
    MATCHED = "matched"
    """The rule's match, fields and condition held."""
    LIMITED = "limited"
    """Its token bucket was empty."""
    RULE_FAILED = "rule_failed"
    """The rule itself failed on this message (a CEL type error): fails closed."""
    RESULT_INVALID = "result_invalid"
    """What the transforms made of it breaks the official schema: fails closed."""


DEFAULT_RULE: Final = "default"
"""What a decision names when no rule made it; no rule may have it as its id."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision. ``rule`` is the id of the rule that made it."""

    outcome: Outcome
    rule: str = DEFAULT_RULE
    reason: Reason = Reason.NO_RULE
    text: str = ""
    """For the log and the security event: what was wrong and where, without the peer's value."""
    payload: Payload | None = None
    """TRANSFORMED: the message as it goes on. ANSWERED and QUARANTINED: the answer. DENIED with a status: the answer
    that says so; None: a CALLERROR with ``error``."""
    error: str = "SecurityError"
    """DENIED without a payload: the errorCode, one that the protocol of the message has."""


PASSED: Final = Verdict(Outcome.PASSED)
"""The verdict on nearly every message, where no rule says `allow`: one object, so that passing costs nothing."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a station and its session: for ``match``, and for conditions as ``station`` and ``session``."""

    identity: str
    group: str | None = None
    backend: str = ""
    """The name of its backend in the configuration."""
    protocol: str = "ocpp2.0.1"
    """What the station itself speaks; the protocol of a message is that of its leg."""
    security_profile: int = 0
    serial: str | None = None
    vendor: str | None = None
    model: str | None = None
    address: str = ""
    """The peer's address, without a port."""
    is_booted: bool = False
    """True when its BootNotification was accepted."""
    running: int = 0
    """Its transactions that have begun and not ended."""


NOBODY: Final = Facts("")


@dataclass(frozen=True, slots=True)
class Target:
    """What a rule is compiled for: one action in one protocol."""

    stage: Stage
    kind: Kind
    protocol: str
    """``ocpp1.6``, ``ocpp2.0.1``: that of the message."""
    action: str


class Schemas(Protocol):
    """The official OCPP schemas. The gateway has them; policies are handed them."""

    def __hash__(self) -> int:
        """Equal ones say the same: what was compiled for one is as good for the other."""

    def protocols(self) -> frozenset[str]:
        """Return the protocols that are known."""

    def actions(self, protocol: str) -> frozenset[str]:
        """Return the actions of a protocol."""

    def document(self, protocol: str, action: str, kind: Kind) -> Mapping[str, Any] | None:
        """Return the JSON schema of a payload (CALL or RESULT); None for an action that isn't known, and for ERROR."""

    def complaint(self, protocol: str, action: str, kind: Kind, payload: Payload) -> str | None:
        """Return what of ``payload`` breaks its schema, without the value; None when it fits. ERROR always fits."""

    def errors(self, protocol: str) -> frozenset[str]:
        """Return the errorCodes of a protocol's CALLERROR."""


class RuleError(Exception):
    """A rule can't be compiled. ``where`` is the place in the rule: ``("fields", 0, "path")``."""

    def __init__(self, where: tuple[str | int, ...], text: str) -> None:
        super().__init__(text)
        self.where = where
        self.further: tuple[RuleError, ...] = ()
        """What else is wrong in the same part of the rule."""


class RuleFailed(Exception):
    """A rule failed on a message: the message is denied and the failure reported."""


@dataclass(slots=True)
class Memory:
    """What the rules remember of one station, over reconnects and reloads, by rule id; each part bounds itself."""

    buckets: dict[Any, Any] = field(default_factory=dict)
    registers: dict[Any, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Surroundings:
    """What a rule may look at beside the payload. One per station, not per message.

    ``now()`` is the time in seconds since 1970 (UTC), ``monotonic()`` one that never jumps. ``facts()`` is called only
    by rules that ask for it; ``owns(id)`` tells whether a transactionId (str or int) is one of the station's.
    """

    now: Callable[[], float]
    monotonic: Callable[[], float]
    facts: Callable[[], Facts]
    owns: Callable[[object], bool]
    memory: Memory = field(default_factory=Memory)
    shared: Memory = field(default_factory=Memory)
    """What is remembered over all stations: the buckets by address, by action and of all."""
    remembers: bool = True
    """False where a message is only explained: what is remembered is looked at, and stays as it is."""
    revision: Callable[[], object] = lambda: None
    """Another object each time that the station's identity, group or backend may have changed: asked at each message by
    policies with rules for some stations only, instead of ``facts()``."""
