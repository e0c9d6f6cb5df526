"""The schema and policy stages of one leg: what a peer says, and what it is told, passes here once."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.bridge.books import Json
from gateway.session.releasing import is_released
from gateway.session.tally import Leg
from gateway.wire.errors import ERROR_DESCRIPTION_MAX, CallError, ErrorCode, parse_code, spell
from gateway.wire.frames import Call
from gateway.wire.schemas import Operation, operations
from gateway.wire.versions import Version
from policies.words import PASSED, Kind, Outcome, Stage, Verdict

REFUSED: Final = "refused by policy"
"""All that a peer hears of it; the log and the security event name the rule."""

_CALL, _RESULT = Kind.CALL, Kind.RESULT
_NONE: Final[frozenset[str]] = frozenset()
"""The actions of a leg of which none has been noted: Python 3.11 makes a new set of 216 bytes each time."""
_STOPPED: Final = frozenset({Outcome.DENIED, Outcome.ANSWERED, Outcome.QUARANTINED})
"""What a policy may decide of a message that a person has released, in vain."""


class Inspector(Protocol):
    """The policy as it meets one station (``policies.engine.Guard``)."""

    def inspect(self, stage: Stage, kind: Kind, protocol: str, action: str, payload: Json) -> Verdict:
        """Decide on one message that fits its official schema. ``payload`` isn't changed."""


class NotSendable(CallError):
    """What was to be sent breaks the official schema or the policy; nothing was sent.

    ``verdict`` is the policy's, if it was the policy.
    """

    def __init__(self, code: ErrorCode, description: str, verdict: Verdict | None = None) -> None:
        super().__init__(code, description)
        self.verdict = verdict

    @property
    def withheld(self) -> Verdict | None:
        """The verdict by which what was not sent is to be kept for a person, or None."""
        is_so = self.verdict is not None and self.verdict.outcome is Outcome.QUARANTINED
        return self.verdict if is_so else None


class InvalidAnswer(CallError):
    """The peer's answer breaks the official schema or the policy; nothing of it was used."""


class Answered(Exception):
    """A policy answers a CALL with ``payload``; it goes no further."""

    def __init__(self, payload: Json) -> None:
        super().__init__("answered by policy")
        self.payload = payload


