"""Real sockets and real TLS for the transport's tests: every asynchronous test runs on asyncio's loop and on uvloop."""

import asyncio
import contextlib
import datetime as dt
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import trustme
import uvloop

from gateway.transport import (
    Accept,
    Closed,
    HandshakePool,
    Limits,
    Listener,
    Refused,
    UpgradeRequest,
    Verdict,
    WebSocket,
    dial,
)

PATIENCE: Final = 10.0
"""s after which a test has failed; never slept."""
MASK: Final = b"\x11\x22\x33\x44"
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    del config, item
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Recorder:
    """A sink that keeps what it hears."""

    def __init__(self, on_message: Callable[[WebSocket, bytes], None] | None = None) -> None:
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        self.connections: list[WebSocket] = []
        self.closed: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()
        self._on_message = on_message

    @property
    def socket(self) -> WebSocket:
        (socket,) = self.connections
        return socket

    def connected(self, socket: WebSocket) -> None:
        self.connections.append(socket)

    def message(self, text: bytes) -> None:
        assert type(text) is bytes
        self.messages.put_nowait(text)
        if self._on_message is not None:
            self._on_message(self.socket, text)

    def disconnected(self, closed: Closed) -> None:
        self.closed.set_result(closed)

    async def next(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.messages.get()

    async def end(self) -> Closed:
        async with asyncio.timeout(PATIENCE):
            return await self.closed


class Wire:
    """A bare client (or server) that says exactly what a test tells it to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> None:
        self.send(frame(opcode, payload, fin=fin, rsv=rsv, masked=masked))

    async def head(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def receive(self) -> tuple[int, bytes]:
        """One frame: its first byte and its payload, unmasked."""
        async with asyncio.timeout(PATIENCE):
            first, second = await self.reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
            mask = await self.reader.readexactly(4) if second & 0x80 else b""
            payload = await self.reader.readexactly(length)
        return first, masked_with(mask, payload) if mask else payload

    async def close_frame(self) -> tuple[int, str]:
        first, payload = await self.receive()
        assert first == 0x80 | CLOSE, hex(first)
        return struct.unpack("!H", payload[:2])[0], payload[2:].decode()

    async def rest(self) -> bytes:
        """Everything up to the peer's end; an abort counts as one."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def upgrade(self, *fields: str, target: str = "/ocpp/CS1") -> str:
        """Ask for a WebSocket; return the response's head."""
        self.send(request(*fields, target=target))
        return await self.head()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def wait_until(condition: Callable[[], object]) -> None:
    """Let the loop turn until ``condition`` holds, for what tells nobody that it happened."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # see the docstring
            await asyncio.sleep(0)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """One frame as a client sends it, or, not masked, as a server does."""
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65_536:
        head += struct.pack("!BH", bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", bit | 127, len(payload))
    if not masked:
        return head + payload
    return head + MASK + masked_with(MASK, payload)


def masked_with(mask: bytes, payload: bytes) -> bytes:
    length = len(payload)
    pattern = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(length, "big")


FIELDS: Final = (
    "Host: csms.example",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
"""The request of RFC 6455 1.3."""


def request(*extra: str, target: str = "/ocpp/CS1", first: str = "", fields: Sequence[str] = FIELDS) -> bytes:
    """An upgrade request with ``extra`` header lines."""
    return "\r\n".join([first or f"GET {target} HTTP/1.1", *fields, *extra, "", ""]).encode("latin-1")


def hello(server_name: str | None = "localhost", *, version: ssl.TLSVersion | None = None) -> bytes:
    """The first flight of a TLS client: one ClientHello, in one record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if version is not None:
        context.minimum_version = context.maximum_version = version
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=server_name).do_handshake()
    return outgoing.read()


@dataclass
class Port:
    """A running listener, and what came of the connections to it."""

    listener: Listener
    requests: list[UpgradeRequest] = field(default_factory=list)
    sinks: asyncio.Queue[Recorder] = field(default_factory=asyncio.Queue)
    refused: asyncio.Queue[Refused] = field(default_factory=asyncio.Queue)
    wires: list[Wire] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        (address,) = self.listener.addresses
        return address

    @property
    def number(self) -> int:
        return self.address[1]

    async def wire(self, tls: ssl.SSLContext | None = None) -> Wire:
        host = None if tls is None else "localhost"
        wire = Wire(*await asyncio.open_connection(*self.address, ssl=tls, server_hostname=host, limit=2**24))
        self.wires.append(wire)
        return wire

    async def socket(self, *fields: str, tls: ssl.SSLContext | None = None) -> tuple[Wire, Recorder]:
        """An open WebSocket: the bare client, and the sink at the server."""
        wire = await self.wire(tls)
        assert "101 Switching" in await wire.upgrade(*fields)
        return wire, await self.sink()

    async def sink(self) -> Recorder:
        async with asyncio.timeout(PATIENCE):
            return await self.sinks.get()

    async def refusal(self) -> Refused:
        async with asyncio.timeout(PATIENCE):
            return await self.refused.get()

    async def emptied(self) -> None:
        """Wait until the listener has no connection left."""
        await wait_until(lambda: not self.listener.connections)


