"""Before a connection is TLS or HTTP: the PROXY header of a load balancer, the name that is asked for, over sockets."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from gateway.transport import HandshakePool, Limits, Stage
from gateway.transport.link import Link
from gateway.transport.opening import Terms
from gateway.transport.proxy_protocol import SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.transport.conftest import Authority, Listen, Wire

    Until = Callable[[Callable[[], object]], Awaitable[None]]

SOON = 0.03
"""s of deadlines that are meant to pass."""
CLIENT = ("192.0.2.7", 50_000)
BALANCERS = [ipaddress.ip_network("127.0.0.0/8")]


def header(client: tuple[str, int] = CLIENT, *, command: int = 0x21, kind: int = 0x11) -> bytes:
    block = socket.inet_aton(client[0]) + socket.inet_aton("198.51.100.1") + struct.pack("!HH", client[1], 443)
    return SIGNATURE + bytes([command, kind]) + struct.pack("!H", len(block)) + block


@pytest.fixture(params=["threads", "loop"])
def any_pool(request: pytest.FixtureRequest) -> HandshakePool | None:
    """Handshakes in threads, and on the loop."""
    return request.getfixturevalue("pool") if request.param == "threads" else None


class Tunnel:
    """A TLS client whose bytes a test may cut and put something in front of."""

    def __init__(self, wire: Wire, context: ssl.SSLContext, server_name: str = "localhost") -> None:
        self._wire = wire
        self._incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self.outgoing, server_hostname=server_name)

    def first_flight(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self._ssl.do_handshake()
        return self.outgoing.read()

    async def finish(self, request: bytes) -> None:
        """Finish the handshake and send a request."""
        async with asyncio.timeout(10):
            while True:
                self._incoming.write(await self._wire.reader.read(10_000))
                try:
                    self._ssl.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self._wire.send(self.outgoing.read())
        self._ssl.write(request)
        self._wire.send(self.outgoing.read())


@pytest.mark.parametrize("together", [True, False])
async def test_a_balancer_names_the_client_of_plain_http(
    listen: Listen, new_request: Callable[..., bytes], *, together: bool
) -> None:
    port = await listen(load_balancers=BALANCERS)
    wire = await port.wire()
    if together:
        wire.send(header() + new_request())
    else:
        for byte in header():
            wire.send(bytes([byte]))
            await wire.writer.drain()
        wire.send(new_request())
    assert "101 Switching" in await wire.head()
    (asked,) = port.requests
    assert asked.remote == CLIENT
    assert asked.via == wire.writer.get_extra_info("sockname")
    assert (await port.sink()).socket.remote == CLIENT


@pytest.mark.parametrize("together", [True, False])
async def test_a_balancer_names_the_client_of_tls(
    listen: Listen,
    authority: Authority,
    any_pool: HandshakePool | None,
    new_request: Callable[..., bytes],
    *,
    together: bool,
) -> None:
    context = authority.server()
    port = await listen(load_balancers=BALANCERS, tls=lambda _: context, pool=any_pool)
    wire = await port.wire()
    tunnel = Tunnel(wire, authority.client())
    stream = header() + tunnel.first_flight()
    for chunk in [stream] if together else [bytes([byte]) for byte in stream]:
        wire.send(chunk)
        await wire.writer.drain()
    await tunnel.finish(new_request())
    await port.sink()
    (asked,) = port.requests
    assert asked.remote == CLIENT
    assert asked.via == wire.writer.get_extra_info("sockname")
    assert asked.tls is not None


async def test_a_balancers_own_probe_is_its_own(listen: Listen, new_request: Callable[..., bytes]) -> None:
    port = await listen(load_balancers=BALANCERS)
    wire = await port.wire()
    wire.send(header(command=0x20, kind=0x00) + new_request())
    assert "101 Switching" in await wire.head()
    (asked,) = port.requests
    assert (asked.remote, asked.via) == (wire.writer.get_extra_info("sockname"), None)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n", "PROXY protocol version 1"),
        (b"GET /ocpp/CS1 HTTP/1.1\r\n", "no PROXY protocol header"),
        (header(kind=0x12), "something else than TCP"),
    ],
)
async def test_a_balancer_without_its_header_is_dropped(
    said: bytes, reason: str, listen: Listen, authority: Authority, *, secure: bool
) -> None:
    context = authority.server()
    port = await listen(load_balancers=BALANCERS, tls=(lambda _: context) if secure else None)
    wire = await port.wire()
    wire.send(said)
    assert await wire.rest() == b""
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.CONNECTION, "PROXY_HEADER")
    assert reason in refused.reason
    assert refused.remote == wire.writer.get_extra_info("sockname")
    await port.emptied()


@pytest.mark.parametrize("said", [b"", SIGNATURE, header()[:-1]])
async def test_a_header_has_the_handshakes_deadline(said: bytes, listen: Listen) -> None:
    port = await listen(load_balancers=BALANCERS, limits=Limits(handshake_timeout=SOON))
    wire = await port.wire()
    wire.send(said)
    assert await wire.rest() == b""
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.CONNECTION, "TIMEOUT")
    assert refused.reason == "PROXY header not finished in time"


@pytest.mark.parametrize(("said", "code"), [(b"", "EMPTY"), (SIGNATURE, "EOF")])
async def test_a_balancer_that_leaves_before_its_header(said: bytes, code: str, listen: Listen) -> None:
    port = await listen(load_balancers=BALANCERS)
    wire = await port.wire()
    wire.send(said)
    await wire.close()
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.CONNECTION, code)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(("more", "code"), [(b"", "EMPTY"), (b"\x16\x03\x01", "EOF")])
@pytest.mark.parametrize("said", [header(command=0x20, kind=0x00), header()])
async def test_a_probe_behind_a_header_is_one_too(
    said: bytes, more: bytes, code: str, listen: Listen, authority: Authority, *, secure: bool
) -> None:
    """A balancer that checks with its header (HAProxy: check-send-proxy) fills no log, and counts against nobody."""
    context = authority.server()
    port = await listen(load_balancers=BALANCERS, tls=(lambda _: context) if secure else None)
    wire = await port.wire()
    wire.send(said + (more if secure else more.replace(b"\x16\x03\x01", b"GET /")))
    await wire.close()
    assert (await port.refusal()).code == code


async def test_header_and_hello_have_one_deadline_together(listen: Listen, authority: Authority) -> None:
    context = authority.server()
    # A second, for the header has to come within it.
    port = await listen(load_balancers=BALANCERS, tls=lambda _: context, limits=Limits(handshake_timeout=1.0))
    wire = await port.wire()
    wire.send(header() + b"\x16\x03\x01")
    assert await wire.rest() == b""
    refused = await port.refusal()
    assert (refused.remote, refused.stage, refused.code) == (CLIENT, Stage.TLS, "TIMEOUT")


@pytest.mark.parametrize(
    ("said", "secure", "stage"),
    [
        (header(), False, Stage.HEAD),
        (header(), True, Stage.TLS),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n", True, Stage.TLS),
    ],
)
async def test_a_header_from_anybody_else_is_only_bytes(
    said: bytes,
    secure: bool,
    stage: Stage,
    listen: Listen,
    authority: Authority,
    new_request: Callable[..., bytes],
) -> None:
    context = authority.server()
    elsewhere = [ipaddress.ip_network("198.51.100.0/24"), ipaddress.ip_network("::/0")]
    port = await listen(load_balancers=elsewhere, tls=(lambda _: context) if secure else None)
    wire = await port.wire()
    wire.send(said + new_request())
    await wire.rest()
    refused = await port.refusal()
    assert (refused.stage, refused.remote) == (stage, wire.writer.get_extra_info("sockname"))
    assert port.requests == []


async def test_version_1_from_anybody_else_is_no_request(listen: Listen, new_request: Callable[..., bytes]) -> None:
    port = await listen()
    wire = await port.wire()
    wire.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n" + new_request())
    assert (await wire.head()).startswith("HTTP/1.1 400 ")
    assert port.requests == []


async def test_a_balancer_on_a_dual_stack_socket_is_known_by_its_ipv4_address() -> None:
    """Its peer is shown as ::ffff:127.0.0.1."""

    class Dual(asyncio.Transport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return ("::ffff:127.0.0.1", 4711, 0, 0)

        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            pass

    link = Link(Terms(Limits(), load_balancers=BALANCERS), gone=lambda _: None)
    heard: list[tuple[str, int]] = []
    link.attach(SimpleNamespace(arrived=lambda: heard.append(link.remote), secured=lambda: None))
    link.connection_made(Dual())
    assert heard == []
    stream = header()
    link.get_buffer(0)[: len(stream)] = stream
    link.buffer_updated(len(stream))
    assert heard == [CLIENT]
    assert link.via == ("127.0.0.1", 4711)
    link.settle()


@pytest.mark.parametrize("asked", ["Localhost", None])
async def test_the_name_that_is_asked_for_chooses_the_context(
    asked: str | None, listen: Listen, authority: Authority, any_pool: HandshakePool | None
) -> None:
    names: list[str | None] = []
    context = authority.server()

    def choose(name: str | None) -> ssl.SSLContext:
        names.append(name)
        return context

    port = await listen(tls=choose, pool=any_pool)
    client = authority.client()
    client.check_hostname = False
    reader, writer = await asyncio.open_connection(
        *port.address, ssl=client, server_hostname="" if asked is None else asked
    )
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()
    assert names == [asked and asked.lower()]


async def test_the_station_sees_the_certificate_of_the_name_and_the_request_the_name(
    listen: Listen, authority: Authority, new_request: Callable[..., bytes]
) -> None:
    contexts = {name: authority.server_named(name) for name in ("one.example", "two.example")}
    port = await listen(tls=lambda name: contexts[name or "one.example"])
    for name in contexts:
        reader, writer = await asyncio.open_connection(*port.address, ssl=authority.client(), server_hostname=name)
        writer.write(new_request())
        assert b"101" in await reader.readline()
        tls = port.requests[-1].tls
        assert tls is not None
        assert tls.server_name == name
        writer.close()


async def test_a_slow_hello_takes_no_turn_from_others(
    listen: Listen, authority: Authority, new_hello: Callable[..., bytes], until: Until
) -> None:
    limits = Limits(max_handshakes=1, handshake_patience=60.0)
    pool = HandshakePool(limits)
    context = authority.server()
    port = await listen(tls=lambda _: context, pool=pool, limits=limits)
    slow = await port.wire()
    slow.send(new_hello()[:-1])
    await until(lambda: port.listener.waiting)
    await port.socket(tls=authority.client())
    assert (pool.under_way, pool.waiting) == (0, 0)
    pool.close()


async def test_an_endless_hello_is_openssls_to_refuse(listen: Listen, authority: Authority) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context, limits=Limits(linger_timeout=SOON))
    wire = await port.wire()
    wire.send(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16_380))
    await wire.rest()
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.TLS, "EXCESSIVE_MESSAGE_SIZE")
    await port.emptied()


async def test_an_abort_while_the_handshake_runs_in_a_thread(
    listen: Listen, authority: Authority, new_hello: Callable[..., bytes], until: Until
) -> None:
    """The step's outcome comes too late for anybody."""
    pool = HandshakePool()
    context = authority.server()
    port = await listen(tls=lambda _: context, pool=pool)
    wire = await port.wire()
    wire.send(new_hello())
    await until(lambda: pool.under_way)
    (link,) = port.listener._links
    link.abort("no longer wanted")
    assert await wire.rest() == b""
    await port.emptied()
    assert (pool.under_way, pool.waiting) == (0, 0)
    pool.close()
