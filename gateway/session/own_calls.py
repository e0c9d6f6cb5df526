"""The CALLs that one peer is sent: one outstanding at a time, each answered, late, or lost with the connection."""

import asyncio
from collections.abc import Callable
from typing import Any

from gateway.bridge.books import Json
from gateway.bridge.ports import NotSent, PeerUnavailable
from gateway.session.ports import Socket
from gateway.session.stages import Answered, InvalidAnswer, NotSendable, Side, Stages
from gateway.session.tally import Outcome, Tally
from gateway.wire import frames
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.rpc import Rpc, Stray, Ticket, TooManyWaiting
from gateway.wire.schemas import operations
from policies.words import Kind

_CALL, _ANSWERED = Kind.CALL, Outcome.ANSWERED


class OwnCalls:
    """Those to one peer, for the life of its WebSocket."""

    __slots__ = ("_log", "_loop", "_operations", "_rpc", "_sent", "_side", "_socket", "_stages", "_tally", "_timer")

    def __init__(
        self, side: Side, rpc: Rpc, stages: Stages, tally: Tally, log: Any, sent: Callable[[bytes], None] | None
    ) -> None:
        """``sent(text)`` gets each CALL when it has gone out; ``log`` says whom a line is about."""
        self._side = side
        self._rpc = rpc
        self._stages = stages
        self._tally = tally
        self._log = log
        self._sent = sent
        self._socket: Socket | None = None
        self._loop: asyncio.AbstractEventLoop
        self._operations = operations(side.version)
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, socket: Socket) -> None:
        """The WebSocket is open."""
        self._socket = socket
        self._loop = asyncio.get_running_loop()

    def lost(self, reason: str) -> None:
        """The WebSocket is gone: whoever waits for an answer gets PeerUnavailable."""
        self._socket = None
        if self._timer is not None:
            self._timer.cancel()
        for ticket in self._rpc.abandon():
            self._fail(ticket, PeerUnavailable(f"the connection was lost: {reason}"))

    async def call(self, action: str, payload: Json) -> Json:
        """Send a CALL and return the CALLRESULT's payload.

        Raises :class:`NotSendable`, :class:`InvalidAnswer`, CallError for the peer's CALLERROR, PeerUnavailable when
        the connection is or gets lost or the time is over.
        """
        if self._socket is None:
            raise NotSent("not connected")
        known = self._operations[action]
        try:
            payload = self._stages.outgoing(known, _CALL, action, payload)
        except Answered as instead:
            return instead.payload
        except NotSendable as error:
            if error.verdict is None:  # of what a policy decides the log hears from it
                self._log.error("not_sendable", action=action, reason=error.description)
            raise
        future: asyncio.Future[Json] = self._loop.create_future()
        try:
            ticket = self._rpc.place(action, payload, future)
        except TooManyWaiting as crowded:
            raise PeerUnavailable(str(crowded)) from None
        self._pump()
        try:
            return await future
        except asyncio.CancelledError:
            self._rpc.withdraw(ticket)
            self._pump()
            raise
        finally:
            del future, ticket  # they have its error, whose traceback has this frame: nobody would free the three

    def answered(self, frame: frames.CallResult | frames.CallErrorFrame) -> Stray | None:
        """The peer has answered a CALL, or, as is returned, nothing that it was asked."""
        ticket = self._rpc.answered(frame)
        if isinstance(ticket, Stray):
            return ticket
        if isinstance(frame, frames.CallErrorFrame):
            self._settle(ticket, self._stages.error(ticket.action, frame.error))
        else:
            self._settle(ticket, self._stages.answer(ticket.action, frame.payload))
        if self._rpc.waiting:
            self._pump()
        return None

    def answer_rejected(self, rejected: frames.FrameRejected) -> None:
        """A frame that can't be used says which CALL it answers: whoever waits for that gets :class:`InvalidAnswer`."""
        ticket = self._rpc.answered(rejected.message_id)
        if isinstance(ticket, Ticket):
            self._settle(ticket, InvalidAnswer(rejected.error.code, rejected.error.description))
            self._pump()

    def _pump(self) -> None:
        """Send the next one in line, if it may go."""
        while (socket := self._socket) is not None:
            ticket = self._rpc.next_call(self._loop.time())
            if ticket is None:
                return
            try:
                text = frames.encode_call(ticket.message_id, ticket.action, ticket.payload)
            except TypeError:
                # Never sent, so never answered: it would hold up those behind it for good.
                self._unwritable(ticket)
                continue
            if socket.send(text) and self._sent is not None:
                self._sent(text)
            if self._timer is None:
                self._timer = self._loop.call_later(self._seconds_left(), self._check_deadline)
            return

    def _unwritable(self, ticket: Ticket) -> None:
        self._log.error("not_sendable", action=ticket.action, reason="it can't be written as JSON")
        self._rpc.answered(ticket.message_id)
        self._settle(ticket, NotSendable(ErrorCode.INTERNAL_ERROR, "it can't be written as JSON"))

    def _seconds_left(self) -> float:
        deadline = self._rpc.deadline
        return 0.0 if deadline is None else max(0.0, deadline - self._loop.time())

    def _check_deadline(self) -> None:
        """One timer serves all CALLs: most are answered before it fires, and it is set anew only then."""
        self._timer = None
        late = self._rpc.expire(self._loop.time())
        if late is not None:
            self._log.warning("no_answer", action=late.action, message_id=late.message_id)
            self._fail(late, PeerUnavailable(f"no answer to {late.action} in time"))
            self._pump()
        elif self._rpc.deadline is not None:
            self._timer = self._loop.call_later(self._seconds_left(), self._check_deadline)

    def _settle(self, ticket: Ticket, outcome: Json | CallError) -> None:
        future: asyncio.Future[Json] = ticket.context
        if isinstance(outcome, CallError):
            self._tally.call(self._side.leg, "out", ticket.action, Outcome.REFUSED)
            if not future.done():
                future.set_exception(outcome)
            return
        self._tally.call(self._side.leg, "out", ticket.action, _ANSWERED)
        if not future.done():
            future.set_result(outcome)

    def _fail(self, ticket: Ticket, error: PeerUnavailable) -> None:
        self._tally.call(self._side.leg, "out", ticket.action, Outcome.UNANSWERED)
        future: asyncio.Future[Json] = ticket.context
        if not future.done():
            future.set_exception(error)
