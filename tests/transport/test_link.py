"""TCP and TLS over real sockets: handshakes, alerts that arrive, deadlines, back-pressure, ends in order."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from gateway.transport import HandshakePool, Limits, Stage, WebSocket
from gateway.transport.endpoint import Hold
from gateway.transport.link import Link
from gateway.transport.opening import Terms
from gateway.transport.tls import TlsEngine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.transport.conftest import Authority, Listen, Port, Wire

    Until = Callable[[Callable[[], object]], Awaitable[None]]

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
SOON = 0.03
"""s of deadlines that are meant to pass."""
LARGE = b"x" * 200_000


def echo(socket: WebSocket, text: bytes) -> None:
    assert socket.send(text)


def talk(address: tuple[str, int], context: ssl.SSLContext, request: bytes) -> str:
    """A blocking TLS client: "HTTP/..." when it got an answer, else OpenSSL's reason or the kind of end."""
    try:
        with (
            socket.create_connection(address, timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(request)
            return secure.recv(1000).decode() or "EOF"
    except ssl.SSLError as exc:
        return str(exc.reason)
    except OSError as exc:
        return type(exc).__name__


@pytest.fixture(params=["threads", "loop"])
def any_pool(request: pytest.FixtureRequest) -> HandshakePool | None:
    """Handshakes in threads, and on the loop."""
    return request.getfixturevalue("pool") if request.param == "threads" else None


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_echo_through_tls(
    version: ssl.TLSVersion, listen: Listen, authority: Authority, any_pool: HandshakePool | None
) -> None:
    context = authority.server(clients=ssl.CERT_OPTIONAL, version=version)
    port = await listen(tls=lambda _: context, pool=any_pool, on_message=echo)
    wire, _ = await port.socket(tls=authority.client(authority.station()))
    for text in (b"small", b"x" * 5_000, b"y" * 70_000):
        wire.frame(0x1, text)
        assert await wire.receive() == (0x81, text)
    peer = port.requests[0].tls
    assert peer is not None
    assert peer.version == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
    assert len(peer.chain) == 2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "alert", "reason"),
    [
        ("foreign", "TLSV1_ALERT_UNKNOWN_CA", "certificate verify failed: unable to get local issuer certificate"),
        ("expired", "SSLV3_ALERT_CERTIFICATE_EXPIRED", "certificate verify failed: certificate has expired"),
    ],
)
async def test_the_alert_reaches_a_client_that_is_still_sending(  # noqa: PLR0917  # a table and its fixtures
    version: ssl.TLSVersion,
    kind: str,
    alert: str,
    reason: str,
    listen: Listen,
    authority: Authority,
    any_pool: HandshakePool | None,
    new_request: Callable[..., bytes],
) -> None:
    """A reset, which unread bytes would cause, would destroy the alert before the client reads it."""
    context = authority.server(clients=ssl.CERT_OPTIONAL, version=version)
    port = await listen(tls=lambda _: context, pool=any_pool)
    client = authority.client(getattr(authority, kind)())
    said = await asyncio.to_thread(talk, port.address, client, new_request("X-Padding: " + "x" * 4_000))
    assert said == alert
    refused = await port.refusal()
    assert (refused.stage, refused.code, refused.reason) == (Stage.TLS, "CERTIFICATE_VERIFY_FAILED", reason)
    await port.emptied()


@pytest.mark.parametrize("kind", ["none", "station"])
async def test_profile_2_and_3_share_a_port(
    kind: str, listen: Listen, authority: Authority, new_request: Callable[..., bytes]
) -> None:
    context = authority.server(clients=ssl.CERT_OPTIONAL)
    port = await listen(tls=lambda _: context)
    client = authority.client(authority.station() if kind == "station" else None)
    assert (await asyncio.to_thread(talk, port.address, client, new_request())).startswith("HTTP/1.1 101")
    tls = port.requests[0].tls
    assert tls is not None
    assert (tls.certificate is not None) is (kind == "station")


async def test_a_missing_certificate_gets_its_alert(
    listen: Listen, authority: Authority, new_request: Callable[..., bytes]
) -> None:
    context = authority.server(clients=ssl.CERT_REQUIRED)
    port = await listen(tls=lambda _: context)
    said = await asyncio.to_thread(talk, port.address, authority.client(), new_request())
    assert said == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert (await port.refusal()).code == "PEER_DID_NOT_RETURN_A_CERTIFICATE"


