"""The CALLs that a peer is sent, as dialogues: what went out, what came back and when, what the caller got."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from gateway.bridge.ports import PeerUnavailable
from gateway.session.stages import BACKEND_16, InvalidAnswer, NotSendable
from gateway.session.tally import Leg, Outcome
from gateway.transport.messages import Closed
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.rpc import WAITING_MAX
from policies.words import Kind, Stage

if TYPE_CHECKING:
    from tests.session.conftest import FakeClock, Talk

NewTalk = Callable[..., "Talk"]
Settle = Callable[[], Awaitable[None]]

RESET = {"type": "OnIdle"}
DONE = {"status": "Accepted"}


async def test_a_call_goes_out_and_its_answer_comes_back(talk: "Talk") -> None:
    task, frames = await talk.calls("Reset", RESET)
    assert frames == [[2, "own-1", "Reset", RESET]]

    assert await talk.hears([3, "own-1", DONE]) == []
    assert await task == DONE
    assert talk.policy.seen == [(Stage.TO_STATION, Kind.CALL, "Reset"), (Stage.FROM_STATION, Kind.RESULT, "Reset")]
    assert talk.tally.calls == {(Leg.STATION, "out", "Reset", Outcome.ANSWERED): 1}


async def test_an_empty_answer_is_an_answer(new_talk: NewTalk) -> None:
    talk = new_talk(BACKEND_16)
    payload = {"connectorId": 0, "errorCode": "NoError", "status": "Available"}
    task, _ = await talk.calls("StatusNotification", payload)
    await talk.hears([3, "own-1", {}])

    assert await task == {}


async def test_one_call_is_outstanding_and_the_next_goes_with_the_answer(talk: "Talk") -> None:
    first, frames = await talk.calls("Reset", RESET)
    second, more = await talk.calls("ClearCache", {})
    assert [frame[2] for frame in frames + more] == ["Reset"]

    assert await talk.hears([3, "own-1", DONE]) == [[2, "own-2", "ClearCache", {}]]
    await talk.hears([3, "own-2", DONE])
    assert (await first, await second) == (DONE, DONE)


async def test_both_directions_at_once(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = {"currentTime": "2026-03-01T12:00:00Z"}
    task, _ = await talk.calls("Reset", RESET)

    assert await talk.hears([2, "own-1", "Heartbeat", {}]) == [[3, "own-1", {"currentTime": "2026-03-01T12:00:00Z"}]]
    assert not task.done()
    await talk.hears([3, "own-1", DONE])
    assert await task == DONE


async def test_a_handler_may_call_back_the_peer_that_waits_for_it(talk: "Talk") -> None:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    talk.handler.answers["Heartbeat"] = answer
    await talk.hears([2, "x", "Heartbeat", {}])
    task, frames = await talk.calls("Reset", RESET)
    assert frames

    await talk.hears([3, "own-1", DONE])
    assert await task == DONE


async def test_a_callerror_is_raised_as_the_peer_sent_it(talk: "Talk") -> None:
    task, _ = await talk.calls("Reset", RESET)
    await talk.hears([4, "own-1", "NotSupported", "no " * 200, {"hint": 1}])

    with pytest.raises(CallError) as error:
        await task
    assert not isinstance(error.value, InvalidAnswer | NotSendable)
    assert (error.value.code, error.value.details) == (ErrorCode.NOT_SUPPORTED, {"hint": 1})
    assert error.value.description == ("no " * 200)[:255]
    assert talk.tally.calls == {(Leg.STATION, "out", "Reset", Outcome.REFUSED): 1}


# --- what can't be sent


@pytest.mark.parametrize("payload", [{}, {"type": "Hard"}, {"type": "OnIdle", "x": 1}])
async def test_what_breaks_the_schema_is_not_sent(talk: "Talk", payload: dict[str, Any]) -> None:
    with capture_logs() as lines, pytest.raises(NotSendable) as error:
        await talk.peer.call("Reset", payload)

    assert error.value.code is ErrorCode.INTERNAL_ERROR
    assert error.value.description.startswith("Reset: ")
    assert talk.socket.heard() == []
    assert [(line["event"], line["log_level"]) for line in lines] == [("not_sendable", "error")]
    assert talk.tally.calls == {}


async def test_what_the_policy_denies_is_not_sent(talk: "Talk") -> None:
    talk.policy.deny(Stage.TO_STATION, Kind.CALL, "Reset")

    with pytest.raises(NotSendable) as error:
        await talk.peer.call("Reset", RESET)

    assert (error.value.code, error.value.description) == (ErrorCode.SECURITY_ERROR, "refused by policy")
    assert talk.socket.heard() == []


@pytest.mark.parametrize("action", ["Teapot", "RemoteStopTransaction", ""])
async def test_an_action_that_the_peers_version_lacks_is_not_sent(talk: "Talk", action: str) -> None:
    with pytest.raises(CallError, match="NotImplemented"):
        await talk.peer.call(action, {})
    assert talk.socket.heard() == []


@pytest.mark.parametrize("data", ["\ud800", 2**70], ids=["surrogate", "70 bits"])
async def test_what_json_cannot_hold_is_not_sent_and_holds_nobody_up(talk: "Talk", data: Any) -> None:
    first, _ = await talk.calls("Reset", RESET)
    bad, _ = await talk.calls("DataTransfer", {"vendorId": "x", "data": data})
    good, _ = await talk.calls("ClearCache", {})

    with capture_logs() as lines:
        assert await talk.hears([3, "own-1", DONE]) == [[2, "own-3", "ClearCache", {}]]

    assert [line["event"] for line in lines] == ["not_sendable"]
    with pytest.raises(NotSendable, match="can't be written as JSON"):
        await bad
    await talk.hears([3, "own-3", DONE])
    assert (await first, await good) == (DONE, DONE)


async def test_without_a_connection_nothing_is_sent(new_talk: NewTalk) -> None:
    talk = new_talk(is_connected=False)
    with pytest.raises(PeerUnavailable, match="not connected"):
        await talk.peer.call("Reset", RESET)

    talk.peer.connected(talk.socket)
    talk.peer.give_up("gone")
    with pytest.raises(PeerUnavailable, match="not connected"):
        await talk.peer.call("Reset", RESET)


async def test_the_line_is_bounded(talk: "Talk", settle: Settle) -> None:
    tasks = [talk.place("Reset", RESET) for _ in range(WAITING_MAX + 1)]
    await settle()

    with pytest.raises(PeerUnavailable, match="64 calls wait"):
        await talk.peer.call("Reset", RESET)

    talk.peer.give_up("gone")
    assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {PeerUnavailable}


# --- answers that are none


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ([3, "own-1", {}], ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION),
        ([3, "own-1", {"status": "Zebra"}], ErrorCode.PROPERTY_CONSTRAINT_VIOLATION),
        ([3, "own-1", {"status": "Accepted", "Zebra": 1}], ErrorCode.FORMAT_VIOLATION),
        ([3, "own-1", []], ErrorCode.FORMAT_VIOLATION),
        ([3, "own-1"], ErrorCode.FORMAT_VIOLATION),
        ([4, "own-1"], ErrorCode.FORMAT_VIOLATION),
    ],
)
async def test_an_invalid_answer_is_not_used_and_not_answered(talk: "Talk", answer: list[Any], code: ErrorCode) -> None:
    task, _ = await talk.calls("Reset", RESET)
    waiting, _ = await talk.calls("ClearCache", {})

    assert await talk.hears(answer) == [[2, "own-2", "ClearCache", {}]]

    with pytest.raises(InvalidAnswer) as error:
        await task
    assert error.value.code is code
    assert "Zebra" not in str(error.value)
    await talk.hears([3, "own-2", DONE])
    assert await waiting == DONE


async def test_an_answer_that_the_policy_denies_is_not_used(talk: "Talk") -> None:
    talk.policy.deny(Stage.FROM_STATION, Kind.RESULT, "Reset")
    task, _ = await talk.calls("Reset", RESET)

    with capture_logs() as lines:
        await talk.hears([3, "own-1", DONE])

    with pytest.raises(InvalidAnswer, match="refused by policy"):
        await task
    assert [line["event"] for line in lines] == ["invalid_answer"]


async def test_an_answer_that_cannot_be_judged_is_not_used_and_the_caller_hears_of_it(talk: "Talk") -> None:
    talk.policy.faults[Stage.FROM_STATION, Kind.RESULT, "Reset"] = RuntimeError("broken rule")
    task, _ = await talk.calls("Reset", RESET)
    waiting, _ = await talk.calls("ClearCache", {})

    with capture_logs() as lines:
        assert await talk.hears([3, "own-1", DONE]) == [[2, "own-2", "ClearCache", {}]]

    with pytest.raises(InvalidAnswer, match="could not be checked"):
        await task
    assert [(line["event"], line["exc_info"]) for line in lines] == [("answer_not_judged", True)]
    await talk.hears([3, "own-2", DONE])
    assert await waiting == DONE


@pytest.mark.parametrize("frame", [[3, "nobody", DONE], [4, "nobody", "GenericError", "", {}], [3, "-1", DONE]])
async def test_an_answer_to_nothing_is_counted_and_noted_and_that_is_all(talk: "Talk", frame: list[Any]) -> None:
    task, _ = await talk.calls("Reset", RESET)

    with capture_logs() as lines:
        assert await talk.hears(frame) == []

    assert [(line["event"], line["kind"]) for line in lines] == [("stray_answer", "unsolicited")]
    assert talk.tally.calls == {(Leg.STATION, "in", "other", Outcome.MALFORMED): 1}
    assert not task.done()
    await talk.hears([3, "own-1", DONE])
    assert await task == DONE


async def test_a_second_answer_does_not_touch_the_next_call(talk: "Talk") -> None:
    first, _ = await talk.calls("Reset", RESET)
    second, _ = await talk.calls("ClearCache", {})
    await talk.hears([3, "own-1", DONE], [3, "own-1", {"status": "Rejected"}])

    assert await first == DONE
    assert not second.done()
    await talk.hears([3, "own-2", DONE])
    assert await second == DONE


# --- time


async def test_no_answer_in_time(talk: "Talk", clock: "FakeClock") -> None:
    task, _ = await talk.calls("Reset", RESET)
    await clock.advance(29.0)
    assert not task.done()

    with capture_logs() as lines:
        await clock.advance(1.5)

    with pytest.raises(PeerUnavailable, match="no answer to Reset in time"):
        await task
    assert [(line["event"], line["message_id"]) for line in lines] == [("no_answer", "own-1")]
    assert talk.tally.calls == {(Leg.STATION, "out", "Reset", Outcome.UNANSWERED): 1}


async def test_a_late_answer_is_not_taken_for_the_next_ones(talk: "Talk", clock: "FakeClock") -> None:
    first, _ = await talk.calls("Reset", RESET)
    second, _ = await talk.calls("ClearCache", {})
    await clock.advance(31.0)
    assert talk.socket.heard() == [[2, "own-2", "ClearCache", {}]]

    with capture_logs() as lines:
        await talk.hears([3, "own-1", {"status": "Rejected"}])
    assert [(line["event"], line["kind"]) for line in lines] == [("stray_answer", "late")]
    with pytest.raises(PeerUnavailable):
        await first

    await talk.hears([3, "own-2", DONE])
    assert await second == DONE


async def test_each_call_has_its_whole_time_though_one_timer_serves_all(talk: "Talk", clock: "FakeClock") -> None:
    first, _ = await talk.calls("Reset", RESET)
    await clock.advance(20.0)
    await talk.hears([3, "own-1", DONE])
    second, _ = await talk.calls("Reset", RESET)

    await clock.advance(15.0)  # the timer of the first one fires here
    assert not second.done()
    await clock.advance(14.0)
    assert not second.done()
    await clock.advance(1.5)

    assert await first == DONE
    with pytest.raises(PeerUnavailable, match="in time"):
        await second


async def test_each_of_those_in_line_times_out_in_its_turn(talk: "Talk", clock: "FakeClock") -> None:
    tasks = [(await talk.calls("Reset", RESET))[0] for _ in range(3)]
    for number in range(3):
        assert [task.done() for task in tasks].count(True) == number
        await clock.advance(30.5)

    assert {type(task.exception()) for task in tasks} == {PeerUnavailable}
    assert talk.tally.calls == {(Leg.STATION, "out", "Reset", Outcome.UNANSWERED): 3}


async def test_a_timer_that_finds_nothing_outstanding_is_set_anew_with_the_next_call(
    talk: "Talk", clock: "FakeClock"
) -> None:
    first, _ = await talk.calls("Reset", RESET)
    await talk.hears([3, "own-1", DONE])
    await clock.advance(31.0)
    assert await first == DONE

    second, _ = await talk.calls("Reset", RESET)
    await clock.advance(30.5)
    with pytest.raises(PeerUnavailable, match="in time"):
        await second


# --- callers and connections that leave


async def test_a_caller_that_leaves_the_line_is_never_sent(talk: "Talk", settle: Settle) -> None:
    first, _ = await talk.calls("Reset", RESET)
    leaving, _ = await talk.calls("ClearCache", {})
    third, _ = await talk.calls("Reset", RESET)
    leaving.cancel()
    await settle()

    assert await talk.hears([3, "own-1", DONE]) == [[2, "own-3", "Reset", RESET]]
    await talk.hears([3, "own-3", DONE])
    assert (await first, await third) == (DONE, DONE)
    assert leaving.cancelled()


async def test_a_caller_that_leaves_frees_the_line(talk: "Talk", settle: Settle) -> None:
    leaving, _ = await talk.calls("Reset", RESET)
    second, _ = await talk.calls("ClearCache", {})
    leaving.cancel()
    await settle()
    assert talk.socket.heard() == [[2, "own-2", "ClearCache", {}]]

    await talk.hears([3, "own-1", DONE], [3, "own-2", DONE])
    assert await second == DONE
    assert (Leg.STATION, "out", "Reset", Outcome.ANSWERED) not in talk.tally.calls


async def test_a_caller_may_leave_in_the_moment_of_the_answer(talk: "Talk", settle: Settle) -> None:
    for answer in ([3, "own-1", DONE], [4, "own-2", "GenericError", "", {}]):
        task, _ = await talk.calls("Reset", RESET)
        task.cancel()
        talk.peer.message(str(answer).replace("'", '"').encode())
        await settle()
        assert task.cancelled()

    task, _ = await talk.calls("Reset", RESET)
    task.cancel()
    talk.peer.give_up("gone")
    await settle()
    assert task.cancelled()


async def test_when_the_connection_is_lost_every_caller_hears_of_it(talk: "Talk", clock: "FakeClock") -> None:
    tasks = [(await talk.calls("Reset", RESET))[0] for _ in range(3)]
    talk.peer.disconnected(Closed(1006, "reset by peer", by_peer=True))

    for task in tasks:
        with pytest.raises(PeerUnavailable, match="the connection was lost: 1006 reset by peer"):
            await task
    assert talk.tally.calls == {(Leg.STATION, "out", "Reset", Outcome.UNANSWERED): 3}
    await clock.advance(100.0)
    assert talk.socket.heard() == []


async def test_who_looks_on_sees_each_call_when_it_goes_out_and_nothing_else(talk: "Talk") -> None:
    def seen() -> list[Any]:
        return [json.loads(text) for text in talk.seen_to_go_out]

    talk.handler.answers["Heartbeat"] = {"currentTime": "2026-03-01T12:00:00Z"}
    talk.policy.deny(Stage.TO_STATION, Kind.CALL, "ClearCache")

    first, _ = await talk.calls("Reset", RESET)
    second, _ = await talk.calls("Reset", RESET)
    denied, _ = await talk.calls("ClearCache", {})
    await talk.hears([2, "1", "Heartbeat", {}])
    assert seen() == [[2, "own-1", "Reset", RESET]]

    await talk.hears([3, "own-1", DONE])
    await talk.hears([3, "own-2", DONE])
    assert seen() == [[2, "own-1", "Reset", RESET], [2, "own-2", "Reset", RESET]]
    assert (await first, await second) == (DONE, DONE)
    with pytest.raises(NotSendable):
        await denied
