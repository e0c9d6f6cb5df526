"""One OCPP-J peer on one WebSocket: frames, the RPC rules, and the schema and policy stages of its leg.

A peer is the sink of a WebSocket. What it hands on is decoded, matches the official schema and was let through by the
policy; what it sends went through the same checks. Its CALLs are handled one after the other, in the order they came.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, Final

from gateway.bridge.books import Json
from gateway.session.own_calls import OwnCalls
from gateway.session.peer_log import PeerLog
from gateway.session.ports import Closing, Socket
from gateway.session.security import Kind as SecurityKind
from gateway.session.stages import Answered, Inspector, InvalidAnswer, Quarantined, Side, Stages
from gateway.session.strikes import Strikes
from gateway.session.tally import Outcome, Tally
from gateway.wire import frames
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.rpc import Arrival, Rpc, Stray
from gateway.wire.schemas import operations
from gateway.wire.versions import Version
from policies.words import Kind, Verdict

INBOX_HIGH: Final = 8
"""CALLs of the peer that wait for their turn before reading from it pauses."""
RECENT_MAX: Final = 8
"""messageIds of the peer's CALLs that are remembered after their answer."""
POLICY_VIOLATION: Final = 1008
"""WebSocket close code (RFC 6455 7.4.1)."""
TRY_LATER: Final = 1013
"""Close code when a message can't be kept safe now: the station queues it and comes back."""

_NEW, _RESULT, _ANSWERED = Arrival.NEW, Kind.RESULT, Outcome.ANSWERED


class Unanswerable(Exception):
    """A CALL must not be answered: the connection is closed, so that the peer keeps the message and repeats it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


Handler = Callable[[str, Json], Awaitable[Json]]
"""``await handler(action, payload)`` returns the answer's payload; raises CallError or :class:`Unanswerable`."""


Keep = Callable[[str, Json, Verdict], Awaitable[Json]]
"""``await keep(action, payload, verdict)`` keeps a CALL for a person, durably, and returns the answer to it.

Raises what a :data:`Handler` does.
"""


async def _nowhere(action: str, payload: Json, verdict: Verdict) -> Json:  # noqa: ARG001 - a Keep's form
    raise CallError(ErrorCode.SECURITY_ERROR, "refused by policy")


async def _at_once(payload: Json) -> Json:
    return payload


