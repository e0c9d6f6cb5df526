"""What a policy decides at each stage, as dialogues: what came in, what the policy said, who heard what."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gateway.session.stages import BACKEND_16, InvalidAnswer, NotSendable
from gateway.wire.errors import CallError, ErrorCode
from policies.words import Kind, Outcome, Stage, Verdict

if TYPE_CHECKING:
    from tests.session.conftest import Talk

NewTalk = Callable[..., "Talk"]

STARTED = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "2026-03-01T12:00:00Z"}
BEAT = {"currentTime": "2026-03-01T12:00:00Z"}
NOT_NOW = {"currentTime": "1970-01-01T00:00:00Z"}
RESET = {"type": "OnIdle"}
DONE = {"status": "Accepted"}
NO = {"status": "Rejected"}


def transformed(payload: Any) -> Verdict:
    return Verdict(Outcome.TRANSFORMED, "some-rule", payload=payload)


def answered(payload: Any) -> Verdict:
    return Verdict(Outcome.ANSWERED, "some-rule", payload=payload)


def denied(payload: Any = None, error: str = "SecurityError") -> Verdict:
    return Verdict(Outcome.DENIED, "some-rule", text="secret of the rule", payload=payload, error=error)


QUARANTINED = Verdict(Outcome.QUARANTINED, "some-rule", payload={})


# --- the peer's CALL


async def test_a_transformed_call_is_what_the_handler_gets(talk: "Talk") -> None:
    status = {"timestamp": "2026-03-01T12:00:00Z", "connectorStatus": "Faulted", "evseId": 1, "connectorId": 1}
    talk.policy.verdicts[Stage.FROM_STATION, Kind.CALL, "StatusNotification"] = transformed({**status, "evseId": 9})
    talk.handler.answers["StatusNotification"] = {}

    assert await talk.hears([2, "1", "StatusNotification", status]) == [[3, "1", {}]]
    assert talk.handler.calls == [("StatusNotification", {**status, "evseId": 9})]


@pytest.mark.parametrize("verdict", [answered(BEAT), denied(BEAT)], ids=["answer", "deny with a status"])
async def test_an_answered_call_goes_no_further(talk: "Talk", verdict: Verdict) -> None:
    talk.policy.verdicts[Stage.FROM_STATION, Kind.CALL, "Heartbeat"] = verdict

    assert await talk.hears([2, "1", "Heartbeat", {}]) == [[3, "1", BEAT]]
    assert talk.handler.calls == []
    assert talk.policy.seen[-1] == (Stage.TO_STATION, Kind.RESULT, "Heartbeat")


@pytest.mark.parametrize("code", ["SecurityError", "NotSupported", "OccurrenceConstraintViolation"])
async def test_a_denied_call_hears_the_code_of_the_rule_and_nothing_of_why(new_talk: NewTalk, code: str) -> None:
    talk = new_talk(BACKEND_16)
    talk.policy.verdicts[Stage.FROM_BACKEND, Kind.CALL, "Reset"] = denied(error=code)
    spelt = code.replace("Occurrence", "Occurence")  # as 1.6 does

    assert await talk.hears([2, "1", "Reset", {"type": "Soft"}]) == [[4, "1", spelt, "refused by policy", {}]]
    assert talk.handler.calls == []


# --- our answer to it


@pytest.mark.parametrize("verdict", [transformed(NOT_NOW), answered(NOT_NOW)])
async def test_our_answer_goes_out_as_the_policy_has_it(talk: "Talk", verdict: Verdict) -> None:
    talk.policy.verdicts[Stage.TO_STATION, Kind.RESULT, "Heartbeat"] = verdict
    talk.handler.answers["Heartbeat"] = BEAT

    assert await talk.hears([2, "1", "Heartbeat", {}]) == [[3, "1", NOT_NOW]]


async def test_a_denied_answer_becomes_an_error(talk: "Talk") -> None:
    talk.policy.verdicts[Stage.TO_STATION, Kind.RESULT, "Heartbeat"] = denied()
    talk.handler.answers["Heartbeat"] = BEAT

    assert await talk.hears([2, "1", "Heartbeat", {}]) == [[4, "1", "SecurityError", "refused by policy", {}]]


async def test_an_error_of_the_other_side_goes_out_as_the_policy_has_it(talk: "Talk") -> None:
    talk.handler.answers["Heartbeat"] = CallError(ErrorCode.NOT_SUPPORTED, "$(reboot)", {"a": "b"})
    words = {"errorCode": "GenericError", "errorDescription": "no", "errorDetails": {}}
    talk.policy.verdicts[Stage.TO_STATION, Kind.ERROR, "Heartbeat"] = transformed(words)

    assert await talk.hears([2, "1", "Heartbeat", {}]) == [[4, "1", "GenericError", "no", {}]]


async def test_an_error_about_an_action_that_nobody_knows_is_our_own(talk: "Talk") -> None:
    [frame] = await talk.hears([2, "1", "Teapot", {}])

    assert frame[:3] == [4, "1", "NotImplemented"]
    assert talk.policy.seen == []


# --- our CALL


async def test_our_call_goes_out_as_the_policy_has_it(talk: "Talk") -> None:
    talk.policy.verdicts[Stage.TO_STATION, Kind.CALL, "Reset"] = transformed({"type": "Immediate"})
    task, frames = await talk.calls("Reset", RESET)

    assert frames == [[2, "own-1", "Reset", {"type": "Immediate"}]]
    await talk.hears([3, "own-1", DONE])
    assert await task == DONE


@pytest.mark.parametrize("verdict", [answered(NO), denied(NO)], ids=["answer", "deny with a status"])
async def test_our_call_is_answered_as_if_by_the_peer(talk: "Talk", verdict: Verdict) -> None:
    talk.policy.verdicts[Stage.TO_STATION, Kind.CALL, "Reset"] = verdict
    task, frames = await talk.calls("Reset", RESET)

    assert (frames, await task) == ([], NO)


@pytest.mark.parametrize(("verdict", "code"), [(denied(error="NotSupported"), "NotSupported"), (QUARANTINED, None)])
async def test_our_denied_call_is_not_sent_and_says_who_decided(
    new_talk: NewTalk, verdict: Verdict, code: str | None
) -> None:
    talk = new_talk(BACKEND_16)
    talk.policy.verdicts[Stage.TO_BACKEND, Kind.CALL, "StartTransaction"] = verdict
    task, frames = await talk.calls("StartTransaction", STARTED)

    assert frames == []
    with pytest.raises(NotSendable) as refused:
        await task
    assert (refused.value.code.value, refused.value.description) == (code or "SecurityError", "refused by policy")
    assert refused.value.verdict is verdict


# --- the peer's answer to it


@pytest.mark.parametrize("verdict", [transformed(NO), answered(NO)])
async def test_an_answer_is_used_as_the_policy_has_it(talk: "Talk", verdict: Verdict) -> None:
    talk.policy.verdicts[Stage.FROM_STATION, Kind.RESULT, "Reset"] = verdict
    task, _ = await talk.calls("Reset", RESET)
    await talk.hears([3, "own-1", DONE])

    assert await task == NO


async def test_a_denied_answer_is_not_used(talk: "Talk") -> None:
    talk.policy.verdicts[Stage.FROM_STATION, Kind.RESULT, "Reset"] = denied()
    task, _ = await talk.calls("Reset", RESET)
    await talk.hears([3, "own-1", DONE])

    with pytest.raises(InvalidAnswer, match="refused by policy"):
        await task


@pytest.mark.parametrize(
    ("verdict", "code", "text"),
    [
        (denied(error="SecurityError"), ErrorCode.INTERNAL_ERROR, "refused by policy"),
        (
            transformed({"errorCode": "NotSupported", "errorDescription": "no", "errorDetails": {}}),
            ErrorCode.NOT_SUPPORTED,
            "no",
        ),
    ],
    ids=["denied", "transformed"],
)
async def test_an_error_is_used_as_the_policy_has_it(
    talk: "Talk", verdict: Verdict, code: ErrorCode, text: str
) -> None:
    talk.policy.verdicts[Stage.FROM_STATION, Kind.ERROR, "Reset"] = verdict
    task, _ = await talk.calls("Reset", RESET)
    await talk.hears([4, "own-1", "InternalError", "$(reboot)", {"x": 1}])

    with pytest.raises(CallError) as error:
        await task
    assert (error.value.code, error.value.description, error.value.details) == (code, text, {})
