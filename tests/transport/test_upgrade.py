"""The server's opening handshake as a table: request in, 101 or a refusal out."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

import pytest
from websockets.protocol import Protocol

from gateway.transport.head import HeadError
from gateway.transport.upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = "Sec-WebSocket-Version: 13"
WEBSOCKET = ("Host: a", "Upgrade: websocket", "Connection: keep-alive, Upgrade")


def fields_of(response: bytes) -> dict[str, str]:
    lines = response.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert lines[0] == "HTTP/1.1 101 Switching Protocols"
    return dict(line.split(": ", 1) for line in lines[1:])


def test_the_example_of_rfc_6455(new_request: Callable[..., bytes]) -> None:
    upgrade = Upgrade(new_request("X-More: yes", target="/ocpp/CS%2F1?a=b"))
    assert upgrade.target == "/ocpp/CS%2F1?a=b"
    assert upgrade.headers["X-More"] == "yes"
    response, extensions = upgrade.accept(None, compression=False)
    fields = fields_of(response)
    assert fields["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert set(fields) == {"Date", "Upgrade", "Connection", "Sec-WebSocket-Accept"}
    assert extensions == []


def test_the_caller_chooses_the_subprotocol(new_request: Callable[..., bytes]) -> None:
    upgrade = Upgrade(new_request("Sec-WebSocket-Protocol: ocpp2.0.1, ocpp1.6"))
    response, _ = upgrade.accept("ocpp1.6", compression=False)
    assert fields_of(response)["Sec-WebSocket-Protocol"] == "ocpp1.6"


def test_compression_is_agreed_in_small(new_request: Callable[..., bytes]) -> None:
    response, extensions = Upgrade(new_request(DEFLATE)).accept(None, compression=True)
    agreed = fields_of(response)["Sec-WebSocket-Extensions"]
    assert agreed == "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
    assert len(extensions) == 1


@pytest.mark.parametrize(("offer", "compression"), [(DEFLATE, False), ("X: y", True)])
def test_compression_needs_both_sides(offer: str, *, compression: bool, new_request: Callable[..., bytes]) -> None:
    response, extensions = Upgrade(new_request(offer)).accept(None, compression=compression)
    assert "Sec-WebSocket-Extensions" not in fields_of(response)
    assert extensions == []


@pytest.mark.parametrize(
    ("first", "fields", "status", "reason"),
    [
        ("POST / HTTP/1.1", (*WEBSOCKET, KEY, VERSION), 405, "only GET is served here"),
        ("GET / HTTP/1.0", (*WEBSOCKET, KEY, VERSION), 505, "only HTTP/1.1 is served here"),
        ("GET / HTTP/1.1", ("Host: a",), 426, "only WebSocket is served here"),
        ("GET / HTTP/1.1", ("Host: a", "Upgrade: h2c", "Connection: Upgrade"), 426, "only WebSocket is served here"),
        ("GET / HTTP/1.1", (*WEBSOCKET, VERSION), 400, "malformed or missing Sec-WebSocket-Key header"),
        (
            "GET / HTTP/1.1",
            (*WEBSOCKET, "Sec-WebSocket-Key: abc", VERSION),
            400,
            "malformed or missing Sec-WebSocket-Key",
        ),
        (
            "GET / HTTP/1.1",
            (*WEBSOCKET, "Sec-WebSocket-Key: \xe4", VERSION),
            400,
            "malformed or missing Sec-WebSocket-Key",
        ),
        ("GET / HTTP/1.1", (*WEBSOCKET, KEY), 426, "only WebSocket version 13 is served"),
        ("GET / HTTP/1.1", (*WEBSOCKET, KEY, "Sec-WebSocket-Version: 8"), 426, "only WebSocket version 13 is served"),
        ("GET / HTTP/1.1", (*WEBSOCKET, KEY, VERSION, "Sec-WebSocket-Protocol: a b"), 400, "Sec-WebSocket-Protocol"),
        ("GET / HTTP/1.1", (*WEBSOCKET, KEY, VERSION, "Sec-WebSocket-Extensions: ;"), 400, "Sec-WebSocket-Extensions"),
        ("GET / HTTP/1.1", (*WEBSOCKET, KEY, VERSION, "Host: b"), 400, "more than one Host header"),
        ("GET / HTTP/1.1", (*WEBSOCKET, KEY, VERSION, "Content-Length: 5"), 400, "or one with a body"),
        ("GET / HTTP/1.1", (*WEBSOCKET, KEY, VERSION, "Transfer-Encoding: chunked"), 400, "or one with a body"),
        ("GET / HTTP/1.1", (*WEBSOCKET, "X-Folded: a", " b"), 400, "malformed HTTP request"),
        ("GET / HTTP/1.1", (*WEBSOCKET, "X Space: a"), 400, "malformed HTTP request"),
        ("GET / HTTP/1.1", (*WEBSOCKET, "X-Bare: a\nX-Next: b"), 400, "malformed HTTP request"),
        ("GET  / HTTP/1.1", WEBSOCKET, 400, "malformed HTTP request"),
        ("GET /\xe4 HTTP/1.1", WEBSOCKET, 400, "malformed HTTP request"),
        ("GET http://a/ HTTP/1.1", (*WEBSOCKET, KEY, VERSION), 400, "request target"),
        ("GET /" + "a" * 8200 + " HTTP/1.1", WEBSOCKET, 431, "request line or header too long"),
    ],
)
def test_what_is_refused(
    first: str, fields: tuple[str, ...], status: int, reason: str, new_request: Callable[..., bytes]
) -> None:
    with pytest.raises(HeadError, match=reason) as caught:
        Upgrade(new_request(first=first, fields=fields))
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("first", "fields", "name", "value"),
    [
        ("POST / HTTP/1.1", WEBSOCKET, "Allow", "GET"),
        ("GET / HTTP/1.1", ("Host: a",), "Upgrade", "websocket"),
        ("GET / HTTP/1.1", (*WEBSOCKET, KEY), "Sec-WebSocket-Version", "13"),
    ],
)
def test_a_refusal_says_what_would_pass(
    first: str, fields: tuple[str, ...], name: str, value: str, new_request: Callable[..., bytes]
) -> None:
    with pytest.raises(HeadError) as caught:
        Upgrade(new_request(first=first, fields=fields))
    assert caught.value.headers == {name: value}


def test_no_reason_holds_what_the_peer_sent(new_request: Callable[..., bytes]) -> None:
    with pytest.raises(HeadError) as caught:
        Upgrade(new_request(fields=(*WEBSOCKET, VERSION, "Sec-WebSocket-Key: evil")))
    assert "evil" not in caught.value.reason


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    ],
)
def test_what_is_refused_is_freed_without_the_garbage_collector(head: bytes) -> None:
    def protocols() -> set[int]:
        return {id(each) for each in gc.get_objects() if isinstance(each, Protocol)}

    gc.collect()
    gc.disable()
    before = protocols()
    try:
        with contextlib.suppress(HeadError):
            Upgrade(head)
        assert protocols() <= before
    finally:
        gc.enable()
