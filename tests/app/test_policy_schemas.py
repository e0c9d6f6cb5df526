"""The official schemas as policies are handed them."""

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.words import Kind, Payload, Schemas

SCHEMAS: Schemas = OfficialSchemas()


def test_both_versions_are_there_with_their_own_actions() -> None:
    assert SCHEMAS.protocols() == {"ocpp1.6", "ocpp2.0.1"}
    assert "StartTransaction" in SCHEMAS.actions("ocpp1.6")
    assert "TransactionEvent" in SCHEMAS.actions("ocpp2.0.1")
    assert "TransactionEvent" not in SCHEMAS.actions("ocpp1.6")


def test_an_unknown_protocol_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"ocpp1\.5"):
        SCHEMAS.actions("ocpp1.5")


def test_a_question_and_its_answer_have_a_document_each() -> None:
    request = SCHEMAS.document("ocpp1.6", "Reset", Kind.CALL)
    response = SCHEMAS.document("ocpp1.6", "Reset", Kind.RESULT)

    assert request is not None
    assert response is not None
    assert ("type" in request["properties"], "status" in response["properties"]) == (True, True)


@pytest.mark.parametrize(("action", "kind"), [("Reset", Kind.ERROR), ("Explode", Kind.CALL)])
def test_errors_and_unknown_actions_have_none_and_fit_always(action: str, kind: Kind) -> None:
    assert SCHEMAS.document("ocpp1.6", action, kind) is None
    assert SCHEMAS.complaint("ocpp1.6", action, kind, {"anything": 1}) is None


@pytest.mark.parametrize(
    ("kind", "payload", "fits"),
    [
        (Kind.CALL, {"type": "Hard"}, True),
        (Kind.CALL, {"type": "Sledgehammer"}, False),
        (Kind.CALL, {}, False),
        (Kind.RESULT, {"status": "Accepted"}, True),
        (Kind.RESULT, {"type": "Hard"}, False),
    ],
)
def test_a_complaint_says_what_is_wrong_and_not_the_value(kind: Kind, payload: Payload, fits: bool) -> None:
    complaint = SCHEMAS.complaint("ocpp1.6", "Reset", kind, payload)

    assert (complaint is None) is fits
    assert "Sledgehammer" not in (complaint or "")


@pytest.mark.parametrize(
    ("protocol", "word", "other"),
    [
        ("ocpp1.6", "FormationViolation", "FormatViolation"),
        ("ocpp2.0.1", "FormatViolation", "FormationViolation"),
    ],
)
def test_error_codes_are_spelled_as_the_version_spells_them(protocol: str, word: str, other: str) -> None:
    errors = SCHEMAS.errors(protocol)

    assert "SecurityError" in errors
    assert (word in errors, other in errors) == (True, False)
