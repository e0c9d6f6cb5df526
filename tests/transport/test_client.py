"""Dialling: the WebSocket, or an error that says where and why."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from websockets.protocol import Protocol
from websockets.utils import accept_key

from gateway.transport import (
    Closed,
    DialError,
    DialStage,
    Limits,
    Refuse,
    State,
    UpgradeRequest,
    Verdict,
    WebSocket,
    dial,
)
from gateway.transport.link import Link
from tests.transport.conftest import Recorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.transport import HandshakePool
    from tests.transport.conftest import Authority, Dialled, Listen, Wire

    Call = Callable[..., Awaitable[Dialled]]
    Serve = Callable[..., Awaitable[int]]
    Until = Callable[[Callable[[], object]], Awaitable[None]]

SOON = 0.03
"""s of deadlines that are meant to pass."""
LONG = 59.0
"""s of one that passes when a test says."""
SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


def protocols() -> set[int]:
    """Which handshakes of websockets are in memory."""
    return {id(each) for each in gc.get_objects() if isinstance(each, Protocol)}


async def fail(call: Call, url: str, **options: Any) -> DialError:
    with pytest.raises(DialError) as caught:
        await call(url, **options)
    return caught.value


def accept_of(head: str) -> str:
    """The Sec-WebSocket-Accept line for a request."""
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    return f"Sec-WebSocket-Accept: {accept_key(fields['Sec-WebSocket-Key'])}\r\n"


async def test_the_request_carries_what_was_asked_for(listen: Listen, call: Call) -> None:
    port = await listen()
    dialled = await call(
        f"ws://127.0.0.1:{port.number}/ocpp/CS%2F1?x=y",
        subprotocols=["ocpp2.0.1", "ocpp1.6"],
        headers={"Authorization": "Basic abc"},
    )
    (asked,) = port.requests
    assert asked.target == "/ocpp/CS%2F1?x=y"
    assert asked.offered == ("ocpp2.0.1", "ocpp1.6")
    assert asked.headers["Authorization"] == "Basic abc"
    assert asked.headers["Host"] == f"127.0.0.1:{port.number}"
    assert dialled.socket.subprotocol == "ocpp2.0.1"
    assert dialled.socket.remote == port.address
    assert dialled.sink.socket is dialled.socket


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_mutual_tls_through_a_pool(
    version: ssl.TLSVersion, listen: Listen, call: Call, authority: Authority, pool: HandshakePool
) -> None:
    context = authority.server(clients=ssl.CERT_REQUIRED, version=version)
    port = await listen(tls=lambda _: context, pool=pool, on_message=lambda socket, text: socket.send(text))
    client = authority.client(authority.station())
    dialled = await call(f"wss://localhost:{port.number}/", tls=client, pool=pool)
    dialled.socket.send(b"hello")
    assert await dialled.sink.next() == b"hello"
    assert port.requests[0].tls is not None
    assert port.requests[0].tls.certificate is not None


async def test_a_server_is_known_by_its_address_too(listen: Listen, call: Call, authority: Authority) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context)
    dialled = await call(f"wss://127.0.0.1:{port.number}/", tls=authority.client())
    assert dialled.sink.socket is dialled.socket
    assert port.requests[0].tls is not None


async def test_no_subprotocol_need_be_offered(listen: Listen, call: Call) -> None:
    port = await listen()
    dialled = await call(f"ws://127.0.0.1:{port.number}/", subprotocols=[])
    assert dialled.socket.subprotocol is None


async def test_a_refused_connection(call: Call) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        number = unused.getsockname()[1]
        error = await fail(call, f"ws://127.0.0.1:{number}/")
    assert error.stage is DialStage.CONNECT
    assert str(error).startswith(f"127.0.0.1:{number}: can't be reached: ")


async def test_a_name_that_is_not_found(call: Call) -> None:
    error = await fail(call, "ws://nowhere.invalid/")
    assert error.stage is DialStage.CONNECT
    assert error.reason.startswith("nowhere.invalid:80: can't be reached: ")


@pytest.mark.parametrize("kind", ["authority", "name"])
async def test_a_server_that_is_not_who_it_should_be(
    kind: str, listen: Listen, call: Call, authority: Authority
) -> None:
    context = authority.server()
    if kind == "name":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.ca.issue_cert("other.example").configure_cert(context)
    port = await listen(tls=lambda _: context)
    client = authority.client(trust=kind == "name")
    error = await fail(call, f"wss://localhost:{port.number}/", tls=client)
    assert (error.stage, error.code) == (DialStage.TLS, "CERTIFICATE_VERIFY_FAILED")
    expected = {"authority": "certificate", "name": "Hostname mismatch"}[kind]
    assert error.reason.startswith(f"localhost:{port.number}: TLS failed: certificate verify failed: ")
    assert expected in error.reason
    refused = await port.refusal()
    assert refused.code == ("TLSV1_ALERT_UNKNOWN_CA" if kind == "authority" else "SSLV3_ALERT_BAD_CERTIFICATE")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_refuses_our_certificate(
    version: ssl.TLSVersion, listen: Listen, call: Call, authority: Authority
) -> None:
    context = authority.server(clients=ssl.CERT_REQUIRED, version=version)
    port = await listen(tls=lambda _: context)
    error = await fail(call, f"wss://localhost:{port.number}/", tls=authority.client(authority.foreign()))
    assert (error.stage, error.code) == (DialStage.TLS, "TLSV1_ALERT_UNKNOWN_CA")


async def test_a_server_that_refuses_over_http(listen: Listen, call: Call) -> None:
    async def refuse(asked: UpgradeRequest) -> Verdict:
        del asked
        return Refuse(401, body="x" * 100)

    port = await listen(refuse)
    error = await fail(call, f"ws://127.0.0.1:{port.number}/secret/identity")
    assert (error.stage, error.status) == (DialStage.HTTP, 401)
    assert error.reason == f"127.0.0.1:{port.number}: answered HTTP 401 to the upgrade request"


@pytest.mark.parametrize(
    ("answer", "stage", "reason"),
    [
        (SWITCHING + "{accept}\r\n", DialStage.SUBPROTOCOL, "chose no subprotocol; offered were ocpp1.6"),
        (
            SWITCHING + "{accept}Sec-WebSocket-Protocol: ocpp9\r\n\r\n",
            DialStage.SUBPROTOCOL,
            "chose a subprotocol that wasn't offered; offered were ocpp1.6",
        ),
        (
            SWITCHING + "{accept}Sec-WebSocket-Protocol: ocpp1.6, ocpp9\r\n\r\n",
            DialStage.SUBPROTOCOL,
            "chose a subprotocol that wasn't offered; offered were ocpp1.6",
        ),
        (
            SWITCHING + "Sec-WebSocket-Accept: wrong\r\n\r\n",
            DialStage.HTTP,
            "answered the upgrade with a wrong handshake (InvalidHeaderValue)",
        ),
        (
            SWITCHING + "{accept}Sec-WebSocket-Extensions: x-unknown\r\n\r\n",
            DialStage.HTTP,
            "answered the upgrade with a wrong handshake (NegotiationError)",
        ),
        (SWITCHING + "X Y: z\r\n\r\n", DialStage.HTTP, "answered the upgrade with a wrong handshake (InvalidMessage)"),
        ("HTTP/1.1 abc Strange\r\n\r\n", DialStage.HTTP, "answered with a malformed HTTP status line"),
        ("HTTP/1.1\r\n\r\n", DialStage.HTTP, "answered with a malformed HTTP status line"),
        ("HTTP/2 101 Strange\r\n\r\n", DialStage.HTTP, "answered with a malformed HTTP status line"),
        ("HTTP/1.0 503 Busy\r\n\r\n", DialStage.HTTP, "answered HTTP 503 to the upgrade request"),
        ("220 smtp.example ESMTP\r\n", DialStage.HTTP, "answered with something else than an HTTP response: not HTTP"),
        (
            "HTTP/1.1 101 x\r\nX: " + "x" * 9_000,
            DialStage.HTTP,
            "answered with something else than an HTTP response: head of more than 8192 bytes",
        ),
        ("", DialStage.HTTP, "closed the connection instead of answering the upgrade request"),
    ],
)
async def test_strange_answers(answer: str, stage: DialStage, reason: str, serve: Serve, call: Call) -> None:
    async def script(wire: Wire) -> None:
        head = await wire.head()
        wire.send(answer.replace("{accept}", accept_of(head)).encode())

    number = await serve(script)
    error = await fail(call, f"ws://127.0.0.1:{number}/")
    assert (error.stage, error.reason) == (stage, f"127.0.0.1:{number}: {reason}")


async def test_a_reset_instead_of_an_answer(serve: Serve, call: Call) -> None:
    async def script(wire: Wire) -> None:
        await wire.reader.read(1)
        wire.writer.transport.abort()

    number = await serve(script)
    error = await fail(call, f"ws://127.0.0.1:{number}/")
    assert error.stage is DialStage.HTTP
    assert "the connection" in error.reason


async def test_messages_right_behind_the_101(serve: Serve, call: Call, new_frame: Callable[..., bytes]) -> None:
    async def script(wire: Wire) -> None:
        head = await wire.head()
        answer = SWITCHING + accept_of(head) + "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        wire.send(answer.encode() + new_frame(0x1, b"at once", masked=False))
        assert await wire.receive() == (0x81, b"got it")

    number = await serve(script)
    dialled = await call(f"ws://127.0.0.1:{number}/", on_message=lambda socket, _: socket.send(b"got it"))
    assert await dialled.sink.next() == b"at once"


async def silence(wire: Wire) -> None:
    await wire.reader.read()


@pytest.fixture
def silence_ends_it(monkeypatch: pytest.MonkeyPatch) -> Callable[[Wire], Awaitable[None]]:
    """A server that says nothing, and at whose first byte the time of a dial of ``LONG`` s is up."""
    dials: list[asyncio.Timeout] = []
    timeout = asyncio.timeout

    def noted(delay: float | None) -> asyncio.Timeout:
        made = timeout(delay)
        if delay == LONG:
            dials.append(made)
        return made

    async def script(wire: Wire) -> None:
        await wire.reader.read(1)
        dials.pop().reschedule(0.0)
        await silence(wire)

    monkeypatch.setattr(asyncio, "timeout", noted)
    return script


async def test_a_server_that_never_answers(
    serve: Serve, call: Call, silence_ends_it: Callable[[Wire], Awaitable[None]]
) -> None:
    number = await serve(silence_ends_it)
    error = await fail(call, f"ws://127.0.0.1:{number}/", timeout=LONG)
    assert (error.stage, error.code) == (DialStage.HTTP, "TIMEOUT")
    assert error.reason == f"127.0.0.1:{number}: no answer in {LONG:g} s (stage: http)"


async def test_a_server_that_never_finishes_tls(
    serve: Serve, call: Call, authority: Authority, silence_ends_it: Callable[[Wire], Awaitable[None]]
) -> None:
    client = authority.client()
    error = await fail(call, f"wss://localhost:{await serve(silence_ends_it)}/", tls=client, timeout=LONG)
    assert (error.stage, error.code) == (DialStage.TLS, "TIMEOUT")
    number = await serve(silence)
    error = await fail(call, f"wss://localhost:{number}/", tls=client, limits=Limits(handshake_timeout=SOON))
    assert error.reason == f"localhost:{number}: TLS failed: TLS handshake not finished in time"


async def test_a_server_that_speaks_no_tls(listen: Listen, call: Call, authority: Authority) -> None:
    port = await listen()
    error = await fail(call, f"wss://localhost:{port.number}/", tls=authority.client())
    assert (error.stage, error.code) == (DialStage.TLS, "WRONG_VERSION_NUMBER")


async def test_a_dial_that_is_cancelled_leaves_nothing(serve: Serve, call: Call) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        asked.set()
        assert await wire.rest() == b""
        gone.set()

    number = await serve(script)
    dialling = asyncio.ensure_future(call(f"ws://127.0.0.1:{number}/"))
    await asked.wait()
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling
    await gone.wait()


async def test_a_dial_that_is_cancelled_at_the_last_moment_leaves_nothing(listen: Listen) -> None:
    """The upgrade is done, but the task that waits for it is cancelled before it runs again."""
    port = await listen()

    class Canceller:
        """A sink that cancels the dial from within ``connected``."""

        def __init__(self) -> None:
            self.closed: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()

        def connected(self, socket: WebSocket) -> None:
            del socket
            dialling.cancel()

        def message(self, text: bytes) -> None:
            raise AssertionError(text)

        def disconnected(self, closed: Closed) -> None:
            self.closed.set_result(closed)

    sink = Canceller()
    url = f"ws://127.0.0.1:{port.number}/"
    dialling = asyncio.create_task(dial(url, sink=sink, subprotocols=["ocpp1.6"], headers={}, tls=None))
    with pytest.raises(asyncio.CancelledError):
        await dialling
    assert await sink.closed == Closed(1006, "dialling was given up", by_peer=False)
    assert (await (await port.sink()).end()).code == 1006


async def test_a_connection_that_has_ended_is_freed_without_the_garbage_collector(listen: Listen, until: Until) -> None:
    port = await listen()
    sink = Recorder(None)
    url = f"ws://127.0.0.1:{port.number}/"
    gc.collect()
    gc.disable()
    before = protocols()
    try:
        socket = await dial(url, sink=sink, subprotocols=["ocpp1.6"], headers={}, tls=None)
        server = (await port.sink()).socket
        await until(lambda: protocols() <= before)
        server.close(1000, "bye")
        await sink.end()
        dialled = str(socket.remote)
        del sink, socket, server
        await until(lambda: all(str(each.remote) != dialled for each in gc.get_objects() if isinstance(each, Link)))
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 404 Not Found\r\n\r\n",
        "SSH-2.0\r\n\r\n",
        SWITCHING + "Sec-WebSocket-Accept: wrong\r\n\r\n",
        SWITCHING + "X Y: z\r\n\r\n",
        None,
    ],
)
async def test_a_dial_that_failed_is_freed_without_the_garbage_collector(
    answer: str | None, serve: Serve, until: Until
) -> None:
    """One of no answer never gets a connection."""

    async def refusing(wire: Wire) -> None:
        await wire.head()
        wire.send((answer or "").encode())

    host = "127.0.0.1" if answer is not None else "127.0.0.2"  # where nobody listens
    url = f"ws://{host}:{await serve(refusing)}/"
    gc.collect()
    gc.disable()
    before = protocols()
    try:
        with contextlib.suppress(DialError):
            await dial(url, sink=Recorder(None), subprotocols=["ocpp1.6"], headers={}, tls=None)
        await until(lambda: protocols() <= before)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("url", "secure", "reason"),
    [
        ("http://127.0.0.1/", False, "not a WebSocket URL"),
        ("ws:///path", False, "not a WebSocket URL"),
        ("ws://127.0.0.1:port/", False, "not a WebSocket URL"),
        ("ws://127.0.0.1/#fragment", False, "not a WebSocket URL"),
        ("ws://user:password@127.0.0.1/", False, "must not hold credentials"),
        ("ws://127.0.0.1/a b HTTP/1.1", False, "must be percent-encoded"),
        ("wss://127.0.0.1/", False, "wss:// needs a TLS context"),
        ("ws://127.0.0.1/", True, "ws:// takes no TLS context: it would be plain text"),
    ],
)
async def test_urls_that_are_none(url: str, reason: str, call: Call, authority: Authority, *, secure: bool) -> None:
    error = await fail(call, url, tls=authority.client() if secure else None)
    assert error.stage is DialStage.URL
    assert reason in error.reason
    assert "password" not in error.reason


@pytest.mark.parametrize("name", ["Host", "connection", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol"])
async def test_the_handshakes_own_headers_cannot_be_given(name: str, call: Call) -> None:
    with pytest.raises(ValueError, match=f"the header {name} is set by the handshake itself"):
        await call("ws://127.0.0.1:1/", headers={name: "x"})


async def test_headers_stay_in_their_line(call: Call) -> None:
    with pytest.raises(ValueError, match="the value of the header X"):
        await call("ws://127.0.0.1:1/", headers={"X": "a\r\nY: b"})


async def test_a_server_that_breaks_the_rules_is_closed(
    serve: Serve, call: Call, new_frame: Callable[..., bytes]
) -> None:
    async def script(wire: Wire) -> None:
        head = await wire.head()
        wire.send((SWITCHING + accept_of(head) + "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n").encode())
        wire.send(new_frame(0x1, b"masked, as only a client may"))
        assert await wire.close_frame() == (1002, "incorrect masking")

    number = await serve(script)
    dialled = await call(f"ws://127.0.0.1:{number}/")
    assert (await dialled.sink.end()).code == 1002
    assert dialled.socket.state is State.CLOSED
