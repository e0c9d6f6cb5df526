"""Attack C5: an error while an error is built (CVE-2025-59399: a description of more than 255 characters)."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.session.stages import BACKEND_16, STATION_16, STATION_201, Side
from gateway.wire.errors import ERROR_DESCRIPTION_MAX, CallError, ErrorCode, parse_code
from gateway.wire.frames import UNREADABLE_ID, encode_error
from gateway.wire.versions import Version

if TYPE_CHECKING:
    from tests.session.conftest import Talk

anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(codec=None)), st.binary()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(st.characters(codec=None)), inner)),
    max_leaves=8,
)
SIDES = [STATION_201, STATION_16, BACKEND_16]
CODES_16 = {
    "NotImplemented", "NotSupported", "InternalError", "ProtocolError", "SecurityError", "FormationViolation",
    "PropertyConstraintViolation", "OccurenceConstraintViolation", "TypeConstraintViolation", "GenericError",
}  # fmt: skip


def is_a_good_error(text: bytes, message_id: str, version: Version) -> bool:
    """Return whether a strict peer takes it: five elements, a code of its version, at most 255 characters."""
    kind, answered, code, description, details = json.loads(text.decode("utf-8"))
    known = CODES_16 if version is Version.V16 else {each.value for each in ErrorCode}
    return (
        (kind, answered) == (4, message_id)
        and code in known
        and len(description) <= ERROR_DESCRIPTION_MAX
        and type(details) is dict
    )


@given(
    st.sampled_from(ErrorCode),
    st.text(st.characters(codec=None), max_size=600),
    st.dictionaries(st.text(st.characters(codec=None)), anything),
    st.sampled_from(Version),
)
def test_whatever_the_error_says_it_can_be_written(
    code: ErrorCode, description: str, details: dict[str, Any], version: Version
) -> None:
    text = encode_error("1", CallError(code, description, details), version)
    assert is_a_good_error(text, "1", version)


@pytest.mark.parametrize("length", [ERROR_DESCRIPTION_MAX, ERROR_DESCRIPTION_MAX + 1, 100_000])
@pytest.mark.parametrize("letter", ["x", "\u00e4", "\U0001f50c", "\x00", '"'])
@pytest.mark.parametrize("side", SIDES, ids=lambda side: f"{side.leg.value}-{side.version.value}")
async def test_a_handler_that_says_too_much(new_talk: Any, side: Side, letter: str, length: int) -> None:
    talk: Talk = new_talk(side)
    talk.handler.answers["Heartbeat"] = CallError(ErrorCode.FORMAT_VIOLATION, letter * length)
    (answer,) = await talk.hears([2, "1", "Heartbeat", {}])
    assert answer[:2] == [4, "1"]
    assert answer[3] == (letter if letter.isprintable() else " ") * ERROR_DESCRIPTION_MAX


@pytest.mark.parametrize("details", [{"a": object()}, {"a": b"x"}, {1: "x"}, {"a": 2**70}, {"a": "\ud800"}])
async def test_details_that_can_not_be_written_stay_here(talk: "Talk", details: dict[Any, Any]) -> None:
    talk.handler.answers["Heartbeat"] = CallError(ErrorCode.GENERIC_ERROR, "why", details)
    (answer,) = await talk.hears([2, "1", "Heartbeat", {}])
    assert answer == [4, "1", "GenericError", "why", {}]
    talk.handler.answers["Heartbeat"] = {"currentTime": "2026-03-01T12:00:00Z"}
    assert [frame[0] for frame in await talk.hears([2, "2", "Heartbeat", {}])] == [3]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1, max_size=400), value=anything.filter(lambda each: type(each) is not bytes))
async def test_what_the_peer_makes_us_complain_of_can_be_complained_of(new_talk: Any, name: str, value: Any) -> None:
    for side in SIDES:
        talk: Talk = new_talk(side)
        try:
            said = json.dumps([2, "1", "Heartbeat", {name: value}]).encode()
        except TypeError:
            continue
        answers = await talk.hears(said)
        # OCPP-J 1.6 has no answer to a frame that can't be read.
        assert len(answers) == 1 or (side.version is Version.V16 and talk.tally.calls)
        for answer in answers:
            assert answer[0] == 4
            assert answer[1] in {"1", UNREADABLE_ID}
            assert len(answer[3]) <= ERROR_DESCRIPTION_MAX
        talk.handler.answers["Heartbeat"] = {"currentTime": "2026-03-01T12:00:00Z"}
        assert [frame[:2] for frame in await talk.hears([2, "2", "Heartbeat", {}])] == [[3, "2"]]


@pytest.mark.parametrize("code", ["", "NoSuchCode", "x" * 10_000, "\u202e"])
def test_a_code_outside_the_standard_is_a_generic_error(code: str) -> None:
    assert parse_code(code) is ErrorCode.GENERIC_ERROR


@pytest.mark.parametrize("rest", [[], [None], [5], ["x" * 100_000], ["", None], ["", []], ["", {}], [{}, ""]])
async def test_the_peers_own_bad_error_ends_the_call_and_nothing_else(talk: "Talk", rest: list[Any]) -> None:
    own, _ = await talk.calls("GetLocalListVersion", {})
    assert await talk.hears([4, "own-1", "GenericError", *rest]) == []
    error = own.exception()
    assert isinstance(error, CallError)
    assert len(error.description) <= ERROR_DESCRIPTION_MAX
    assert talk.socket.closed == []
