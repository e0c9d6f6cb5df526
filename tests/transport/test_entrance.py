"""From the accepted connection to the WebSocket or the refusal, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from gateway.transport import Accept, AcceptThenClose, Headers, Limits, Refuse, Refused, Stage, UpgradeRequest, Verdict
from gateway.transport.proxy_protocol import SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.transport.conftest import Authority, Listen, Port, Wire

SOON = 0.03
"""s of deadlines that are meant to pass."""


async def refusal_of(port: Port, wire: Wire) -> tuple[str, str, Refused]:
    """The status line, the body (up to the server's FIN), and what the observer heard."""
    head = await wire.head()
    return head.split("\r\n")[0], (await wire.rest()).decode(), await port.refusal()


async def test_the_request_is_shown_as_it_came(listen: Listen) -> None:
    port = await listen()
    wire, _ = await port.socket("Sec-WebSocket-Protocol: ocpp2.0.1,ocpp1.6", "Authorization: Basic abc")
    (asked,) = port.requests
    assert asked.target == "/ocpp/CS1"
    assert asked.headers["authorization"] == "Basic abc"
    assert asked.offered == ("ocpp2.0.1", "ocpp1.6")
    assert asked.remote == wire.writer.get_extra_info("sockname")
    assert asked.tls is None


async def test_the_chosen_subprotocol_is_answered(listen: Listen) -> None:
    port = await listen()
    wire = await port.wire()
    head = await wire.upgrade("Sec-WebSocket-Protocol: ocpp2.0.1,ocpp1.6")
    assert "Sec-WebSocket-Protocol: ocpp2.0.1\r\n" in head
    assert (await port.sink()).socket.subprotocol == "ocpp2.0.1"


async def test_a_head_may_come_byte_by_byte(listen: Listen, new_request: Callable[..., bytes]) -> None:
    port = await listen()
    wire = await port.wire()
    for byte in new_request():
        wire.send(bytes([byte]))
        await wire.writer.drain()
    assert "101 Switching Protocols" in await wire.head()


async def test_a_refusal_is_sent_whole_and_bland(listen: Listen) -> None:
    async def refuse(asked: UpgradeRequest) -> Verdict:
        del asked
        return Refuse(401, {"WWW-Authenticate": 'Basic realm="voltgate"'}, "unauthorized\n")

    port = await listen(refuse)
    wire = await port.wire()
    head = await wire.upgrade()
    assert head.startswith("HTTP/1.1 401 Unauthorized\r\n")
    assert 'WWW-Authenticate: Basic realm="voltgate"\r\n' in head
    assert "Connection: close\r\n" in head
    assert await wire.rest() == b"unauthorized\n"
    await wire.close()
    await port.emptied()
    assert port.refused.empty(), "the owner's own refusal is no news to it"


async def test_no_common_subprotocol_is_upgraded_then_closed(listen: Listen) -> None:
    async def no_common(asked: UpgradeRequest) -> Verdict:
        del asked
        return AcceptThenClose(1002, "no common subprotocol")

    port = await listen(no_common)
    wire = await port.wire()
    head = await wire.upgrade("Sec-WebSocket-Protocol: ocpp0.9")
    assert "101" in head
    assert "Sec-WebSocket-Protocol" not in head
    wire.frame(0x1, b"nobody listens")
    assert await wire.close_frame() == (1002, "no common subprotocol")
    wire.frame(0x8, b"\x03\xea")
    assert await wire.rest() == b""


@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        (["Host: other.example"], "400 Bad Request", "HTTP_400"),
        (["Authorization: a", "Authorization: b"], "400 Bad Request", "HTTP_400"),
        (["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], "400 Bad Request", "HTTP_400"),
        (["Transfer-Encoding: chunked"], "400 Bad Request", "HTTP_400"),
        (["Content-Length: 5"], "400 Bad Request", "HTTP_400"),
        (["X-Long: " + "x" * 9000], "431 Request Header Fields Too Large", "HTTP_431"),
        ([f"X-{number}: x" for number in range(65)], "431 Request Header Fields Too Large", "HTTP_431"),
    ],
)
async def test_bad_heads_are_refused(lines: list[str], status: str, code: str, listen: Listen) -> None:
    port = await listen()
    wire = await port.wire()
    wire.send(b"")
    head = await wire.upgrade(*lines)
    assert head.startswith(f"HTTP/1.1 {status}\r\n")
    await wire.rest()
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.HEAD, code)
    assert refused.remote == wire.writer.get_extra_info("sockname")
    assert port.requests == [], "nobody is asked about a bad request"


async def test_a_long_head_is_refused_before_its_end(listen: Listen) -> None:
    port = await listen()
    wire = await port.wire()
    wire.send(b"GET /" + b"a" * 65_536)
    status, body, refused = await refusal_of(port, wire)
    assert status == "HTTP/1.1 431 Request Header Fields Too Large"
    assert body == "head of more than 8192 bytes\n"
    assert refused.reason == "head of more than 8192 bytes"


