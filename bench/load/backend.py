"""The backend of the measurements: a plain WebSocket server that answers each CALL at once with what it has ready."""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from bench.frames import Frames, frame
from bench.upstream import accept_value

HEAD: Final = 88
"""Octets of a frame that are unmasked: messageId and action are in there."""
SAMPLE: Final = 127
"""One frame in so many and one is kept for a check after the phase."""
NOW: Final = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
ANSWERS: Final = {
    b"BootNotification": b'{"status":"Accepted","currentTime":"%b","interval":86400}' % NOW.encode(),
    b"Heartbeat": b'{"currentTime":"%b"}' % NOW.encode(),
    b"StopTransaction": b'{"idTagInfo":{"status":"Accepted"}}',
    b"StatusNotification": b"{}",
    b"MeterValues": b"{}",
    b"TransactionEvent": b"{}",
}


class Backend:
    """Listens, and knows what came."""

    def __init__(self, register: Callable[[socket.socket, Callable[[], None]], None]) -> None:
        """``register`` has a function called whenever a socket can be read."""
        self._register = register
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]
        self.counts: Counter[bytes] = Counter()
        """CALLs by action."""
        self.sample: list[tuple[str, bytes]] = []
        """Station and a frame that came for it."""
        self.given: dict[str, int] = {}
        """Station -> the transactionId that it was given last."""
        self.transactions = 0
        self.seen = 0
        register(self._listening, self._accept)

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listening.accept()
            except BlockingIOError:
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            leg = Leg(self, accepted)
            self._register(accepted, leg.on_readable)

    def texts(self) -> list[tuple[str, Any]]:
        """Return station and CALL of the frames that were kept, and forget them."""
        found = []
        for name, data in self.sample:
            (text,) = Frames(_nothing, masked=False).feed(data)
            found.append((name, json.loads(text)))
        self.sample.clear()
        return found


def _nothing(_: bytes) -> None:
    """Send no pong: a kept frame is no ping."""


class Leg:
    """One connection."""

    __slots__ = ("_backend", "_frames", "_head", "_receive", "_send", "_socket", "_upgraded", "name")

    def __init__(self, backend: Backend, accepted: socket.socket) -> None:
        self._backend = backend
        self._socket = accepted
        self._receive, self._send = accepted.recv, accepted.send
        self._head = b""
        self._frames = Frames(accepted.send, masked=False)
        self._upgraded = False
        self.name = ""

    def on_readable(self) -> None:
        """Answer what there is: one whole frame at once where that is all, as mostly."""
        data = self._receive(4096)
        size = len(data)
        if size < 8 or not self._upgraded or self._frames.inside or data[0] != 0x81:
            self._otherwise(data)
        elif data[1] == 254 and size == 8 + (data[2] << 8 | data[3]):
            self._answer(data, 8)
        elif size == 6 + (data[1] & 0x7F):
            self._answer(data, 6)
        else:
            self._otherwise(data)

    def _answer(self, data: bytes, at: int) -> None:
        """Answer the CALL whose masked payload begins ``at`` there."""
        head = data[at : at + HEAD]
        size = len(head)
        key = int.from_bytes((data[at - 4 : at] * 22)[:size], "little")
        clear = (int.from_bytes(head, "little") ^ key).to_bytes(size, "little")
        kind, message_id, _, action, _ = clear.split(b'"', 4)
        if kind != b"[2,":
            raise SystemExit(f"the backend of {self.name} expects no answer: {clear!r}")
        backend = self._backend
        answer = ANSWERS[action] if action != b"StartTransaction" else self._started()
        backend.counts[action] += 1
        backend.seen += 1
        if not backend.seen & SAMPLE:
            backend.sample.append((self.name, data))
        octets = frame(b'[3,"%b",%b]' % (message_id, answer), masked=False)
        if self._send(octets) != len(octets):
            raise SystemExit("a socket of the backend takes no more")

    def _started(self) -> bytes:
        self._backend.transactions += 1
        self._backend.given[self.name] = self._backend.transactions
        return b'{"transactionId":%d,"idTagInfo":{"status":"Accepted"}}' % self._backend.transactions

    def _otherwise(self, data: bytes) -> None:
        """The upgrade, pings, and frames that came in parts or several at once."""
        if not data:
            raise SystemExit(f"the server closed the backend's connection of {self.name}")
        if not self._upgraded:
            self._head += data
            self._upgrade()
            return
        for text in self._frames.feed(data):
            again = frame(text, masked=True)
            self._answer(again, len(again) - len(text))

    def _upgrade(self) -> None:
        head, found, _ = self._head.partition(b"\r\n\r\n")
        if not found:
            return
        request, *lines = head.split(b"\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (each.partition(b":") for each in lines)}
        self.name = request.split(b" ")[1].rpartition(b"/")[2].decode()
        self._upgraded = True
        self._send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept_value(fields[b"sec-websocket-key"])
            + b"\r\nSec-WebSocket-Protocol: "
            + fields[b"sec-websocket-protocol"].partition(b",")[0]
            + b"\r\n\r\n"
        )
