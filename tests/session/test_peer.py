"""The peer's CALLs and unreadable frames, as dialogues: what came in, what was handed on, what went out."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.session.peer import INBOX_HIGH, POLICY_VIOLATION, Unanswerable
from gateway.session.releasing import is_released, releasing
from gateway.session.stages import BACKEND_16, STATION_201, InvalidAnswer, Side
from gateway.session.strikes import STRIKES_MAX
from gateway.session.tally import Leg, Outcome
from gateway.transport.messages import Closed
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.rpc import UNANSWERED_MAX
from policies.words import Kind, Stage

if TYPE_CHECKING:
    from tests.session.conftest import Talk

NewTalk = Callable[..., "Talk"]
Settle = Callable[[], Awaitable[None]]

NOW = "2026-03-01T12:00:00Z"
HEARTBEAT = {"currentTime": NOW}
STATUS = {"timestamp": NOW, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}


def call(message_id: str, action: str = "Heartbeat", payload: Any = None) -> list[Any]:
    return [2, message_id, action, {} if payload is None else payload]


def is_paused(talk: "Talk") -> bool:
    return talk.socket.paused


async def test_a_call_is_handled_and_answered(talk: "Talk") -> None:
    talk.handler.answers["StatusNotification"] = {}

    assert await talk.hears(call("1", "StatusNotification", STATUS)) == [[3, "1", {}]]
    assert talk.handler.calls == [("StatusNotification", STATUS)]
    assert talk.tally.calls == {(Leg.STATION, "in", "StatusNotification", Outcome.ANSWERED): 1}


@pytest.mark.parametrize("answer", [HEARTBEAT, {}, CallError(ErrorCode.NOT_SUPPORTED, "no"), RuntimeError("broken")])
async def test_it_says_so_once_the_answer_is_out_whatever_it_is(talk: "Talk", answer: Any) -> None:
    talk.handler.answers["Heartbeat"] = answer

    assert len(await talk.hears(call("1"), call("2"))) == 2
    assert talk.sent_when_answered == [1, 2]


async def test_what_is_not_answered_is_not_said_to_be(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = Unanswerable(1013, "later")

    assert await talk.hears(call("1")) == []
    assert talk.sent_when_answered == []


async def test_both_stages_of_the_leg_see_the_call_and_the_answer(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = HEARTBEAT
    await talk.hears(call("1"))

    assert talk.policy.seen == [
        (Stage.FROM_STATION, Kind.CALL, "Heartbeat"),
        (Stage.TO_STATION, Kind.RESULT, "Heartbeat"),
    ]


async def test_the_backends_leg_has_its_own_version_and_stages(new_talk: NewTalk) -> None:
    talk = new_talk(BACKEND_16)
    talk.handler.answers["RemoteStopTransaction"] = {"status": "Accepted"}

    assert await talk.hears(call("1", "RemoteStopTransaction", {"transactionId": 7})) == [
        [3, "1", {"status": "Accepted"}]
    ]
    assert [stage for stage, _, _ in talk.policy.seen] == [Stage.FROM_BACKEND, Stage.TO_BACKEND]
    assert talk.tally.calls == {(Leg.BACKEND, "in", "RemoteStopTransaction", Outcome.ANSWERED): 1}


async def test_a_peer_that_never_calls_takes_no_task(new_talk: NewTalk) -> None:
    def tasks() -> list[str]:
        return [each.get_name() for each in asyncio.all_tasks() if each.get_name().startswith("backend ")]

    talk = new_talk(BACKEND_16)
    talk.handler.answers["ClearCache"] = {"status": "Accepted"}
    assert not tasks()
    await talk.hears(call("1", "ClearCache"))
    assert len(tasks()) == 1


async def test_a_call_that_is_read_while_a_message_is_released_counts_as_none(new_talk: NewTalk) -> None:
    seen: list[bool] = []

    async def handle(_: str, __: Any) -> dict[str, Any]:
        seen.append(is_released())
        return {"status": "Accepted"}

    talk = new_talk(BACKEND_16, handle)
    with releasing():
        await talk.hears(call("1", "ClearCache"))
    assert seen == [False]


async def test_calls_are_handled_one_after_the_other_in_their_order(talk: "Talk") -> None:
    first: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    talk.handler.answers = {"Heartbeat": first, "StatusNotification": {}}

    assert await talk.hears(call("1"), call("2", "StatusNotification", STATUS)) == []
    assert [action for action, _ in talk.handler.calls] == ["Heartbeat"]

    first.set_result(HEARTBEAT)
    assert await talk.hears() == [[3, "1", HEARTBEAT], [3, "2", {}]]


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("StatusNotification", {**STATUS, "evseId": "1"}, "TypeConstraintViolation"),
        ("StatusNotification", {**STATUS, "connectorStatus": "Melted"}, "PropertyConstraintViolation"),
        ("StatusNotification", {**STATUS, "timestamp": "now"}, "FormatViolation"),
        ("StatusNotification", {}, "OccurrenceConstraintViolation"),
        ("Heartbeat", {"Zebra": "Zebra"}, "FormatViolation"),
        ("Teapot", {}, "NotImplemented"),
        ("StartTransaction", {}, "NotImplemented"),
        ("", {}, "NotImplemented"),
    ],
)
async def test_what_breaks_the_schema_is_refused_and_not_handed_on(
    talk: "Talk", action: str, payload: dict[str, Any], code: str
) -> None:
    [answer] = await talk.hears(call("1", action, payload))

    assert answer[:3] == [4, "1", code]
    assert answer[4] == {}
    assert "Zebra" not in answer[3]
    assert talk.handler.calls == []
    label = action if action in {"StatusNotification", "Heartbeat"} else "other"
    assert talk.tally.calls == {(Leg.STATION, "in", label, Outcome.REFUSED): 1}


async def test_the_codes_are_spelt_as_the_peers_version_does(new_talk: NewTalk) -> None:
    backend = new_talk(BACKEND_16)

    [[*_, occurrence, _, _]] = await backend.hears(call("1", "RemoteStopTransaction"))
    [[*_, syntax, _, _]] = await backend.hears(call("2", "RemoteStopTransaction", {"transactionId": 1, "x": 1}))

    assert (occurrence, syntax) == ("OccurenceConstraintViolation", "FormationViolation")


async def test_what_the_policy_denies_is_refused_without_its_reason(talk: "Talk") -> None:
    talk.policy.deny(Stage.FROM_STATION, Kind.CALL, "Heartbeat")

    with capture_logs() as lines:
        assert await talk.hears(call("1")) == [[4, "1", "SecurityError", "refused by policy", {}]]

    assert talk.handler.calls == []
    assert [(line["event"], line["identity"], line["leg"]) for line in lines] == [("call_refused", "CS1", "station")]


async def test_a_handlers_call_error_is_the_answer(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = CallError(ErrorCode.NOT_SUPPORTED, "x" * 290 + "\x1b", {"hint": 1})

    assert await talk.hears(call("1")) == [[4, "1", "NotSupported", "x" * 255, {}]]


async def test_an_invalid_answer_of_the_other_side_blames_no_payload(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = InvalidAnswer(ErrorCode.FORMAT_VIOLATION, "invalid answer")
    assert await talk.hears(call("1")) == [[4, "1", "GenericError", "invalid answer", {}]]


@pytest.mark.parametrize("fault", [RuntimeError("secret"), KeyError("secret"), TimeoutError(), RecursionError()])
async def test_an_unexpected_fault_is_bland_outside_and_whole_in_the_log(talk: "Talk", fault: Exception) -> None:
    talk.handler.answers = {"Heartbeat": fault, "StatusNotification": {}}

    with capture_logs() as lines:
        assert await talk.hears(call("1")) == [[4, "1", "InternalError", "internal error", {}]]

    assert [(line["event"], line.get("exc_info")) for line in lines] == [
        ("handler_failed", True),
        ("call_refused", None),
    ]
    assert await talk.hears(call("2", "StatusNotification", STATUS)) == [[3, "2", {}]]


async def test_a_policy_that_fails_lets_nothing_pass(talk: "Talk") -> None:
    talk.policy.faults[Stage.FROM_STATION, Kind.CALL, "Heartbeat"] = RuntimeError("broken rule")

    assert await talk.hears(call("1")) == [[4, "1", "InternalError", "internal error", {}]]
    assert talk.handler.calls == []


@pytest.mark.parametrize(
    "answer",
    [{}, {"currentTime": "yesterday"}, {**HEARTBEAT, "more": 1}, {"currentTime": 2**80}, {"currentTime": "\ud800"}],
)
async def test_an_answer_of_ours_that_breaks_the_schema_is_never_sent(talk: "Talk", answer: dict[str, Any]) -> None:
    talk.handler.answers["Heartbeat"] = answer

    [[kind, message_id, code, _, _]] = await talk.hears(call("1"))

    assert (kind, message_id, code) == (4, "1", "InternalError")


@pytest.mark.parametrize("data", ["\ud800", 2**70, [object()]], ids=["surrogate", "70 bits", "object"])
async def test_an_answer_that_json_cannot_hold_does_not_stop_the_peer(talk: "Talk", data: Any) -> None:
    talk.handler.answers = {"DataTransfer": {"status": "Accepted", "data": data}, "StatusNotification": {}}

    assert await talk.hears(call("1", "DataTransfer", {"vendorId": "x"})) == [
        [4, "1", "InternalError", "internal error", {}]
    ]
    assert await talk.hears(call("2", "StatusNotification", STATUS)) == [[3, "2", {}]]


async def test_an_answer_of_ours_that_the_policy_denies_is_never_sent(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = HEARTBEAT
    talk.policy.deny(Stage.TO_STATION, Kind.RESULT, "Heartbeat")

    assert await talk.hears(call("1")) == [[4, "1", "SecurityError", "refused by policy", {}]]


async def test_what_must_not_be_answered_closes_the_connection_without_a_word(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = Unanswerable(1013, "the journal is full")

    with capture_logs() as lines:
        assert await talk.hears(call("1"), call("2")) == []

    assert talk.socket.closed == [(1013, "the journal is full")]
    assert len(talk.handler.calls) == 1
    assert talk.tally.calls == {(Leg.STATION, "in", "Heartbeat", Outcome.UNANSWERED): 1}
    assert [line["event"] for line in lines] == ["not_answered"]


async def test_a_repeated_call_gets_one_answer(talk: "Talk") -> None:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    talk.handler.answers["Heartbeat"] = answer
    await talk.hears(call("1"), call("1"), call("1", "StatusNotification", STATUS))
    answer.set_result(HEARTBEAT)

    assert await talk.hears() == [[3, "1", HEARTBEAT]]
    assert len(talk.handler.calls) == 1
    assert await talk.hears(call("1")) == [[3, "1", HEARTBEAT]]


async def test_reading_pauses_at_the_high_water_mark_and_goes_on_when_the_inbox_is_empty(talk: "Talk") -> None:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    talk.handler.answers["Heartbeat"] = answer
    await talk.hears(call("being handled"))
    await talk.hears(*(call(f"{number}") for number in range(INBOX_HIGH - 1)))
    assert not is_paused(talk)

    await talk.hears(call("the last one"))
    assert is_paused(talk)
    await talk.hears(call("was read with it"))
    assert is_paused(talk)

    second = talk.handler.answers["Heartbeat"] = asyncio.get_running_loop().create_future()
    answer.set_result(HEARTBEAT)
    assert await talk.hears() == [[3, "being handled", HEARTBEAT]]
    assert is_paused(talk)

    second.set_result(HEARTBEAT)
    frames = await talk.hears()
    assert [frame[1] for frame in frames] == [
        *map(str, range(INBOX_HIGH - 1)),
        "the last one",
        "was read with it",
    ]
    assert not is_paused(talk)


async def test_a_peer_that_crowds_is_cut_off(talk: "Talk") -> None:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    talk.handler.answers["Heartbeat"] = answer
    await talk.hears(*(call(f"{number}") for number in range(UNANSWERED_MAX)))
    assert talk.socket.closed == []

    with capture_logs() as lines:
        await talk.hears(call("one more"))

    assert talk.socket.closed == [(POLICY_VIOLATION, "too many CALLs without waiting for an answer")]
    assert [line["event"] for line in lines] == ["too_many_calls"]


async def test_a_call_in_work_is_finished_though_the_connection_is_lost(talk: "Talk", settle: Settle) -> None:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    talk.handler.answers["Heartbeat"] = answer
    await talk.hears(call("in work"), call("in the inbox"))

    talk.peer.give_up("gone")
    finished = asyncio.create_task(talk.peer.finished(), name="finished")
    await settle()
    assert not finished.done()
    assert not talk.peer.is_open

    answer.set_result(HEARTBEAT)
    await finished
    assert talk.handler.finished == ["Heartbeat"]
    assert talk.socket.heard() == []


async def test_a_connection_is_lost_once(talk: "Talk") -> None:
    from_the_socket = Closed(1001, "going away", by_peer=True)

    talk.peer.disconnected(from_the_socket)
    talk.peer.disconnected(from_the_socket)
    talk.peer.give_up("again")

    assert talk.lost == [(talk.peer, "1001 going away")]


async def test_a_close_code_without_words_stands_alone(talk: "Talk") -> None:
    talk.peer.disconnected(Closed(1006, "", by_peer=True))

    assert talk.lost == [(talk.peer, "1006")]


async def test_nothing_is_heard_before_the_connection_and_after_it(new_talk: NewTalk) -> None:
    talk = new_talk(is_connected=False)
    talk.peer.close(1000, "nothing to close")
    await talk.peer.finished()
    assert await talk.hears(call("1"), b"\xff") == []

    talk.peer.connected(talk.socket)
    assert talk.opened == [talk.peer]
    talk.peer.give_up("gone")
    assert await talk.hears(call("2"), b"\xff") == []
    talk.peer.close(1000, "nothing to close")

    assert talk.handler.calls == []
    assert talk.socket.closed == []


async def test_a_ping_tells_who_is_alive(talk: "Talk") -> None:
    assert await talk.peer.is_alive(5.0)
    talk.socket.pong = False
    assert not await talk.peer.is_alive(5.0)
    assert talk.socket.pings == [5.0, 5.0]

    talk.peer.give_up("gone")
    assert not await talk.peer.is_alive(5.0)
    assert talk.socket.pings == [5.0, 5.0]


@pytest.mark.parametrize(
    ("text", "to_201", "to_16"),
    [
        (b"\xff", [4, "-1", "RpcFrameworkError"], None),
        (b"[2", [4, "-1", "RpcFrameworkError"], None),
        (b'[2,"1","Heartbeat",{', [4, "-1", "RpcFrameworkError"], [4, "1", "GenericError"]),
        (b'[2,"1","Heartbeat",{"a":NaN}]', [4, "-1", "RpcFrameworkError"], [4, "1", "GenericError"]),
        (b'[2,"","Heartbeat",{}]', [4, "-1", "RpcFrameworkError"], None),
        (b'[true,"1","Heartbeat",{}]', [4, "-1", "RpcFrameworkError"], None),
        (b'[2,"1","Heartbeat"]', [4, "1", "FormatViolation"], [4, "1", "FormationViolation"]),
        (b'[9,"1","Heartbeat",{}]', [4, "1", "MessageTypeNotSupported"], [4, "1", "GenericError"]),
        (b"[3]", None, None),
        (b"[4]", None, None),
        (b'[3,"1",[]]', None, None),
        (b'[4,"1"]', None, None),
    ],
)
async def test_an_unreadable_frame(
    new_talk: NewTalk, text: bytes, to_201: list[Any] | None, to_16: list[Any] | None
) -> None:
    """OCPP-J 1.6 has no messageId for what can't be read; an unreadable answer is never answered."""
    for side, expected in ((STATION_201, to_201), (BACKEND_16, to_16)):
        talk = new_talk(side)

        with capture_logs() as lines:
            frames = await talk.hears(text)

        assert [frame[:3] for frame in frames] == ([] if expected is None else [expected])
        assert talk.tally.calls == {(side.leg, "in", "other", Outcome.MALFORMED): 1}
        assert [line["event"] for line in lines] == ["malformed_frame"]


