"""Attack A13: a second request, or a frame, hidden around the upgrade. Nothing before the 101 is trusted.

Whoever stands in front (a proxy, a balancer) and Voltgate must never disagree about where a request ends, or whom it is
for: a head that could be read in two ways is refused, and nobody is asked about it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.transport import Refuse, Stage, UpgradeRequest, Verdict
from tests.transport.conftest import FIELDS, frame, request

if TYPE_CHECKING:
    from tests.transport.conftest import Listen

OTHERS = [line for line in FIELDS if not line.startswith("Host")]
FRAME = frame(0x1, b'[2,"1","Heartbeat",{}]')


def without(name: str) -> list[str]:
    return [line for line in FIELDS if not line.startswith(name)]


HEADS = {
    "a frame after the head": request() + FRAME,
    "two heads in one packet": request() + request(target="/ocpp/CS2"),
    "a byte after the head": request() + b"\x00",
    "an empty line after the head": request() + b"\r\n",
    "Content-Length": request("Content-Length: 24"),
    "Content-Length and its body": request("Content-Length: 24") + FRAME,
    "Content-Length that is no number": request("Content-Length: 0x0"),
    "Content-Length with a sign": request("Content-Length: +0"),
    "two Content-Length": request("Content-Length: 0", "Content-Length: 0"),
    "two Content-Length in one line": request("Content-Length: 0, 0"),
    "Transfer-Encoding": request("Transfer-Encoding: chunked"),
    "Transfer-Encoding and a body": request("Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "Transfer-Encoding: identity": request("Transfer-Encoding: identity"),
    "Transfer-Encoding in other letters": request("tRANSFER-eNCODING: xchunked"),
    "both": request("Content-Length: 0", "Transfer-Encoding: chunked"),
    "doubled Host": request("Host: other.example"),
    "doubled Host, the same": request("Host: csms.example"),
    "no Host": request(fields=OTHERS),
    "empty Host": request("Host:", fields=OTHERS),
    "Host with a path": request("Host: csms.example/ocpp/CS2", fields=OTHERS),
    "Host with a user": request("Host: CS2@csms.example", fields=OTHERS),
    "two names in Host": request("Host: csms.example, other.example", fields=OTHERS),
    "doubled Authorization": request("Authorization: Basic YQ==", "Authorization: Basic Yg=="),
    "doubled Origin": request("Origin: https://a.example", "Origin: https://b.example"),
    "doubled Upgrade": request("Upgrade: h2c"),
    "absolute form": request(target="http://csms.example/ocpp/CS1"),
    "absolute form of another host": request(target="wss://other.example/ocpp/CS1"),
    "authority form": request(target="csms.example:443"),
    "asterisk form": request(target="*"),
    "a fragment": request(target="/ocpp/CS1#x"),
    "a backslash is no slash": request(target="\\ocpp\\CS1"),
    "a space in the target": request(target="/ocpp/CS1 HTTP/1.1\tx"),
    "a control character in the target": request(target="/ocpp/CS1\x0b"),
    "a byte beyond ASCII in the target": request(target="/ocpp/CS\xe9"),
    "obs-fold": request("X-Folded: a\r\n b"),
    "obs-fold with a tab": request("X-Folded: a\r\n\tContent-Length: 24"),
    "a fold right at the beginning": request(fields=[" Host: csms.example", *FIELDS]),
    "a space before the colon": request("Content-Length : 24"),
    "a tab before the colon": request("Transfer-Encoding\t: chunked"),
    "no name": request(": value"),
    "no colon": request("Transfer-Encoding"),
    "a bare LF in a value": request("X-A: a\nContent-Length: 24"),
    "a bare CR in a value": request("X-A: a\rContent-Length: 24"),
    "NUL in a value": request("X-A: a\x00b"),
    "lines that end in LF": request().replace(b"\r\n", b"\n") + b"\r\n\r\n",
    "HTTP/1.0 with keep-alive": request("Connection: keep-alive", first="GET /ocpp/CS1 HTTP/1.0"),
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an older HTTP": b"GET /ocpp/CS1\r\n\r\n",
    "a smuggled PROXY header": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + request(),
    "a body's method": request(first="POST /ocpp/CS1 HTTP/1.1"),
    "no key": request(fields=without("Sec-WebSocket-Key")),
    "no Upgrade": request(fields=without("Upgrade")),
    "no Connection": request(fields=without("Connection")),
    "an h2c upgrade": request("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", fields=without("Upgrade")),
}


@pytest.mark.parametrize("name", HEADS)
async def test_a_head_that_could_be_read_in_two_ways_is_refused(name: str, listen: Listen) -> None:
    port = await listen()
    wire = await port.wire()
    wire.send(HEADS[name])
    answer = await wire.rest()
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 405 ", b"HTTP/1.1 426 ", b"HTTP/1.1 505 "))
    assert answer.count(b"\r\nDate: ") == 1, "one answer, and the connection is over"
    assert b"\r\nConnection: close\r\n" in answer
    assert port.requests == [], "nobody is asked about it"
    refused = await port.refusal()
    assert refused.stage is Stage.HEAD
    for told in (refused.reason, answer.decode()):
        assert "CS2" not in told, "nothing of the peer's own words"


async def test_what_comes_before_the_answer_ends_the_question(listen: Listen) -> None:
    """A frame, or a second head, while admission is being decided: it can't have known the answer."""
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def ponder(request: UpgradeRequest) -> Verdict:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError(request)

    for early in (FRAME, request(target="/ocpp/CS2"), b"\x00"):
        asked.clear()
        cancelled.clear()
        port = await listen(ponder)
        wire = await port.wire()
        wire.send(request())
        await asked.wait()
        wire.send(early)
        answer = await wire.rest()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"\r\nDate: ") == 1
        await cancelled.wait()


async def test_what_follows_a_refusal_is_not_a_request(listen: Listen) -> None:
    async def refuse(asked: UpgradeRequest) -> Verdict:
        del asked
        return Refuse(401)

    port = await listen(refuse)
    wire = await port.wire()
    head = await wire.upgrade()
    assert head.startswith("HTTP/1.1 401 ")
    wire.send(request(target="/ocpp/CS2") + FRAME)
    assert await wire.rest() == b""
    assert len(port.requests) == 1


async def test_a_request_that_says_that_it_has_no_body_is_one(listen: Listen) -> None:
    """Some devices send `Content-Length: 0`: it can be read in one way only."""
    port = await listen()
    wire = await port.wire()
    assert (await wire.upgrade("Content-Length: 0")).startswith("HTTP/1.1 101 ")
