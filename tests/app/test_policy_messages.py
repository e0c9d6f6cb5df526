"""Messages that are to be explained: payloads, frames, and what is neither."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.policy_messages import SIZE_MAX, MessageRefused, read_message
from policies.cases import Message
from policies.words import Kind, Stage


def read(raw: str, protocol: str = "ocpp2.0.1", **said: Any) -> Message:
    return read_message(raw.encode(), Stage.FROM_STATION, protocol, **said)


def test_a_payload() -> None:
    message = read('{"vendorId": "x"}', action="DataTransfer")

    assert message == Message(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "DataTransfer", {"vendorId": "x"})


def test_an_answer_by_its_payload() -> None:
    assert read("{}", action="Heartbeat", kind=Kind.RESULT).kind is Kind.RESULT


@pytest.mark.parametrize("action", [None, "Heartbeat"])
@pytest.mark.parametrize("kind", [None, Kind.CALL])
def test_a_call_says_its_action_and_kind(action: str | None, kind: Kind | None) -> None:
    message = read(' \n[2,"1","Heartbeat",{}]', action=action, kind=kind)

    assert (message.kind, message.action, message.payload) == (Kind.CALL, "Heartbeat", {})


def test_a_callresult_says_its_kind() -> None:
    message = read('[3,"1",{"a":1}]', action="Heartbeat")

    assert (message.kind, message.action, message.payload) == (Kind.RESULT, "Heartbeat", {"a": 1})


@pytest.mark.parametrize(("protocol", "code"), [("ocpp1.6", "FormationViolation"), ("ocpp2.0.1", "FormatViolation")])
def test_a_callerror_is_looked_at_by_its_three_fields(protocol: str, code: str) -> None:
    message = read('[4,"1","FormationViolation","bad",{"a":1}]', protocol, action="Heartbeat")

    assert message.kind is Kind.ERROR
    assert message.payload == {"errorCode": code, "errorDescription": "bad", "errorDetails": {"a": 1}}


@pytest.mark.parametrize(
    ("raw", "said", "words"),
    [
        ("", {}, "not acceptable as JSON"),
        ("{", {}, "not acceptable as JSON"),
        ('{"a": 1, "a": 2}', {}, "not acceptable as JSON: duplicate key at line 1"),
        ("5", {}, "a message is a JSON object, or an OCPP-J frame"),
        ('"[2]"', {}, "a message is a JSON object, or an OCPP-J frame"),
        ("[2", {}, "no OCPP-J frame: not acceptable as JSON"),
        ("[]", {}, "no OCPP-J frame: a frame is an array"),
        ('[9,"1",{}]', {}, "no OCPP-J frame: unknown message type"),
        ('[2,"1","Heartbeat"]', {}, "no OCPP-J frame: a CALL has four elements"),
        ('[2,"1","Heartbeat",{}]', {"action": "Reset"}, "leave --action out"),
        ('[2,"1","Heartbeat",{}]', {"kind": Kind.RESULT}, "the frame is a call, not a result; leave --kind out"),
        ("{}", {}, "give --action"),
        ('[3,"1",{}]', {}, "give --action of the CALL that is answered"),
        ("{" + " " * SIZE_MAX + "}", {}, "is larger than 1048576 bytes"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_message(raw: str, said: dict[str, Any], words: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        read(raw, **said)

    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.binary(max_size=40) | st.text('[]{}2,34"1:a', max_size=20).map(str.encode))
def test_any_bytes_are_a_message_or_refused(raw: bytes) -> None:
    with contextlib.suppress(MessageRefused):
        assert read_message(raw, Stage.TO_BACKEND, "ocpp1.6", action="Heartbeat").stage is Stage.TO_BACKEND