async def test_an_old_version_gets_its_alert(listen: Listen, authority: Authority) -> None:
    context = authority.server(version=ssl.TLSVersion.TLSv1_3)
    port = await listen(tls=lambda _: context)
    said = await asyncio.to_thread(talk, port.address, authority.client(version=ssl.TLSVersion.TLSv1_2), b"")
    assert said == "TLSV1_ALERT_PROTOCOL_VERSION"
    assert (await port.refusal()).code == "UNSUPPORTED_PROTOCOL"


async def test_a_client_that_refuses_the_server_is_reported(listen: Listen, authority: Authority) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context)
    said = await asyncio.to_thread(talk, port.address, authority.client(trust=False), b"")
    assert said == "CERTIFICATE_VERIFY_FAILED"
    assert (await port.refusal()).code == "TLSV1_ALERT_UNKNOWN_CA"


async def test_http_on_a_tls_port_is_reported(listen: Listen, authority: Authority) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context)
    wire = await port.wire()
    wire.send(b"GET / HTTP/1.1\r\n\r\n")
    await wire.rest()
    refused = await port.refusal()
    assert (refused.stage, refused.code, refused.reason) == (Stage.TLS, "HTTP_REQUEST", "http request")


async def test_a_silent_connection_is_ended(listen: Listen, authority: Authority) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context, limits=Limits(handshake_timeout=SOON))
    wire = await port.wire()
    assert await wire.rest() == b""
    refused = await port.refusal()
    assert (refused.stage, refused.code, refused.reason) == (Stage.TLS, "TIMEOUT", "TLS handshake not finished in time")
    await port.emptied()


async def test_a_hello_without_its_end_is_ended(
    listen: Listen, authority: Authority, any_pool: HandshakePool | None
) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context, pool=any_pool, limits=Limits(handshake_timeout=SOON))
    wire = await port.wire()
    wire.send(b"\x16\x03\x01\x01\x00\x01\x00")
    assert await wire.rest() == b""
    assert (await port.refusal()).code == "TIMEOUT"
    await port.emptied()


async def test_a_hello_may_come_byte_by_byte(
    listen: Listen, authority: Authority, any_pool: HandshakePool | None, new_request: Callable[..., bytes]
) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context, pool=any_pool)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
    wire = await port.wire()
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    for byte in outgoing.read():
        wire.send(bytes([byte]))
        await wire.writer.drain()
    async with asyncio.timeout(10):
        while True:
            incoming.write(await wire.reader.read(1000))
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                continue
    client.write(new_request())
    wire.send(outgoing.read())
    await port.sink()


@pytest.mark.parametrize(("said", "code"), [(b"\x16\x03\x01", "EOF"), (b"", "EMPTY")])
async def test_a_connection_that_ends_in_its_handshake_is_reported(
    said: bytes, code: str, listen: Listen, authority: Authority
) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context)
    wire = await port.wire()
    wire.send(said)
    await wire.close()
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.TLS, code)
    await port.emptied()


async def test_a_context_that_cannot_be_made_ends_the_connection(
    listen: Listen, caplog: pytest.LogCaptureFixture, new_hello: Callable[..., bytes]
) -> None:
    def broken(asked: str | None) -> ssl.SSLContext:
        del asked
        raise OSError("no such file")

    port = await listen(tls=broken)
    wire = await port.wire()
    wire.send(new_hello())
    assert await wire.rest() == b""
    assert (await port.refusal()).code == "NO_CONTEXT"
    assert "no TLS context for the connection from 127.0.0.1:" in caplog.text


async def test_waiting_for_a_turn_has_an_end(
    listen: Listen, authority: Authority, until: Until, new_hello: Callable[..., bytes]
) -> None:
    limits = Limits(max_handshakes=1, handshake_patience=60.0, turn_timeout=SOON)
    pool = HandshakePool(limits)
    context = authority.server()
    port = await listen(tls=lambda _: context, pool=pool, limits=limits)
    first = await port.wire()
    first.send(new_hello())
    await until(lambda: pool.under_way)
    second = await port.wire()
    second.send(new_hello())
    assert await second.rest() == b""
    assert (await port.refusal()).remote == second.writer.get_extra_info("sockname")
    assert (pool.under_way, pool.waiting) == (1, 0)
    pool.close()


