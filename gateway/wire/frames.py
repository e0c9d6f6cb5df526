"""OCPP-J frames: text to frame and back (OCPP-J 2.0.1 Part 4, 4.2; OCPP-J 1.6, 4.2)."""

import re
from dataclasses import dataclass
from typing import Any, Final

from gateway.wire import strict_json
from gateway.wire.errors import ERROR_DESCRIPTION_MAX, CallError, ErrorCode, parse_code, spell
from gateway.wire.versions import Version

CALL: Final = 2
CALLRESULT: Final = 3
CALLERROR: Final = 4
_ANSWERS: Final = frozenset({CALLRESULT, CALLERROR})

MESSAGE_ID_MAX: Final = 36
"""Characters of a messageId (OCPP-J 2.0.1 Part 4, 4.1.4)."""
UNREADABLE_ID: Final = "-1"
"""The messageId of a CALLERROR for a frame whose own could not be read (OCPP-J 2.0.1 Part 4, 4.2.3)."""

_HEAD: Final = re.compile(rb'[ \t\r\n]*\[[ \t\r\n]*([234])[ \t\r\n]*,[ \t\r\n]*"([ !#-\[\]-~]{1,36})"[ \t\r\n]*,')
"""Message type and messageId, of plain characters, at the head of a frame: no JSON reader sees anything else there."""

Payload = dict[str, Any]


@dataclass(slots=True)
class Call:
    """[2, messageId, action, payload]"""

    message_id: str
    action: str
    payload: Payload


@dataclass(slots=True)
class CallResult:
    """[3, messageId, payload]"""

    message_id: str
    payload: Payload


@dataclass(slots=True)
class CallErrorFrame:
    """[4, messageId, errorCode, errorDescription, errorDetails]"""

    message_id: str
    error: CallError


Frame = Call | CallResult | CallErrorFrame


class FrameRejected(Exception):
    """A text that isn't an OCPP-J frame.

    ``message_id`` is the frame's own where it could be read, else "-1". ``is_answer`` tells that it was meant as
    CALLRESULT or CALLERROR: such a frame is never answered with a CALLERROR. Where the text isn't JSON (``is_json``),
    ``message_id`` is what its head names.
    """

    def __init__(
        self,
        code: ErrorCode,
        text: str,
        *,
        message_id: str = UNREADABLE_ID,
        is_answer: bool = False,
        is_json: bool = True,
    ) -> None:
        super().__init__(text)
        self.error = CallError(code, text)
        self.message_id = message_id
        self.is_answer = is_answer
        self.is_json = is_json


def decode(text: bytes) -> Frame:
    """Read one frame.

    Raises :class:`FrameRejected`, whatever ``text`` holds. An errorDescription that is too long is cut, and a missing
    errorDescription or errorDetails is filled in: refusing them would only turn an error into a timeout.
    """
    try:
        frame = strict_json.loads(text)
    except strict_json.JsonRejected as error:
        raise _unacceptable(text, f"not acceptable as JSON: {error}") from None
    if type(frame) is not list or not frame:
        raise FrameRejected(ErrorCode.RPC_FRAMEWORK_ERROR, "a frame is an array of at least three elements")
    kind = frame[0]
    # bool is an int to Python: `true` as message type must not pass for 1.
    if type(kind) is not int:
        raise FrameRejected(ErrorCode.RPC_FRAMEWORK_ERROR, "the message type is not an integer")
    is_answer = kind in _ANSWERS
    message_id = frame[1] if len(frame) > 1 else None
    if type(message_id) is not str or not 0 < len(message_id) <= MESSAGE_ID_MAX:
        raise FrameRejected(
            ErrorCode.RPC_FRAMEWORK_ERROR,
            f"the messageId is not a string of 1 to {MESSAGE_ID_MAX} characters",
            is_answer=is_answer,
        )
    if kind == CALL:
        return _decode_call(message_id, frame)
    if kind == CALLRESULT:
        return _decode_result(message_id, frame)
    if kind == CALLERROR:
        return _decode_error(message_id, frame)
    raise FrameRejected(ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED, "unknown message type", message_id=message_id)


def _unacceptable(text: bytes, reason: str) -> FrameRejected:
    """Return the refusal of what isn't JSON, with its own messageId if the head names it.

    Under "-1" nobody would know whose it is: an answer's CALL would wait for the end of its time, and be sent again.
    """
    code, head = ErrorCode.RPC_FRAMEWORK_ERROR, _HEAD.match(text)
    if head is None:
        return FrameRejected(code, reason, is_json=False)
    kind, message_id = head.groups()
    is_answer = int(kind) in _ANSWERS
    return FrameRejected(code, reason, message_id=message_id.decode(), is_answer=is_answer, is_json=False)


def _decode_call(message_id: str, frame: list[Any]) -> Call:
    if len(frame) != 4:
        raise FrameRejected(ErrorCode.FORMAT_VIOLATION, "a CALL has four elements", message_id=message_id)
    action, payload = frame[2], frame[3]
    if type(action) is not str:
        raise FrameRejected(ErrorCode.FORMAT_VIOLATION, "the action is not a string", message_id=message_id)
    if type(payload) is not dict:
        raise FrameRejected(ErrorCode.FORMAT_VIOLATION, "the payload is not an object", message_id=message_id)
    return Call(message_id, action, payload)


def _decode_result(message_id: str, frame: list[Any]) -> CallResult:
    if len(frame) != 3 or type(frame[2]) is not dict:
        raise FrameRejected(
            ErrorCode.FORMAT_VIOLATION,
            "a CALLRESULT has three elements, the last an object",
            message_id=message_id,
            is_answer=True,
        )
    return CallResult(message_id, frame[2])


def _decode_error(message_id: str, frame: list[Any]) -> CallErrorFrame:
    code = frame[2] if len(frame) > 2 else None
    if type(code) is not str or len(frame) > 5:
        raise FrameRejected(
            ErrorCode.FORMAT_VIOLATION, "a CALLERROR has five elements", message_id=message_id, is_answer=True
        )
    description = frame[3] if len(frame) > 3 and type(frame[3]) is str else ""
    details = frame[4] if len(frame) > 4 and type(frame[4]) is dict else {}
    return CallErrorFrame(message_id, CallError(parse_code(code), description[:ERROR_DESCRIPTION_MAX], details))


def encode_call(message_id: str, action: str, payload: Payload) -> bytes:
    """Write a CALL."""
    return strict_json.dumps([CALL, message_id, action, payload])


def encode_result(message_id: str, payload: Payload) -> bytes:
    """Write a CALLRESULT."""
    return strict_json.dumps([CALLRESULT, message_id, payload])


def encode_error(message_id: str, error: CallError, version: Version) -> bytes:
    """Write a CALLERROR in the spelling of ``version``, its description cut to 255 characters.

    What can't be written as JSON is left out: an error about an error would leave the peer without an answer.
    """
    code = spell(error.code, version)
    try:
        return strict_json.dumps(
            [CALLERROR, message_id, code, error.description[:ERROR_DESCRIPTION_MAX], error.details]
        )
    except TypeError:
        return strict_json.dumps([CALLERROR, message_id, code, "", {}])
