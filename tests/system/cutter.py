"""A network that can fail: a TCP relay whose connections are reset, refused, or go silent without a word to anybody."""

import asyncio
import enum
import re
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Final

RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: the peer gets an RST."""
PATIENCE: Final = 30.0
"""Seconds until somebody must have said something into the silence."""
_PATH: Final = re.compile(rb"GET \S*/(\S+) HTTP/1\.1\r\n")


class Way(enum.Enum):
    """A direction through the cutter."""

    THERE = "to the server"
    BACK = "to the client"


class Line:
    """One connection through the cutter: a client, a server, and what becomes of the bytes between."""

    def __init__(self, cutter: "Cutter") -> None:
        self.identity = ""
        """The last segment of the request's path, where it is readable."""
        self.client_port = 0
        self.silent: set[Way] = set()
        """Ways whose bytes are swallowed. For good: a stream with a hole in it is of no use."""
        self.swallowed: set[Way] = set()
        """Ways on which something has been swallowed."""
        self.client = _End(self, Way.THERE)
        self.server = _End(self, Way.BACK)
        self.cutter = cutter
        self._early: list[bytes] = []
        """What the client said before the server was there."""

    def relay(self, way: Way, data: bytes) -> None:
        """Pass bytes on, or swallow them."""
        if not self._early and way is Way.THERE and self.server.transport is None:
            found = _PATH.match(data)
            self.identity = found[1].decode() if found else ""
            self.cutter.dial(self)
        if way in self.silent:
            self.swallowed.add(way)
            self.cutter.news.set()
            return
        target = self.server.transport if way is Way.THERE else self.client.transport
        if target is None:
            self._early.append(data)
        else:
            target.write(data)

    async def dial(self, port: int) -> None:
        """Connect the server's end."""
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.server, "127.0.0.1", port)
        except OSError:
            self.cut()
            return
        if self not in self.cutter.lines:
            self.cut()
        elif self.server.transport is not None:
            self.server.transport.write(b"".join(self._early))

    def ended(self) -> None:
        """One end is closed: so is the other, after what was said."""
        self.cutter.lines.discard(self)
        for end in (self.client, self.server):
            if end.transport is not None:
                end.transport.close()

    def cut(self) -> None:
        """Reset both ends."""
        self.cutter.lines.discard(self)
        for end in (self.client, self.server):
            if end.transport is not None and not end.transport.is_closing():
                raw: socket.socket = end.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                end.transport.abort()


class _End(asyncio.Protocol):
    """One end of a line; what it says goes ``way``."""

    def __init__(self, line: Line, way: Way) -> None:
        self.transport: asyncio.Transport | None = None
        self._line = line
        self._way = way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._way is Way.THERE:
            self._line.client_port = transport.get_extra_info("peername")[1]
            self._line.cutter.lines.add(self._line)

    def data_received(self, data: bytes) -> None:
        self._line.relay(self._way, data)

    def connection_lost(self, error: Exception | None) -> None:
        self._line.ended()


class Cutter:
    """The relay. Lines are chosen by a predicate."""

    def __init__(self, port: Callable[[], int]) -> None:
        """``port()`` is where the server listens at this moment."""
        self.lines: set[Line] = set()
        self.is_down: Callable[[Line], bool] = lambda _: False
        """New lines for which this holds are reset: asked at the first bytes, which say whose line it is."""
        self.news = asyncio.Event()
        self.port = 0
        self._server_port = port
        self._server: asyncio.Server
        self._dialling: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen; ``port`` says where."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Line(self).client, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut all, and listen no more."""
        self._server.close()
        self.cut()
        if self._dialling:
            await asyncio.wait(self._dialling)

    def dial(self, line: Line) -> None:
        """A client has said its first word."""
        dialling = asyncio.get_running_loop().create_task(self._dial(line), name="line through the cutter")
        self._dialling.add(dialling)
        dialling.add_done_callback(self._dialling.discard)

    def cut(self, which: Callable[[Line], bool] = lambda _: True) -> None:
        """Reset lines."""
        for line in [line for line in self.lines if which(line)]:
            line.cut()

    def silence(self, way: Way, which: Callable[[Line], bool] = lambda _: True) -> None:
        """Swallow what is said from now on in this direction on the lines that there are."""
        for line in self.lines:
            if which(line):
                line.silent.add(way)

    async def swallows(self, way: Way, count: int, which: Callable[[Line], bool]) -> None:
        """Wait until so many of these lines have swallowed something."""
        async with asyncio.timeout(PATIENCE):
            while sum(way in line.swallowed for line in self.lines if which(line)) < count:
                self.news.clear()
                await self.news.wait()

    async def _dial(self, line: Line) -> None:
        if self.is_down(line):
            line.cut()
            return
        await line.dial(self._server_port())


def of(identities: Iterable[str]) -> Callable[[Line], bool]:
    """Return the predicate of these stations' lines."""
    wanted = set(identities)
    return lambda line: line.identity in wanted
