"""The PROXY protocol, version 2, with no I/O: what a load balancer says about the connection that it passes on.

HAProxy, "The PROXY protocol", section 2.2. Version 1, in text, is refused: it has no length, and every balancer that
speaks it speaks version 2 as well.
"""

import socket
import struct
from dataclasses import dataclass
from typing import Final

from gateway.transport.addresses import Address, plain

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
HEADER_MAX: Final = 2_048
"""Bytes of one header, its TLVs included: the 536 that any receiver must take, and room for a balancer's own TLVs."""

_FIXED: Final = struct.Struct("!12sBBH")
_VERSION_1: Final = b"PROXY "
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_TCP4: Final = 0x11
_TCP6: Final = 0x21
_IPV4: Final = struct.Struct("!4s4sHH")
_IPV6: Final = struct.Struct("!16s16sHH")


class ProxyHeaderError(Exception):
    """It isn't a PROXY header that is taken here; the text says why, and holds nothing of what was sent."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A whole header. ``client`` is None when the balancer speaks for itself (LOCAL: a probe of its own).

    ``rest`` is what came after it.
    """

    client: Address | None
    rest: bytes


class ProxyHeader:
    """Collects one connection's header, however it is cut."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = bytearray()

    def feed(self, data: bytes | memoryview) -> Passed | None:
        """Return what the header says, None when more is needed. Raises :class:`ProxyHeaderError`.

        Nothing is to be fed after the first answer or error.
        """
        seen = self._seen
        seen += data
        if seen[: len(SIGNATURE)] != SIGNATURE[: len(seen)]:
            if seen.startswith(_VERSION_1):
                raise ProxyHeaderError("PROXY protocol version 1; set the load balancer to version 2")
            raise ProxyHeaderError("no PROXY protocol header, from an address that is listed in load_balancers")
        if len(seen) < _FIXED.size:
            return None
        _, command, kind, length = _FIXED.unpack_from(seen)
        if command not in {_LOCAL, _PROXY}:
            raise ProxyHeaderError("PROXY header of an unknown version or command")
        end = _FIXED.size + length
        if end > HEADER_MAX:
            raise ProxyHeaderError(f"PROXY header of more than {HEADER_MAX} bytes")
        if len(seen) < end:
            return None
        client = _source(kind, bytes(seen[_FIXED.size : end])) if command == _PROXY else None
        return Passed(client, bytes(seen[end:]))


def _source(kind: int, block: bytes) -> Address:
    """Read the client's address; the TLVs behind the addresses are skipped."""
    layout = {_TCP4: _IPV4, _TCP6: _IPV6}.get(kind)
    if layout is None:
        raise ProxyHeaderError("PROXY header for something else than TCP over IPv4 or IPv6")
    if len(block) < layout.size:
        raise ProxyHeaderError("PROXY header too short for its addresses")
    source, _, port, _ = layout.unpack_from(block)
    return plain(socket.inet_ntop(socket.AF_INET if kind == _TCP4 else socket.AF_INET6, source)), port
