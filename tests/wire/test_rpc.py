"""The RPC rules as dialogues on a clock of our own (OCPP-J 2.0.1 Part 4, 4.1; attack C4)."""

import itertools

import pytest

from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.frames import Call, CallErrorFrame, CallResult
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


def new_rpc() -> Rpc:
    """Its own CALLs are numbered "1", "2", ..."""
    counter = itertools.count(1)
    return Rpc(timeout=TIMEOUT, new_id=lambda: str(next(counter)))


@pytest.fixture
def rpc() -> Rpc:
    return new_rpc()


def standing(ticket: Ticket) -> Progress:
    return ticket.progress


# --- own CALLs


def test_a_call_is_sent_and_answered(rpc: Rpc) -> None:
    ticket = rpc.place("Heartbeat", {"a": 1}, context="mine")
    assert standing(ticket) is Progress.WAITING

    assert rpc.next_call(100.0) is ticket
    assert (ticket.message_id, ticket.action, ticket.payload) == ("1", "Heartbeat", {"a": 1})
    assert standing(ticket) is Progress.OUTSTANDING
    assert rpc.deadline == 130.0

    assert rpc.answered(CallResult("1", {})) is ticket
    assert (ticket.progress, ticket.context) == (Progress.ANSWERED, "mine")
    assert rpc.deadline is None


def test_a_callerror_is_an_answer_too(rpc: Rpc) -> None:
    ticket = rpc.place("Heartbeat", {})
    rpc.next_call(0.0)

    assert rpc.answered(CallErrorFrame("1", CallError(ErrorCode.GENERIC_ERROR))) is ticket


def test_so_is_an_unreadable_answer_of_which_the_id_is_known(rpc: Rpc) -> None:
    ticket = rpc.place("Heartbeat", {})
    rpc.next_call(0.0)

    assert rpc.answered("1") is ticket


def test_one_call_is_outstanding_and_the_others_go_in_their_order(rpc: Rpc) -> None:
    for action in ("A", "B", "C"):
        rpc.place(action, {})

    sent = []
    for _ in range(3):
        call = rpc.next_call(0.0)
        assert call is not None
        sent.append(call.action)
        assert rpc.next_call(0.0) is None
        rpc.answered(CallResult(call.message_id, {}))

    assert sent == ["A", "B", "C"]
    assert rpc.next_call(0.0) is None


def test_a_call_that_waits_is_not_answered_by_its_id(rpc: Rpc) -> None:
    rpc.place("A", {})
    waiting = rpc.place("B", {})
    rpc.next_call(0.0)

    assert rpc.answered(CallResult("2", {})) is Stray.UNSOLICITED
    assert waiting.progress is Progress.WAITING


def test_the_timeout_runs_from_the_sending_and_not_from_the_placing(rpc: Rpc) -> None:
    rpc.place("A", {})
    rpc.place("B", {})
    rpc.next_call(0.0)
    rpc.answered(CallResult("1", {}))
    rpc.next_call(29.0)

    assert rpc.deadline == 59.0


def test_time_is_over_at_the_deadline_and_not_before(rpc: Rpc) -> None:
    ticket = rpc.place("A", {})
    rpc.next_call(0.0)

    assert rpc.expire(29.999) is None
    assert rpc.expire(30.0) is ticket
    assert ticket.progress is Progress.TIMED_OUT
    assert rpc.deadline is None
    assert rpc.expire(31.0) is None


def test_after_a_timeout_the_next_one_goes(rpc: Rpc) -> None:
    rpc.place("A", {})
    second = rpc.place("B", {})
    rpc.next_call(0.0)
    rpc.expire(30.0)

    assert rpc.next_call(30.0) is second


def test_a_late_answer_does_not_answer_the_next_call(rpc: Rpc) -> None:
    rpc.place("A", {})
    second = rpc.place("B", {})
    rpc.next_call(0.0)
    rpc.expire(30.0)
    rpc.next_call(30.0)

    assert rpc.answered(CallResult("1", {})) is Stray.LATE
    assert rpc.answered(CallResult("1", {})) is Stray.LATE
    assert second.progress is Progress.OUTSTANDING
    assert rpc.answered(CallResult("2", {})) is second


@pytest.mark.parametrize("message_id", ["", "-1", "2", "1 ", "x" * 36])
def test_an_answer_to_nothing_is_unsolicited(rpc: Rpc, message_id: str) -> None:
    ticket = rpc.place("A", {})
    rpc.next_call(0.0)

    assert rpc.answered(message_id) is Stray.UNSOLICITED
    assert ticket.progress is Progress.OUTSTANDING


def test_an_answer_before_any_call_is_unsolicited(rpc: Rpc) -> None:
    assert rpc.answered(CallResult("1", {})) is Stray.UNSOLICITED


def test_a_second_answer_is_unsolicited(rpc: Rpc) -> None:
    rpc.place("A", {})
    rpc.next_call(0.0)
    rpc.answered(CallResult("1", {}))

    assert rpc.answered(CallResult("1", {})) is Stray.UNSOLICITED


