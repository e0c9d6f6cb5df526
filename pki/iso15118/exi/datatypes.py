"""EXI's datatypes (EXI 7.1) with the facets that the schema puts on them: a value from bits and back.

A length is held against its facet and against the octets that are left before anything is made of it.
"""

import re
from dataclasses import dataclass, field
from typing import Final, Protocol

from pki.iso15118.exi import ExiError, Value
from pki.iso15118.exi.bits import BitReader, BitWriter

INTEGER_OCTETS_MAX: Final = 32
"""Octets of an integer without bounds, seven bits each: a certificate's serial number needs 23 (RFC 5280 4.1.2.2)."""
LENGTH_OCTETS_MAX: Final = 3
CHARACTER_OCTETS_MAX: Final = 3
NBIT_VALUES_MAX: Final = 4096
"""An integer of no more values than this takes as many bits as its range needs (EXI 7.1.5)."""
STRING_TABLE_CODES: Final = 2
"""Lengths below this aren't lengths: they point into a string table (EXI 7.3.3), which has no room in this profile."""

NOT_XML: Final = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""A character that XML 1.0 doesn't have."""


class Datatype(Protocol):
    """A simple type."""

    def read(self, reader: BitReader) -> Value:
        """Return the next value.

        Raises:
            ExiError: there is none, or one that the schema doesn't allow.
        """

    def write(self, writer: BitWriter, value: Value | None) -> None:
        """Write ``value``.

        Raises:
            ExiError: it isn't one of this type.
        """

    @property
    def empty(self) -> Value | None:
        """The value without any content; None where there is none."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """The facets length, minLength and maxLength."""

    least: int = 0
    most: int | None = None

    def check(self, length: int, unit: str) -> None:
        if length < self.least or (self.most is not None and length > self.most):
            most = "any number" if self.most is None else self.most
            raise ExiError(f"{length} {unit}, allowed are {self.least} to {most}")


@dataclass(frozen=True, slots=True)
class String:
    """Code points, each an unsigned integer."""

    lengths: Lengths = Lengths()

    def read(self, reader: BitReader) -> str:
        length = reader.unsigned(LENGTH_OCTETS_MAX) - STRING_TABLE_CODES
        if length < 0:
            raise ExiError("a hit in the string table, which this profile doesn't have")
        self.lengths.check(length, "characters")
        octets = reader.peek(length)
        if octets.isascii():  # then each is a code point
            reader.skip(length)
            text = octets.decode("ascii")
        else:
            text = "".join(_character(reader.unsigned(CHARACTER_OCTETS_MAX)) for _ in range(length))
        check_characters(text)
        return text

    def write(self, writer: BitWriter, value: Value | None) -> None:
        if not isinstance(value, str):
            raise ExiError(f"text is wanted, not {type(value).__name__}")
        self.lengths.check(len(value), "characters")
        check_characters(value)
        writer.unsigned(len(value) + STRING_TABLE_CODES)
        if value.isascii():
            writer.octets(value.encode("ascii"))
        else:
            for character in value:
                writer.unsigned(ord(character))

    @property
    def empty(self) -> str | None:
        return None if self.lengths.least else ""


def _character(code_point: int) -> str:
    if code_point > 0x10FFFF:
        raise ExiError("a character that XML doesn't have")
    return chr(code_point)


def check_characters(text: str) -> None:
    if NOT_XML.search(text):
        raise ExiError("a character that XML doesn't have")


@dataclass(frozen=True, slots=True)
class Binary:
    """Octets behind their number."""

    lengths: Lengths = Lengths()

    def read(self, reader: BitReader) -> bytes:
        length = reader.unsigned(LENGTH_OCTETS_MAX)
        self.lengths.check(length, "octets")
        octets = reader.peek(length)
        reader.skip(length)
        return octets

    def write(self, writer: BitWriter, value: Value | None) -> None:
        if not isinstance(value, bytes):
            raise ExiError(f"octets are wanted, not {type(value).__name__}")
        self.lengths.check(len(value), "octets")
        writer.unsigned(len(value))
        writer.octets(value)

    @property
    def empty(self) -> bytes | None:
        return None if self.lengths.least else b""


@dataclass(frozen=True, slots=True)
class Enumeration:
    """The number of a value in the schema's order."""

    values: tuple[str, ...]
    _codes: dict[str, int] = field(init=False, repr=False, compare=False)
    _bits: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_codes", {value: code for code, value in enumerate(self.values)})
        object.__setattr__(self, "_bits", (len(self.values) - 1).bit_length())

    def read(self, reader: BitReader) -> str:
        code = reader.bits(self._bits)
        if code >= len(self.values):
            raise ExiError(f"value {code} of an enumeration of {len(self.values)}")
        return self.values[code]

    def write(self, writer: BitWriter, value: Value | None) -> None:
        if not isinstance(value, str) or value not in self._codes:
            raise ExiError(f"one of {', '.join(self.values)} is wanted")
        writer.bits(self._codes[value], self._bits)

    @property
    def empty(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer: in the bits that a small range needs, else in groups of seven bits, behind a sign if it has one."""

    low: int | None = None
    high: int | None = None
    _bits: int | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        size = None if self.low is None or self.high is None else self.high - self.low
        object.__setattr__(self, "_bits", size.bit_length() if size is not None and size < NBIT_VALUES_MAX else None)

    def read(self, reader: BitReader) -> int:
        if self._bits is not None and self.low is not None:
            value = self.low + reader.bits(self._bits)
        elif self.low is not None and self.low >= 0:
            value = reader.unsigned(INTEGER_OCTETS_MAX)
        else:
            is_negative = reader.bits(1)
            magnitude = reader.unsigned(INTEGER_OCTETS_MAX)
            value = -1 - magnitude if is_negative else magnitude
        self._check(value)
        return value

    def write(self, writer: BitWriter, value: Value | None) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ExiError(f"an integer is wanted, not {type(value).__name__}")
        self._check(value)
        if self._bits is not None and self.low is not None:
            writer.bits(value - self.low, self._bits)
        elif self.low is not None and self.low >= 0:
            writer.unsigned(value)
        else:
            writer.bits(int(value < 0), 1)
            writer.unsigned(-1 - value if value < 0 else value)

    def _check(self, value: int) -> None:
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ExiError(f"an integer outside of {self.low} to {self.high}")
        if value.bit_length() > 7 * INTEGER_OCTETS_MAX:
            raise ExiError(f"an integer of more than {7 * INTEGER_OCTETS_MAX} bits")

    @property
    def empty(self) -> None:
        return None
