"""An open WebSocket as dialogues with a bare peer: messages, closing from either side, liveness, floods."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

import pytest

from gateway.transport import Accept, Closed, Limits, State, WebSocket
from gateway.transport.websocket import AHEAD, AHEAD_MESSAGES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.transport import UpgradeRequest, Verdict
    from tests.transport.conftest import Authority, Dialled, Listen

    Call = Callable[..., Awaitable[Dialled]]

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA
FIN = 0x80
SOON = 0.03
"""s of deadlines that are meant to pass."""
DEAR = 0.015
"""s of the loop's time for one message: more than a turn's share."""


def echo(socket: WebSocket, text: bytes) -> None:
    assert socket.send(text)


async def test_both_ends_talk(listen: Listen, call: Call) -> None:
    port = await listen(on_message=echo)
    dialled = await call(f"ws://127.0.0.1:{port.number}/ocpp/CS1")
    at_server = await port.sink()
    for text in (b"", b"x" * 571, "€".encode() * 30_000):
        assert dialled.socket.send(text)
        assert await at_server.next() == text
        assert await dialled.sink.next() == text
    dialled.socket.close(1000, "done")
    assert await at_server.end() == Closed(1000, "done", by_peer=True)
    assert await dialled.sink.end() == Closed(1000, "done", by_peer=False)


async def test_a_message_right_behind_the_upgrade_and_many_at_once(
    listen: Listen, new_frame: Callable[..., bytes]
) -> None:
    port = await listen(on_message=echo)
    wire, _ = await port.socket()
    wire.send(b"".join(new_frame(TEXT, b"%d" % number) for number in range(50)))
    assert [(await wire.receive())[1] for _ in range(50)] == [b"%d" % number for number in range(50)]


async def test_many_dear_messages_leave_the_others_their_turn(listen: Listen, new_frame: Callable[..., bytes]) -> None:
    """Attack C2: one read off the socket holds many messages that take long; the loop goes on between them."""
    heard: list[int] = []
    loop = asyncio.get_running_loop()
    turns = 0

    def dear(socket: WebSocket, text: bytes) -> None:
        del socket, text
        heard.append(turns)
        until = loop.time() + DEAR
        while loop.time() < until:
            pass

    def count() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(count)

    port = await listen(on_message=dear)
    wire, sink = await port.socket()
    loop.call_soon(count)
    wire.send(b"".join(new_frame(TEXT, b"%d" % number) for number in range(10)))
    assert [await sink.next() for _ in range(10)] == [b"%d" % number for number in range(10)]
    assert len(set(heard)) == 10


async def test_compression_both_ways(listen: Listen, call: Call) -> None:
    port = await listen(on_message=echo, compression=True)
    dialled = await call(f"ws://127.0.0.1:{port.number}/", compression=True)
    assert dialled.socket.send(b"x" * 100_000)
    assert await dialled.sink.next() == b"x" * 100_000


async def test_a_bomb_is_refused(listen: Listen) -> None:
    port = await listen(compression=True)
    wire, sink = await port.socket("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    compressor = zlib.compressobj(wbits=-12)
    bomb = (compressor.compress(bytes(5_000_000)) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
    wire.frame(TEXT, bomb, rsv=4)
    assert (await wire.close_frame())[0] == 1009
    assert await wire.rest() == b""
    assert (await sink.end()).code == 1009
    assert sink.messages.empty()


@pytest.mark.parametrize(
    ("opcode", "payload", "code"),
    [(BINARY, b"x", 1003), (TEXT, b"\xff", 1007), (CONTINUATION, b"", 1002), (TEXT, b"x" * 1_001, 1009)],
)
async def test_a_fault_is_answered_with_its_code(opcode: int, payload: bytes, code: int, listen: Listen) -> None:
    port = await listen(limits=Limits(max_message=1_000))
    wire, sink = await port.socket()
    wire.frame(TEXT, b"before")
    wire.frame(opcode, payload)
    wire.frame(TEXT, b"after")
    assert (await wire.close_frame())[0] == code
    assert await wire.rest() == b""
    closed = await sink.end()
    assert (closed.code, closed.by_peer) == (code, False)
    assert sink.messages.qsize() == 1


async def test_the_peers_close_is_echoed(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    wire.frame(CLOSE, b"\x0f\xa0own words")
    assert await wire.close_frame() == (4000, "own words")
    assert await wire.rest() == b""
    assert await sink.end() == Closed(4000, "own words", by_peer=True)
    assert sink.socket.state is State.CLOSED
    assert sink.socket.closed == Closed(4000, "own words", by_peer=True)
    assert await sink.socket.wait_closed() == sink.socket.closed


async def test_our_close_waits_for_the_answer(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    socket = sink.socket
    waiting = asyncio.create_task(socket.wait_closed())
    socket.close(1001, "bye " * 50)
    assert socket.state is State.CLOSING
    assert not socket.send(b"no more")
    socket.close(1000, "again")
    code, reason = await wire.close_frame()
    assert (code, len(reason)) == (1001, 123)
    wire.frame(TEXT, b"crossed on the way")
    wire.frame(PING, b"unanswered")
    wire.frame(CLOSE, b"\x03\xe9")
    assert await wire.rest() == b""
    assert await waiting == await sink.end() == Closed(1001, reason, by_peer=False)
    assert sink.messages.empty()


async def test_a_close_that_is_not_answered_is_cut(listen: Listen) -> None:
    port = await listen(limits=Limits(close_timeout=SOON))
    wire, sink = await port.socket()
    sink.socket.close()
    assert await wire.close_frame() == (1000, "")
    assert await sink.end() == Closed(1006, f"close frame not answered in {SOON} s", by_peer=False)
    assert await wire.rest() == b""


async def test_closing_a_paused_socket_reads_the_answer(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    sink.socket.pause()
    wire.frame(TEXT, b"unread")
    sink.socket.close(1000)
    await wire.close_frame()
    wire.frame(CLOSE, b"\x03\xe8")
    assert (await sink.end()).code == 1000
    sink.socket.pause()  # too late to mean anything
    assert sink.messages.empty()


@pytest.mark.parametrize("code", [0, 1005, 1006, 1015, 2999, 5000])
async def test_some_codes_may_not_be_sent(code: int, listen: Listen) -> None:
    port = await listen()
    _, sink = await port.socket()
    with pytest.raises(ValueError, match=f"close code {code} may not be sent"):
        sink.socket.close(code)
    assert sink.socket.state is State.OPEN


async def test_abort_tells_the_sink_soon(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    sink.socket.abort()
    assert not sink.closed.done(), "not from within abort()"
    assert not sink.socket.send(b"x")
    assert await sink.end() == Closed(1006, "aborted", by_peer=False)
    assert await wire.rest() == b""
    sink.socket.abort("again")
    assert sink.socket.closed == Closed(1006, "aborted", by_peer=False)


async def test_a_lost_peer_is_1006_by_peer(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    wire.writer.write_eof()
    assert await sink.end() == Closed(1006, "closed without a closing handshake", by_peer=True)
    assert await wire.rest() == b""


async def test_a_reset_is_1006_by_peer(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    wire.send(b"\x81")
    await wire.writer.drain()
    sink.socket.send(b"unread, so that the kernel resets")
    wire.writer.transport.abort()
    closed = await sink.end()
    assert (closed.code, closed.by_peer) == (1006, True)


async def test_pings_are_answered(listen: Listen) -> None:
    port = await listen()
    wire, _ = await port.socket()
    wire.frame(PING, b"are you there")
    assert await wire.receive() == (FIN | PONG, b"are you there")


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_flood_of_control_frames_is_ended(opcode: int, listen: Listen) -> None:
    port = await listen(limits=Limits(max_control_frames=5))
    wire, sink = await port.socket()
    for _ in range(6):
        wire.frame(opcode)
    assert await sink.end() == Closed(1008, "too many pings or pongs", by_peer=False)
    assert b"too many pings or pongs" in await wire.rest()


async def test_the_count_of_control_frames_begins_anew(listen: Listen) -> None:
    port = await listen(limits=Limits(max_control_frames=2, control_window=SOON))
    wire, _ = await port.socket()
    for _ in range(3):
        for _ in range(2):
            wire.frame(PING, b"p")
            assert await wire.receive() == (FIN | PONG, b"p")
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(2 * SOON, passed.set)
        await passed.wait()


async def test_ping_is_true_when_its_own_pong_comes(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    asking = asyncio.create_task(sink.socket.ping(10.0))
    first, payload = await wire.receive()
    assert (first, len(payload)) == (FIN | PING, 8)
    wire.frame(PONG, b"another")
    wire.frame(PONG, payload)
    wire.frame(PONG, payload)
    assert await asking is True


async def test_ping_is_false_when_no_pong_comes(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    assert await sink.socket.ping(SOON) is False
    _, payload = await wire.receive()
    wire.frame(PONG, payload)
    wire.frame(TEXT, b"the late pong harms nobody")
    await sink.next()


async def test_ping_is_false_when_it_ends_meanwhile(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    asking = asyncio.create_task(sink.socket.ping(10.0))
    await wire.receive()
    wire.frame(CLOSE, b"\x03\xe8")
    assert await asking is False
    assert await sink.socket.ping(10.0) is False


async def test_a_silent_peer_is_pinged_then_dropped(listen: Listen) -> None:
    port = await listen(limits=Limits(ping_interval=SOON, pong_timeout=SOON))
    wire, sink = await port.socket()
    assert await wire.receive() == (FIN | PING, b"")
    closed = await sink.end()
    assert (closed.code, closed.by_peer) == (1006, False)
    assert closed.reason.startswith("silent for ")
    assert await wire.rest() == b""


async def test_a_peer_that_answers_stays(listen: Listen) -> None:
    # After a pong that comes later than the interval the next ping waits for the timeout: shorter than our patience.
    port = await listen(limits=Limits(ping_interval=SOON, pong_timeout=5.0))
    wire, sink = await port.socket()
    for _ in range(3):
        assert await wire.receive() == (FIN | PING, b"")
        wire.frame(PONG)
    assert not sink.closed.done()


async def test_a_peer_that_talks_is_not_pinged(listen: Listen) -> None:
    """Its own watch looks when the test says: a machine that stalls makes nobody silent."""
    interval = 100.0
    port = await listen(limits=Limits(ping_interval=interval, pong_timeout=100.0), on_message=echo)
    wire, sink = await port.socket()
    for _ in range(3):
        sink.socket._link.heard -= interval
        wire.frame(TEXT, b"talk")
        assert await wire.receive() == (FIN | TEXT, b"talk")
        sink.socket.look()
    sink.socket._link.heard -= interval
    sink.socket.look()
    assert await wire.receive() == (FIN | PING, b"")


async def test_a_paused_socket_does_not_judge_its_peer(listen: Listen) -> None:
    limits = Limits(ping_interval=0.01, pong_timeout=0.01, message_timeout=0.01)
    port = await listen(limits=limits)
    wire, sink = await port.socket()
    wire.frame(TEXT, b"half", fin=False)
    sink.socket.pause()
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, passed.set)
    await passed.wait()
    assert sink.socket.state is State.OPEN
    sink.socket.resume()
    assert (await sink.end()).by_peer is False


@pytest.mark.parametrize("interval", [0.0, SOON])
@pytest.mark.parametrize("half", ["header", "payload", "fragment"])
async def test_a_message_that_is_not_finished_is_ended(
    half: str, interval: float, listen: Listen, new_frame: Callable[..., bytes]
) -> None:
    limits = Limits(message_timeout=SOON, ping_interval=interval, pong_timeout=10.0)
    port = await listen(limits=limits)
    wire, sink = await port.socket()
    begun = {"header": b"\x81", "payload": new_frame(TEXT, b"abc")[:-1], "fragment": new_frame(TEXT, b"abc", fin=False)}
    wire.send(begun[half])
    assert await sink.end() == Closed(1008, f"message not finished in {SOON} s", by_peer=False)
    assert b"message not finished" in await wire.rest()


async def test_a_socket_without_pings_still_lives_after_the_message_timeout(listen: Listen) -> None:
    port = await listen(limits=Limits(message_timeout=0.01, ping_interval=0.0), on_message=echo)
    wire, _ = await port.socket()
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, passed.set)
    await passed.wait()
    wire.frame(TEXT, b"x")
    assert await wire.receive() == (FIN | TEXT, b"x")


class Failing:
    """A sink that fails where it is told to."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.heard: list[str] = []

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        if what == self._where:
            raise RuntimeError("secret detail")

    def connected(self, socket: WebSocket) -> None:
        del socket
        self._hear("connected")

    def message(self, text: bytes) -> None:
        del text
        self._hear("message")

    def disconnected(self, closed: Closed) -> None:
        del closed
        self._hear("disconnected")