@pytest.mark.parametrize("text", [b"rubbish", b'[3,"nothing",{}]'], ids=["malformed", "stray"])
async def test_a_peer_that_sends_nothing_but_rubbish_is_closed(new_talk: NewTalk, text: bytes) -> None:
    talk = new_talk()
    with capture_logs() as lines:
        await talk.hears(*[text] * STRIKES_MAX)
        assert not talk.socket.closed
        await talk.hears(text)
    assert [code for code, _ in talk.socket.closed] == [POLICY_VIOLATION]
    assert len(lines) == STRIKES_MAX + 1


@pytest.mark.parametrize("side", [STATION_201, BACKEND_16], ids=["station", "backend"])
async def test_no_log_line_repeats_an_action_that_the_peer_made_up(new_talk: NewTalk, side: Side) -> None:
    talk = new_talk(side)
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    talk.handler.answers["Heartbeat"] = answer

    with capture_logs() as lines:
        await talk.hears(call("1", "Zebra\x1b[31m"), call("2", "Zebra", {"Zebra": 1}), b'[2,"3","Zebra"]', b'{"Zebra')
        await talk.hears(call("4", "Zebra"), call("4", "Zebra"))

    assert lines
    assert "Zebra" not in json.dumps(lines, default=str)
    assert all("Zebra" not in str(key) for key in talk.tally.calls)


async def test_a_state_shows_in_the_repr(talk: "Talk") -> None:
    assert repr(talk.peer).startswith("<Peer station CS1 open <Rpc outstanding=None")
    talk.peer.give_up("gone")
    assert repr(talk.peer).startswith("<Peer station CS1 closed <Rpc")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.binary(max_size=40) | st.sampled_from([b"[]", b"[3]", b'[4,"own-1","x"]']), max_size=8))
async def test_whatever_comes_in_the_next_call_is_answered(new_talk: NewTalk, texts: list[bytes]) -> None:
    talk = new_talk()
    talk.handler.answers["Heartbeat"] = HEARTBEAT
    await talk.hears(*texts)

    assert await talk.hears(call("1")) == [[3, "1", HEARTBEAT]]
