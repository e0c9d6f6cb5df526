"""The official JSON schemas, out of the ``ocpp`` package, compiled once per version.

A violation becomes the error code that the version's table names for it (OCPP-J 2.0.1 Part 4, 4.3), with the place
in the payload but without the peer's value.
"""

import copy
import functools
import importlib.resources
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import jsonschema_rs

from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version

_FOLDER: Final = {Version.V16: "v16", Version.V201: "v201"}
_REQUEST_SUFFIX: Final = {Version.V16: "", Version.V201: "Request"}
_RESPONSE_SUFFIX: Final = "Response"

_CODES: Final = {
    "AdditionalProperties": ErrorCode.FORMAT_VIOLATION,
    "FalseSchema": ErrorCode.FORMAT_VIOLATION,
    "Format": ErrorCode.FORMAT_VIOLATION,
    "MaxItems": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "MinItems": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "Required": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "Type": ErrorCode.TYPE_CONSTRAINT_VIOLATION,
}
"""Kind of violation -> code; every other kind (enum, length, range) is an invalid value.

FalseSchema: a field in a payload whose schema has no field at all.
"""


@dataclass(frozen=True, slots=True)
class Schema:
    """The compiled schema of one payload."""

    name: str
    document: Mapping[str, Any]
    _validator: Any

    def check(self, payload: dict[str, Any]) -> None:
        """Return when ``payload`` fits.

        Raises :class:`CallError` with the code of the first violation otherwise.
        """
        if not self._validator.is_valid(payload):
            raise self._violation(payload)

    def mended(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Return ``payload`` without nulls and unknown fields that break the schema; None if it doesn't fit even so."""
        mended = copy.deepcopy(payload)
        for error in self._validator.iter_errors(payload):
            kind, path = _kind_of(error), list(error.instance_path)
            names = error.kind.unexpected if kind == "AdditionalProperties" else [path.pop()] if path else []
            holder: Any = mended
            for step in path:
                holder = holder[step]
            for name in names:
                if kind in _UNKNOWN_FIELD or (isinstance(holder, dict) and holder.get(name, name) is None):
                    holder.pop(name, None)
        return mended if self._validator.is_valid(mended) else None

    def _violation(self, payload: dict[str, Any]) -> CallError:
        first = next(iter(self._validator.iter_errors(payload)))
        kind = _kind_of(first)
        code = _CODES.get(kind, ErrorCode.PROPERTY_CONSTRAINT_VIOLATION)
        place = ".".join(str(step) for step in first.instance_path) or "the payload"
        return CallError(code, f"{self.name}: {place}: {_complaint(kind, first.kind)}")


@dataclass(frozen=True, slots=True)
class Operation:
    """The two payloads of one action."""

    request: Schema
    response: Schema


_COMPLAINTS: Final[Mapping[str, Callable[[Any], str]]] = {
    "AdditionalProperties": lambda _: "has a field that the schema does not know",
    "Enum": lambda _: "is none of the allowed values",
    "FalseSchema": lambda _: "has a field that the schema does not know",
    "Format": lambda rule: f"is not a valid {rule.format}",
    "MaxItems": lambda _: "has too few or too many elements",
    "MaxLength": lambda rule: f"is longer than {rule.limit} characters",
    "MinItems": lambda _: "has too few or too many elements",
    "Required": lambda rule: f"the field {rule.property} is missing",
    "Type": lambda _: "is of the wrong type",
}
"""Kind of violation -> our own words for it, naming only what the schema itself names."""


_UNKNOWN_FIELD: Final = frozenset({"AdditionalProperties", "FalseSchema"})


def _kind_of(error: Any) -> str:
    return type(error.kind).__name__.removeprefix("ValidationErrorKind_")


def _complaint(kind: str, rule: Any) -> str:
    return _COMPLAINTS.get(kind, lambda _: f"breaks the rule {kind}")(rule)


def _is_date_time_16(text: str) -> bool:
    """OCPP 1.6 asks for ISO 8601 and lets the zone be missing; 2.0.1 asks for RFC 3339, which doesn't."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text.upper()


def _compile(name: str, text: str, version: Version) -> Schema:
    schema = json.loads(text)
    if version is Version.V16:
        validator = jsonschema_rs.validator_for(schema, validate_formats=True, formats={"date-time": _is_date_time_16})
    else:
        validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    return Schema(name, schema, validator)


class Operations(dict[str, Operation]):
    """Every action of a version, with its schemas.

    Asked by ``[]`` for one that the version doesn't know, it raises :class:`CallError` NotImplemented.
    """

    def __init__(self, version: Version, found: Mapping[str, Operation]) -> None:
        super().__init__(found)
        self._version = version

    def __missing__(self, action: str) -> Operation:
        raise CallError(ErrorCode.NOT_IMPLEMENTED, f"{self._version.value} has no such action")


@functools.cache
def operations(version: Version) -> Operations:
    """Return every action of ``version`` with its schemas."""
    folder = (
        importlib.resources.files("ocpp") / _FOLDER[version] / "schemas"
    )  # the package above: it has no code to run
    texts = {
        entry.name.removesuffix(".json"): entry.read_text("utf-8-sig")
        for entry in folder.iterdir()
        if entry.name.endswith(".json")
    }
    actions = sorted(name.removesuffix(_RESPONSE_SUFFIX) for name in texts if name.endswith(_RESPONSE_SUFFIX))
    found = {}
    for action in actions:
        request, response = action + _REQUEST_SUFFIX[version], action + _RESPONSE_SUFFIX
        found[action] = Operation(
            _compile(action, texts[request], version), _compile(response, texts[response], version)
        )
    return Operations(version, found)


def operation(version: Version, action: str) -> Operation:
    """Return the schemas of ``action``.

    Raises :class:`CallError` NotImplemented when the version doesn't know it.
    """
    return operations(version)[action]
