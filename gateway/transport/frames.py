"""WebSocket frames with no I/O: bytes in, whole text messages out, and the frames to send (RFC 6455).

What nearly all traffic consists of is read and written here in a few steps: a text message in one uncompressed frame,
a ping, a pong. Every other frame goes, alone and whole, through websockets' protocol object, which is made when it is
first needed.
"""

import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from websockets.extensions import Extension
from websockets.frames import CONT, TEXT, CloseCode, Frame, Opcode
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol

from gateway.transport.limits import Limits
from gateway.transport.messages import ABNORMAL, Closed
from gateway.transport.quiet import QUIET

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover  # a platform without the C extension
    from websockets.utils import apply_mask


REASON_MAX: Final = 123
"""Bytes of the reason in a close frame (RFC 6455 5.5: 125 for the payload, 2 of them for the code)."""

_FIN_TEXT: Final = 0x81
_FIN_PING: Final = 0x89
_FIN_PONG: Final = 0x8A
_MASKED: Final = 0x80
_SIMPLE_CONTROL: Final = frozenset({_FIN_PING, _FIN_PONG})
_CONTROL_MAX: Final = 125
_SHORT: Final = 126
_LONG: Final = 127
_HEAD_7: Final = struct.Struct("!BB").pack
_HEAD_16: Final = struct.Struct("!BBH").pack
_HEAD_64: Final = struct.Struct("!BBQ").pack
_EMPTY: Final = memoryview(b"")
_MASKS: Final = 256
"""Masks that one question to the system's generator gives: each is a system call."""


@dataclass(frozen=True, slots=True)
class Ping:
    """The peer wants a pong with this payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The peer answered a ping, or says by itself that it is alive."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """No frame counts after this one. Write ``farewell``, then end the connection."""

    closed: Closed
    farewell: bytes


Event = bytes | Ping | Pong | Ended
"""``bytes`` is a text message."""


def cut_reason(reason: str) -> str:
    """Return as much of ``reason`` as a close frame holds, cut between characters."""
    return reason.encode()[:REASON_MAX].decode(errors="ignore")


class _Masks:
    """Masks of frames that are sent: the system's own randomness (RFC 6455 5.3), asked for many at a time."""

    def __init__(self) -> None:
        self._drawn = b""
        self._used = 0

    def draw(self) -> bytes:
        """Return four octets that nobody has had before."""
        used = self._used
        if used == len(self._drawn):
            self._drawn = secrets.token_bytes(_MASKS * 4)
            used = 0
        self._used = used + 4
        return self._drawn[used : used + 4]


_masks = _Masks()


