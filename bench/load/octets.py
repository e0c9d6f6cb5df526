"""WebSocket frames and TLS records as octets: no more of RFC 6455 and RFC 8446 than the generator needs."""

from collections.abc import Iterator
from typing import Final

TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
RECORD_HEADER: Final = 5
"""Octets of a TLS record's header: type, version, length."""
CONTROL_MAX: Final = 60
"""A TLS 1.3 record below this is no OCPP message, whose messageId alone has 36 octets, but a ping."""


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a server's frame: final, not masked."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload


def masked(opcode: int, payload: bytes, key: bytes) -> bytes:
    """Return a client's frame, masked with the four octets of ``key``."""
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else bytes((0x80 | opcode, 254)) + size.to_bytes(2, "big")
    return head + key + xored(payload, key)


def xored(payload: bytes, key: bytes) -> bytes:
    """Return the payload masked, or unmasked: one XOR of two large numbers."""
    size = len(payload)
    pattern = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")


def split(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the whole frames out of ``buffer``: opcode and payload of each, unmasked. Fragments aren't expected."""
    while len(buffer) >= 2:
        if not buffer[0] & 0x80:
            raise SystemExit("a fragmented message")
        size, at = buffer[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            raise SystemExit("a message of more than 64 KiB")
        key = bytes(buffer[at : at + 4]) if buffer[1] & 0x80 else b""
        end = at + len(key) + size
        if len(buffer) < end:
            return
        opcode, payload = buffer[0] & 0x0F, bytes(buffer[at + len(key) : end])
        del buffer[:end]
        yield opcode, xored(payload, key) if key else payload


class RecordCutter:
    """Counts the whole TLS records of a stream by their headers, without a look into them."""

    def __init__(self) -> None:
        self._rest = b""

    def messages(self, data: bytes) -> int:
        """Return how many records that can hold an OCPP message end in ``data``."""
        self._rest += data
        count = 0
        while len(self._rest) >= RECORD_HEADER:
            end = RECORD_HEADER + int.from_bytes(self._rest[3:5], "big")
            if len(self._rest) < end:
                break
            count += end >= CONTROL_MAX
            self._rest = self._rest[end:]
        return count

    @property
    def inside(self) -> bool:
        """Whether a part of a record is held."""
        return bool(self._rest)
