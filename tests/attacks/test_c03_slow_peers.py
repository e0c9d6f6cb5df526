"""Attack C3: peers that are slow on purpose, or say too much, before they are WebSockets.

Each is cut at the stated deadline, however it spreads its bytes: a deadline is for the whole, not for a silence. The
numbers are small here; what they are by default stands in gateway/transport/limits.py.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from gateway.transport import HandshakePool, Limits, Refused, Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tests.transport.conftest import Authority, Listen, Port, Wire

    Until = Callable[[Callable[[], object]], Awaitable[None]]

DEADLINE: Final = 0.15
LATEST: Final = 5.0
"""s: far below any default, far above the deadline on a busy machine."""
PACE: Final = 0.004
"""s between two bytes of a drip."""


async def drip(wire: Wire, chunks: Iterable[bytes], port: Port, began: float) -> tuple[Refused, float]:
    """Send a chunk now and then until the server ends it; return what was noted, and how many seconds after ``began``.

    The server counts from its accept: whoever says that a deadline was kept begins before the connection.
    """
    loop = asyncio.get_running_loop()
    noted = asyncio.create_task(port.refusal())
    for chunk in chunks:
        wire.send(chunk)
        await asyncio.wait([noted], timeout=PACE)
        if noted.done():
            break
    refused = await noted
    return refused, loop.time() - began


def bytes_of(data: bytes) -> Iterable[bytes]:
    return (bytes([each]) for each in data)


async def test_a_slow_hello(listen: Listen, authority: Authority, new_hello: Callable[..., bytes]) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context, limits=Limits(handshake_timeout=DEADLINE))
    began = asyncio.get_running_loop().time()
    wire = await port.wire()
    refused, after = await drip(wire, bytes_of(new_hello()), port, began)
    assert (refused.stage, refused.code) == (Stage.TLS, "TIMEOUT")
    assert DEADLINE * 0.9 <= after < LATEST
    assert await wire.rest() == b""


@pytest.mark.parametrize("pooled", [False, True])
async def test_a_handshake_that_is_slow_after_the_hello(
    listen: Listen, authority: Authority, new_hello: Callable[..., bytes], *, pooled: bool
) -> None:
    """A record header, then its bytes one by one."""
    pool = HandshakePool() if pooled else None
    context = authority.server()
    port = await listen(tls=lambda _: context, pool=pool, limits=Limits(handshake_timeout=DEADLINE))
    began = asyncio.get_running_loop().time()
    wire = await port.wire()
    wire.send(new_hello())
    refused, after = await drip(wire, bytes_of(b"\x17\x03\x03\x40\x00" + bytes(16_000)), port, began)
    assert (refused.stage, refused.code) == (Stage.TLS, "TIMEOUT")
    assert DEADLINE * 0.9 <= after < LATEST
    if pool is not None:
        assert (pool.under_way, pool.waiting) == (0, 0)
        pool.close()


async def test_handshakes_that_are_dripped_hold_nobody_up(
    listen: Listen, authority: Authority, new_hello: Callable[..., bytes], until: Until
) -> None:
    """As many as there are turns, each with a byte now and then: a station still gets its turn in a moment."""
    limits = Limits(max_handshakes=3, handshake_patience=DEADLINE, handshake_timeout=60.0, turn_timeout=60.0)
    pool = HandshakePool(limits)
    context = authority.server()
    port = await listen(tls=lambda _: context, pool=pool, limits=limits)
    wires = [await port.wire() for _ in range(3)]
    for wire in wires:
        wire.send(new_hello() + b"\x17\x03\x03\x40\x00")
    await until(lambda: pool.under_way == 3)
    station = asyncio.create_task(port.socket(tls=authority.client()))
    while not station.done():
        for wire in wires:
            wire.send(b"\x00")
        await asyncio.wait([station], timeout=PACE)
    await station
    assert "while others waited" in (await port.refusal()).reason
    pool.close()


@pytest.mark.parametrize("secure", [False, True])
async def test_a_slow_head(
    listen: Listen, authority: Authority, new_request: Callable[..., bytes], *, secure: bool
) -> None:
    context = authority.server()
    port = await listen(tls=(lambda _: context) if secure else None, limits=Limits(head_timeout=DEADLINE))
    began = asyncio.get_running_loop().time()
    wire = await port.wire(authority.client() if secure else None)
    refused, after = await drip(wire, bytes_of(new_request("X-Padding: " + "x" * 4_000)), port, began)
    assert (refused.stage, refused.code) == (Stage.HEAD, "TIMEOUT")
    assert DEADLINE * 0.9 <= after < LATEST
    assert (await wire.rest()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_a_slow_head_header_by_header(listen: Listen) -> None:
    port = await listen(limits=Limits(head_timeout=DEADLINE, max_headers=10**6, max_head=10**9))
    began = asyncio.get_running_loop().time()
    wire = await port.wire()
    lines = [b"GET /ocpp/CS1 HTTP/1.1\r\n"] + [b"X-%d: x\r\n" % number for number in range(10_000)]
    refused, after = await drip(wire, lines, port, began)
    assert (refused.stage, refused.code) == (Stage.HEAD, "TIMEOUT")
    assert after < LATEST


async def test_a_refused_peer_that_reads_slowly_is_let_go(listen: Listen) -> None:
    """The time to read the refusal is bounded too, and so is what is taken meanwhile."""
    port = await listen(limits=Limits(linger_timeout=DEADLINE))
    wire = await port.wire()
    wire.send(b"BAD\r\n\r\n")
    await port.refusal()
    began = asyncio.get_running_loop().time()
    while port.listener.connections:
        wire.send(b"more")
        await asyncio.sleep(PACE)
    assert asyncio.get_running_loop().time() - began < LATEST


@pytest.mark.parametrize(("headers", "status"), [(59, b"101"), (60, b"431")])
async def test_many_headers(headers: int, status: bytes, listen: Listen, new_request: Callable[..., bytes]) -> None:
    """At the limit of 64 lines and one past it; five are the handshake's own."""
    port = await listen()
    wire = await port.wire()
    wire.send(new_request(*(f"X-{number}: x" for number in range(headers))))
    assert (await wire.head()).startswith(f"HTTP/1.1 {status.decode()} ")


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("whole", [False, True])
async def test_a_url_of_64_kb(
    listen: Listen, authority: Authority, new_request: Callable[..., bytes], *, secure: bool, whole: bool
) -> None:
    context = authority.server()
    port = await listen(tls=(lambda _: context) if secure else None)
    wire = await port.wire(authority.client() if secure else None)
    wire.send(new_request(target="/ocpp/" + "x" * 65_536) if whole else b"GET /ocpp/" + b"x" * 65_536)
    assert (await wire.head()).startswith("HTTP/1.1 431 Request Header Fields Too Large\r\n")
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.HEAD, "HTTP_431")
    assert "xxx" not in refused.reason


@pytest.mark.parametrize(("spare", "status"), [(0, "101"), (1, "431")])
async def test_a_head_at_the_limit_and_one_past_it(
    spare: int, status: str, listen: Listen, new_request: Callable[..., bytes]
) -> None:
    limits = Limits(max_head=1_000)
    room = 1_000 - len(new_request("X-Padding: "))
    port = await listen(limits=limits)
    wire = await port.wire()
    wire.send(new_request("X-Padding: " + "x" * (room + spare)))
    assert (await wire.head()).startswith(f"HTTP/1.1 {status} ")


async def test_slow_peers_of_one_address_take_its_places_only(listen: Listen) -> None:
    """What one address can hold open in front of the door is bounded; its WebSockets stay."""
    port = await listen(limits=Limits(waiting_per_address=5), on_message=lambda websocket, text: websocket.send(text))
    inside, _ = await port.socket()
    for _ in range(5):
        (await port.wire()).send(b"GET /")
    for _ in range(3):
        assert await (await port.wire()).rest() == b""
        refused = await port.refusal()
        assert (refused.stage, refused.code) == (Stage.CONNECTION, "TOO_MANY")
    inside.frame(0x1, b"still here")
    assert await inside.receive() == (0x81, b"still here")