async def test_bytes_right_after_the_head_are_refused(
    listen: Listen, new_request: Callable[..., bytes], new_frame: Callable[..., bytes]
) -> None:
    port = await listen()
    wire = await port.wire()
    wire.send(new_request() + new_frame(0x1, b"smuggled"))
    status, _, refused = await refusal_of(port, wire)
    assert status == "HTTP/1.1 400 Bad Request"
    assert refused.reason == "bytes after the request head"
    assert port.requests == []


async def test_bytes_before_the_101_are_refused(
    listen: Listen, new_request: Callable[..., bytes], new_frame: Callable[..., bytes]
) -> None:
    asked = asyncio.Event()
    cancelled = asyncio.Event()

    async def ponder(request: UpgradeRequest) -> Verdict:
        del request
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    port = await listen(ponder)
    wire = await port.wire()
    wire.send(new_request())
    await asked.wait()
    wire.send(new_frame(0x1, b"too early"))
    status, _, refused = await refusal_of(port, wire)
    assert status == "HTTP/1.1 400 Bad Request"
    assert (refused.stage, refused.reason) == (Stage.ADMISSION, "bytes before the answer to the upgrade request")
    await cancelled.wait()


async def test_a_slow_head_is_ended(listen: Listen) -> None:
    port = await listen(limits=Limits(head_timeout=SOON))
    wire = await port.wire()
    wire.send(b"GET / HTTP/1.1\r\n")
    status, _, refused = await refusal_of(port, wire)
    assert status == "HTTP/1.1 408 Request Timeout"
    assert (refused.stage, refused.code) == (Stage.HEAD, "TIMEOUT")


async def test_a_slow_admission_is_ended_and_cancelled(listen: Listen, new_request: Callable[..., bytes]) -> None:
    cancelled = asyncio.Event()

    async def ponder(asked: UpgradeRequest) -> Verdict:
        del asked
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    port = await listen(ponder, limits=Limits(admission_timeout=SOON))
    wire = await port.wire()
    wire.send(new_request())
    status, _, refused = await refusal_of(port, wire)
    assert status == "HTTP/1.1 503 Service Unavailable"
    assert (refused.stage, refused.code) == (Stage.ADMISSION, "TIMEOUT")
    await cancelled.wait()


async def test_an_admission_that_will_not_be_cancelled_changes_nothing(
    listen: Listen, new_request: Callable[..., bytes]
) -> None:
    done = asyncio.Event()

    async def stubborn(asked: UpgradeRequest) -> Verdict:
        del asked
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            done.set()
        return Refuse(403)

    port = await listen(stubborn, limits=Limits(admission_timeout=SOON))
    wire = await port.wire()
    wire.send(new_request())
    status, _, _ = await refusal_of(port, wire)
    assert status == "HTTP/1.1 503 Service Unavailable"
    await done.wait()


@pytest.mark.parametrize("subprotocol", [None, "ocpp9"])
async def test_a_mistake_in_admission_is_500_and_logged(
    subprotocol: str | None, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    async def mistaken(asked: UpgradeRequest) -> Verdict:
        del asked
        if subprotocol is None:
            raise RuntimeError("secret detail")
        return Accept(None, subprotocol)  # type: ignore[arg-type]  # never gets that far

    port = await listen(mistaken)
    wire = await port.wire()
    head = await wire.upgrade("Sec-WebSocket-Protocol: ocpp1.6")
    assert head.startswith("HTTP/1.1 500 Internal Server Error\r\n")
    assert await wire.rest() == b"internal error\n"
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "admission of the connection from 127.0.0.1:" in record.getMessage()
    assert record.exc_info is not None


async def test_a_peer_that_leaves_cancels_its_admission(listen: Listen, new_request: Callable[..., bytes]) -> None:
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def ponder(request: UpgradeRequest) -> Verdict:
        del request
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    port = await listen(ponder)
    wire = await port.wire()
    wire.send(new_request())
    await asked.wait()
    await wire.close()
    await cancelled.wait()
    assert await port.refusal() == Refused(port.requests[0].remote, Stage.ADMISSION, "closed by the peer", "EOF")
    await port.emptied()


async def test_a_probe_that_says_nothing_is_told_apart(listen: Listen) -> None:
    port = await listen()
    wire = await port.wire()
    await wire.close()
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.HEAD, "EMPTY")


async def test_a_peer_that_resets_is_reported(listen: Listen) -> None:
    port = await listen()
    wire = await port.wire()
    wire.send(b"GET /")
    await wire.writer.drain()
    wire.writer.transport.abort()
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.HEAD, "EOF")


async def test_an_observer_that_fails_harms_nobody(listen: Listen, caplog: pytest.LogCaptureFixture) -> None:
    port = await listen()
    port.refused = asyncio.Queue(maxsize=1)
    for expected in ("", "the observer of refused connections failed"):
        wire = await port.wire()
        assert "400" in await wire.upgrade("Host: b")
        await wire.rest()
        assert [record.getMessage() for record in caplog.records if record.name.endswith("entrance")] == (
            [expected] if expected else []
        )


