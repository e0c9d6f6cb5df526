"""EXI 1.0 (W3C), schema-informed and bit-packed, as ISO 15118 profiles it: octets to elements and back.

Strict on purpose: what the schema doesn't know, wildcards, string-table hits, octets behind the end and every second
spelling of one document are refused. Nothing but :class:`ExiError` leaves it.
"""

import enum
from dataclasses import dataclass

Value = str | bytes | int | bool


class ExiError(ValueError):
    """Octets that aren't a message as the schema and the profile have it, or a message that can't be written."""


class Schema(enum.Enum):
    """A set of schemas, by the namespace that names it."""

    ISO_2 = "urn:iso:15118:2:2013:MsgDef"
    ISO_20 = "urn:iso:std:iso:15118:-20:CommonMessages"
    XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
    """xmldsig-core-schema alone: in it SignedInfo is coded for its signature (ISO 15118-2 J.4)."""


@dataclass(frozen=True, slots=True)
class QName:
    """A qualified name."""

    namespace: str
    local: str


@dataclass(frozen=True, slots=True)
class Element:
    """One element: attributes, and either child elements or a value."""

    name: QName
    children: tuple["Element", ...] = ()
    value: Value | None = None
    """The content of a simple element; None for one that has children, or nothing at all."""
    attributes: tuple[tuple[QName, str], ...] = ()
