"""Attack C2: bombs, drips, floods, peers that don't read and peers that are gone: each ends at a stated bound.

The numbers are small here; what they are by default stands in gateway/transport/limits.py.
"""

from __future__ import annotations

import asyncio
import socket
import zlib
from typing import TYPE_CHECKING

import pytest

from gateway.transport import Closed, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.transport import WebSocket
    from tests.transport.conftest import Listen, Port

    NewFrame = Callable[..., bytes]

TEXT, CONTINUATION, PING, PONG = 0x1, 0x0, 0x9, 0xA
SOON = 0.05
"""s of deadlines that are meant to pass."""
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


def echo(websocket: WebSocket, text: bytes) -> None:
    websocket.send(text)


async def a_neighbour_is_served(port: Port) -> None:
    """What happened to one connection is nothing to the next."""
    wire, _ = await port.socket()
    wire.frame(TEXT, b"still here")
    assert await wire.receive() == (0x81, b"still here")


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-12)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("size", [10_001, 5_000_000])
async def test_a_bomb_stops_at_the_limit_after_inflation(size: int, listen: Listen) -> None:
    port = await listen(on_message=echo, compression=True, limits=Limits(max_message=10_000))
    wire, sink = await port.socket(DEFLATE)
    wire.frame(TEXT, deflated(bytes(size)), rsv=4)
    assert (await wire.close_frame())[0] == 1009
    assert (await sink.end()).code == 1009
    assert sink.messages.empty()
    await a_neighbour_is_served(port)


async def test_a_bomb_cut_into_fragments_counts_as_one(listen: Listen) -> None:
    port = await listen(on_message=echo, compression=True, limits=Limits(max_message=10_000))
    wire, _ = await port.socket(DEFLATE)
    packed = deflated(b"0123456789" * 2_000)
    wire.frame(TEXT, packed[:20], fin=False, rsv=4)
    wire.frame(CONTINUATION, packed[20:])
    assert (await wire.close_frame())[0] == 1009


@pytest.mark.parametrize("payload", [b"", b"x"])
async def test_an_endless_continuation_ends(payload: bytes, listen: Listen, new_frame: NewFrame) -> None:
    port = await listen(on_message=echo, limits=Limits(max_fragments=50))
    wire, sink = await port.socket()
    wire.frame(TEXT, payload, fin=False)
    wire.send(new_frame(CONTINUATION, payload, fin=False) * 50)
    assert await wire.close_frame() == (1009, "message in more than 50 fragments")
    assert (await sink.end()).code == 1009
    await a_neighbour_is_served(port)


async def test_a_continuation_that_is_dripped_ends_with_time(listen: Listen) -> None:
    """Each fragment is a sign of life, and the message has its deadline all the same."""
    port = await listen(on_message=echo, limits=Limits(message_timeout=0.1, ping_interval=SOON, max_fragments=10**9))
    wire, sink = await port.socket()
    wire.frame(TEXT, b"", fin=False)
    while not sink.closed.done():
        wire.frame(CONTINUATION, b"x", fin=False)
        await asyncio.wait([sink.closed], timeout=0.005)
    assert await sink.end() == Closed(1008, "message not finished in 0.1 s", by_peer=False)


async def test_a_frame_that_is_dripped_ends_with_time(listen: Listen, new_frame: NewFrame) -> None:
    port = await listen(on_message=echo, limits=Limits(message_timeout=0.1, ping_interval=SOON))
    wire, sink = await port.socket()
    drip = iter(new_frame(TEXT, b"x" * 100_000))
    while not sink.closed.done():
        wire.send(bytes([next(drip)]))
        await asyncio.wait([sink.closed], timeout=0.001)
    assert await sink.end() == Closed(1008, "message not finished in 0.1 s", by_peer=False)


async def test_one_byte_frames_leave_others_their_turn(listen: Listen, new_frame: NewFrame) -> None:
    """Thousands of messages of a byte each; somebody else's is answered among them."""
    told: list[bytes] = []

    def tell(websocket: WebSocket, text: bytes) -> None:
        told.append(text)
        websocket.send(text)

    port = await listen(on_message=tell)
    flood, sink = await port.socket()
    other, _ = await port.socket()
    flood.send(new_frame(TEXT, b"1") * 4_000)
    other.frame(TEXT, b"other")
    assert await other.receive() == (0x81, b"other")
    assert told.index(b"other") < 4_000
    for _ in range(4_000):
        await sink.next()


@pytest.mark.parametrize("opcode", [PING, PONG])
@pytest.mark.parametrize("payload", [b"", b"x" * 125])
async def test_a_flood_of_pings_is_ended(opcode: int, payload: bytes, listen: Listen, new_frame: NewFrame) -> None:
    port = await listen(on_message=echo, limits=Limits(max_control_frames=20))
    wire, sink = await port.socket()
    wire.send(new_frame(opcode, payload) * 10_000)
    assert await sink.end() == Closed(1008, "too many pings or pongs", by_peer=False)
    said = await wire.rest()
    assert said.count(b"\x8a" + bytes([len(payload)]) + payload) == (20 if opcode == PING else 0)
    await a_neighbour_is_served(port)


async def test_a_peer_that_never_reads_its_answers(listen: Listen, new_frame: NewFrame) -> None:
    """It asks and asks. What waits for it stays bounded, and with it what is read; at the deadline it is gone."""
    unsent: list[int] = []

    def answer(websocket: WebSocket, text: bytes) -> None:
        websocket.send(text * 1_000)
        unsent.append(websocket.unsent)

    limits = Limits(write_timeout=0.2, write_high_water=65_536)
    port = await listen(on_message=answer, limits=limits)
    wire, sink = await port.socket()
    wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transports of both loops have it
    wire.send(new_frame(TEXT, b"x" * 100) * 2_000)
    assert await sink.end() == Closed(1006, "the peer read nothing for 0.2 s", by_peer=False)
    assert max(unsent) <= limits.write_high_water + 100_000 + 14
    assert sink.messages.qsize() < 2_000


async def test_a_peer_that_reads_a_little_has_the_same_deadline(
    listen: Listen, new_frame: NewFrame, new_request: Callable[..., bytes]
) -> None:
    """A byte now and then does not begin the deadline anew."""
    limits = Limits(write_timeout=0.3)
    port = await listen(on_message=lambda websocket, text: websocket.send(text * 1_000), limits=limits)
    loop = asyncio.get_running_loop()
    with socket.socket() as plug:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        plug.setblocking(False)
        await loop.sock_connect(plug, port.address)
        await loop.sock_sendall(plug, new_request())
        sink = await port.sink()
        await loop.sock_sendall(plug, new_frame(TEXT, b"x" * 100) * 300)
        while not sink.closed.done():
            assert await loop.sock_recv(plug, 1)
            await asyncio.wait([sink.closed], timeout=0.02)
        assert (await sink.end()).reason == "the peer read nothing for 0.3 s"


async def test_a_half_open_connection_is_found_out(listen: Listen) -> None:
    """The peer's machine is gone, and no FIN says so: the ping isn't answered."""
    port = await listen(on_message=echo, limits=Limits(ping_interval=SOON, pong_timeout=SOON))
    wire, sink = await port.socket()
    assert await wire.receive() == (0x80 | PING, b"")
    closed = await sink.end()
    assert (closed.code, closed.by_peer) == (1006, False)
    assert f"the last {SOON} s after a ping" in closed.reason
