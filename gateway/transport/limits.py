"""The limits of one listener or one dialled connection: every wait, size and count that a peer could stretch."""

from dataclasses import dataclass, fields
from typing import Final

MAY_BE_ZERO: Final = frozenset({"max_waiting", "ping_interval", "max_connections"})
"""Limits whose zero has a meaning of its own; every other limit must be above zero."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes and counts. Raises ValueError, naming the field, when one can't be meant."""

    handshake_timeout: float = 10.0
    """s from the TCP accept to the end of the ClientHello (PROXY header included), and again from the handshake's turn
    to its end."""
    turn_timeout: float = 30.0
    """s that a connection may wait for its turn in the HandshakePool; not counted in ``handshake_timeout``."""
    handshake_patience: float = 2.0
    """s that a peer may take for its next flight of a TLS handshake while others wait for a turn; then it loses its
    own."""
    head_timeout: float = 10.0
    """s from the end of the TLS handshake (or the accept) to the whole HTTP request head."""
    admission_timeout: float = 20.0
    """s that the admission coroutine may take."""
    max_head: int = 8_192
    """Bytes of one HTTP head, request or response, the empty line included."""
    max_headers: int = 64
    """Header lines of one HTTP head."""
    max_message: int = 262_144
    """Bytes of one message, after inflation and over all fragments."""
    max_fragments: int = 128
    """Frames that one message may come in."""
    message_timeout: float = 60.0
    """s from the first byte of a message to its last; looked at when the ping interval passes."""
    max_control_frames: int = 100
    """Pings and pongs together that a peer may send in ``control_window``."""
    control_window: float = 10.0
    """s over which ``max_control_frames`` is counted."""
    write_timeout: float = 20.0
    """s that a peer may leave the write buffer above its low-water mark before it is aborted."""
    write_high_water: int = 65_536
    """Bytes unsent at which reading from the same peer stops; it goes on below a quarter of it."""
    max_unsent: int = 4_194_304
    """Bytes unsent at which the connection is aborted at once."""
    ping_interval: float = 30.0
    """s of silence after which a ping is sent; 0 = never."""
    pong_timeout: float = 20.0
    """s that the peer may stay silent after that ping before it is aborted."""
    close_timeout: float = 5.0
    """s that the peer may take to answer a close frame before it is aborted."""
    linger_timeout: float = 2.0
    """s that an ended connection stays to take what the peer still sends, so that no RST destroys our last words."""
    max_linger: int = 262_144
    """Bytes taken and thrown away in that time."""
    max_handshakes: int = 256
    """TLS handshakes under way in one HandshakePool; further connections aren't read, and wait, their addresses
    in turn."""
    max_connections: int = 0
    """Connections of one listener, without the ``max_waiting`` that wait; 0 = no bound. One more is aborted."""
    max_waiting: int = 0
    """Connections of one listener that aren't WebSockets yet; 0 = no bound. One more takes the place of the last of the
    address that has most, or is aborted."""
    waiting_per_address: int = 4_096
    """Connections of one address (of one /64, with IPv6) that aren't WebSockets yet. One more is aborted."""

    def __post_init__(self) -> None:
        """Check that each value is above zero, or zero where that means something."""
        for each in fields(self):
            value = getattr(self, each.name)
            if not (value > 0 or (value == 0 and each.name in MAY_BE_ZERO)):
                wanted = "0 or more" if each.name in MAY_BE_ZERO else "more than 0"
                raise ValueError(f"{each.name} is {value}, but must be {wanted}")
