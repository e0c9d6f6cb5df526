"""What can go wrong in an RPC, as one small enum, and its spelling in each OCPP version.

Inside Voltgate an error is a :class:`CallError` with an :class:`ErrorCode`; the version's own spelling
(``FormationViolation`` in 1.6, ``FormatViolation`` in 2.0.1) is chosen once, when the frame is written.
"""

import enum
from typing import Any, Final

from gateway.wire.versions import Version

ERROR_DESCRIPTION_MAX: Final = 255
"""Characters of errorDescription that a peer accepts (OCPP-J 2.0.1 Part 4, 4.2.3)."""


class ErrorCode(enum.Enum):
    """RPC error codes; the value is the spelling of OCPP 2.0.1 (Part 4, 4.3)."""

    FORMAT_VIOLATION = "FormatViolation"
    GENERIC_ERROR = "GenericError"
    INTERNAL_ERROR = "InternalError"
    MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    OCCURRENCE_CONSTRAINT_VIOLATION = "OccurrenceConstraintViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    PROTOCOL_ERROR = "ProtocolError"
    RPC_FRAMEWORK_ERROR = "RpcFrameworkError"
    SECURITY_ERROR = "SecurityError"
    TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"


_V16_SPELLING: Final = {
    # Misspelt in OCPP-J 1.6, and its errata say that this will not be fixed.
    ErrorCode.FORMAT_VIOLATION: "FormationViolation",
    ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION: "OccurenceConstraintViolation",
    # Not known in 1.6.
    ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED: "GenericError",
    ErrorCode.RPC_FRAMEWORK_ERROR: "GenericError",
}

_BY_SPELLING: Final = {
    **{code.value: code for code in ErrorCode},
    "FormationViolation": ErrorCode.FORMAT_VIOLATION,
    "OccurenceConstraintViolation": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
}


def spell(code: ErrorCode, version: Version) -> str:
    """Return the errorCode string that ``version`` uses for ``code``."""
    if version is Version.V16:
        return _V16_SPELLING.get(code, code.value)
    return code.value


def parse_code(text: str) -> ErrorCode:
    """Read a peer's errorCode in either spelling; a code outside the standard counts as GenericError."""
    return _BY_SPELLING.get(text, ErrorCode.GENERIC_ERROR)


class CallError(Exception):
    """A CALL that is answered, or was answered, with a CALLERROR.

    ``description`` is cut to 255 characters when it is written to the wire; ``details`` is a JSON object.
    """

    def __init__(self, code: ErrorCode, description: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code.value}: {description}" if description else code.value)
        self.code = code
        self.description = description
        self.details: dict[str, Any] = details or {}
