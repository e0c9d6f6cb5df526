"""Attack A3: the close of the old connection comes when the new one is there, and must not take it away."""

import asyncio
import base64
import json
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from gateway.session.directory import PROBE_TIMEOUT
from gateway.transport.messages import Closed
from tests.attacks.hall import Hall
from tests.system.stations import Registered, client_tls, register

if TYPE_CHECKING:
    from tests.session.conftest import FakeRegistry, FakeSecurityLog, Talk

Settle = Callable[[], Awaitable[None]]
CLOSE = 0x88
"""First byte of a close frame (RFC 6455 5.2)."""
CLOSES = bytes([CLOSE, 0x80]) + bytes(4)
"""A client's."""
HEARTBEAT = json.dumps([2, "late", "Heartbeat", {}]).encode()


async def frozen(gateway: Any, station: Registered, tls: ssl.SSLContext) -> tuple[Any, Any]:
    """Upgrade, and from then on answer nothing: no ping, no frame."""
    reader, writer = await asyncio.open_connection("localhost", gateway.port("wss"), ssl=tls)
    credentials = base64.b64encode(f"{station.identity}:{station.password}".encode()).decode()
    lines = [
        f"GET /ocpp/{station.identity} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: ocpp2.0.1",
        f"Authorization: Basic {credentials}",
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


def masked(text: bytes) -> bytes:
    """Return a client's text frame, its mask all zeroes."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


async def test_a_frozen_one_is_replaced_after_the_probe_and_takes_nobody_with_it(
    new_deployment: Callable[[], AbstractAsyncContextManager[Any]],
) -> None:
    async with new_deployment() as gateway:
        await gateway.start()
        station = await register(gateway, "CS1")
        reader, writer = await frozen(gateway, station, client_tls(gateway))
        began = asyncio.get_running_loop().time()
        async with station.comes() as newcomer:
            assert asyncio.get_running_loop().time() - began >= PROBE_TIMEOUT
            await gateway.told(event="security_event", kind="SessionReplaced", identity="CS1")
            assert await station.boots(newcomer) == "Accepted"
            # Never two live: what the old one still says is not heard, and all that it hears is ping and close.
            writer.write(masked(HEARTBEAT) + CLOSES)
            heard = await asyncio.wait_for(reader.read(), PROBE_TIMEOUT)
            assert CLOSE in heard
            assert b"late" not in heard
            writer.close()
            assert await station.is_served(newcomer)
            shown = await station.shown()
            assert (shown["connected"], shown["connected_profile"]) == (True, 2)
            assert await station.refused() == 409


async def test_closes_in_any_order(
    registry: "FakeRegistry", new_talk: Callable[..., "Talk"], security: "FakeSecurityLog", settle: Settle
) -> None:
    hall = Hall(registry, new_talk, security)
    former = [await hall.comes()]
    for _ in range(3):
        former[-1].socket.pong = False
        former.append(await hall.comes())
    newest = former.pop()
    for old in reversed(former):
        assert old.socket.closed == [(1001, "replaced by a new connection")]
        old.peer.disconnected(Closed(1006, "", by_peer=True))
        await settle()
        assert hall.holder() is newest.peer
    newest.peer.disconnected(Closed(1006, "", by_peer=True))
    await settle()
    assert hall.holder() is None
    assert len(hall.directory) == 0
