"""The extensions of certificates in the field that decide over a path (RFC 5280 4.2), read by ourselves.

``cryptography`` reads none of a certificate's extensions when one of them writes out a default: BasicConstraints with
cA FALSE, as provisioning services in the field have it. That one spelling is taken here; in all else this is DER.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

EXTENSIONS_MAX: Final = 32
"""Extensions of one certificate."""
PATH_LENGTH_MAX: Final = 255

_BOOLEAN: Final = 0x01
_INTEGER: Final = 0x02
_BIT_STRING: Final = 0x03
_OCTET_STRING: Final = 0x04
_OBJECT_IDENTIFIER: Final = 0x06
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_FALSE: Final = b"\x00"
_TRUE: Final = b"\xff"
_FIELDS_BEFORE_OPTIONAL_ONES: Final = 6
"""Serial number, signature, issuer, validity, subject, key."""


class ExtensionsUnreadable(ValueError):
    """They aren't what RFC 5280 has; the text says where."""


class Usage(enum.Enum):
    """A bit of KeyUsage, by its number (RFC 5280 4.2.1.3)."""

    DIGITAL_SIGNATURE = 0
    CONTENT_COMMITMENT = 1
    KEY_ENCIPHERMENT = 2
    DATA_ENCIPHERMENT = 3
    KEY_AGREEMENT = 4
    KEY_CERT_SIGN = 5
    CRL_SIGN = 6
    ENCIPHER_ONLY = 7
    DECIPHER_ONLY = 8


@dataclass(frozen=True, slots=True)
class Extensions:
    """What they say about the path."""

    is_ca: bool = False
    path_length: int | None = None
    """Sub-CAs that may stand below it; None: any number."""
    key_usage: frozenset[Usage] | None = None
    """None: there is no such extension."""
    extended_key_usage: frozenset[str] | None = None
    """The purposes, dotted; None: there is no such extension."""
    oids: frozenset[str] = frozenset()
    """All that are there, dotted."""
    critical: frozenset[str] = frozenset()
    """Those which whoever doesn't understand them must refuse."""


def read_extensions(certificate: x509.Certificate) -> Extensions:
    """Return what the path needs. Raises :class:`ExtensionsUnreadable`."""
    oids: set[str] = set()
    critical: set[str] = set()
    is_ca, path_length, usage, purposes = False, None, None, None
    for oid, is_critical, value in _entries(certificate.tbs_certificate_bytes):
        if oid in oids or len(oids) == EXTENSIONS_MAX:
            raise ExtensionsUnreadable(f"extension {oid} is there twice, or there are more than {EXTENSIONS_MAX}")
        oids.add(oid)
        if is_critical:
            critical.add(oid)
        if oid == ExtensionOID.BASIC_CONSTRAINTS.dotted_string:
            is_ca, path_length = _basic_constraints(value)
        elif oid == ExtensionOID.KEY_USAGE.dotted_string:
            usage = _key_usage(value)
        elif oid == ExtensionOID.EXTENDED_KEY_USAGE.dotted_string:
            purposes = _extended_key_usage(value)
    return Extensions(is_ca, path_length, usage, purposes, frozenset(oids), frozenset(critical))


def _entries(tbs: bytes) -> Iterator[tuple[str, bool, bytes]]:
    """Yield OID, criticality and value of each extension of a TBSCertificate."""
    fields = list(_elements(_only(tbs, _SEQUENCE)))
    if fields and fields[0][0] == _VERSION:
        fields.pop(0)
    for tag, content in fields[_FIELDS_BEFORE_OPTIONAL_ONES:]:
        if tag != _EXTENSIONS:
            continue
        for entry_tag, entry in _elements(_only(content, _SEQUENCE)):
            yield _entry(entry_tag, entry)


def _entry(tag: int, content: bytes) -> tuple[str, bool, bytes]:
    if tag != _SEQUENCE:
        raise ExtensionsUnreadable("an extension isn't a SEQUENCE")
    parts = list(_elements(content))
    tags, (oid, *rest) = [each for each, _ in parts], [each for _, each in parts] or [b""]
    if tags == [_OBJECT_IDENTIFIER, _OCTET_STRING]:
        return _dotted(oid), False, rest[0]
    if tags == [_OBJECT_IDENTIFIER, _BOOLEAN, _OCTET_STRING]:
        return _dotted(oid), _boolean(rest[0]), rest[1]
    raise ExtensionsUnreadable("an extension isn't an OID, a criticality and a value")


