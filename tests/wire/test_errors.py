"""The error codes and their spelling in each version (OCPP-J 1.6, 4.2.3; OCPP-J 2.0.1 Part 4, 4.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.errors import CallError, ErrorCode, parse_code, spell
from gateway.wire.versions import Version

V16_CODES = {
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
}
V201_CODES = (V16_CODES - {"FormationViolation", "OccurenceConstraintViolation"}) | {
    "FormatViolation",
    "OccurrenceConstraintViolation",
    "MessageTypeNotSupported",
    "RpcFrameworkError",
}


@pytest.mark.parametrize(("version", "known"), [(Version.V16, V16_CODES), (Version.V201, V201_CODES)])
def test_a_peer_hears_the_codes_of_its_version_and_no_other(version: Version, known: set[str]) -> None:
    assert {spell(code, version) for code in ErrorCode} == known


@pytest.mark.parametrize(
    ("code", "in_16", "in_201"),
    [
        (ErrorCode.FORMAT_VIOLATION, "FormationViolation", "FormatViolation"),
        (
            ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
            "OccurenceConstraintViolation",
            "OccurrenceConstraintViolation",
        ),
        (ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED, "GenericError", "MessageTypeNotSupported"),
        (ErrorCode.RPC_FRAMEWORK_ERROR, "GenericError", "RpcFrameworkError"),
        (ErrorCode.SECURITY_ERROR, "SecurityError", "SecurityError"),
    ],
)
def test_the_spelling_of_a_code(code: ErrorCode, in_16: str, in_201: str) -> None:
    assert spell(code, Version.V16) == in_16
    assert spell(code, Version.V201) == in_201


@pytest.mark.parametrize("code", list(ErrorCode))
def test_either_spelling_is_read_back(code: ErrorCode) -> None:
    lost_in_16 = {ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED, ErrorCode.RPC_FRAMEWORK_ERROR}

    assert parse_code(spell(code, Version.V201)) is code
    assert parse_code(spell(code, Version.V16)) is (ErrorCode.GENERIC_ERROR if code in lost_in_16 else code)


@pytest.mark.parametrize("text", ["", "genericerror", "OccurenceConstraintViolation ", "\x1b[31m", "42"])
def test_a_code_outside_the_standard_is_a_generic_error(text: str) -> None:
    assert parse_code(text) is ErrorCode.GENERIC_ERROR


@given(st.text())
def test_any_text_is_read_as_some_code(text: str) -> None:
    assert parse_code(text) in ErrorCode


def test_a_call_error_says_its_code_and_what_is_wrong() -> None:
    error = CallError(ErrorCode.NOT_SUPPORTED, "no such thing here", {"hint": 1})

    assert str(error) == "NotSupported: no such thing here"
    assert (error.code, error.description, error.details) == (
        ErrorCode.NOT_SUPPORTED,
        "no such thing here",
        {"hint": 1},
    )


def test_a_call_error_without_words_says_its_code() -> None:
    error = CallError(ErrorCode.NOT_SUPPORTED)

    assert str(error) == "NotSupported"
    assert (error.description, error.details) == ("", {})


def test_two_errors_do_not_share_their_details() -> None:
    CallError(ErrorCode.GENERIC_ERROR).details["mine"] = True

    assert CallError(ErrorCode.GENERIC_ERROR).details == {}
