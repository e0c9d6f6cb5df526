"""Frames under attack C1, C4 and C5: whatever comes in, a frame or FrameRejected; what goes out is always readable."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire.errors import ERROR_DESCRIPTION_MAX, CallError, ErrorCode, spell
from gateway.wire.frames import (
    MESSAGE_ID_MAX,
    UNREADABLE_ID,
    Call,
    CallErrorFrame,
    CallResult,
    Frame,
    FrameRejected,
    decode,
    encode_call,
    encode_error,
    encode_result,
)
from gateway.wire.versions import Version

MARK = "Zebra"
"""What a peer wrote: no message may repeat it."""
LONGEST_ID = "i" * MESSAGE_ID_MAX

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
message_ids = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=MESSAGE_ID_MAX)
payloads = st.dictionaries(
    texts,
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31)
    | texts
    | st.lists(st.integers(0, 9), max_size=3)
    | st.dictionaries(texts, texts, max_size=2),
    max_size=4,
)


def text_of(*elements: Any) -> bytes:
    return json.dumps(elements).encode()


def refusal_of(text: bytes) -> FrameRejected:
    with pytest.raises(FrameRejected) as refusal:
        decode(text)
    return refusal.value


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        (b'[2,"1","Heartbeat",{}]', Call("1", "Heartbeat", {})),
        (b' [ 2 , "1" , "Heartbeat" , { } ] ', Call("1", "Heartbeat", {})),
        (text_of(2, LONGEST_ID, "ClearCache", {"a": 1}), Call(LONGEST_ID, "ClearCache", {"a": 1})),
        (b'[2,"-1","Heartbeat",{}]', Call("-1", "Heartbeat", {})),
        (b'[2,"\\u0001","Heartbeat",{}]', Call("\1", "Heartbeat", {})),
        (b'[2,"1","",{}]', Call("1", "", {})),
        (b'[3,"1",{"currentTime":"x"}]', CallResult("1", {"currentTime": "x"})),
    ],
)
def test_a_frame_is_read(text: bytes, frame: Frame) -> None:
    assert decode(text) == frame


@pytest.mark.parametrize(
    ("text", "code", "description", "details"),
    [
        (b'[4,"1","NotSupported","no",{"a":1}]', ErrorCode.NOT_SUPPORTED, "no", {"a": 1}),
        (b'[4,"1","FormationViolation","",{}]', ErrorCode.FORMAT_VIOLATION, "", {}),
        (b'[4,"1","OccurenceConstraintViolation","",{}]', ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, "", {}),
        (b'[4,"1","Teapot","",{}]', ErrorCode.GENERIC_ERROR, "", {}),
        (b'[4,"1","NotSupported"]', ErrorCode.NOT_SUPPORTED, "", {}),
        (b'[4,"1","NotSupported","no"]', ErrorCode.NOT_SUPPORTED, "no", {}),
        (b'[4,"1","NotSupported",null,null]', ErrorCode.NOT_SUPPORTED, "", {}),
        (b'[4,"1","NotSupported",7,["a"]]', ErrorCode.NOT_SUPPORTED, "", {}),
        (text_of(4, "1", "NotSupported", "x" * 255, {}), ErrorCode.NOT_SUPPORTED, "x" * 255, {}),
        (text_of(4, "1", "NotSupported", "x" * 256, {}), ErrorCode.NOT_SUPPORTED, "x" * 255, {}),
    ],
)
def test_a_callerror_is_read_leniently(text: bytes, code: ErrorCode, description: str, details: dict[str, Any]) -> None:
    frame = decode(text)

    assert isinstance(frame, CallErrorFrame)
    assert frame.message_id == "1"
    assert (frame.error.code, frame.error.description, frame.error.details) == (code, description, details)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"null",
        b"2",
        b'"[2]"',
        b"[]",
        b"[2]",
        b'[2,"1"',
        b'[true,"1","Heartbeat",{}]',
        b'["2","1","Heartbeat",{}]',
        b'[2.5,"1","Heartbeat",{}]',
        b'[null,"1","Heartbeat",{}]',
        b'[[2],"1","Heartbeat",{}]',
        b'[2,1,"Heartbeat",{}]',
        b'[2,null,"Heartbeat",{}]',
        b'[2,"","Heartbeat",{}]',
        text_of(2, LONGEST_ID + "i", "Heartbeat", {}),
        b'[2,["1"],"Heartbeat",{}]',
        b'[2,true,"Heartbeat",{}]',
        b'[7,"","Heartbeat",{}]',
        b'[7,"1",{"a":NaN}]',
        b'[2,"\\u0031","Heartbeat",{"a":NaN}]',
        b'[2,"\xc3\xa9","Heartbeat",{"a":NaN}]',
        text_of(2, LONGEST_ID + "i", "Heartbeat", {"a": "\0"}),
        b'x[2,"1","Heartbeat",{"a":NaN}]',
        b"\xff\xfe",
    ],
)
def test_a_frame_whose_id_cannot_be_read_is_answered_under_minus_one(text: bytes) -> None:
    refusal = refusal_of(text)

    assert refusal.message_id == UNREADABLE_ID == "-1"
    assert refusal.error.code is ErrorCode.RPC_FRAMEWORK_ERROR
    assert not refusal.is_answer


@pytest.mark.parametrize(
    ("head", "is_answer"),
    [(b'[2,"%b","Heartbeat"', False), (b'\r\n [ 3 ,\t"%b" ', True), (b'[4,"%b","NotSupported",""', True)],
)
@pytest.mark.parametrize("message_id", ["1", LONGEST_ID, " [2],{3}!~"])
@pytest.mark.parametrize("payload", [b'{"a":1,"a":2}]', b'{"a":NaN}]', b'{"a":1e30}]', b'{"a":"\\u0000"}]', b'"', b""])
def test_what_is_not_json_has_the_id_that_its_head_names(
    head: bytes, is_answer: bool, message_id: str, payload: bytes
) -> None:
    refusal = refusal_of(head % message_id.encode() + b"," + payload)

    assert refusal.error.code is ErrorCode.RPC_FRAMEWORK_ERROR
    assert (refusal.message_id, refusal.is_answer, refusal.is_json) == (message_id, is_answer, False)


@pytest.mark.parametrize(
    "text",
    [
        b'[2,"1"]',
        b'[2,"1","Heartbeat"]',
        b'[2,"1","Heartbeat",{},{}]',
        b'[2,"1","Heartbeat",[]]',
        b'[2,"1","Heartbeat",null]',
        b'[2,"1","Heartbeat","{}"]',
        b'[2,"1",null,{}]',
        b'[2,"1",{},"Heartbeat"]',
        b'[2,"1",42,{}]',
    ],
)
def test_a_malformed_call_is_answered_under_its_own_id(text: bytes) -> None:
    refusal = refusal_of(text)

    assert refusal.message_id == "1"
    assert refusal.error.code is ErrorCode.FORMAT_VIOLATION
    assert not refusal.is_answer


@pytest.mark.parametrize(
    ("text", "message_id"),
    [
        (b"[3]", "-1"),
        (b"[4]", "-1"),
        (b"[3,1,{}]", "-1"),
        (b'[3,"",{}]', "-1"),
        (text_of(4, LONGEST_ID + "i", "GenericError", "", {}), "-1"),
        (b'[3,"1"]', "1"),
        (b'[3,"1",[]]', "1"),
        (b'[3,"1",{},{}]', "1"),
        (b'[4,"1"]', "1"),
        (b'[4,"1",5]', "1"),
        (b'[4,"1",null,"",{}]', "1"),
        (b'[4,"1","GenericError","",{},{}]', "1"),
    ],
)
def test_a_malformed_answer_is_known_for_one_and_so_never_answered(text: bytes, message_id: str) -> None:
    refusal = refusal_of(text)

    assert refusal.is_answer
    assert refusal.message_id == message_id


@pytest.mark.parametrize("kind", [0, 1, 5, 6, -2, 22, 2**62])
def test_an_unknown_message_type_is_named_so(kind: int) -> None:
    refusal = refusal_of(text_of(kind, "1", "Heartbeat", {}))

    assert refusal.error.code is ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED
    assert refusal.message_id == "1"
    assert not refusal.is_answer


@pytest.mark.parametrize(
    "text",
    [
        text_of(2, MARK * 9, "Heartbeat", {}),
        text_of(2, "1", [MARK], {}),
        text_of(2, "1", "Heartbeat", [MARK]),
        text_of(MARK, "1", "Heartbeat", {}),
        text_of(9, "1", MARK, {}),
        text_of(4, "1", {MARK: MARK}, MARK, {}),
        f'[2,"1","Heartbeat",{{"{MARK}":1,"{MARK}":1}}]'.encode(),
        f'[2,"1","{MARK}'.encode(),
    ],
)
def test_the_refusal_never_repeats_what_the_peer_wrote(text: bytes) -> None:
    refusal = refusal_of(text)

    assert MARK not in str(refusal)
    assert MARK not in refusal.error.description


def is_read_or_fit_to_be_answered(text: bytes) -> bool:
    refusal: FrameRejected | None = None
    try:
        decode(text)
    except FrameRejected as rejected:
        refusal = rejected
    return refusal is None or (
        0 < len(refusal.message_id) <= MESSAGE_ID_MAX
        and len(refusal.error.description) <= ERROR_DESCRIPTION_MAX
        and refusal.error.description.isprintable()
    )


@settings(deadline=None)
@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_frame_or_rejected(text: bytes) -> None:
    assert is_read_or_fit_to_be_answered(text)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 7) | st.floats(allow_nan=True) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(anything, max_size=6), st.sampled_from([None, 2, 3, 4, 5, True]))
def test_any_array_is_a_frame_or_rejected(elements: list[Any], kind: int | None) -> None:
    assert is_read_or_fit_to_be_answered(text_of(*([] if kind is None else [kind]), *elements))


@settings(deadline=None)
@given(
    st.sampled_from(
        [
            b'[2,"1","StatusNotification",{"timestamp":"2026-01-01T00:00:00Z","evseId":1}]',
            b'[3,"1",{"status":"Accepted","a":[1,2.5,null,"\\u00e9\\ud83d\\ude00"]}]',
            b'[4,"1","GenericError","why",{"a":{"b":true}}]',
        ]
    ),
    st.lists(
        st.tuples(
            st.integers(0, 90),
            st.integers(0, 4),
            st.sampled_from([b"\\ud800", b'"', b"{", b"]", b",", b"\xff", b"1e999", b"NaN", b"\x00", b"\\", b"9" * 40]),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_a_mutilated_frame_is_a_frame_or_rejected(text: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    for place, length, patch in cuts:
        text = text[:place] + patch + text[place + length :]
    assert is_read_or_fit_to_be_answered(text)


@settings(deadline=None)
@given(message_ids, texts, payloads)
def test_a_call_comes_back_as_it_was_written(message_id: str, action: str, payload: dict[str, Any]) -> None:
    call = Call(message_id, action, payload)

    assert decode(encode_call(call.message_id, call.action, call.payload)) == call


@settings(deadline=None)
@given(message_ids, payloads)
def test_a_result_comes_back_as_it_was_written(message_id: str, payload: dict[str, Any]) -> None:
    assert decode(encode_result(message_id, payload)) == CallResult(message_id, payload)


@settings(deadline=None)
@given(
    message_ids,
    st.sampled_from(ErrorCode),
    st.text(st.characters(exclude_characters="\0"), max_size=600),
    payloads,
    st.sampled_from(Version),
)
def test_any_error_can_be_written_and_read(
    message_id: str, code: ErrorCode, description: str, details: dict[str, Any], version: Version
) -> None:
    written = json.loads(encode_error(message_id, CallError(code, description, details), version))

    assert written[:3] == [4, message_id, spell(code, version)]
    assert len(written[3]) <= ERROR_DESCRIPTION_MAX
    frame = decode(json.dumps(written).encode())
    assert isinstance(frame, CallErrorFrame)
    assert (frame.error.description, frame.error.details) == (written[3], written[4])


@pytest.mark.parametrize(("length", "left"), [(0, 0), (254, 254), (255, 255), (256, 255), (100_000, 255)])
def test_an_error_description_is_cut_at_255_characters(length: int, left: int) -> None:
    text = encode_error("1", CallError(ErrorCode.GENERIC_ERROR, "\N{GRINNING FACE}" * length), Version.V201)

    assert json.loads(text) == [4, "1", "GenericError", "\N{GRINNING FACE}" * left, {}]


@pytest.mark.parametrize(
    "error",
    [
        CallError(ErrorCode.GENERIC_ERROR, "lone \ud800 surrogate"),
        CallError(ErrorCode.GENERIC_ERROR, "why", {"when": object()}),
        CallError(ErrorCode.GENERIC_ERROR, "why", {"size": 2**64}),
    ],
    ids=["surrogate", "object", "65 bits"],
)
def test_an_error_that_cannot_be_written_is_answered_without_its_words(error: CallError) -> None:
    """Attack C5: an error while building an error."""
    assert encode_error("1", error, Version.V16) == b'[4,"1","GenericError","",{}]'


def test_an_error_is_spelt_for_its_version() -> None:
    error = CallError(ErrorCode.FORMAT_VIOLATION, "no", {"at": 1})

    assert encode_error("1", error, Version.V16) == b'[4,"1","FormationViolation","no",{"at":1}]'
    assert encode_error("1", error, Version.V201) == b'[4,"1","FormatViolation","no",{"at":1}]'
