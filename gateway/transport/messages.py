"""What the user of a WebSocket gets to hear: whole text messages, and how it ended."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from websockets.frames import EXTERNAL_CLOSE_CODES

if TYPE_CHECKING:
    from gateway.transport.websocket import WebSocket

ABNORMAL: Final = 1006
"""Close code of a connection that ended without a closing handshake (RFC 6455 7.1.5); never on the wire."""


def check_close_code(code: int) -> None:
    """Raise ValueError for a code that may not be sent: only 1000 to 1014 without 1004 to 1006, and 3000 to 4999, may.

    RFC 6455 7.4 and IANA's registry.
    """
    if code not in EXTERNAL_CLOSE_CODES and not 3000 <= code < 5000:
        raise ValueError(f"close code {code} may not be sent")


@dataclass(frozen=True, slots=True)
class Closed:
    """How a WebSocket ended. ``by_peer`` tells who began it.

    ``code`` is that of the close frame which began it, 1005 when the peer's frame had none, 1006 when the closing
    handshake wasn't completed. ``reason`` is ours, or the peer's own words: escape them before they reach a log.
    """

    code: int
    reason: str
    by_peer: bool


class MessageSink(Protocol):
    """Takes what a WebSocket receives. Called on the loop's thread, never concurrently and never from within ``send``.

    An exception from ``connected`` or ``message`` is logged and closes the connection with 1011.
    """

    def connected(self, socket: "WebSocket") -> None:
        """The handshake is done; ``socket`` may be used from here on."""

    def message(self, text: bytes) -> None:
        """One whole text message: valid UTF-8, within the limits. None comes after ``socket.close()``."""

    def disconnected(self, closed: Closed) -> None:
        """The end, exactly once after ``connected``: no message comes any more, and ``send`` does nothing."""
