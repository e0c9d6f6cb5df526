"""The RPC rules against a simple model, whatever is called, answered, withdrawn and lost in whatever order."""

import itertools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.wire.frames import Call, CallResult
from gateway.wire.rpc import (
    FORGOTTEN_MAX,
    UNANSWERED_MAX,
    WAITING_MAX,
    Arrival,
    Progress,
    Rpc,
    Stray,
    Ticket,
    TooManyWaiting,
)

TIMEOUT = 30.0


class RpcMachine(RuleBasedStateMachine):
    """The model: a list of our CALLs in their order, of which the first may be on its way, and a set of the peer's."""

    def __init__(self) -> None:
        super().__init__()
        counter = itertools.count(1)
        self.rpc = Rpc(timeout=TIMEOUT, new_id=lambda: str(next(counter)))
        self.now = 0.0
        self.line: list[Ticket] = []
        self.sent_at: float | None = None
        self.given_up: list[str] = []
        self.over: dict[Ticket, Progress] = {}
        self.unanswered: set[str] = set()

    def end(self, ticket: Ticket, progress: Progress) -> None:
        if self.line[0] is ticket and self.sent_at is not None:
            self.sent_at = None
            if progress is not Progress.ANSWERED:
                self.given_up.append(ticket.message_id)
        self.line.remove(ticket)
        self.over[ticket] = progress

    @initialize(count=st.integers(0, WAITING_MAX))
    def begin_with_a_line(self, count: int) -> None:
        for _ in range(count):
            self.place()

    @rule()
    def place(self) -> None:
        waiting = len(self.line) - (self.sent_at is not None)
        if waiting >= WAITING_MAX:
            with pytest.raises(TooManyWaiting):
                self.rpc.place("A", {})
        else:
            self.line.append(self.rpc.place("A", {}))

    @rule()
    def send(self) -> None:
        call = self.rpc.next_call(self.now)
        if self.sent_at is not None or not self.line:
            assert call is None
        else:
            assert call is self.line[0]
            self.sent_at = self.now

    @rule(seconds=st.sampled_from([0.0, 1.0, TIMEOUT - 1.0, TIMEOUT]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        late = self.rpc.expire(self.now)
        if self.sent_at is not None and self.now >= self.sent_at + TIMEOUT:
            assert late is self.line[0]
            self.end(late, Progress.TIMED_OUT)
        else:
            assert late is None

    @rule(data=st.data())
    def answer_comes(self, data: st.DataObject) -> None:
        known = [ticket.message_id for ticket in [*self.line[:3], *list(self.over)[-3:]]]
        message_id = data.draw(st.sampled_from([*known, *self.given_up[:2], "nonsense"]))
        outcome = self.rpc.answered(CallResult(message_id, {}))
        if self.sent_at is not None and message_id == self.line[0].message_id:
            assert outcome is self.line[0]
            self.end(self.line[0], Progress.ANSWERED)
        else:
            remembered = message_id in self.given_up[-FORGOTTEN_MAX:]
            assert outcome is (Stray.LATE if remembered else Stray.UNSOLICITED)

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        tickets: list[Any] = [*self.line, *self.over]
        if not tickets:
            return
        ticket = data.draw(st.sampled_from(tickets))
        self.rpc.withdraw(ticket)
        if ticket in self.line:
            self.end(ticket, Progress.ABANDONED)

    @rule()
    def connection_lost(self) -> None:
        assert self.rpc.abandon() == self.line
        self.over.update(dict.fromkeys(self.line, Progress.ABANDONED))
        self.line.clear()
        self.sent_at = None
        self.unanswered.clear()

    @rule(message_id=st.integers(0, UNANSWERED_MAX + 2).map(str))
    def call_comes(self, message_id: str) -> None:
        arrival = self.rpc.arrived(Call(message_id, "A", {}))
        if message_id in self.unanswered:
            assert arrival is Arrival.REPEATED
        elif len(self.unanswered) >= UNANSWERED_MAX:
            assert arrival is Arrival.CROWDED
        else:
            assert arrival is Arrival.NEW
            self.unanswered.add(message_id)

    @rule(message_id=st.integers(0, UNANSWERED_MAX + 2).map(str))
    def answer_goes(self, message_id: str) -> None:
        self.rpc.answer(message_id)
        self.unanswered.discard(message_id)

    @invariant()
    def every_ticket_stands_where_the_model_has_it(self) -> None:
        for place, ticket in enumerate(self.line):
            is_first = place == 0 and self.sent_at is not None
            assert ticket.progress is (Progress.OUTSTANDING if is_first else Progress.WAITING)
        for ticket, progress in self.over.items():
            assert ticket.progress is progress
        assert self.rpc.deadline == (None if self.sent_at is None else self.sent_at + TIMEOUT)


TestRpcMachine = RpcMachine.TestCase
TestRpcMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
