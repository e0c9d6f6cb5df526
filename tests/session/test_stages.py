"""The schema and policy stages of a leg, as tables; how a peer uses them is told in test_peer.py."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from gateway.session.releasing import releasing
from gateway.session.stages import BACKEND_16, STATION_16, STATION_201, Answered, InvalidAnswer, NotSendable, Stages
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.frames import Call
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from policies.words import PASSED, Kind, Outcome, Stage, Verdict

if TYPE_CHECKING:
    from tests.session.conftest import FakePolicy

LOG = structlog.get_logger(__name__)
RESET_16 = operation(Version.V16, "Reset")
SECURITY = ErrorCode.SECURITY_ERROR


@pytest.fixture
def policy(new_policy: "type[FakePolicy]") -> "FakePolicy":
    return new_policy()


def test_each_side_has_its_version_and_its_stages(policy: "FakePolicy") -> None:
    for side in (STATION_201, STATION_16, BACKEND_16):
        Stages(side, policy, LOG).incoming(operation(side.version, "Heartbeat"), Call("1", "Heartbeat", {}))
    assert [stage for stage, _, _ in policy.seen] == [Stage.FROM_STATION, Stage.FROM_STATION, Stage.FROM_BACKEND]


@pytest.mark.parametrize(
    ("payload", "denied", "code"),
    [
        ({"type": "Soft"}, False, None),
        ({"type": "OnIdle"}, False, ErrorCode.PROPERTY_CONSTRAINT_VIOLATION),
        ({"type": "Soft"}, True, SECURITY),
    ],
)
def test_a_call_of_the_peer(
    policy: "FakePolicy", payload: dict[str, Any], denied: bool, code: ErrorCode | None
) -> None:
    if denied:
        policy.deny(Stage.FROM_BACKEND, Kind.CALL, "Reset")
    stages = Stages(BACKEND_16, policy, LOG)
    if code is None:
        stages.incoming(RESET_16, Call("1", "Reset", payload))
        return
    with pytest.raises(CallError) as refused:
        stages.incoming(RESET_16, Call("1", "Reset", payload))
    assert refused.value.code is code


@pytest.mark.parametrize(
    ("kind", "payload", "denied", "code"),
    [
        (Kind.CALL, {"type": "Hard"}, False, None),
        (Kind.RESULT, {"status": "Accepted"}, False, None),
        (Kind.CALL, {"type": "OnIdle"}, False, ErrorCode.INTERNAL_ERROR),
        (Kind.RESULT, {"status": "Scheduled"}, False, ErrorCode.INTERNAL_ERROR),
        (Kind.CALL, {"type": "Hard"}, True, SECURITY),
        (Kind.RESULT, {"status": "Accepted"}, True, SECURITY),
    ],
)
def test_what_the_peer_is_sent(
    policy: "FakePolicy", kind: Kind, payload: dict[str, Any], denied: bool, code: ErrorCode | None
) -> None:
    if denied:
        policy.deny(Stage.TO_STATION, kind, "Reset")
    stages = Stages(STATION_16, policy, LOG)
    if code is None:
        stages.outgoing(RESET_16, kind, "Reset", payload)
        return
    with pytest.raises(NotSendable) as refused:
        stages.outgoing(RESET_16, kind, "Reset", payload)
    assert refused.value.code is code


def test_an_answer_of_the_peer_that_is_in_order(policy: "FakePolicy") -> None:
    assert Stages(STATION_16, policy, LOG).answer("Reset", {"status": "Accepted"}) == {"status": "Accepted"}


def test_what_an_old_backend_says_besides_is_left_out_and_noted_once(policy: "FakePolicy") -> None:
    said = {"transactionId": 7, "idTagInfo": {"status": "Accepted", "expiryDate": None, "x": [1]}, "extra": {}}
    with structlog.testing.capture_logs() as logs:
        stages = Stages(BACKEND_16, policy, structlog.get_logger())
        for _ in range(2):
            used = stages.answer("StartTransaction", said)
            assert used == {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
    assert [line["event"] for line in logs] == ["answer_mended"]
    assert "x" in said["idTagInfo"]  # type: ignore[operator]  # a dict


def test_of_a_station_nothing_is_left_out(policy: "FakePolicy") -> None:
    assert isinstance(Stages(STATION_16, policy, LOG).answer("Reset", {"status": "Accepted", "x": 1}), InvalidAnswer)


@pytest.mark.parametrize(
    ("answer", "fault", "code"),
    [
        ({"status": "Perhaps"}, None, ErrorCode.PROPERTY_CONSTRAINT_VIOLATION),
        ({"status": "Accepted"}, "deny", SECURITY),
        ({"status": "Accepted"}, ZeroDivisionError("a fault of the policy"), ErrorCode.INTERNAL_ERROR),
    ],
)
def test_an_answer_of_the_peer_that_is_not(
    policy: "FakePolicy", answer: dict[str, Any], fault: Any, code: ErrorCode
) -> None:
    if fault == "deny":
        policy.deny(Stage.FROM_STATION, Kind.RESULT, "Reset")
    elif fault is not None:
        policy.faults[Stage.FROM_STATION, Kind.RESULT, "Reset"] = fault
    verdict = Stages(STATION_16, policy, LOG).answer("Reset", answer)
    assert isinstance(verdict, InvalidAnswer)
    assert verdict.code is code


def said(code: str, text: str = "", **details: Any) -> dict[str, Any]:
    return {"errorCode": code, "errorDescription": text, "errorDetails": details}


def transformed(code: str, text: str = "", **details: Any) -> Verdict:
    return Verdict(Outcome.TRANSFORMED, "plain-words", payload=said(code, text, **details))


@pytest.mark.parametrize(
    ("verdict", "code", "text", "details"),
    [
        (None, ErrorCode.NOT_SUPPORTED, "no such\x1b thing", {"hint": 1}),
        (Verdict(Outcome.DENIED), ErrorCode.NOT_SUPPORTED, "refused by policy", {}),
        (Verdict(Outcome.ANSWERED, payload={"status": "Accepted"}), ErrorCode.NOT_SUPPORTED, "refused by policy", {}),
        (transformed("GenericError", "no", kept=2), ErrorCode.GENERIC_ERROR, "no", {"kept": 2}),
        (ZeroDivisionError("a fault of the policy"), ErrorCode.NOT_SUPPORTED, "refused by policy", {}),
    ],
)
def test_a_callerror_of_the_peer(
    policy: "FakePolicy", verdict: Any, code: ErrorCode, text: str, details: dict[str, Any]
) -> None:
    if isinstance(verdict, Verdict):
        policy.verdicts[Stage.FROM_BACKEND, Kind.ERROR, "Reset"] = verdict
    elif verdict is not None:
        policy.faults[Stage.FROM_BACKEND, Kind.ERROR, "Reset"] = verdict

    came = CallError(ErrorCode.NOT_SUPPORTED, "no such\x1b thing", {"hint": 1})
    used = Stages(BACKEND_16, policy, LOG).error("Reset", came)

    assert policy.seen == [(Stage.FROM_BACKEND, Kind.ERROR, "Reset")]
    assert (used.code, used.description, used.details) == (code, text, details)


def test_what_the_policy_sees_of_a_callerror_is_in_the_words_of_its_leg() -> None:
    seen: list[Any] = []

    def inspect(*message: Any) -> Verdict:
        seen.append(message)
        return PASSED

    policy: Any = SimpleNamespace(inspect=inspect)
    error = CallError(ErrorCode.FORMAT_VIOLATION, "what", {"a": 1})
    Stages(STATION_201, policy, LOG).error("Reset", error)
    Stages(BACKEND_16, policy, LOG).error("Reset", error)

    assert [(message[2], message[4]) for message in seen] == [
        ("ocpp2.0.1", said("FormatViolation", "what", a=1)),
        ("ocpp1.6", said("FormationViolation", "what", a=1)),
    ]


@pytest.mark.parametrize(
    ("verdict", "text", "details"),
    [
        (None, "no [31m" + "x" * 248, {}),
        (Verdict(Outcome.DENIED), "refused by policy", {}),
        (transformed("NotSupported", "no", of_the_policy=1), "no", {"of_the_policy": 1}),
    ],
)
def test_a_callerror_goes_out_without_what_nobody_has_checked(
    policy: "FakePolicy", verdict: Verdict | None, text: str, details: dict[str, Any]
) -> None:
    if verdict is not None:
        policy.verdicts[Stage.TO_STATION, Kind.ERROR, "Reset"] = verdict

    told = Stages(STATION_201, policy, LOG).refusal(
        "Reset", CallError(ErrorCode.NOT_SUPPORTED, "no\x1b[31m" + "x" * 300, {"of the backend": "<script>"})
    )

    assert (told.code, told.description, told.details) == (ErrorCode.NOT_SUPPORTED, text, details)


@pytest.mark.parametrize("outcome", [Outcome.DENIED, Outcome.ANSWERED, Outcome.QUARANTINED])
def test_what_a_person_has_released_is_not_stopped_again(policy: "FakePolicy", outcome: Outcome) -> None:
    for stage in (Stage.TO_BACKEND, Stage.TO_STATION):
        policy.verdicts[stage, Kind.CALL, "Heartbeat"] = Verdict(outcome, "r", payload={"currentTime": "x"})
    heartbeat = operation(Version.V16, "Heartbeat")
    with releasing():
        assert Stages(BACKEND_16, policy, LOG).outgoing(heartbeat, Kind.CALL, "Heartbeat", {}) == {}
    for side in (BACKEND_16, STATION_16):
        with pytest.raises((NotSendable, Answered)):
            Stages(side, policy, LOG).outgoing(heartbeat, Kind.CALL, "Heartbeat", {})
    with releasing(), pytest.raises((NotSendable, Answered)):
        Stages(STATION_16, policy, LOG).outgoing(heartbeat, Kind.CALL, "Heartbeat", {})


def test_what_is_to_be_kept_says_so(policy: "FakePolicy") -> None:
    kept = Verdict(Outcome.QUARANTINED, "r")
    assert NotSendable(SECURITY, "x", kept).withheld is kept
    assert NotSendable(SECURITY, "x", Verdict(Outcome.DENIED, "r")).withheld is None
    assert NotSendable(SECURITY, "x").withheld is None