class Quarantined(Exception):
    """A policy has a peer's CALL kept for a person; ``verdict.payload`` is the answer once it is kept."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.rule)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Side:
    """What distinguishes one leg from another."""

    leg: Leg
    version: Version
    incoming: Stage
    outgoing: Stage


STATION_201: Final = Side(Leg.STATION, Version.V201, Stage.FROM_STATION, Stage.TO_STATION)
STATION_16: Final = Side(Leg.STATION, Version.V16, Stage.FROM_STATION, Stage.TO_STATION)
BACKEND_16: Final = Side(Leg.BACKEND, Version.V16, Stage.FROM_BACKEND, Stage.TO_BACKEND)
BACKEND_201: Final = Side(Leg.BACKEND, Version.V201, Stage.FROM_BACKEND, Stage.TO_BACKEND)


class Stages:
    """The stages of one peer; ``log`` says whom a line is about."""

    __slots__ = ("_inspect", "_log", "_mended", "_operations", "_protocol", "_side")

    def __init__(self, side: Side, guard: Inspector, log: Any) -> None:
        self._side = side
        self._protocol = side.version.value
        self._operations = operations(side.version)
        self._inspect = guard.inspect
        self._log = log
        self._mended = _NONE
        """Actions to which an answer came that had to be mended."""

    def incoming(self, known: Operation, call: Call) -> Json:
        """Return the payload with which the peer's CALL may be handled.

        Raises CallError, :class:`Answered`, :class:`Quarantined`.
        """
        known.request.check(call.payload)
        verdict = self._inspect(self._side.incoming, _CALL, self._protocol, call.action, call.payload)
        if verdict is PASSED:
            return call.payload
        if verdict.outcome is Outcome.QUARANTINED:
            raise Quarantined(verdict)
        return self._decided(verdict, call.payload)

    def outgoing(self, known: Operation, kind: Kind, action: str, payload: Json) -> Json:
        """Return a CALL's payload, or an answer's, as it may be sent.

        Raises :class:`NotSendable`; for a CALL :class:`Answered` too: as if the peer had answered it.
        """
        try:
            (known.request if kind is _CALL else known.response).check(payload)
        except CallError as error:
            raise NotSendable(ErrorCode.INTERNAL_ERROR, error.description) from None
        verdict = self._inspect(self._side.outgoing, kind, self._protocol, action, payload)
        if verdict is PASSED:
            return payload
        if verdict.outcome in _STOPPED and self._side.leg is Leg.BACKEND and kind is Kind.CALL and is_released():
            return payload
        if verdict.outcome is Outcome.QUARANTINED:
            raise NotSendable(ErrorCode.SECURITY_ERROR, REFUSED, verdict)
        try:
            return self._decided(verdict, payload)
        except Answered as instead:
            if kind is Kind.CALL:
                raise
            return instead.payload
        except CallError as error:
            raise NotSendable(error.code, error.description, verdict) from None

    def answer(self, action: str, payload: Json) -> Json | InvalidAnswer:
        """Return the peer's answer to ``action`` as it may be used, or what is wrong with it.

        Of a backend's answer what its schema doesn't know is left out, and so are nulls: old ones send such, and charge
        points read over it. Never raises: somebody waits for it.
        """
        try:
            payload = self._fitting(action, payload)
            verdict = self._inspect(self._side.incoming, _RESULT, self._protocol, action, payload)
            return payload if verdict is PASSED else self._decided(verdict, payload)
        except Answered as instead:
            return instead.payload
        except CallError as error:
            self._log.warning("invalid_answer", action=action, reason=error.description)
            return InvalidAnswer(error.code, f"invalid answer to {action}: {error.description}")
        except Exception:  # noqa: BLE001 - logged whole; fails closed
            self._log.exception("answer_not_judged", action=action)
            return InvalidAnswer(ErrorCode.INTERNAL_ERROR, f"the answer to {action} could not be checked")

    def error(self, action: str, error: CallError) -> CallError:
        """Return the peer's CALLERROR to ``action`` as it may be used: the policy has looked at it.

        Refused, it keeps its errorCode, by which is known what became of the CALL, and loses its words. Never raises:
        somebody waits for it.
        """
        return self._judged(self._side.incoming, action, error)

    def refusal(self, action: str, error: CallError) -> CallError:
        """Return a CALLERROR to the peer's ``action`` as it may be sent. Never raises.

        With any policy errorDetails stay here, and so does of errorDescription what doesn't print: most come from the
        other side of Voltgate, where nobody's schema bounds them (attack C6).
        """
        text = error.description[:ERROR_DESCRIPTION_MAX]
        if not text.isprintable():
            text = "".join(each if each.isprintable() else " " for each in text)
        return self._judged(self._side.outgoing, action, CallError(error.code, text))

    def _judged(self, stage: Stage, action: str, error: CallError) -> CallError:
        code = spell(error.code, self._side.version)
        payload = {"errorCode": code, "errorDescription": error.description, "errorDetails": error.details}
        try:
            verdict = self._inspect(stage, Kind.ERROR, self._protocol, action, payload)
            if verdict is PASSED or verdict.outcome is Outcome.PASSED:
                return error
            if verdict.outcome is Outcome.TRANSFORMED and verdict.payload is not None:
                made = verdict.payload
                return CallError(parse_code(made["errorCode"]), made["errorDescription"], made["errorDetails"])
        except Exception:  # noqa: BLE001 - logged whole; fails closed
            self._log.exception("error_not_judged", action=action)
        return CallError(error.code, REFUSED)

    @staticmethod
    def _decided(verdict: Verdict, payload: Json) -> Json:
        """Return the payload that goes on. Raises :class:`Answered` and CallError."""
        if verdict.outcome is Outcome.PASSED:
            return payload
        if verdict.outcome is Outcome.TRANSFORMED and verdict.payload is not None:
            return verdict.payload
        if verdict.payload is None:
            raise CallError(parse_code(verdict.error), REFUSED)
        raise Answered(verdict.payload)

    def _fitting(self, action: str, payload: Json) -> Json:
        """Return an answer that fits its schema. Raises CallError."""
        schema = self._operations[action].response
        try:
            schema.check(payload)
        except CallError as error:
            mended = schema.mended(payload) if self._side.leg is Leg.BACKEND else None
            if mended is None:
                raise
            if action not in self._mended:  # a backend that does it does it each time
                self._mended |= {action}
                self._log.warning("answer_mended", action=action, reason=error.description)
            return mended
        return payload