async def test_silent_handshakes_give_way(
    listen: Listen, authority: Authority, until: Until, new_hello: Callable[..., bytes]
) -> None:
    limits = Limits(max_handshakes=2, handshake_patience=SOON)
    pool = HandshakePool(limits)
    context = authority.server()
    port = await listen(tls=lambda _: context, pool=pool, limits=limits)
    for _ in range(2):
        (await port.wire()).send(new_hello())
    await until(lambda: pool.under_way == 2)
    await port.socket(tls=authority.client())
    assert "while others waited" in (await port.refusal()).reason
    pool.close()


@pytest.mark.parametrize("secure", [False, True])
async def test_the_end_comes_with_close_notify_and_fin(listen: Listen, authority: Authority, *, secure: bool) -> None:
    context = authority.server()
    port = await listen(tls=(lambda _: context) if secure else None)
    wire, _ = await port.socket(tls=authority.client() if secure else None)
    wire.frame(0x8, b"\x03\xe8")
    assert await wire.close_frame() == (1000, "")
    assert await wire.rest() == b""


async def test_what_comes_after_the_end_is_bounded(listen: Listen) -> None:
    port = await listen(limits=Limits(max_linger=1_000))
    wire, sink = await port.socket()
    wire.frame(0x8, b"\x03\xe8")
    await sink.end()
    assert await wire.close_frame() == (1000, "")
    wire.send(bytes(2_000))
    await port.emptied()


async def test_a_peer_that_does_not_hang_up_is_dropped(listen: Listen) -> None:
    port = await listen(limits=Limits(linger_timeout=SOON))
    wire, sink = await port.socket()
    wire.frame(0x8, b"\x03\xe8")
    await sink.end()
    await port.emptied()
    assert await wire.close_frame() == (1000, "")


def a_slow_reader(wire: Wire) -> None:
    """Let as little as possible fit between the server and a client that doesn't read."""
    wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transports of both loops have it


@pytest.mark.parametrize("secure", [False, True])
async def test_a_peer_that_never_reads_is_aborted(listen: Listen, authority: Authority, *, secure: bool) -> None:
    context = authority.server()
    limits = Limits(write_timeout=SOON, max_unsent=2**30)
    port = await listen(tls=(lambda _: context) if secure else None, limits=limits)
    wire, sink = await port.socket(tls=authority.client() if secure else None)
    a_slow_reader(wire)
    while sink.socket.unsent < 1_000_000:
        assert sink.socket.send(LARGE)
    closed = await sink.end()
    assert (closed.code, closed.reason, closed.by_peer) == (1006, f"the peer read nothing for {SOON} s", False)
    assert sink.socket.unsent == 0
    assert not sink.socket.send(b"too late")


async def test_a_peer_that_reads_too_little_is_aborted_at_once(listen: Listen) -> None:
    port = await listen(limits=Limits(max_unsent=1_000_000))
    wire, sink = await port.socket()
    a_slow_reader(wire)
    while sink.socket.send(LARGE):
        pass
    assert (await sink.end()).reason == "more than 1000000 bytes unread by the peer"


@pytest.mark.parametrize("secure", [False, True])
async def test_a_peer_that_does_not_read_is_not_read(listen: Listen, authority: Authority, *, secure: bool) -> None:
    """Requests whose answers pile up aren't taken; when the peer reads again, nothing is missing."""
    context = authority.server()
    limits = Limits(write_high_water=100_000, max_unsent=2**30)
    unsent: list[int] = []

    def answer(socket: WebSocket, text: bytes) -> None:
        assert socket.send(text + LARGE)
        unsent.append(socket.unsent)

    port = await listen(tls=(lambda _: context) if secure else None, limits=limits, on_message=answer)
    wire, _ = await port.socket(tls=authority.client() if secure else None)
    count = 60
    for number in range(count):
        wire.frame(0x1, b"%03d" % number)
    for number in range(count):
        first, text = await wire.receive()
        assert (first, text[:3], len(text)) == (0x81, b"%03d" % number, 3 + len(LARGE))
    assert max(unsent) <= limits.write_high_water + 2 * len(LARGE)


