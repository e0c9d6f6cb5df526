"""The schema and policy stages of one leg: what a peer says, and what it is told, passes here once."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.bridge.books import Json
from gateway.session.tally import Leg
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.frames import Call
from gateway.wire.schemas import Operation, operation
from gateway.wire.versions import Version
from policies.engine import Denied, Kind, Policy, Stage


class NotSendable(CallError):
    """What was to be sent breaks the official schema or the policy; nothing was sent."""


class InvalidAnswer(CallError):
    """The peer's answer breaks the official schema or the policy; nothing of it was used."""


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
    """The stages of one peer; ``log`` is bound to it."""

    def __init__(self, side: Side, policy: Policy, log: Any) -> None:
        self._side = side
        self._policy = policy
        self._log = log
        self._mended: set[str] = set()
        """Actions to which an answer came that had to be mended."""

    def incoming(self, known: Operation, call: Call) -> None:
        """Return when the peer's CALL may be handled. Raises CallError."""
        known.request.check(call.payload)
        try:
            self._policy.inspect(self._side.incoming, Kind.CALL, call.action, call.payload)
        except Denied as denied:
            self._log.warning("denied", action=call.action, rule=denied.rule, reason=denied.reason)
            raise CallError(ErrorCode.SECURITY_ERROR, "refused by policy") from None

    def outgoing(self, known: Operation, kind: Kind, action: str, payload: Json) -> None:
        """Return when a CALL, or an answer, may be sent. Raises :class:`NotSendable`."""
        try:
            (known.request if kind is Kind.CALL else known.response).check(payload)
            self._policy.inspect(self._side.outgoing, kind, action, payload)
        except Denied as denied:
            self._log.warning("denied", action=action, rule=denied.rule, reason=denied.reason)
            raise NotSendable(ErrorCode.SECURITY_ERROR, "refused by policy") from None
        except CallError as error:
            raise NotSendable(ErrorCode.INTERNAL_ERROR, error.description) from None

    def answer(self, action: str, payload: Json) -> Json | InvalidAnswer:
        """Return the peer's answer to ``action`` as it may be used, or what is wrong with it.

        Of a backend's answer what its schema doesn't know is left out, and so are nulls: old ones send such, and charge
        points read over it. Never raises: somebody waits for it.
        """
        try:
            payload = self._fitting(action, payload)
            self._policy.inspect(self._side.incoming, Kind.RESULT, action, payload)
        except CallError as error:
            self._log.warning("invalid_answer", action=action, reason=error.description)
            return InvalidAnswer(error.code, f"invalid answer to {action}: {error.description}")
        except Denied as denied:
            self._log.warning("denied_answer", action=action, rule=denied.rule, reason=denied.reason)
            return InvalidAnswer(ErrorCode.SECURITY_ERROR, f"the answer to {action} was refused by policy")
        except Exception:  # noqa: BLE001 - logged whole; fails closed
            self._log.exception("answer_not_judged", action=action)
            return InvalidAnswer(ErrorCode.INTERNAL_ERROR, f"the answer to {action} could not be checked")
        return payload

    def _fitting(self, action: str, payload: Json) -> Json:
        """Return an answer that fits its schema. Raises CallError."""
        schema = operation(self._side.version, action).response
        try:
            schema.check(payload)
        except CallError as error:
            mended = schema.mended(payload) if self._side.leg is Leg.BACKEND else None
            if mended is None:
                raise
            if action not in self._mended:  # a backend that does it does it each time
                self._mended.add(action)
                self._log.warning("answer_mended", action=action, reason=error.description)
            return mended
        return payload
