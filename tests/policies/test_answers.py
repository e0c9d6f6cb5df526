"""What is said instead of a message: checked at load against the official schema of the action."""

from typing import Any

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from gateway.wire.errors import ErrorCode
from policies.answers import (
    QUARANTINED_TRANSACTION,
    TEXT_MAX,
    TOO_MANY,
    Answer,
    Kept,
    Refusal,
    compile_answer,
    compile_deny,
    compile_over,
    compile_quarantine,
    neutral_answer,
    statuses,
)
from policies.words import NOBODY, Kind, RuleError, Stage, Surroundings, Target

SCHEMAS = OfficialSchemas()
SURROUNDINGS = Surroundings(lambda: 1_790_000_000.0, lambda: 0.0, lambda: NOBODY, lambda _: False)
WHERE = ("deny",)


def target(
    action: str, protocol: str = "ocpp2.0.1", kind: Kind = Kind.CALL, stage: Stage = Stage.FROM_STATION
) -> Target:
    return Target(stage, kind, protocol, action)


class TestDeny:
    @pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
    @pytest.mark.parametrize("kind", Kind)
    @pytest.mark.parametrize("code", [code.value for code in ErrorCode])
    def test_any_error_of_2_0_1_does_in_every_protocol(self, protocol: str, kind: Kind, code: str) -> None:
        refusal = compile_deny({"error": code}, target("Authorize", protocol, kind), SCHEMAS, WHERE)

        assert refusal == Refusal(code)

    @pytest.mark.parametrize(
        ("spelt", "code"),
        [
            ("FormationViolation", "FormatViolation"),
            ("OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
        ],
    )
    def test_the_spelling_of_1_6_does_in_1_6(self, spelt: str, code: str) -> None:
        assert compile_deny({"error": spelt}, target("Authorize", "ocpp1.6"), SCHEMAS, WHERE).error == code
        with pytest.raises(RuleError, match=f"ocpp2.0.1 has no errorCode '{spelt}': did you mean {code}?"):
            compile_deny({"error": spelt}, target("Authorize"), SCHEMAS, WHERE)

    def test_nothing_said_is_a_security_error(self) -> None:
        assert compile_deny({}, target("Authorize"), SCHEMAS, WHERE) == Refusal("SecurityError", None, "")

    def test_its_text_is_kept(self) -> None:
        text = "x" * TEXT_MAX

        assert compile_deny({"text": text}, target("Authorize"), SCHEMAS, WHERE).text == text

    @pytest.mark.parametrize(
        ("action", "protocol", "status"),
        [
            ("Reset", "ocpp1.6", "Rejected"),
            ("DataTransfer", "ocpp1.6", "UnknownVendorId"),
            ("Reset", "ocpp2.0.1", "Rejected"),
            ("GetLog", "ocpp2.0.1", "Rejected"),
        ],
    )
    def test_a_status_becomes_an_answer(self, action: str, protocol: str, status: str) -> None:
        refusal = compile_deny({"status": status, "text": "no"}, target(action, protocol), SCHEMAS, WHERE)

        assert refusal.answer is not None
        assert refusal.answer.payload(SURROUNDINGS) == {"status": status}
        assert refusal.text == "no"

    @pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
    def test_every_status_alone_fits_its_schema_or_is_refused(self, protocol: str) -> None:
        taken = 0
        for action in SCHEMAS.actions(protocol):
            asked = target(action, protocol)
            for status in statuses(asked, SCHEMAS):
                try:
                    refusal = compile_deny({"status": status}, asked, SCHEMAS, WHERE)
                except RuleError:
                    continue
                taken += 1
                assert refusal.answer is not None
                answer = refusal.answer.payload(SURROUNDINGS)
                assert SCHEMAS.complaint(protocol, action, Kind.RESULT, answer) is None
        assert taken > 30

    @pytest.mark.parametrize(
        ("spec", "asked", "where", "words"),
        [
            (True, target("Authorize"), (), "must be a mapping of `error`, `status`, `text`"),
            (["Rejected"], target("Authorize"), (), "must be a mapping"),
            ({"eror": "x"}, target("Authorize"), ("eror",), "unknown key 'eror'"),
            ({"error": "SecurtyError"}, target("Authorize"), ("error",), "did you mean SecurityError?"),
            ({"error": 5}, target("Authorize"), ("error",), "no errorCode 5; it has Form"),
            ({"error": ["SecurityError"]}, target("Authorize"), ("error",), "no errorCode"),
            ({"text": 5}, target("Authorize"), ("text",), "must be text"),
            ({"text": "x" * (TEXT_MAX + 1)}, target("Authorize"), ("text",), f"at most {TEXT_MAX}"),
            ({"error": "SecurityError", "status": "Rejected"}, target("Reset"), (), "exclude each other"),
            ({"status": "Rejected"}, target("Reset", kind=Kind.RESULT), ("status",), "not a result: use `error`"),
            ({"status": "Rejected"}, target("Reset", kind=Kind.ERROR), ("status",), "not a error: use `error`"),
            ({"status": "Rejected"}, target("Heartbeat"), ("status",), "has no status: use `error`"),
            ({"status": "Denied"}, target("Reset"), ("status",), "has no status 'Denied'; it has Accepted, Rejected"),
            ({"status": None}, target("Reset"), ("status",), "has no status None"),
            ({"status": ["Rejected"]}, target("Reset"), ("status",), "has no status"),
            (
                {"status": "Failed"},
                target("Get15118EVCertificate"),
                ("status",),
                "exiResponse is missing.*use `answer`",
            ),
            ({"status": "Rejected"}, target("BootNotification"), ("status",), "can't be answered by a policy"),
        ],
    )
    def test_what_no_peer_could_be_told_is_refused_at_load(
        self, spec: Any, asked: Target, where: tuple[str, ...], words: str
    ) -> None:
        with pytest.raises(RuleError, match=words) as refused:
            compile_deny(spec, asked, SCHEMAS, WHERE)

        assert refused.value.where == WHERE + where


class TestAnswer:
    @pytest.mark.parametrize("kind", [Kind.CALL, Kind.RESULT])
    def test_a_canned_answer_is_a_new_object_each_time(self, kind: Kind) -> None:
        spec = {"idTokenInfo": {"status": "Invalid"}}
        answer = compile_answer(spec, target("Authorize", kind=kind), SCHEMAS, ("answer",))

        first, second = answer.payload(SURROUNDINGS), answer.payload(SURROUNDINGS)

        assert first == second == spec
        first["idTokenInfo"]["status"] = "Accepted"
        assert answer.payload(SURROUNDINGS) == second == spec

    def test_now_is_filled_in_when_it_is_given(self) -> None:
        answer = compile_answer({"currentTime": "$now"}, target("Heartbeat"), SCHEMAS, ("answer",))

        assert answer.payload(SURROUNDINGS) == {"currentTime": "2026-09-21T14:13:20.000Z"}

    @pytest.mark.parametrize(
        ("spec", "asked", "words"),
        [
            (True, target("Heartbeat"), "must be the payload"),
            ({}, target("Heartbeat"), "no valid answer to Heartbeat of ocpp2.0.1: .*currentTime is missing"),
            ({"currentTime": "$later"}, target("Heartbeat"), "not a valid date-time"),
            ({"currentTime": "$now", "x": 1}, target("Heartbeat"), "a field that the schema does not know"),
            ({"currentTime": None}, target("Heartbeat"), "not null"),
            ({}, target("Heartbeat", kind=Kind.ERROR), "a CALLERROR can't be answered"),
            ({"status": "Accepted"}, target("BootNotification"), "can't be answered by a policy"),
            ({"status": "Accepted"}, target("BootNotification", kind=Kind.RESULT), "can't be answered by a policy"),
        ],
    )
    def test_what_fits_no_schema_is_refused_at_load(self, spec: Any, asked: Target, words: str) -> None:
        with pytest.raises(RuleError, match=words):
            compile_answer(spec, asked, SCHEMAS, ("answer",))


class TestQuarantine:
    @pytest.mark.parametrize(
        "asked",
        [
            target("TransactionEvent"),
            target("StartTransaction", "ocpp1.6"),
            target("StopTransaction", "ocpp1.6", stage=Stage.TO_BACKEND),
            target("MeterValues", "ocpp1.6"),
            target("StatusNotification"),
        ],
    )
    def test_what_has_an_answer_that_promises_nothing_needs_none(self, asked: Target) -> None:
        assert compile_quarantine(True, asked, SCHEMAS, ("quarantine",)) == Kept(None)

    def test_the_rest_brings_its_own(self) -> None:
        spec = {"answer": {"status": "Rejected"}}

        kept = compile_quarantine(spec, target("DataTransfer"), SCHEMAS, ("quarantine",))

        assert kept == Kept(Answer({"status": "Rejected"}, is_timed=False))

    @pytest.mark.parametrize(
        ("spec", "asked", "where", "words"),
        [
            (True, target("DataTransfer"), (), "can't be empty"),
            (True, target("BootNotification"), (), "can't be answered by a policy"),
            (True, target("TransactionEvent", kind=Kind.RESULT), (), "only a station's CALL"),
            (True, target("Reset", stage=Stage.FROM_BACKEND), (), "only a station's CALL"),
            (True, target("Reset", stage=Stage.TO_STATION), (), "only a station's CALL"),
            (False, target("TransactionEvent"), (), "must be a mapping"),
            ({}, target("TransactionEvent"), (), "must be true or"),
            ({"answr": {}}, target("TransactionEvent"), ("answr",), "unknown key"),
            ({"answer": {"a": 1}}, target("TransactionEvent"), ("answer",), "no valid answer"),
        ],
    )
    def test_what_can_not_be_kept_is_refused_at_load(
        self, spec: Any, asked: Target, where: tuple[str, ...], words: str
    ) -> None:
        with pytest.raises(RuleError, match=words) as refused:
            compile_quarantine(spec, asked, SCHEMAS, ("quarantine",))

        assert refused.value.where == ("quarantine", *where)


class TestOver:
    @pytest.mark.parametrize(
        ("spec", "consequence"),
        [
            (None, TOO_MANY),
            ({"deny": {"error": "GenericError"}}, Refusal("GenericError")),
            ({"answer": {}}, Answer({}, is_timed=False)),
            ({"quarantine": True}, Kept()),
        ],
    )
    def test_what_is_over_is_refused_answered_or_kept(self, spec: Any, consequence: object) -> None:
        assert compile_over(spec, target("StatusNotification"), SCHEMAS, ("limit", "over")) == consequence

    @pytest.mark.parametrize(
        ("spec", "where", "words"),
        [
            ({}, (), "exactly one"),
            ({"deny": {}, "answer": {}}, (), "exactly one"),
            ({"allow": True}, ("allow",), "unknown key 'allow'"),
            ("deny", (), "must be a mapping"),
            ({"deny": {"error": "No"}}, ("deny", "error"), "no errorCode"),
        ],
    )
    def test_anything_else_is_refused_at_load(self, spec: Any, where: tuple[str, ...], words: str) -> None:
        with pytest.raises(RuleError, match=words) as refused:
            compile_over(spec, target("StatusNotification"), SCHEMAS, ("limit", "over"))

        assert refused.value.where == ("limit", "over", *where)


@pytest.mark.parametrize(
    ("protocol", "action", "payload", "answer"),
    [
        ("ocpp2.0.1", "TransactionEvent", {}, {}),
        ("ocpp2.0.1", "TransactionEvent", {"idToken": {}}, {"idTokenInfo": {"status": "Invalid"}}),
        ("ocpp1.6", "StopTransaction", {"idTag": "A"}, {}),
        ("ocpp1.6", "MeterValues", {"transactionId": 1}, {}),
        (
            "ocpp1.6",
            "StartTransaction",
            {},
            {"transactionId": QUARANTINED_TRANSACTION, "idTagInfo": {"status": "Invalid"}},
        ),
    ],
)
def test_the_neutral_answer_is_valid_and_accepts_no_token(
    protocol: str, action: str, payload: dict[str, Any], answer: dict[str, Any]
) -> None:
    assert neutral_answer(protocol, action, payload) == answer
    assert SCHEMAS.complaint(protocol, action, Kind.RESULT, answer) is None
