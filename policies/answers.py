"""What is said instead of a message that doesn't go on: refusals, canned answers, the answer to what is kept.

All of it is checked when the policy is loaded, against the official schema of each action that the rule matches.
"""

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policies.literals import SAMPLE_TIME, filled, has_now, plain
from policies.words import Kind, Payload, RuleError, Schemas, Stage, Surroundings, Target

Where = tuple[str | int, ...]

REFERENCE_PROTOCOL: Final = "ocpp2.0.1"
"""Its spelling of errorCodes is accepted for every protocol, and is what a refusal carries."""
TEXT_MAX: Final = 500
"""Characters of a rule's own text, which goes into logs and events."""
QUARANTINED_TRANSACTION: Final = 0
"""transactionId in the neutral answer to a StartTransaction of OCPP 1.6. A placeholder: only the gateway knows which
numbers are free, and puts one of its own in its place before the station hears it."""

_SPELLED_16: Final = {
    "FormationViolation": "FormatViolation",
    "OccurenceConstraintViolation": "OccurrenceConstraintViolation",
}
"""What OCPP-J 1.6 misspells."""
_NOT_BY_POLICY: Final = frozenset({"BootNotification"})
"""Its answer decides whether a station is accepted, which is the gateway's to know."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A payload that fits the response schema of its target."""

    pattern: Payload
    is_timed: bool
    """True when ``$now`` stands in it."""

    def payload(self, surroundings: Surroundings) -> Payload:
        """Return the answer, a new object each time."""
        answer: Payload = filled(self.pattern, surroundings.now() if self.is_timed else SAMPLE_TIME)
        return answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message is refused: with an answer that says so, or where that is None with a CALLERROR."""

    error: str = "SecurityError"
    """The errorCode in the spelling of OCPP 2.0.1."""
    answer: Answer | None = None
    text: str = ""
    """The rule's own words, for log and event; the peer doesn't hear them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message is kept for a person."""

    answer: Answer | None = None
    """None: :func:`neutral_answer`."""


Consequence = Refusal | Answer | Kept
"""What a rule that ends the way of a message does with it."""

TOO_MANY: Final = Refusal("GenericError", text="too many")
"""What is over a limit that says nothing else."""


def compile_deny(spec: Any, target: Target, schemas: Schemas, where: Where) -> Refusal:
    """Compile ``{error, text}`` or ``{status, text}`` for one target. Raises :class:`RuleError`."""
    given = _mapping(spec, {"error", "status", "text"}, where)
    text = given.get("text", "")
    if not isinstance(text, str) or len(text) > TEXT_MAX:
        raise RuleError((*where, "text"), f"must be text of at most {TEXT_MAX} characters")
    if "status" not in given:
        return Refusal(_error_code(given.get("error", "SecurityError"), target, schemas, (*where, "error")), None, text)
    if "error" in given:
        raise RuleError(where, "`error` and `status` exclude each other: a CALLERROR, or an answer with that status")
    return Refusal(answer=_status(given["status"], target, schemas, (*where, "status")), text=text)


def compile_answer(spec: Any, target: Target, schemas: Schemas, where: Where) -> Answer:
    """Compile a canned answer for one target. Raises :class:`RuleError`."""
    if not isinstance(spec, Mapping):
        raise RuleError(where, "must be the payload of the answer: a mapping, {} for an empty one")
    _answerable(target, where)
    if target.kind is Kind.ERROR:
        raise RuleError(where, "a CALLERROR can't be answered; only `kind: call` and `kind: result` can")
    pattern = plain(dict(spec), where)
    complaint = schemas.complaint(target.protocol, target.action, Kind.RESULT, filled(pattern, SAMPLE_TIME))
    if complaint is not None:
        raise RuleError(where, f"is no valid answer to {target.action} of {target.protocol}: {complaint}")
    return Answer(pattern, has_now(pattern))


def compile_quarantine(spec: Any, target: Target, schemas: Schemas, where: Where) -> Kept:
    """Compile ``true`` or ``{answer: {...}}`` for one target. Raises :class:`RuleError`."""
    if target.stage not in {Stage.FROM_STATION, Stage.TO_BACKEND} or target.kind is not Kind.CALL:
        raise RuleError(where, "only a station's CALL can be kept: `stage` from_station or to_backend, `kind: call`")
    if spec is not True:
        given = _mapping(spec, {"answer"}, where)
        if "answer" not in given:
            raise RuleError(where, "must be true or {answer: {...}}")
        return Kept(compile_answer(given["answer"], target, schemas, (*where, "answer")))
    _answerable(target, where)
    neutral = neutral_answer(target.protocol, target.action, {})
    complaint = schemas.complaint(target.protocol, target.action, Kind.RESULT, neutral)
    if complaint is not None:
        raise RuleError(where, f"the answer to {target.action} can't be empty ({complaint}): give {{answer: {{...}}}}")
    return Kept()


def compile_over(spec: Any, target: Target, schemas: Schemas, where: Where) -> Consequence:
    """Compile what a limit does with what is over it; None: :data:`TOO_MANY`. Raises :class:`RuleError`."""
    if spec is None:
        return TOO_MANY
    given = _mapping(spec, _OVER, where)
    if len(given) != 1:
        raise RuleError(where, "must have exactly one of `deny`, `answer` and `quarantine`")
    [(effect, part)] = given.items()
    return _OVER[effect](part, target, schemas, (*where, effect))


_OVER: Final[Mapping[str, Callable[[Any, Target, Schemas, Where], Consequence]]] = {
    "deny": compile_deny,
    "answer": compile_answer,
    "quarantine": compile_quarantine,
}


def neutral_answer(protocol: str, action: str, payload: Mapping[str, Any]) -> Payload:  # noqa: ARG001 - a later protocol may differ
    """Return the answer to a message that is kept: valid, and promising nothing.

    A token isn't accepted, so that no charging begins on the strength of a message that nobody has judged yet; a
    transaction that runs isn't ended by it (OCPP 2.0.1 E01: idTokenInfo answers the token, not the event).
    """
    if action == "TransactionEvent":
        return {"idTokenInfo": {"status": "Invalid"}} if "idToken" in payload else {}
    if action == "StartTransaction":
        return {"transactionId": QUARANTINED_TRANSACTION, "idTagInfo": {"status": "Invalid"}}
    return {}


def _answerable(target: Target, where: Where) -> None:
    if target.action in _NOT_BY_POLICY:
        raise RuleError(where, f"{target.action} can't be answered by a policy: use deny with an `error`")


def _mapping(spec: Any, known: Collection[str], where: Where) -> Mapping[str, Any]:
    names = ", ".join(f"`{name}`" for name in sorted(known))
    if not isinstance(spec, Mapping):
        raise RuleError(where, f"must be a mapping of {names}")
    for key in spec:
        if key not in known:
            raise RuleError((*where, key), f"unknown key {key!r}; known: {names}")
    return spec


def _error_code(code: Any, target: Target, schemas: Schemas, where: Where) -> str:
    """Return an errorCode in the spelling of OCPP 2.0.1."""
    known = schemas.errors(target.protocol) | schemas.errors(REFERENCE_PROTOCOL)
    if not isinstance(code, str) or code not in known:
        raise RuleError(where, f"{target.protocol} has no errorCode {code!r}{_nearest(code, known)}")
    return _SPELLED_16.get(code, code)


def _status(status: Any, target: Target, schemas: Schemas, where: Where) -> Answer:
    """Return an answer of nothing but a status."""
    if target.kind is not Kind.CALL:
        raise RuleError(where, f"only a CALL can be refused with a status, not a {target.kind.value}: use `error`")
    _answerable(target, where)
    offered = statuses(target, schemas)
    name = f"{target.action} of {target.protocol}"
    if not offered:
        raise RuleError(where, f"the answer to {name} has no status: use `error`")
    if not isinstance(status, str) or status not in offered:
        raise RuleError(where, f"the answer to {name} has no status {status!r}; it has {', '.join(sorted(offered))}")
    complaint = schemas.complaint(target.protocol, target.action, Kind.RESULT, {"status": status})
    if complaint is not None:
        raise RuleError(where, f"a status alone is no answer to {name} ({complaint}): use `answer`")
    return Answer({"status": status}, is_timed=False)


def statuses(target: Target, schemas: Schemas) -> frozenset[str]:
    """Return the values that the response schema of an action offers for ``status``; none when it has no such field."""
    document = schemas.document(target.protocol, target.action, Kind.RESULT) or {}
    field: Mapping[str, Any] = document.get("properties", {}).get("status", {})
    reference = field.get("$ref")
    if reference is not None:
        field = document["definitions"][reference.removeprefix("#/definitions/")]
    return frozenset(field.get("enum", ()))


def _nearest(word: Any, known: Collection[str]) -> str:
    near = difflib.get_close_matches(str(word), known, 1)
    return f": did you mean {near[0]}?" if near else f"; it has {', '.join(sorted(known))}"
