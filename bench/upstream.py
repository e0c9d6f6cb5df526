"""The least WebSocket backend: it upgrades everybody and then listens. ``python -m bench.upstream`` prints its port."""

import asyncio
import base64
import hashlib
import sys
from typing import Final

GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 1.3."""


def accept_value(key: bytes) -> bytes:
    """Return Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())


class Upstream(asyncio.Protocol):
    """One connection: a request head in, a 101 out, and whatever follows is thrown away."""

    def __init__(self) -> None:
        self._head = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._head.endswith(b"\r\n\r\n"):
            return
        self._head += data
        if not self._head.endswith(b"\r\n\r\n"):
            return
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in self._head.split(b"\r\n")[1:])
        }
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept_value(fields[b"sec-websocket-key"])
            + b"\r\nSec-WebSocket-Protocol: "
            + fields[b"sec-websocket-protocol"].partition(b",")[0]
            + b"\r\n\r\n"
        )


async def main() -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