async def test_tls_bytes_on_a_plain_port_are_refused_at_once(listen: Listen, authority: Authority) -> None:
    port = await listen()
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await port.wire(authority.client())
    assert (await port.refusal()).reason == "not HTTP (it looks like TLS, on a port without TLS)"


async def test_a_listener_that_closes_answers_503(listen: Listen, new_request: Callable[..., bytes]) -> None:
    asked = asyncio.Event()

    async def ponder(request: UpgradeRequest) -> Verdict:
        del request
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    port = await listen(ponder)
    wire = await port.wire()
    wire.send(new_request())
    await asked.wait()
    closing = asyncio.create_task(port.listener.close())
    assert (await wire.head()).startswith("HTTP/1.1 503 Service Unavailable\r\n")
    await wire.close()
    await closing


async def test_a_screen_is_asked_once_before_tls_and_may_turn_away(listen: Listen, authority: Authority) -> None:
    asked: list[str] = []
    answers = ["TOO_MANY", None]

    def screen(address: str) -> str | None:
        asked.append(address)
        return answers.pop(0)

    context = authority.server()
    port = await listen(tls=lambda _: context, screen=screen)
    away = await port.wire()
    assert await away.rest() == b""
    refused = await port.refusal()
    assert refused == Refused(
        away.writer.get_extra_info("sockname"),
        Stage.CONNECTION,
        "turned away by the screen of connections",
        "TOO_MANY",
    )
    await port.emptied()
    wire, _ = await port.socket(tls=authority.client())
    wire.frame(0x9, b"")
    await wire.receive()
    assert asked == ["127.0.0.1"] * 2


async def test_a_screen_is_asked_about_the_client_behind_the_balancer(
    listen: Listen, new_request: Callable[..., bytes]
) -> None:
    asked: list[str] = []
    port = await listen(load_balancers=[ip_network("127.0.0.1/32")], screen=asked.append)
    wire = await port.wire()
    await wire.writer.drain()
    assert asked == []
    addresses = b"\xc0\x00\x02\x07\xc6\x33\x64\x01\xc3\x50\x01\xbb"
    wire.send(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + addresses + new_request())
    assert "101" in await wire.head()
    assert asked == ["192.0.2.7"]


async def test_a_screen_that_fails_lets_nobody_in(listen: Listen, caplog: pytest.LogCaptureFixture) -> None:
    def screen(address: str) -> str | None:
        raise RuntimeError(address)

    port = await listen(screen=screen)
    wire = await port.wire()
    assert await wire.rest() == b""
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.CONNECTION, "INTERNAL")
    assert "the screen of connections failed" in caplog.text


async def test_one_more_that_waits_is_dropped_and_websockets_do_not_count(
    listen: Listen, new_request: Callable[..., bytes], until: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    port = await listen(limits=Limits(waiting_per_address=2))
    sockets = [await port.socket() for _ in range(3)]
    first, second = await port.wire(), await port.wire()
    third = await port.wire()
    assert await third.rest() == b""
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.CONNECTION, "TOO_MANY")
    assert refused.reason == "too many connections of this address that are not WebSockets yet"
    first.send(new_request())
    assert "101" in await first.head()
    assert port.listener.waiting == 1
    await port.socket()
    await second.close()
    await until(lambda: not port.listener.waiting)
    assert port.listener.connections == len(sockets) + 2


async def test_what_lingers_still_waits(listen: Listen) -> None:
    """A refused peer that doesn't hang up costs a descriptor, and counts until it is gone."""
    port = await listen(limits=Limits(linger_timeout=SOON))
    wire = await port.wire()
    assert "400" in await wire.upgrade("Host: b")
    assert port.listener.waiting == 1
    await port.emptied()
    assert port.listener.waiting == 0


def test_a_request_does_not_show_its_credentials() -> None:
    asked = UpgradeRequest("/ocpp/CS1", Headers({"Authorization": "Basic c2VjcmV0"}), ("192.0.2.1", 1))
    assert "c2VjcmV0" not in repr(asked)


def proxied(client: str) -> bytes:
    """The PROXY header of a connection from ``client``."""
    block = socket.inet_aton(client) + socket.inet_aton("198.51.100.1") + struct.pack("!HH", 50_000, 443)
    return SIGNATURE + b"\x21\x11" + struct.pack("!H", len(block)) + block


async def test_silent_connections_of_many_addresses_keep_no_station_out(
    listen: Listen, until: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    """Those who wait have places of their own, and the last of the address that has most gives way (attack A5)."""
    limits = Limits(max_connections=2, max_waiting=2)
    port = await listen(limits=limits, load_balancers=[ip_network("127.0.0.0/8")])
    for _ in range(2):
        (await port.wire()).send(proxied("192.0.2.1"))
    await until(lambda: port.listener.waiting == 2)
    station = await port.wire()
    station.send(proxied("10.0.0.1"))
    refused = await port.refusal()
    assert (refused.code, refused.remote[0]) == ("TOO_MANY", "192.0.2.1")
    assert "101" in await station.upgrade()
