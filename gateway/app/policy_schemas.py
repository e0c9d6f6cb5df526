"""The official schemas as the policies are handed them: they know no gateway."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.wire.errors import CallError, ErrorCode, spell
from gateway.wire.schemas import Operation, Schema, operations
from gateway.wire.versions import Version
from policies.words import Kind, Payload


@dataclass(frozen=True, slots=True)
class OfficialSchemas:
    """Fulfils ``policies.words.Schemas`` for every version that is spoken."""

    def protocols(self) -> frozenset[str]:
        """Return the protocols that are known."""
        return frozenset(version.value for version in Version)

    def actions(self, protocol: str) -> frozenset[str]:
        """Return the actions of a protocol."""
        return frozenset(operations(Version(protocol)))

    def document(self, protocol: str, action: str, kind: Kind) -> Mapping[str, Any] | None:
        """Return the JSON schema of a payload; None for an action that isn't known, and for a CALLERROR."""
        schema = _schema(protocol, action, kind)
        return None if schema is None else schema.document

    def complaint(self, protocol: str, action: str, kind: Kind, payload: Payload) -> str | None:
        """Return what of ``payload`` breaks its schema, without the value; None when it fits."""
        schema = _schema(protocol, action, kind)
        if schema is None:
            return None
        try:
            schema.check(payload)
        except CallError as error:
            return error.description
        return None

    def errors(self, protocol: str) -> frozenset[str]:
        """Return the errorCodes of a protocol's CALLERROR."""
        return _errors(protocol)


@functools.cache
def _errors(protocol: str) -> frozenset[str]:
    """Every rule that denies asks for them, for each action that it is for."""
    return frozenset(spell(code, Version(protocol)) for code in ErrorCode)


def _schema(protocol: str, action: str, kind: Kind) -> Schema | None:
    operation: Operation | None = operations(Version(protocol)).get(action)
    if operation is None or kind is Kind.ERROR:
        return None
    return operation.request if kind is Kind.CALL else operation.response
