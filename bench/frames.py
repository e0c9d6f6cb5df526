"""The least of RFC 6455 that the peers of a measurement need: whole, uncompressed text frames."""

from collections.abc import Callable, Iterator
from typing import Final

_MASK: Final = b"\0\0\0\0"
"""A mask that leaves the text as it is: what the generators send needs no protection, and no CPU."""


TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA


def xored(payload: bytes, key: bytes) -> bytes:
    """Return the payload masked, or unmasked: one XOR of two large numbers."""
    size = len(payload)
    pattern = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")


def frame(payload: bytes, *, masked: bool, opcode: int = TEXT, key: bytes = _MASK) -> bytes:
    """Return one whole frame; ``key`` is its mask, if it is masked."""
    first, bit, length = 0x80 | opcode, 0x80 if masked else 0, len(payload)
    if length < 126:
        head = bytes([first, bit | length])
    elif length < 65_536:
        head = bytes([first, bit | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + length.to_bytes(8, "big")
    if not masked:
        return head + payload
    return head + key + (xored(payload, key) if key != _MASK else payload)


class Frames:
    """What one peer receives. ``send`` gets the pongs, as whole frames."""

    __slots__ = ("_kept", "_masked", "_send")

    def __init__(self, send: Callable[[bytes], object], *, masked: bool) -> None:
        """``masked``: this side masks what it sends."""
        self._kept = b""
        self._masked = masked
        self._send = send

    @property
    def inside(self) -> bool:
        """Whether a part of a frame is held."""
        return bool(self._kept)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the texts that are whole. Raises ConnectionError at a close, and at what isn't understood here."""
        self._kept += data
        while (found := self._first()) is not None:
            opcode, payload = found
            if opcode == CLOSE:
                raise ConnectionError(f"closed with {int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}")
            if opcode == PING:
                self._send(frame(payload, masked=self._masked, opcode=PONG))
            elif opcode == TEXT:
                yield payload
            elif opcode != PONG:
                raise ConnectionError(f"a frame of type {opcode}")

    def _first(self) -> tuple[int, bytes] | None:
        kept = self._kept
        if len(kept) < 2:
            return None
        length, start = kept[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, start = int.from_bytes(kept[2 : 2 + size], "big"), 2 + size
        mask = b""
        if kept[1] & 0x80:
            mask, start = kept[start : start + 4], start + 4
        if len(kept) < start + length:
            return None
        payload = kept[start : start + length]
        self._kept = kept[start + length :]
        return kept[0] & 0x0F, xored(payload, mask) if any(mask) else payload