class Peer:
    """One peer for the life of one WebSocket. ``identity`` is the station's on either leg."""

    __slots__ = (
        "_context",
        "_handle",
        "_has_answered",
        "_identity",
        "_idle",
        "_inbox",
        "_keep",
        "_log",
        "_lost",
        "_opened",
        "_operations",
        "_own",
        "_paused",
        "_recent",
        "_refusals",
        "_report",
        "_rpc",
        "_side",
        "_socket",
        "_stages",
        "_strikes",
        "_tally",
        "_worker",
    )

    def __init__(  # noqa: PLR0913 - a seam of the composition root: all that a peer may touch
        self,
        side: Side,
        identity: str,
        handle: Handler,
        *,
        guard: Inspector,
        tally: Tally,
        timeout: float,
        new_id: Callable[[], str],
        opened: "Callable[[Peer], None]" = lambda _: None,
        lost: "Callable[[Peer, str], None]",
        report: Callable[[str, str], None] = lambda _, __: None,
        sent: Callable[[bytes], None] | None = None,
        answered: Callable[[], None] = lambda: None,
        keep: Keep = _nowhere,
    ) -> None:
        """``report(kind, detail)`` hears of what deserves a security event (``session.security.Kind``).

        ``sent(text)`` gets each own CALL when it has gone out. ``answered()`` is called when a CALL of the peer has
        been dealt with: its answer is sent, if it can be.
        """
        self._side = side
        self._identity = identity
        self._handle = handle
        self._tally = tally
        self._rpc = Rpc(timeout=timeout, new_id=new_id)
        self._opened = opened
        self._lost = lost
        self._report = report
        self._has_answered = answered
        self._keep = keep
        self._socket: Socket | None = None
        self._inbox: list[frames.Call] = []
        """The peer's CALLs that wait for their turn: a handful at most, so that a list is the smallest queue."""
        self._idle: asyncio.Future[None] | None = None
        """What the worker waits for while the inbox is empty."""
        self._paused = False
        self._worker: asyncio.Task[None] | None = None
        """Made when the first CALL comes: it takes 900 bytes, and many backends never send one."""
        self._context: Context
        """The worker's: that in which the WebSocket was opened, whoever reads its first CALL."""
        self._operations = operations(side.version)
        self._strikes = Strikes()
        self._refusals = Strikes()
        self._recent: dict[str, int] = {}
        """The last messageIds of the peer's CALLs, with the hash of what they said."""
        self._log = PeerLog(identity, side.leg)
        self._stages = Stages(side, guard, self._log)
        self._own = OwnCalls(side, self._rpc, self._stages, tally, self._log, sent)

    def __repr__(self) -> str:
        return f"<Peer {self._side.leg.value} {self._identity} {'open' if self.is_open else 'closed'} {self._rpc}>"

    @property
    def is_open(self) -> bool:
        """True between the WebSocket's opening and its loss."""
        return self._socket is not None

    @property
    def is_asking(self) -> bool:
        """True while a CALL of ours waits for its answer."""
        return self._rpc.deadline is not None

    # --- the WebSocket's sink

    def connected(self, socket: Socket) -> None:
        """The WebSocket is open."""
        self._socket = socket
        self._own.opened(socket)
        self._context = copy_context()
        self._opened(self)

    def message(self, text: bytes) -> None:
        """One text message came in."""
        if self._socket is None:
            return
        try:
            frame = frames.decode(text)
        except frames.FrameRejected as rejected:
            self._malformed(rejected)
            return
        if isinstance(frame, frames.Call):
            self._recall(frame, hash(text))
            self._arrived(frame)
        elif (stray := self._own.answered(frame)) is not None:
            self._stray(stray, frame.message_id)

    def disconnected(self, closed: Closing) -> None:
        """The WebSocket is gone."""
        self.give_up(f"{closed.code} {closed.reason}".rstrip())

    def give_up(self, reason: str) -> None:
        """Nobody waits for this peer any longer; what its WebSocket still says is not heard.

        The CALL that is being handled is finished all the same: the backend may already have been told of it.
        """
        if self._socket is None:
            return
        self._socket = None
        self._inbox.clear()
        self._rouse()
        self._own.lost(reason)
        self._lost(self, reason)

    # --- own CALLs

    def call(self, action: str, payload: Json) -> Coroutine[Any, Any, Json]:
        """Send a CALL and return the CALLRESULT's payload, when awaited. Raises as :meth:`OwnCalls.call`."""
        return self._own.call(action, payload)

    def close(self, code: int, reason: str) -> None:
        """Begin the WebSocket's closing handshake."""
        if self._socket is not None:
            self._socket.close(code, reason)

    async def finished(self) -> None:
        """Wait until the CALL that was being handled when the connection was lost has been dealt with."""
        if self._worker is not None:
            await asyncio.wait([self._worker])

    async def is_alive(self, timeout: float) -> bool:
        """Probe a silent peer with a ping."""
        return self._socket is not None and await self._socket.ping(timeout)

    # --- the peer's CALLs

    def _arrived(self, call: frames.Call) -> None:
        arrival = self._rpc.arrived(call)
        if arrival is _NEW:
            self._inbox.append(call)
            if self._worker is None:
                self._begin_work()
            else:
                self._rouse()
            if len(self._inbox) >= INBOX_HIGH and not self._paused and self._socket is not None:
                self._paused = True
                self._socket.pause()
        elif arrival is Arrival.REPEATED:
            self._log.info("repeated_call", action=self._label(call.action), message_id=call.message_id)
        else:
            self._log.warning("too_many_calls")
            self.close(POLICY_VIOLATION, "too many CALLs without waiting for an answer")

    def _recall(self, call: frames.Call, said: int) -> None:
        """A messageId is used once, or again for the very same message (OCPP-J 2.0.1 Part 4, 4.1.4 with errata)."""
        before = self._recent.get(call.message_id)
        if before is None:
            if len(self._recent) >= RECENT_MAX:
                del self._recent[next(iter(self._recent))]
            self._recent[call.message_id] = said
        elif before != said:
            self._log.warning("message_id_reused", action=self._label(call.action))
            self._report(SecurityKind.ATTEMPTED_REPLAY, "a messageId was used again for another message")

    def _begin_work(self) -> None:
        name = f"{self._side.leg.value} {self._identity}"
        self._worker = asyncio.get_running_loop().create_task(self._work(), name=name, context=self._context)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._inbox:
                if self._socket is None:
                    return
                self._idle = loop.create_future()
                await self._idle
            call = self._inbox.pop(0)
            if self._paused and not self._inbox and self._socket is not None:
                self._paused = False
                self._socket.resume()
            try:
                self._answer(call, await self._answer_to(call))
            except Unanswerable as refusal:
                self._log.warning("not_answered", action=self._label(call.action), reason=refusal.reason)
                self._count_in(call, Outcome.UNANSWERED)
                self.close(refusal.code, refusal.reason)
                return
            except Exception as error:  # noqa: BLE001 - the peer hears InternalError, the log hears all
                self._refuse(call, self._refusal(call, error))
            self._has_answered()
            del call  # or the last message would be kept for as long as the peer is silent

    def _rouse(self) -> None:
        """Tell the worker that there is something to do."""
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    def _answer_to(self, call: frames.Call) -> Awaitable[Json]:
        """Return what gives the answer, when awaited: one frame less to go through at each step of the handling."""
        try:
            payload = self._stages.incoming(self._operations[call.action], call)
        except Answered as instead:
            return _at_once(instead.payload)
        except Quarantined as kept:
            return self._keep(call.action, call.payload, kept.verdict)
        return self._handle(call.action, payload)

    def _answer(self, call: frames.Call, payload: Json) -> None:
        """Send the answer. Raises NotSendable, and what an unwritable one does."""
        payload = self._stages.outgoing(self._operations[call.action], _RESULT, call.action, payload)
        text = frames.encode_result(call.message_id, payload)
        self._tally.call(self._side.leg, "in", call.action, _ANSWERED)
        self._rpc.answer(call.message_id)
        self._send(text)

    def _refusal(self, call: frames.Call, error: Exception) -> CallError:
        """Return the CALLERROR for what has been raised, and is being handled, instead of an answer."""
        match error:
            case InvalidAnswer():
                # The other side's fault: every other code would tell this one that its own payload is wrong.
                return CallError(ErrorCode.GENERIC_ERROR, error.description)
            case CallError():
                return error
            case _:
                self._log.exception("handler_failed", action=self._label(call.action))
                return CallError(ErrorCode.INTERNAL_ERROR, "internal error")

    def _refuse(self, call: frames.Call, error: CallError) -> None:
        if call.action in self._operations:
            error = self._stages.refusal(call.action, error)
        # Counted always, logged as far as anybody reads: a station that is refused forever repeats itself forever.
        if not self._refusals.one_more(asyncio.get_running_loop().time()):
            self._log.warning(
                "call_refused", action=self._label(call.action), code=error.code.value, reason=error.description
            )
        self._count_in(call, Outcome.REFUSED)
        self._rpc.answer(call.message_id)
        self._send(frames.encode_error(call.message_id, error, self._side.version))

    def _malformed(self, rejected: frames.FrameRejected) -> None:
        self._tally.call(self._side.leg, "in", "other", Outcome.MALFORMED)
        if self._is_struck_out():
            return
        self._log.warning("malformed_frame", reason=rejected.error.description, message_id=rejected.message_id)
        self._report(SecurityKind.INVALID_MESSAGES, rejected.error.description)
        if rejected.is_answer:
            self._own.answer_rejected(rejected)
        elif self._side.version is not Version.V16:
            message_id = rejected.message_id if rejected.is_json else frames.UNREADABLE_ID  # Part 4, 4.2.3
            self._send(frames.encode_error(message_id, rejected.error, self._side.version))
        elif rejected.message_id != frames.UNREADABLE_ID:
            # OCPP-J 1.6 has no messageId for a frame that could not be read: it is only logged there.
            self._send(frames.encode_error(rejected.message_id, rejected.error, self._side.version))

    def _stray(self, stray: Stray, message_id: str) -> None:
        self._tally.call(self._side.leg, "in", "other", Outcome.MALFORMED)
        if not self._is_struck_out():
            self._log.warning("stray_answer", kind=stray.value, message_id=message_id)
            if stray is Stray.UNSOLICITED:
                self._report(SecurityKind.INVALID_MESSAGES, "an answer to nothing that was asked")

    def _is_struck_out(self) -> bool:
        """A peer that sends nothing but rubbish costs a log line and an answer each: it may come again another time."""
        if not self._strikes.one_more(asyncio.get_running_loop().time()):
            return False
        self._log.warning("too_many_malformed_frames")
        self.close(POLICY_VIOLATION, "too many malformed frames")
        return True

    def _send(self, text: bytes) -> None:
        if self._socket is not None:
            self._socket.send(text)

    def _count_in(self, call: frames.Call, outcome: Outcome) -> None:
        self._tally.call(self._side.leg, "in", self._label(call.action), outcome)

    def _label(self, action: str) -> str:
        """An action of the schemas by its name; anything else is the peer's text and has no place in a label or log."""
        return action if action in self._operations else "other"