def test_the_memory_for_late_answers_is_bounded(rpc: Rpc) -> None:
    for _ in range(FORGOTTEN_MAX + 1):
        rpc.place("A", {})
        rpc.next_call(0.0)
        rpc.expire(TIMEOUT)

    assert rpc.answered("1") is Stray.UNSOLICITED
    assert rpc.answered("2") is Stray.LATE
    assert rpc.answered(str(FORGOTTEN_MAX + 1)) is Stray.LATE


def test_the_line_is_bounded(rpc: Rpc) -> None:
    rpc.place("outstanding", {})
    rpc.next_call(0.0)
    for _ in range(WAITING_MAX):
        rpc.place("waiting", {})

    with pytest.raises(TooManyWaiting, match="64 calls wait"):
        rpc.place("one too many", {})

    rpc.answered("1")
    rpc.next_call(0.0)
    rpc.place("room again", {})


def test_a_withdrawn_call_that_waits_is_never_sent(rpc: Rpc) -> None:
    rpc.place("A", {})
    ticket = rpc.place("B", {})
    third = rpc.place("C", {})
    rpc.next_call(0.0)

    rpc.withdraw(ticket)

    assert ticket.progress is Progress.ABANDONED
    rpc.answered("1")
    assert rpc.next_call(0.0) is third


def test_a_withdrawn_call_that_was_sent_is_not_waited_for(rpc: Rpc) -> None:
    ticket = rpc.place("A", {})
    second = rpc.place("B", {})
    rpc.next_call(0.0)

    rpc.withdraw(ticket)

    assert ticket.progress is Progress.ABANDONED
    assert rpc.answered("1") is Stray.LATE
    assert rpc.next_call(0.0) is second


@pytest.mark.parametrize("how", ["answered", "timed out", "abandoned"])
def test_a_call_that_is_over_cannot_be_withdrawn(rpc: Rpc, how: str) -> None:
    ticket = rpc.place("A", {})
    rpc.next_call(0.0)
    if how == "answered":
        rpc.answered("1")
    elif how == "timed out":
        rpc.expire(TIMEOUT)
    else:
        rpc.abandon()

    rpc.withdraw(ticket)

    assert ticket.progress is Progress(how)


def test_when_the_connection_is_lost_every_own_call_is_returned_in_order(rpc: Rpc) -> None:
    tickets = [rpc.place(action, {}) for action in ("A", "B", "C")]
    rpc.next_call(0.0)
    rpc.arrived(Call("x", "Heartbeat", {}))

    assert rpc.abandon() == tickets
    assert {ticket.progress for ticket in tickets} == {Progress.ABANDONED}
    assert rpc.deadline is None
    assert rpc.next_call(0.0) is None
    assert rpc.abandon() == []
    assert rpc.arrived(Call("x", "Heartbeat", {})) is Arrival.NEW


def test_calls_that_only_wait_are_abandoned_as_well(rpc: Rpc) -> None:
    ticket = rpc.place("A", {})

    assert rpc.abandon() == [ticket]


# --- the peer's CALLs


def test_a_repeated_call_wants_one_answer(rpc: Rpc) -> None:
    assert rpc.arrived(Call("x", "Heartbeat", {})) is Arrival.NEW
    assert rpc.arrived(Call("x", "Heartbeat", {})) is Arrival.REPEATED
    assert rpc.arrived(Call("x", "Reset", {})) is Arrival.REPEATED

    rpc.answer("x")

    assert rpc.arrived(Call("x", "Heartbeat", {})) is Arrival.NEW


def test_a_crowding_peer_is_told_from_an_impatient_one(rpc: Rpc) -> None:
    for number in range(UNANSWERED_MAX):
        assert rpc.arrived(Call(f"x{number}", "Heartbeat", {})) is Arrival.NEW

    assert rpc.arrived(Call("one more", "Heartbeat", {})) is Arrival.CROWDED
    assert rpc.arrived(Call("x0", "Heartbeat", {})) is Arrival.REPEATED

    rpc.answer("x0")

    assert rpc.arrived(Call("one more", "Heartbeat", {})) is Arrival.NEW
    assert rpc.arrived(Call("x0", "Heartbeat", {})) is Arrival.CROWDED


def test_an_answer_to_a_call_that_never_came_changes_nothing(rpc: Rpc) -> None:
    rpc.answer("never")

    assert rpc.arrived(Call("never", "Heartbeat", {})) is Arrival.NEW


def test_the_two_directions_do_not_wait_for_each_other(rpc: Rpc) -> None:
    ticket = rpc.place("Reset", {})
    rpc.next_call(0.0)

    assert rpc.arrived(Call("1", "Heartbeat", {})) is Arrival.NEW
    rpc.answer("1")
    assert rpc.answered("1") is ticket


def test_a_state_shows_in_the_repr(rpc: Rpc) -> None:
    rpc.place("Reset", {})
    rpc.place("Reset", {})
    rpc.next_call(0.0)
    rpc.arrived(Call("x", "Heartbeat", {}))

    assert repr(rpc) == "<Rpc outstanding=<Ticket Reset 1 outstanding> waiting=1 unanswered=1>"
