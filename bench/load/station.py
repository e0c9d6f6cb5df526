"""A station on a socket that doesn't block, with TLS in memory, so that its frames can be encrypted ahead of time."""

import base64
import hashlib
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any, Final

from bench.caller import KEY
from bench.frames import Frames, frame
from bench.load.records import RecordCutter
from bench.traffic import Message, Story

RECEIVE: Final = 16_384


def context() -> ssl.SSLContext:
    """Return a TLS 1.3 client's context. The server isn't verified: that would cost the generator, not the server."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_3
    return made


class Station:
    """One station. Interactive by default: what it hears is decrypted, parsed and answered at once.

    In a measured phase nobody calls :meth:`on_readable`: the frames of :meth:`prepare` are sent as they are, and what
    comes in is kept for :meth:`check`.
    """

    def __init__(self, name: str, password: str, port: int, tls: ssl.SSLContext) -> None:
        self.name = name
        self.story = Story(name)
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connected = False
        self.cutter = RecordCutter()
        self.kept: list[bytes] = []
        self.records: list[bytes] = []
        """The frames of the next phase, encrypted."""
        self.measured = False
        """Whether what is heard came in a measured phase."""
        self.asked = 0
        """CALLs of the server, all answered with NotSupported."""
        self.may_be_refused = False
        """Whether a CALLERROR is an answer: its code, then."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._head = b""
        self._frames = Frames(self._tls.write, masked=True)
        self._step: Callable[[], None] = self._shake
        self._mask = os.urandom(4)
        basic = base64.b64encode(f"{name}:{password}".encode()).decode()
        self._request = (
            f"GET /ocpp/{name} HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n"
            f"Authorization: Basic {basic}\r\n\r\n"
        ).encode()
        self._expected: list[str] = []
        self.answers: list[Any] = []
        """The payloads of the answers of this phase."""

    @property
    def cipher(self) -> str:
        """TLS version and suite, and which certificate the server showed."""
        shown = hashlib.sha256(self._tls.getpeercert(binary_form=True) or b"").hexdigest()
        return f"{self._tls.version()} {(self._tls.cipher() or ('none',))[0]} {shown[:16]}"

    @property
    def waits(self) -> bool:
        """Whether an answer is still to come."""
        return len(self.answers) < len(self._expected)

    def on_readable(self) -> None:
        """Take in what there is. Also the beginning, when the TCP connection is there."""
        try:
            data = self.socket.recv(RECEIVE)
        except BlockingIOError:
            data = None
        if data == b"":
            raise SystemExit(f"{self.name}: the server closed the connection")
        if self.records and data:
            # A ping. Its pong would be encrypted after the frames that are ready, so it follows them.
            self.kept.append(data)
            if self.cutter.messages(data):
                self.check()
            return
        self._incoming.write(data or b"")
        self._step()
        self._flush()

    def ask(self, messages: Iterable[Message]) -> None:
        """Send CALLs, of which the first phase of interactive ones has one at a time."""
        self.answers.clear()
        self._expected = []
        for message_id, text in messages:
            self._expected.append(message_id)
            self._tls.write(frame(text, masked=True, key=self._mask))
        self._flush()

    def prepare(self, messages: Iterable[Message]) -> None:
        """Encrypt the frames of the next phase, one TLS record each: they depend on nothing but keys and sequence."""
        self.answers.clear()
        self._expected = []
        for message_id, text in messages:
            self._expected.append(message_id)
            self._tls.write(frame(text, masked=True, key=self._mask))
            self.records.append(self._outgoing.read())

    def check(self) -> list[Any]:
        """Decrypt and parse what was kept in the phase; return the payloads of the answers, one for each CALL."""
        self._incoming.write(b"".join(self.kept))
        self.kept.clear()
        self.measured = True
        self._hear()
        self.measured = False
        self.records.clear()
        self._flush()
        if self.waits or self.cutter.inside:
            raise SystemExit(f"{self.name}: {len(self.answers)} answers to {len(self._expected)} messages")
        return self.answers

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self._tls.write(self._request)
        self._step = self._upgrade
        self._upgrade()

    def _upgrade(self) -> None:
        head, found, rest = (self._head + self._read()).partition(b"\r\n\r\n")
        if not found:
            self._head = head
            return
        if not head.startswith(b"HTTP/1.1 101 "):
            raise SystemExit(f"{self.name}: {head[:80]!r}")
        self.connected = True
        self._step = self._hear
        self._hear(rest)

    def _hear(self, data: bytes = b"") -> None:
        for text in self._frames.feed(data + self._read()):
            self._message(text)

    def _message(self, text: bytes) -> None:
        kind, message_id, *rest = json.loads(text)
        if kind == 2 and self.measured:
            raise SystemExit(f"{self.name}: a CALL in a measured phase, where only answers are counted: {text!r}")
        if kind == 2:
            self.asked += 1
            answer = json.dumps([4, message_id, "NotSupported", "", {}]).encode()
            self._tls.write(frame(answer, masked=True, key=self._mask))
        elif kind == 4 and self.may_be_refused:
            self.answers.append(rest[0])
        elif not self.waits or message_id != self._expected[len(self.answers)]:
            raise SystemExit(f"{self.name}: an answer to nothing that it asked, or out of order: {text!r}")
        elif kind != 3:
            raise SystemExit(f"{self.name}: {text!r}")
        else:
            self.answers.append(rest[0])

    def _read(self) -> bytes:
        plain = b""
        try:
            while more := self._tls.read(65_536):
                plain += more
        except ssl.SSLWantReadError:
            return plain
        raise SystemExit(f"{self.name}: the server ended TLS")

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and self.socket.send(data) != len(data):
            raise SystemExit(f"{self.name}: the socket takes no more")
