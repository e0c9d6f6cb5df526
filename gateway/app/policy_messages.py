"""One message for `voltgate policy explain`: a payload, or a whole OCPP-J frame."""

from typing import Final

from gateway.wire import strict_json
from gateway.wire.errors import CallError, spell
from gateway.wire.frames import Call, CallResult, FrameRejected, decode
from gateway.wire.versions import Version
from policies.cases import Message
from policies.words import Kind, Payload, Stage

SIZE_MAX: Final = 1024 * 1024
"""Bytes of a message that is explained: more than any station may send."""


class MessageRefused(Exception):
    """What was given is no message; the text is one clear line, without the message's own text."""


def read_message(
    raw: bytes, stage: Stage, protocol: str, *, kind: Kind | None = None, action: str | None = None
) -> Message:
    """Read a payload, or a frame that says its kind, and a CALL its action too. Raises :class:`MessageRefused`."""
    if len(raw) > SIZE_MAX:
        raise MessageRefused(f"the message is larger than {SIZE_MAX} bytes")
    is_frame = raw.lstrip(b" \t\r\n").startswith(b"[")
    of_frame, called, payload = _frame(raw, Version(protocol)) if is_frame else (None, None, _payload(raw))
    if of_frame is not None and kind is not None and kind is not of_frame:
        raise MessageRefused(f"the frame is a {of_frame.value}, not a {kind.value}; leave --kind out")
    if called is not None and action is not None and action != called:
        raise MessageRefused("the frame's action is another one than --action; leave --action out")
    named = called or action
    if named is None:
        raise MessageRefused(
            "the action isn't known: give --action" + (" of the CALL that is answered" if is_frame else "")
        )
    return Message(stage, of_frame or kind or Kind.CALL, protocol, named, payload)


def _payload(raw: bytes) -> Payload:
    try:
        payload = strict_json.loads(raw)
    except strict_json.JsonRejected as error:
        raise MessageRefused(f"not acceptable as JSON: {error}") from None
    if not isinstance(payload, dict):
        raise MessageRefused("a message is a JSON object, or an OCPP-J frame [2,id,action,payload]")
    return payload


def _frame(raw: bytes, version: Version) -> tuple[Kind, str | None, Payload]:
    try:
        frame = decode(raw)
    except FrameRejected as refused:
        raise MessageRefused(f"no OCPP-J frame: {refused}") from None
    if isinstance(frame, Call):
        return Kind.CALL, frame.action, frame.payload
    if isinstance(frame, CallResult):
        return Kind.RESULT, None, frame.payload
    return Kind.ERROR, None, _error_payload(frame.error, version)


def _error_payload(error: CallError, version: Version) -> Payload:
    return {
        "errorCode": spell(error.code, version),
        "errorDescription": error.description,
        "errorDetails": error.details,
    }