def _basic_constraints(value: bytes) -> tuple[bool, int | None]:
    """Return cA and pathLenConstraint (RFC 5280 4.2.1.9)."""
    parts = list(_elements(_only(value, _SEQUENCE)))
    is_ca = _boolean(parts.pop(0)[1]) if parts and parts[0][0] == _BOOLEAN else False
    if not parts:
        return is_ca, None
    tag, number = parts.pop(0)
    if tag != _INTEGER or parts or not is_ca:
        raise ExtensionsUnreadable("BasicConstraints aren't cA and a path length, which a CA alone may have")
    if len(number) != 1 and not (len(number) == 2 and number[0] == 0 and number[1] > 0x7F):
        raise ExtensionsUnreadable(f"a path length of BasicConstraints isn't a number from 0 to {PATH_LENGTH_MAX}")
    if len(number) == 1 and number[0] > 0x7F:
        raise ExtensionsUnreadable("a path length of BasicConstraints is negative")
    return is_ca, int.from_bytes(number)


def _key_usage(value: bytes) -> frozenset[Usage]:
    content = _only(value, _BIT_STRING)
    unused = content[0] if content else 8
    # At least one bit is set (4.2.1.3), and DER ends behind the last one that is.
    if unused > 7 or not 2 <= len(content) <= 3 or not content[-1] >> unused & 1 or content[-1] & (1 << unused) - 1:
        raise ExtensionsUnreadable("KeyUsage isn't a BIT STRING as DER has it")
    bits = int.from_bytes(content[1:].ljust(2, b"\0"))
    return frozenset(usage for usage in Usage if bits >> (15 - usage.value) & 1)


def _extended_key_usage(value: bytes) -> frozenset[str]:
    """Return the purposes, of which there is one at least (RFC 5280 4.2.1.12)."""
    parts = list(_elements(_only(value, _SEQUENCE)))
    if not parts or any(tag != _OBJECT_IDENTIFIER for tag, _ in parts):
        raise ExtensionsUnreadable("ExtendedKeyUsage isn't a SEQUENCE of OBJECT IDENTIFIERs")
    return frozenset(_dotted(content) for _, content in parts)


def _boolean(content: bytes) -> bool:
    if content not in {_FALSE, _TRUE}:
        raise ExtensionsUnreadable("a BOOLEAN is neither TRUE nor FALSE as DER has them")
    return content == _TRUE


def _dotted(content: bytes) -> str:
    """Return an OBJECT IDENTIFIER as text (X.690 8.19)."""
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise ExtensionsUnreadable("an OBJECT IDENTIFIER is cut off or too long")
    numbers, number, begins = [], 0, True
    for octet in content:
        if begins and octet == 0x80:
            raise ExtensionsUnreadable("an OBJECT IDENTIFIER isn't as short as DER has it")
        number = number << 7 | octet & 0x7F
        begins = not octet & 0x80
        if begins:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(each) for each in (first, numbers[0] - 40 * first, *numbers[1:]))


def _only(der: bytes, tag: int) -> bytes:
    """Return the content of the one element that ``der`` is."""
    parts = list(_elements(der))
    if len(parts) != 1 or parts[0][0] != tag:
        raise ExtensionsUnreadable(f"expected one element of tag {tag:#04x}")
    return parts[0][1]


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of the elements that stand one after the other (X.690 8.1, 10.1)."""
    at = 0
    while at < len(der):
        tag, start = der[at], at + 2
        if tag & 0x1F == 0x1F or start > len(der):
            raise ExtensionsUnreadable("an element with a long tag, or cut off")
        length = der[at + 1]
        if length > 0x7F:
            octets = length & 0x7F
            start += octets
            length = int.from_bytes(der[at + 2 : start])
            if not 1 <= octets <= 2 or start > len(der) or length < 0x80 or length >> 8 * (octets - 1) == 0:
                raise ExtensionsUnreadable("a length that isn't as DER has it")
        if start + length > len(der):
            raise ExtensionsUnreadable("an element is cut off")
        yield tag, der[start : start + length]
        at = start + length