@pytest.mark.parametrize("secure", [False, True])
async def test_pause_stops_at_once_and_resume_loses_nothing(
    listen: Listen, authority: Authority, new_frame: Callable[..., bytes], *, secure: bool
) -> None:
    context = authority.server()
    paused: list[bytes] = []

    def pause(socket: WebSocket, text: bytes) -> None:
        paused.append(text)
        socket.pause()

    port = await listen(tls=(lambda _: context) if secure else None, on_message=pause)
    wire, sink = await port.socket(tls=authority.client() if secure else None)
    texts = [b"%d " % number + os.urandom(10).hex().encode() + b"x" * 3_000 for number in range(20)]
    wire.send(b"".join(new_frame(0x1, text) for text in texts))
    wire.frame(0x8, b"\x03\xe8")
    for number in range(len(texts)):
        assert await sink.next() == texts[number]
        await barrier(port, authority.client() if secure else None)
        assert len(paused) == number + 1, "a message came in the pause"
        sink.socket.resume()
    assert (await sink.end()).code == 1000
    assert paused == texts


async def barrier(port: Port, tls: ssl.SSLContext | None) -> None:
    """Another connection has come all the way: whatever was under way before it is done."""
    wire, _ = await port.socket(tls=tls)
    await wire.close()


async def test_pause_fills_the_peers_pipe(listen: Listen, new_frame: Callable[..., bytes]) -> None:
    port = await listen(on_message=lambda socket, _: socket.pause())
    wire, sink = await port.socket()
    wire.writer.transport.set_write_buffer_limits(high=0)
    flood = new_frame(0x1, b"x" * 60_000)

    async def send_on_and_on() -> None:
        for _ in range(500):
            wire.send(flood)
            await wire.writer.drain()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send_on_and_on(), 0.2)
    assert sink.messages.qsize() == 1


async def test_pausing_twice_and_resuming_once_is_enough(listen: Listen) -> None:
    port = await listen()
    wire, sink = await port.socket()
    sink.socket.pause()
    sink.socket.pause()
    wire.frame(0x1, b"hello")
    sink.socket.resume()
    sink.socket.resume()
    sink.socket.pause()
    sink.socket.resume()
    assert await sink.next() == b"hello"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_forged_record_ends_the_connection_with_an_alert(
    version: ssl.TLSVersion, listen: Listen, authority: Authority, new_request: Callable[..., bytes]
) -> None:
    context = authority.server(version=version)
    port = await listen(tls=lambda _: context)

    def forge() -> str:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = authority.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(port.address, timeout=10) as plain:
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(10_000))
            client.write(new_request())
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(10_000))
            assert client.read(10_000).startswith(b"HTTP/1.1 101")
            client.write(b"x")
            plain.sendall(outgoing.read()[:-1] + b"\x00")
            incoming.write(plain.recv(10_000))
            try:
                client.read()
            except ssl.SSLError as exc:
                return str(exc.reason)
            return "no alert"

    said = asyncio.create_task(asyncio.to_thread(forge))
    sink = await port.sink()
    closed = await sink.end()
    assert (closed.code, closed.by_peer) == (1006, True)
    assert closed.reason == "TLS: decryption failed or bad record mac"
    assert await said == "SSLV3_ALERT_BAD_RECORD_MAC"


async def test_a_link_shows_its_state(listen: Listen) -> None:
    port = await listen()
    await port.socket()
    (link,) = port.listener._links
    host, number = link.remote
    assert repr(link) == f"<Link UP {host}:{number}>"


async def test_ten_thousand_bytes_in_one_record_and_many_in_one_segment(
    listen: Listen, authority: Authority, new_frame: Callable[..., bytes]
) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context)
    wire, sink = await port.socket(tls=authority.client())
    texts = [b"x" * length for length in (10_000, 1, 0, 16_384, 300, 40_000)]
    wire.send(b"".join(new_frame(0x1, text) for text in texts))
    assert [await sink.next() for _ in texts] == texts


