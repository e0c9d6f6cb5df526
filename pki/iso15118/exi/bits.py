"""Bits from octets and back: EXI's bit-packed alignment, with its unsigned integers and octets at any bit."""

from typing import Final

from pki.iso15118.exi import ExiError

FLUSH_BITS: Final = 256
"""So many bits are gathered before they become octets: shifting a small integer is quicker than adding octets."""


class BitReader:
    """Reads bits, most significant first, and never past the end."""

    __slots__ = ("_end", "_octets", "_position")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._position = 0
        self._end = 8 * len(octets)

    def bits(self, width: int) -> int:
        """Return the next ``width`` bits.

        Raises:
            ExiError: there aren't as many.
        """
        end = self._position + width
        if end > self._end:
            raise ExiError("it ends too early")
        last = (end + 7) >> 3
        window = int.from_bytes(self._octets[self._position >> 3 : last], "big")
        self._position = end
        return (window >> ((last << 3) - end)) & ((1 << width) - 1)

    def unsigned(self, octets_max: int) -> int:
        """Return the next Unsigned Integer: groups of seven bits, the least significant first (EXI 7.1.6).

        Raises:
            ExiError: it has more than ``octets_max`` groups, or ends too early.
        """
        value = 0
        for shift in range(0, 7 * octets_max, 7):
            group = self.bits(8)
            value |= (group & 0x7F) << shift
            if group < 0x80:
                return value
        raise ExiError(f"an integer of more than {octets_max} octets")

    def peek(self, length: int) -> bytes:
        """Return the next ``length`` octets without moving past them.

        Raises:
            ExiError: there aren't as many; nothing was allocated for them.
        """
        end = self._position + 8 * length
        if end > self._end:
            raise ExiError(f"{length} octets are announced, {(self._end - self._position) >> 3} are left")
        last = (end + 7) >> 3
        octets = self._octets[self._position >> 3 : last]
        behind = (last << 3) - end
        if not behind:
            return octets
        return (int.from_bytes(octets, "big") >> behind & ((1 << 8 * length) - 1)).to_bytes(length, "big")

    def skip(self, length: int) -> None:
        """Move past ``length`` octets that were peeked at."""
        self._position += 8 * length

    def finish(self) -> None:
        """Check that nothing is left but zeros up to the end of the octet.

        Raises:
            ExiError: something is.
        """
        left = self._end - self._position
        if left >= 8 or self.bits(left):
            raise ExiError("something follows the end")


class BitWriter:
    """Gathers bits, most significant first."""

    __slots__ = ("_count", "_octets", "_pending")

    def __init__(self) -> None:
        self._octets = bytearray()
        self._pending = 0
        self._count = 0

    def bits(self, value: int, width: int) -> None:
        """Write the ``width`` lowest bits of ``value``, which has no others."""
        self._pending = (self._pending << width) | value
        self._count += width
        if self._count > FLUSH_BITS:
            self._flush()

    def unsigned(self, value: int) -> None:
        """Write an Unsigned Integer (EXI 7.1.6)."""
        while value > 0x7F:
            self.bits(0x80 | (value & 0x7F), 8)
            value >>= 7
        self.bits(value, 8)

    def octets(self, octets: bytes) -> None:
        self.bits(int.from_bytes(octets, "big"), 8 * len(octets))

    def finish(self) -> bytes:
        """Return all that was written, filled up with zeros."""
        self.bits(0, -self._count % 8)
        self._flush()
        return bytes(self._octets)

    def _flush(self) -> None:
        length, left = divmod(self._count, 8)
        self._octets += (self._pending >> left).to_bytes(length, "big")
        self._pending &= (1 << left) - 1
        self._count = left
