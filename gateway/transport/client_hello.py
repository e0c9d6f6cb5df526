"""What a TLS client asks for, read from its ClientHello with no I/O, before OpenSSL sees a byte: name and key shares.

Python's own way to the name (SNI), a callback, lets any peer print tracebacks with a name that isn't ASCII; and it has
no way to leave out OpenSSL's largest finite-field groups, with which one peer's handshake costs as much as fifty
others'. What can't be read has no name, and OpenSSL answers it as it would have.
"""

import re
from collections.abc import Iterator
from typing import Final

HELLO_MAX: Final = 16_384
"""Bytes looked at for the name, record headers included; a hello with post-quantum key shares has some 2,000."""

_HANDSHAKE: Final = 22
_TLS: Final = 3
_RECORD_HEADER: Final = 5
_RECORD_MAX: Final = 16_384
_CLIENT_HELLO: Final = 1
_MESSAGE_HEADER: Final = 4
_FIXED: Final = 34
"""Bytes of legacy_version and random (RFC 8446 4.1.2)."""
_SERVER_NAME: Final = 0
_HOST_NAME: Final = 0
_SUPPORTED_GROUPS: Final = 10
_KEY_SHARE: Final = 51
_CHEAP: Final = frozenset({0x0017, 0x0018, 0x0019, 0x001D, 0x001E, 0x0100, 0x0101})
"""P-256, P-384, P-521, X25519, X448, ffdhe2048 and ffdhe3072 (RFC 8446 4.2.7)."""
_COSTLY: Final = frozenset({0x0102, 0x0103, 0x0104})
"""ffdhe4096, ffdhe6144 and ffdhe8192: up to 120 ms of the server's time a handshake. No station needs them."""
_NAME_HEADER: Final = 5
"""Bytes of the list's length, the type of its one entry and the length of the name."""
_NAME: Final = re.compile(rb"(?=.{1,255}\Z)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", re.DOTALL)


class ClientHello:
    """Collects one connection's first flight, however it is cut into segments and records.

    ``seen`` is all that was fed, for OpenSSL. ``server_name`` is in lower case (RFC 6066 3); None without one, or when
    the hello can't be read. ``is_costly``: OpenSSL would answer it with one of the groups that nobody needs.
    """

    __slots__ = ("_message", "_next", "is_costly", "seen", "server_name")

    def __init__(self) -> None:
        self.seen = bytearray()
        self.server_name: str | None = None
        self.is_costly = False
        self._message = bytearray()
        self._next = 0

    def feed(self, data: bytes | memoryview) -> bool:
        """Return True when there is nothing more to learn: the hello is whole, or none that can be read."""
        self.seen += data
        whole = self._collect()
        if whole:
            extensions = dict(_extensions(self._message))
            self.server_name = _host_name(extensions.get(_SERVER_NAME, bytearray()))
            self.is_costly = _is_costly(extensions)
        return whole is not None or len(self.seen) >= HELLO_MAX

    def _collect(self) -> bool | None:
        """Put the message together from its records: True when it is whole, None to go on, False when it isn't one."""
        while (fragment := self._fragment()) is not None:
            if not fragment:
                return False
            self._message += fragment
            whole = _is_whole(self._message)
            if whole is not None:
                return whole
        return None

    def _fragment(self) -> bytearray | None:
        """Take what the next record holds: None when it isn't whole, nothing when it is no handshake record."""
        seen, start = self.seen, self._next
        if len(seen) < start + _RECORD_HEADER:
            return bytearray() if len(seen) > start and seen[start] != _HANDSHAKE else None
        length = seen[start + 3] << 8 | seen[start + 4]
        if seen[start] != _HANDSHAKE or seen[start + 1] != _TLS or length > _RECORD_MAX:
            return bytearray()
        start += _RECORD_HEADER
        if len(seen) < start + length:
            return None
        self._next = start + length
        return seen[start : start + length]


def _is_whole(message: bytearray) -> bool | None:
    """Tell whether this is a whole ClientHello; None when more of it must come."""
    if message[0] != _CLIENT_HELLO:
        return False
    if len(message) < _MESSAGE_HEADER:
        return None
    missing = _MESSAGE_HEADER + int.from_bytes(message[1:4], "big") - len(message)
    return None if missing > 0 else missing == 0  # nothing may follow the hello in its flight


def _extensions(message: bytearray) -> Iterator[tuple[int, bytearray]]:
    """Yield the extensions of a whole ClientHello (RFC 8446 4.1.2), as far as their lengths agree."""
    try:
        at = _MESSAGE_HEADER + _FIXED
        at += 1 + message[at]  # session id
        at += 2 + (message[at] << 8 | message[at + 1])  # cipher suites
        at += 1 + message[at]  # compression methods
        end = at + 2 + (message[at] << 8 | message[at + 1])
        if end != len(message):
            return
        at += 2
        while at < end:
            kind = message[at] << 8 | message[at + 1]
            stop = at + 4 + (message[at + 2] << 8 | message[at + 3])
            if stop > end:
                return
            yield kind, message[at + 4 : stop]
            at = stop
    except IndexError:
        pass  # a length points behind the end


def _is_costly(extensions: dict[int, bytearray]) -> bool:
    """Tell whether the handshake would use one of the costly groups.

    OpenSSL takes the first key share that it knows (RFC 8446 4.2.8). Without one it asks for a share of its own first
    choice among the client's groups, a costly one only where there is no other.
    """
    shares = extensions.get(_KEY_SHARE)
    if shares is None:  # TLS 1.2, where no suite of ours has such a group
        return False
    known = next((group for group in _share_groups(shares) if group in _CHEAP or group in _COSTLY), None)
    if known is not None:
        return known in _COSTLY
    groups = extensions.get(_SUPPORTED_GROUPS, bytearray())
    offered = {groups[at] << 8 | groups[at + 1] for at in range(2, len(groups) - 1, 2)}
    return bool(offered & _COSTLY) and not offered & _CHEAP


def _share_groups(shares: bytearray) -> Iterator[int]:
    """Yield the groups of a key_share extension, as far as its lengths agree."""
    at = 2
    while at + 4 <= len(shares):
        yield shares[at] << 8 | shares[at + 1]
        at += 4 + (shares[at + 2] << 8 | shares[at + 3])


def _host_name(extension: bytearray) -> str | None:
    """Read a server_name extension that holds one host_name, as all clients send it."""
    name = extension[_NAME_HEADER:]
    size = len(name)
    if extension[:_NAME_HEADER] != bytes([(size + 3) >> 8, (size + 3) & 255, _HOST_NAME, size >> 8, size & 255]):
        return None
    return name.decode("ascii").lower() if _NAME.fullmatch(name) else None
