"""What a link and its user know of each other."""

import enum
from typing import Protocol


class Endpoint(Protocol):
    """Who uses a link at present: first the opening handshake, then the WebSocket."""

    def arrived(self) -> None:
        """``link.remote`` is known to be whom the connection is from; TLS comes next. It may be aborted here."""

    def secured(self) -> None:
        """The connection stands, TLS handshake included: bytes may be written."""

    def received(self, data: memoryview) -> None:
        """Plain bytes, valid during the call only. Empty when reading goes on after a hold: look at what you kept."""

    def ended(self) -> None:
        """The peer will send no more (FIN or close_notify)."""

    def failed(self, code: str, reason: str) -> None:
        """PROXY header or TLS failed; see ``admission.Refused``. The link ends itself; ``lost`` follows."""

    def lost(self, reason: str, *, by_peer: bool) -> None:
        """The connection is gone; the last call. ``by_peer`` unless this side aborted it."""

    def shut(self, code: int, reason: str) -> None:
        """The owner shuts down: end the connection, with this close code where one can be sent."""


class LinkState(enum.Enum):
    """Where a link stands."""

    OPENING = "opening"
    SECURING = "securing"
    UP = "up"
    LINGERING = "lingering"
    DOWN = "down"


class Hold(enum.Enum):
    """Why a link doesn't read at present: the bits of ``Link.held``."""

    TLS = 1
    """A TLS handshake step runs in a thread, or its turn hasn't come."""
    WRITE = 2
    """The peer doesn't take what is written to it."""
    APPLICATION = 4
    """The user of the WebSocket asked for it."""
    TURN = 8
    """It has had its share of this turn of the event loop; others come first."""