class Script:
    """A transport that does what a socket seldom does, and notes what it is told."""

    def __init__(self, peername: tuple[str, int] | None = ("192.0.2.1", 4711)) -> None:
        self.peername = peername
        self.log: list[str] = []
        self.closing = False

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        assert name == "peername"
        return self.peername

    def set_write_buffer_limits(self, high: int) -> None:
        self.log.append(f"high {high}")

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.log.append(f"write {data.decode()}")

    def write_eof(self) -> None:
        raise OSError(107, "Transport endpoint is not connected")

    def abort(self) -> None:
        self.closing = True
        self.log.append("abort")


class Listening:
    """An endpoint that notes what it hears."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def arrived(self) -> None:
        self.log.append("arrived")

    def secured(self) -> None:
        self.log.append("secured")

    def received(self, data: memoryview) -> None:
        self.log.append(f"received {bytes(data).decode()}")

    def ended(self) -> None:
        self.log.append("ended")

    def failed(self, code: str, reason: str) -> None:
        self.log.append(f"failed {code}: {reason}")

    def lost(self, reason: str, *, by_peer: bool) -> None:
        self.log.append(f"lost {reason} {by_peer=}")

    def shut(self, code: int, reason: str) -> None:
        self.log.append(f"shut {code} {reason}")


def scripted(transport: Script, *, up: bool = True) -> tuple[Link, Listening]:
    endpoint = Listening()
    link = Link(Terms(Limits()), gone=lambda _: endpoint.log.append("gone"))
    link.attach(endpoint)
    if up:
        link.connection_made(transport)  # type: ignore[arg-type]  # as much of a transport as is needed
    return link, endpoint


async def test_a_peer_that_was_gone_before_we_looked() -> None:
    transport = Script(peername=None)
    link, endpoint = scripted(transport)
    assert transport.log == ["abort"]
    link.connection_lost(None)
    assert endpoint.log == ["lost closed without a closing handshake by_peer=True", "gone"]


async def test_an_end_before_the_connection_is_made() -> None:
    transport = Script()
    link, endpoint = scripted(transport, up=False)
    link.abort("shutting down")
    link.connection_made(transport)  # type: ignore[arg-type]  # as much of a transport as is needed
    link.connection_lost(None)
    assert transport.log == ["abort"]
    assert endpoint.log == ["lost shutting down by_peer=False", "gone"]


async def test_a_connection_that_was_reset_unseen_cannot_linger() -> None:
    transport = Script()
    link, _ = scripted(transport)
    link.finish()
    assert transport.log == ["high 65536", "abort"]
    link.connection_lost(OSError(104, "Connection reset by peer"))


async def test_the_kernels_word_is_the_reason() -> None:
    link, endpoint = scripted(Script())
    link.connection_lost(OSError(110, "Connection timed out"))
    assert endpoint.log == ["arrived", "secured", "lost Connection timed out by_peer=True", "gone"]


async def test_nothing_happens_after_the_end() -> None:
    transport = Script()
    link, endpoint = scripted(transport)
    assert link.write(b"x")
    link.connection_lost(None)
    before = list(endpoint.log)
    assert not link.write(b"y")
    link.finish()
    link.abort("late")
    link.shut(1001, "late")
    assert link.unsent == 0
    assert transport.log == ["high 65536", "write x"]
    assert endpoint.log == before


async def test_a_link_goes_on_when_the_last_hold_is_off() -> None:
    link, endpoint = scripted(Script())
    link._eof = True  # so that nothing is asked of the transport
    link.hold(Hold.APPLICATION)
    link.hold(Hold.WRITE)
    link.release(Hold.APPLICATION)
    await asyncio.sleep(0)
    assert endpoint.log == ["arrived", "secured"]
    link.release(Hold.WRITE)
    await asyncio.sleep(0)
    assert endpoint.log == ["arrived", "secured", "received "]
    link.connection_lost(None)


async def test_a_tls_fault_while_writing_aborts(authority: Authority) -> None:
    transport = Script()
    link, endpoint = scripted(transport)
    link._engine = TlsEngine(authority.server())  # its handshake was never made: it can't encrypt
    assert not link.write(b"x")
    assert transport.log == ["high 65536", "abort"]
    link.connection_lost(None)
    assert endpoint.log[2].startswith("lost TLS: ")
