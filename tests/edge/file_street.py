"""A file endpoint on a port of the kernel's, links and logs kept in memory, and stations that speak bare HTTP."""

import asyncio
import hashlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self

from gateway.edge.file_endpoint import FileEndpoint
from gateway.edge.file_server import FileServer
from gateway.edge.throttle import Lanes
from gateway.session.file_links import FileLink, LinkKind, UploadRefused
from gateway.session.ports import StoreAway

CONTENT = bytes(range(256)) * 1_024
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LATER = datetime(9999, 1, 1, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"),)
GOOD, PUBLISHED, LOG, UNKNOWN = (letter * 43 for letter in "gplu")
"""Secrets: of an update of CS1, of a publication, of a log of CS1, of nothing."""
PATIENCE = 10.0
"""Seconds after which a test has failed."""


@dataclass
class Held:
    """Something that an upload does takes its time."""

    what: str
    is_under_way: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_by(self, what: str) -> None:
        if what == self.what:
            self.is_under_way.set()
            await self.goes_on.wait()


@dataclass
class Kept:
    """One upload; fulfils Upload."""

    log_id: int
    identity: str
    name: str | None
    length: int | None
    refuses: UploadRefused | None = None
    """What the next write, or the end, says."""
    content: bytes = b""
    is_finished: bool = False
    aborted: str | None = None
    writing: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    held_at: "Held | None" = None

    async def write(self, chunk: bytes) -> None:
        if self.held_at is not None:
            await self.held_at.pass_by("write")
        if self.refuses is not None:
            raise self.refuses
        self.content += chunk
        self.writing.set()

    async def finish(self) -> None:
        if self.held_at is not None:
            await self.held_at.pass_by("finish")
        if self.refuses is not None:
            raise self.refuses
        self.is_finished = True
        self.over.set()

    async def abort(self, reason: str) -> None:
        self.aborted = reason
        self.over.set()


class Street:
    """The endpoint with what stands behind it; fulfils Images and Uploads."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / SHA256
        self.file.write_bytes(CONTENT)
        self.links = {
            (GOOD, LinkKind.DOWNLOAD): FileLink(LinkKind.DOWNLOAD, "CS1", 1, SHA256, 1, None, LATER),
            (PUBLISHED, LinkKind.DOWNLOAD): FileLink(LinkKind.DOWNLOAD, None, 1, SHA256, None, None, LATER),
            (LOG, LinkKind.UPLOAD): FileLink(LinkKind.UPLOAD, "CS1", None, None, None, 7, LATER),
        }
        self.is_away = False
        self.uploads: list[Kept] = []
        self.began = asyncio.Event()
        self.refuses: UploadRefused | None = None
        """What the next upload hears at once."""
        self.refuses_later: UploadRefused | None = None
        """What the next upload hears when it writes."""
        self.held_at: Held | None = None
        self.counted: Counter[tuple[str, str]] = Counter()
        self.octets: Counter[str] = Counter()
        self.was_counted = asyncio.Event()
        self.server: FileServer
        self.endpoint: FileEndpoint

    async def path(self, sha256: str) -> Path | None:
        return self.file

    async def find(self, secret: str, kind: LinkKind) -> FileLink | None:
        if self.is_away:
            raise StoreAway("the store is away")
        return self.links.get((secret, kind))

    async def begin(self, log_id: int, identity: str, name: str | None, length: int | None) -> Kept:
        if self.refuses is not None:
            raise self.refuses
        if self.held_at is not None:
            await self.held_at.pass_by("begin")
        self.uploads.append(Kept(log_id, identity, name, length, self.refuses_later, held_at=self.held_at))
        self.began.set()
        return self.uploads[-1]

    def count(self, what: str, outcome: str, octets: int) -> None:
        self.was_counted.set()
        self.counted[what, outcome] += 1
        self.octets[what] += octets

    @property
    def port(self) -> int:
        return self.server.addresses[0][1]


@asynccontextmanager
async def street(
    folder: Path,
    *,
    connections: int = 100,
    rate: int = 1 << 40,
    station_rate: int = 1 << 40,
    takes_logs: bool = True,
    **server: Any,
) -> AsyncIterator[Street]:
    """Give an endpoint that is open."""
    opened = Street(folder)
    lanes = Lanes(rate, station_rate)
    uploads = opened if takes_logs else None
    opened.endpoint = FileEndpoint(opened.find, opened, uploads, lanes, opened.count)
    opened.server = FileServer(opened.endpoint, connections=connections, **({"networks": LOOPBACK} | server))
    await opened.server.start("127.0.0.1", 0)
    try:
        yield opened
    finally:
        await opened.server.close(0)


@dataclass
class Heard:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Caller:
    """One connection of a station."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    def say(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def hear(self, *, has_body: bool = True) -> Heard:
        """Read a whole answer."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.splitlines()[:-1]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            size = int(headers["content-length"]) if has_body else 0
            return Heard(int(first.split()[1]), headers, await self.reader.readexactly(size))

    async def is_dropped(self) -> bytes:
        """Return what came before the connection ended."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


async def call(port: int, tls: ssl.SSLContext | None = None, server_name: str | None = None) -> Caller:
    """Connect."""
    return Caller(
        *await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=server_name if tls else None)
    )


async def ask(port: int, method: str, path: str, body: bytes | None = None, /, **headers: str) -> Heard:
    """Make one request; ``If_Range="x"`` is a header."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        lines.setdefault("Content-Length", str(len(body)))
    async with await call(port) as caller:
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        caller.say(f"{method} {path} HTTP/1.1\r\nHost: files\r\n{head}\r\n".encode("latin-1") + (body or b""))
        return await caller.hear(has_body=method != "HEAD")