class Frames:
    """The frames of one open WebSocket, both directions.

    Receive: ``feed`` bytes, take events by ``next`` until it returns None or as long as they are wanted, then ``keep``
    what is left, because the bytes that were fed are somebody else's.
    """

    __slots__ = (
        "_end",
        "_extensions",
        "_kept",
        "_limits",
        "_mask_bit",
        "_over",
        "_parts",
        "_pieces",
        "_position",
        "_protocol",
        "_through",
        "_view",
    )

    def __init__(self, limits: Limits, *, client: bool, extensions: Sequence[Extension] = ()) -> None:
        """``client``: this side dialled, so it masks what it sends and takes only unmasked frames (RFC 6455 5.1)."""
        self._limits = limits
        self._mask_bit = 0 if client else _MASKED
        self._extensions = tuple(extensions)
        self._protocol: Protocol | None = None
        self._view = _EMPTY
        self._position = 0
        self._end = 0
        self._kept: bytearray | None = None
        self._through = 0
        self._parts: bytearray | None = None
        self._pieces = 0
        self._over = False

    # Receiving

    def feed(self, data: memoryview) -> None:
        """Take received bytes: a view that must stay as it is until ``keep``."""
        if self._kept is None:
            self._view = data
            self._end = len(data)
        else:
            self._kept += data
            self._view = memoryview(self._kept)
            self._end = len(self._kept)
        self._position = 0

    def next(self) -> Event | None:  # noqa: C901, PLR0911, PLR0912 - every message goes through
        """Return the next message or other event, None when more bytes are needed.

        The header is read where it lies, and for a text in one frame nothing is called but what unmasks it. A text that
        is too long, or comes between fragments, is for the protocol object to refuse.
        """
        while not self._over:
            if self._through:
                event = self._pass_on()
                if event is not None or self._through:
                    return event
                continue
            view, end, start = self._view, self._end, self._position + 2
            if end < start:
                return None
            first, second = view[start - 2], view[start - 1]
            length = second & 0x7F
            if length >= _SHORT:
                size = 2 if length == _SHORT else 8
                if end < start + size:
                    return None
                length = int.from_bytes(view[start : start + size], "big")
                start += size
            masked = second & _MASKED
            if first == _FIN_TEXT:
                simple = length <= self._limits.max_message and self._parts is None
            else:
                simple = first in _SIMPLE_CONTROL and length <= _CONTROL_MAX
            stop = start + length + 4 if masked else start + length
            if not simple or masked != self._mask_bit:
                self._through = stop - self._position
                continue
            if stop > end:
                return None
            self._position = stop
            if masked:
                payload = apply_mask(view[start + 4 : stop], bytes(view[start : start + 4]))
            else:
                payload = bytes(view[start:stop])
            if first == _FIN_TEXT:
                return payload if payload.isascii() else self._checked(payload)
            return Ping(payload) if first == _FIN_PING else Pong(payload)
        return None

    def keep(self) -> bool:
        """Copy what wasn't used up; return True when a message or frame has begun and isn't whole."""
        position, end = self._position, self._end
        if position == end and self._kept is None:  # all was used up, as nearly always
            self._view = _EMPTY
            self._position = self._end = 0
            return not self._over and (self._through > 0 or self._parts is not None)
        view, self._view = self._view, _EMPTY
        self._position = self._end = 0
        if self._over:
            position = end
        if self._kept is None:
            if position < end:
                self._kept = bytearray(view[position:])
        else:
            view.release()
            if position == end:
                self._kept = None
            else:
                del self._kept[:position]
        return not self._over and (self._kept is not None or self._through > 0 or self._parts is not None)

    def _checked(self, payload: bytes) -> bytes | Ended:
        try:
            payload.decode()
        except UnicodeDecodeError:
            return self.fail(CloseCode.INVALID_DATA, "text is not UTF-8")
        return payload

    def _pass_on(self) -> Event | None:
        """Give the protocol object what is there of its present frame; return the event that the frame made, if any."""
        take = min(self._through, self._end - self._position)
        chunk = bytes(self._view[self._position : self._position + take])
        self._position += take
        self._through -= take
        protocol = self._slow()
        protocol.receive_data(chunk)
        frames = protocol.events_received()
        if protocol.parser_exc is not None:
            return self._ended()
        for frame in frames:
            assert isinstance(frame, Frame)  # noqa: S101  # for mypy: an open protocol object makes no other event
            return self._ended() if frame.opcode is Opcode.CLOSE else self._piece(frame)
        return None

    def _piece(self, frame: Frame) -> Event | None:
        """Put a message together from its fragments."""
        if frame.opcode not in (TEXT, CONT):
            return self.fail(CloseCode.UNSUPPORTED_DATA, "only text messages are accepted")
        self._pieces += 1
        if self._pieces > self._limits.max_fragments:
            return self.fail(CloseCode.MESSAGE_TOO_BIG, f"message in more than {self._limits.max_fragments} fragments")
        if frame.fin and self._parts is None:
            self._pieces = 0
            return self._checked(bytes(frame.data))
        if self._parts is None:
            self._parts = bytearray()
        self._parts += frame.data
        if not frame.fin:
            return None
        payload = bytes(self._parts)
        self._parts = None
        self._pieces = 0
        return self._checked(payload)

    def _ended(self) -> Ended:
        """Say how it ended: by the code that we sent first, or by the peer's."""
        self._over = True
        self._parts = None
        protocol = self._slow()
        farewell = b"".join(protocol.data_to_send())
        peer_first = protocol.close_rcvd is not None and protocol.close_rcvd_then_sent is not False
        close = protocol.close_rcvd if peer_first and protocol.parser_exc is None else protocol.close_sent
        if close is None:
            return Ended(Closed(ABNORMAL, "closed without a closing handshake", by_peer=True), farewell)
        return Ended(Closed(int(close.code), close.reason, by_peer=close is protocol.close_rcvd), farewell)

    def _slow(self) -> Protocol:
        if self._protocol is None:
            side = SERVER if self._mask_bit else CLIENT
            self._protocol = Protocol(side, state=OPEN, max_size=self._limits.max_message, logger=QUIET)
            self._protocol.extensions = list(self._extensions)
        return self._protocol

    # Sending: each returns the bytes to write

    def text(self, payload: bytes) -> bytes:
        """Return a text message in one frame."""
        if not self._extensions:
            return self._frame(_FIN_TEXT, payload)
        protocol = self._slow()
        protocol.send_text(payload)
        return b"".join(protocol.data_to_send())

    def ping(self, payload: bytes) -> bytes:
        """Return a ping frame; at most 125 bytes."""
        return self._frame(_FIN_PING, payload)

    def pong(self, payload: bytes) -> bytes:
        """Return a pong frame; at most 125 bytes."""
        return self._frame(_FIN_PONG, payload)

    def close(self, code: int, reason: str) -> bytes:
        """Return a close frame: the closing handshake begins. ``code`` must have passed ``check_close_code``."""
        protocol = self._slow()
        protocol.send_close(code, cut_reason(reason))
        return b"".join(protocol.data_to_send())

    def fail(self, code: int, reason: str) -> Ended:
        """Fail the connection (RFC 6455 7.1.7): nothing that the peer sends counts any more."""
        self._slow().fail(code, cut_reason(reason))
        return self._ended()

    def _frame(self, first: int, payload: bytes) -> bytes:
        length = len(payload)
        bit = _MASKED ^ self._mask_bit
        if length < _SHORT:
            head = _HEAD_7(first, bit | length)
        elif length < 65_536:
            head = _HEAD_16(first, bit | _SHORT, length)
        else:
            head = _HEAD_64(first, bit | _LONG, length)
        if not bit:
            return head + payload
        mask = _masks.draw()
        return head + mask + apply_mask(payload, mask)
