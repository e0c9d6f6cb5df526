"""Attack C4: message ids that are doubled, too long, no strings; answers to nothing, twice, late, or to an answer."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.bridge.ports import PeerUnavailable
from gateway.session.security import Kind
from gateway.session.strikes import STRIKES_MAX
from gateway.wire.rpc import UNANSWERED_MAX

if TYPE_CHECKING:
    from tests.session.conftest import FakeClock, Talk

NOW = {"currentTime": "2026-03-01T12:00:00Z"}
RESET = {"type": "OnIdle"}
TIMEOUT = 30.0


@pytest.fixture(autouse=True)
async def heartbeats(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = NOW


@pytest.mark.parametrize("message_id", ["x" * 37, "x" * 100_000, "", 5, 5.5, None, True, [], ["a"], {"a": 1}])
async def test_what_is_no_message_id_is_answered_once_with_minus_one(talk: "Talk", message_id: Any) -> None:
    (answer,) = await talk.hears([2, message_id, "Heartbeat", {}])
    assert answer[:3] == [4, "-1", "RpcFrameworkError"]
    # Answers are never answered: two peers that did it would never stop.
    assert await talk.hears([3, message_id, {}], [4, message_id, "GenericError", "", {}]) == []
    assert talk.handler.calls == []
    assert await talk.hears([2, "x" * 36, "Heartbeat", {}]) == [[3, "x" * 36, NOW]]


async def test_a_call_that_is_repeated_while_it_is_handled_is_handled_and_answered_once(talk: "Talk") -> None:
    answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    talk.handler.answers["Heartbeat"] = answer
    assert await talk.hears(*[[2, "1", "Heartbeat", {}]] * 5) == []
    answer.set_result(NOW)
    assert await talk.hears() == [[3, "1", NOW]]
    assert len(talk.handler.calls) == 1
    assert talk.reported == []


async def test_an_id_that_is_used_again_for_another_message_is_reported(talk: "Talk") -> None:
    status = {"timestamp": NOW["currentTime"], "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
    talk.handler.answers["StatusNotification"] = {}
    heard = await talk.hears([2, "1", "Heartbeat", {}], [2, "1", "StatusNotification", status])
    assert heard[0] == [3, "1", NOW]
    assert [kind for kind, _ in talk.reported] == [Kind.ATTEMPTED_REPLAY]


async def test_calls_that_do_not_wait_for_each_other_are_answered_in_their_order(talk: "Talk") -> None:
    ids = [f"{number}" for number in range(UNANSWERED_MAX)]
    assert [frame[:2] for frame in await talk.hears(*([2, each, "Heartbeat", {}] for each in ids))] == [
        [3, each] for each in ids
    ]


async def test_too_many_that_do_not_wait_end_the_connection(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = asyncio.get_running_loop().create_future()
    await talk.hears(*([2, f"{number}", "Heartbeat", {}] for number in range(UNANSWERED_MAX)))
    assert talk.socket.closed == []
    await talk.hears([2, "one more", "Heartbeat", {}])
    assert [code for code, _ in talk.socket.closed] == [1008]


async def test_own_calls_wait_for_each_other_and_get_their_own_answers(talk: "Talk") -> None:
    first, sent = await talk.calls("Reset", RESET)
    second, nothing = await talk.calls("GetLocalListVersion", {})
    assert ([frame[1] for frame in sent], nothing) == (["own-1"], [])
    # An answer to the one that hasn't been sent, to one that never was, and with another case.
    await talk.hears([3, "own-2", {"versionNumber": 7}], [3, "own-9", {}], [3, "OWN-1", {}])
    assert not first.done()
    (next_call,) = await talk.hears([3, "own-1", {"status": "Accepted"}])
    assert next_call[:3] == [2, "own-2", "GetLocalListVersion"]
    assert await first == {"status": "Accepted"}
    assert not second.done()
    await talk.hears([3, "own-1", {"status": "Rejected"}])  # answered twice
    assert not second.done()
    await talk.hears([3, "own-2", {"versionNumber": 8}])
    assert await second == {"versionNumber": 8}


async def test_a_late_answer_is_no_answer_to_the_next_call(talk: "Talk", clock: "FakeClock") -> None:
    late, _ = await talk.calls("GetLocalListVersion", {})
    await clock.advance(TIMEOUT + 1)
    with pytest.raises(PeerUnavailable):
        await late
    following, _ = await talk.calls("GetLocalListVersion", {})
    assert await talk.hears([3, "own-1", {"versionNumber": 1}]) == []
    assert not following.done()
    assert talk.reported == []  # it is slow, and not an attacker
    await talk.hears([3, "own-2", {"versionNumber": 2}])
    assert await following == {"versionNumber": 2}


async def test_answers_to_nothing_are_reported_and_not_answered(talk: "Talk") -> None:
    assert await talk.hears([3, "nothing", {}], [4, "nothing", "GenericError", "", {}], [4, "-1", "X", "", {}]) == []
    assert [kind for kind, _ in talk.reported] == [Kind.INVALID_MESSAGES] * 3
    await talk.hears(*[[4, "-1", "GenericError", "", {}]] * (STRIKES_MAX - 2))
    assert [code for code, _ in talk.socket.closed] == [1008]


ids = st.sampled_from(["1", "2", "own-1", "own-2", "-1", "x" * 36, "x" * 37, 1, None])
frames = st.one_of(
    st.tuples(st.just(2), ids, st.sampled_from(["Heartbeat", "Nonsense"]), st.just({})),
    st.tuples(st.just(3), ids, st.sampled_from([{}, {"status": "Accepted"}, {"status": "No"}])),
    st.tuples(st.just(4), ids, st.just("GenericError"), st.just(""), st.just({})),
).map(list)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(frames, max_size=14))
async def test_every_call_has_one_answer_and_no_answer_has_any(new_talk: Any, said: list[Any]) -> None:
    talk: Talk = new_talk()
    talk.handler.answers["Heartbeat"] = NOW
    own, _ = await talk.calls("Reset", RESET)
    heard = []
    for frame in said:
        heard += [(frame, answer) for answer in await talk.hears(frame)]
    calls = [frame for frame in said if frame[0] == 2]
    assert [frame for frame, _ in heard] == calls
    for frame, answer in heard:
        is_readable = isinstance(frame[1], str) and len(frame[1]) <= 36
        assert answer[0] in {3, 4}
        assert answer[1] == (frame[1] if is_readable else "-1")
        assert (answer[0] == 3) == (is_readable and frame[2] == "Heartbeat")
    answers = [frame for frame in said if frame[0] != 2 and frame[1] == "own-1"]
    assert own.done() == bool(answers)
    if answers and answers[0][0] == 3 and answers[0][2] == {"status": "Accepted"}:
        assert own.result() == {"status": "Accepted"}
    elif answers:
        assert own.exception() is not None
    else:
        own.cancel()
    assert json.dumps(talk.socket.closed) == "[]"