@pytest.mark.parametrize(("where", "code"), [("connected", 1011), ("message", 1011), ("disconnected", 1000)])
async def test_a_sink_that_fails_is_logged_and_costs_its_own_connection_only(
    where: str, code: int, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Failing(where)

    async def admit(asked: UpgradeRequest) -> Verdict:
        del asked
        return Accept(sink, None)

    port = await listen(admit)
    wire = await port.wire()
    await wire.upgrade()
    if where != "connected":
        wire.frame(TEXT, b"x")
    if where == "disconnected":
        wire.frame(CLOSE, b"\x03\xe8")
    assert await wire.close_frame() == (code, "internal error" if code == 1011 else "")
    if where != "disconnected":
        wire.frame(CLOSE, b"\x03\xe8")
    await wire.close()
    await port.emptied()
    assert (
        sink.heard == ["connected", "disconnected"]
        if where == "connected"
        else ["connected", "message", "disconnected"]
    )
    assert f"failed in {where}()" in caplog.text


async def test_a_socket_shows_itself(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket("Sec-WebSocket-Protocol: ocpp1.6")
    host, number = wire.writer.get_extra_info("sockname")
    assert repr(sink.socket) == f"<WebSocket OPEN {host}:{number} ocpp1.6>"
    assert sink.socket.remote == (host, number)
    _, other = await port.socket()
    assert repr(other.socket).endswith("(no subprotocol)>")


async def test_a_waiter_that_gives_up_harms_nobody(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    impatient, patient = (asyncio.create_task(sink.socket.wait_closed()) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    wire.frame(CLOSE, b"\x03\xe8")
    assert (await patient).code == 1000


@pytest.mark.parametrize("secure", [False, True])
async def test_a_paused_peer_that_lives_answers_the_probe(
    listen: Listen, authority: Authority, new_frame: Callable[..., bytes], *, secure: bool
) -> None:
    """Attack A2: a station whose CALLs wait for the backend is not taken for dead; nothing is delivered meanwhile."""
    context = authority.server()
    port = await listen(tls=(lambda _: context) if secure else None, on_message=lambda socket, _: socket.pause())
    wire, sink = await port.socket(tls=authority.client() if secure else None)
    texts = [b"%d" % number for number in range(10)]
    wire.send(b"".join(new_frame(TEXT, text) for text in texts))
    assert await sink.next() == texts[0]
    for _ in range(2):
        asking = asyncio.create_task(sink.socket.ping(10.0))
        _, payload = await wire.receive()
        wire.frame(PONG, payload)
        assert await asking is True
        assert sink.messages.empty()
    for text in texts[1:]:
        sink.socket.resume()
        assert await sink.next() == text
    sink.socket.resume()
    wire.frame(TEXT, b"and on")
    assert await sink.next() == b"and on"


async def test_a_pause_during_a_probe_is_one(listen: Listen, new_frame: Callable[..., bytes]) -> None:
    port = await listen(on_message=lambda socket, _: socket.pause())
    wire, sink = await port.socket()
    asking = asyncio.create_task(sink.socket.ping(10.0))
    _, payload = await wire.receive()
    wire.send(new_frame(TEXT, b"one") + new_frame(TEXT, b"two") + new_frame(PONG, payload))
    assert await asking is True
    assert sink.messages.qsize() == 1
    sink.socket.resume()
    assert [await sink.next(), await sink.next()] == [b"one", b"two"]


@pytest.mark.parametrize(("size", "taken"), [(0, AHEAD_MESSAGES), (AHEAD // 4, 4)])
async def test_looking_past_a_pause_is_bounded(
    size: int, taken: int, listen: Listen, new_frame: Callable[..., bytes]
) -> None:
    """A peer that fills the pause with messages answers no probe: it may be replaced, and costs no more memory."""
    port = await listen()
    wire, sink = await port.socket()
    sink.socket.pause()
    wire.send(new_frame(TEXT, b"x" * size) * 200)
    asking = asyncio.create_task(sink.socket.ping(0.3))
    _, payload = await wire.receive()
    wire.frame(PONG, payload)
    assert await asking is False
    assert len(sink.socket._ahead or ()) == taken
    sink.socket.resume()
    assert [len(await sink.next()) for _ in range(200)] == [size] * 200


async def test_a_pause_that_ends_in_a_probe_with_the_connection(
    listen: Listen, new_frame: Callable[..., bytes]
) -> None:
    port = await listen()
    wire, sink = await port.socket()
    sink.socket.pause()
    wire.send(new_frame(TEXT, b"untaken") + new_frame(CLOSE, b"\x03\xe8"))
    assert await sink.socket.ping(10.0) is False
    assert (await sink.end()).code == 1000
    sink.socket.resume()
    assert sink.messages.empty()


async def test_closing_drops_what_was_read_past_the_pause(listen: Listen, new_frame: Callable[..., bytes]) -> None:
    port = await listen()
    wire, sink = await port.socket()
    sink.socket.pause()
    asking = asyncio.create_task(sink.socket.ping(10.0))
    _, payload = await wire.receive()
    wire.send(new_frame(TEXT, b"untaken") + new_frame(PONG, payload))
    assert await asking is True
    sink.socket.close(1001)
    assert (await wire.close_frame())[0] == 1001
    wire.frame(CLOSE, b"\x03\xe9")
    assert (await sink.end()).code == 1001
    assert sink.messages.empty()