Listen = Callable[..., Awaitable[Port]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Start listeners on free ports of 127.0.0.1; by default each connection is accepted with its first subprotocol."""
    ports: list[Port] = []

    async def start(
        admit: Callable[[UpgradeRequest], Awaitable[Verdict]] | None = None,
        *,
        on_message: Callable[[WebSocket, bytes], None] | None = None,
        compression: bool = False,
        limits: Limits | None = None,
        **options: Any,
    ) -> Port:
        async def welcome(asked: UpgradeRequest) -> Verdict:
            port.requests.append(asked)
            if admit is not None:
                return await admit(asked)
            sink = Recorder(on_message)
            port.sinks.put_nowait(sink)
            return Accept(sink, next(iter(asked.offered), None), compression=compression)

        def observe(refused: Refused) -> None:
            port.refused.put_nowait(refused)

        listener = Listener(host="127.0.0.1", port=0, admit=welcome, observe=observe, limits=limits, **options)
        port = Port(listener)
        await listener.start()
        ports.append(port)
        return port

    yield start
    for port in ports:
        await asyncio.gather(port.listener.close(grace=0.0), *(wire.close() for wire in port.wires))
        assert port.listener.connections == 0


@pytest.fixture
def pool() -> Iterator[HandshakePool]:
    pool = HandshakePool()
    yield pool
    pool.close()


@dataclass
class Authority:
    """A throw-away CA for both sides, and another one that nobody trusts."""

    ca: trustme.CA = field(default_factory=trustme.CA)
    stranger: trustme.CA = field(default_factory=trustme.CA)

    def server(
        self, *, clients: ssl.VerifyMode = ssl.CERT_NONE, version: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        context.verify_mode = clients
        context.num_tickets = 0
        self.ca.configure_trust(context)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    def server_named(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name).configure_cert(context)
        return context

    def client(
        self, certificate: trustme.LeafCert | None = None, *, version: ssl.TLSVersion | None = None, trust: bool = True
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        (self.ca if trust else self.stranger).configure_trust(context)
        if certificate is not None:
            certificate.configure_cert(context)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    def station(self) -> trustme.LeafCert:
        return self.ca.issue_cert("SN123", common_name="SN123")

    def expired(self) -> trustme.LeafCert:
        past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        return self.ca.issue_cert("SN123", not_after=past)

    def foreign(self) -> trustme.LeafCert:
        return self.stranger.issue_cert("SN123")


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait for a condition."""
    return wait_until


@pytest.fixture(scope="session")
def new_frame() -> Callable[..., bytes]:
    """Write one frame."""
    return frame


@pytest.fixture(scope="session")
def new_request() -> Callable[..., bytes]:
    """Write one upgrade request."""
    return request


@pytest.fixture(scope="session")
def new_hello() -> Callable[..., bytes]:
    """Write one TLS client's first flight."""
    return hello


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@dataclass
class Dialled:
    """A WebSocket that was dialled with ``dial``, and its sink."""

    socket: WebSocket
    sink: Recorder


@pytest.fixture
async def call() -> AsyncIterator[Callable[..., Awaitable[Dialled]]]:
    """Dial, with defaults; what was dialled is aborted in the end."""
    sockets: list[WebSocket] = []

    async def dial_it(
        url: str, *, on_message: Callable[[WebSocket, bytes], None] | None = None, **options: Any
    ) -> Dialled:
        sink = Recorder(on_message)
        options = {"subprotocols": ["ocpp1.6"], "headers": {}, "tls": None} | options
        socket = await dial(url, sink=sink, **options)
        sockets.append(socket)
        return Dialled(socket, sink)

    yield dial_it
    for socket in sockets:
        socket.abort()
        await socket.wait_closed()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Start bare TCP (or TLS) servers that follow a script; return the port."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()
    wires: list[Wire] = []

    async def start(script: Callable[[Wire], Awaitable[None]], tls: ssl.SSLContext | None = None) -> int:
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            wires.append(Wire(reader, writer))
            tasks.add(asyncio.create_task(follow(wires[-1]), name="script"))

        async def follow(wire: Wire) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(wire)
            await wire.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for wire in wires:
        wire.writer.transport.abort()  # a task that was cancelled before it ran closes nothing
