"""The RPC rules of OCPP-J as a state machine without I/O (OCPP-J 2.0.1 Part 4, 4.1; OCPP-J 1.6, 4.1).

One :class:`Rpc` stands for one side of one connection. It is told what is to be called, what came in and what time it
is; it says what may be sent. Times are seconds of any monotonic clock.
"""

import enum
from collections.abc import Callable
from typing import Any, Final

from gateway.wire.frames import Call, CallErrorFrame, CallResult, Payload

FORGOTTEN_MAX: Final = 64
"""Timed-out messageIds that are remembered, to tell a late answer from one to nothing."""
WAITING_MAX: Final = 64
"""Own CALLs that may wait behind the outstanding one."""
UNANSWERED_MAX: Final = 16
"""Peer's CALLs that may be unanswered at once: one by the standard, some more for peers that don't wait."""


class Progress(enum.Enum):
    """Where an own CALL stands."""

    WAITING = "waiting"
    OUTSTANDING = "outstanding"
    ANSWERED = "answered"
    TIMED_OUT = "timed out"
    ABANDONED = "abandoned"


# By names of this module, here and in the other rooms of the road: Python 3.11 takes long to find an enum's member.
_WAITING, _OUTSTANDING, _ANSWERED = Progress.WAITING, Progress.OUTSTANDING, Progress.ANSWERED


class Ticket:
    """One own CALL on its way; ``context`` belongs to the caller (a future, say)."""

    __slots__ = ("action", "context", "deadline", "message_id", "payload", "progress")

    def __init__(self, message_id: str, action: str, payload: Payload, context: Any) -> None:
        self.message_id = message_id
        self.action = action
        self.payload = payload
        self.context = context
        self.progress = _WAITING
        self.deadline = 0.0

    def __repr__(self) -> str:
        return f"<Ticket {self.action} {self.message_id} {self.progress.value}>"


class Arrival(enum.Enum):
    """What a peer's CALL is to us."""

    NEW = "new"
    REPEATED = "repeated"
    """The same messageId is still being answered: one answer will do for both."""
    CROWDED = "crowded"
    """Too many are unanswered; the peer ignores the rule of one outstanding CALL."""


_NEW = Arrival.NEW


class Stray(enum.Enum):
    """Why an answer fits no outstanding CALL."""

    LATE = "late"
    UNSOLICITED = "unsolicited"


class TooManyWaiting(Exception):
    """More own CALLs wait than the peer will ever answer in time."""


class Rpc:
    """The RPC state of one side of one connection: one own CALL outstanding, the others in line behind it.

    Lists and dicts, since an empty deque takes ten times as much as an empty list, an empty set four times, and every
    connection has an Rpc.
    """

    __slots__ = ("_forgotten", "_new_id", "_outstanding", "_timeout", "_unanswered", "waiting")

    def __init__(self, *, timeout: float, new_id: Callable[[], str]) -> None:
        self._timeout = timeout
        self._new_id = new_id
        self._outstanding: Ticket | None = None
        self.waiting: list[Ticket] = []
        """Own CALLs in line behind the outstanding one."""
        self._forgotten: dict[str, None] = {}
        self._unanswered: list[str] = []

    def __repr__(self) -> str:
        return f"<Rpc outstanding={self._outstanding} waiting={len(self.waiting)} unanswered={len(self._unanswered)}>"

    @property
    def deadline(self) -> float | None:
        """The time at which :meth:`expire` has something to do, or None."""
        return self._outstanding.deadline if self._outstanding is not None else None

    # --- own CALLs

    def place(self, action: str, payload: Payload, context: Any = None) -> Ticket:
        """Put an own CALL in line; :meth:`next_call` says when it may go.

        Raises :class:`TooManyWaiting` beyond ``WAITING_MAX``.
        """
        if len(self.waiting) >= WAITING_MAX:
            raise TooManyWaiting(f"{WAITING_MAX} calls wait for an answer already")
        ticket = Ticket(self._new_id(), action, payload, context)
        self.waiting.append(ticket)
        return ticket

    def next_call(self, now: float) -> Ticket | None:
        """Return the CALL to send now, its timeout running, or None while one is outstanding or none waits."""
        if self._outstanding is not None or not self.waiting:
            return None
        ticket = self.waiting.pop(0)
        ticket.progress = _OUTSTANDING
        ticket.deadline = now + self._timeout
        self._outstanding = ticket
        return ticket

    def answered(self, answer: CallResult | CallErrorFrame | str) -> Ticket | Stray:
        """Match an answer (or the messageId of an unreadable one) to the outstanding CALL."""
        message_id = answer if isinstance(answer, str) else answer.message_id
        ticket = self._outstanding
        if ticket is not None and ticket.message_id == message_id:
            ticket.progress = _ANSWERED
            self._outstanding = None
            return ticket
        return Stray.LATE if message_id in self._forgotten else Stray.UNSOLICITED

    def expire(self, now: float) -> Ticket | None:
        """Give up the outstanding CALL when its time is over, and return it."""
        ticket = self._outstanding
        if ticket is None or now < ticket.deadline:
            return None
        ticket.progress = Progress.TIMED_OUT
        self._outstanding = None
        self._forget(ticket)
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """The caller no longer wants ``ticket``: it isn't sent if it still waits, and not waited for if it was sent."""
        if ticket is self._outstanding:
            self._outstanding = None
            self._forget(ticket)
        elif ticket.progress is _WAITING:
            self.waiting.remove(ticket)
        else:
            return
        ticket.progress = Progress.ABANDONED

    def abandon(self) -> list[Ticket]:
        """The connection is gone: return every own CALL without an answer, the outstanding one first."""
        lost = [self._outstanding] if self._outstanding is not None else []
        lost.extend(self.waiting)
        self._outstanding = None
        self.waiting.clear()
        self._unanswered.clear()
        for ticket in lost:
            ticket.progress = Progress.ABANDONED
        return lost

    def _forget(self, ticket: Ticket) -> None:
        self._forgotten[ticket.message_id] = None
        if len(self._forgotten) > FORGOTTEN_MAX:
            del self._forgotten[next(iter(self._forgotten))]

    # --- the peer's CALLs

    def arrived(self, call: Call) -> Arrival:
        """Take note of a peer's CALL. It is open until :meth:`answer` is told of it, if it is NEW."""
        if call.message_id in self._unanswered:
            return Arrival.REPEATED
        if len(self._unanswered) >= UNANSWERED_MAX:
            return Arrival.CROWDED
        self._unanswered.append(call.message_id)
        return _NEW

    def answer(self, message_id: str) -> None:
        """Our answer to the peer's CALL goes out now."""
        if message_id in self._unanswered:
            self._unanswered.remove(message_id)
