"""What the Autobahn test suite asks of a server, by its case ids, as a table: what is sent and what must come back.

The suite itself needs Python 2. Each case is played against a real listener that echoes, over plain TCP, three times:
in one piece, frame by frame and byte by byte (the suite has cases of their own for that). Where we depart from what the
suite would have, the row says so; all of it is allowed by RFC 6455: binary messages are refused (OCPP-J knows none),
UTF-8 is checked when the message is whole, and a close frame amid the fragments of a message is a fault.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.transport.conftest import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.transport import WebSocket
    from tests.transport.conftest import Listen, Wire

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
GREETING = "Hello-µ@ßöäüàá-UTF-8!!".encode()
KOSME = "κόσμε".encode()


@dataclass
class Case:
    """Frames that are sent, frames that must come back; ``fails`` is the close code when the server ends it itself.

    ``echoes`` is the close frame's payload that must come back to one that is sent. Where neither is given, the test
    closes in the end, to see that nothing else came.
    """

    sent: list[bytes]
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    fails: int | None = None
    echoes: bytes | None = None


def text(payload: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
    return frame(TEXT, payload, fin=fin, rsv=rsv)


def more(payload: bytes, *, fin: bool = True) -> bytes:
    return frame(CONTINUATION, payload, fin=fin)


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def fragments(payload: bytes, size: int) -> list[bytes]:
    """One text message in fragments of ``size`` bytes."""
    parts = [payload[start : start + size] for start in range(0, len(payload), size)]
    return [
        frame(CONTINUATION if number else TEXT, part, fin=number == len(parts) - 1) for number, part in enumerate(parts)
    ]


def echo_of(*payloads: bytes) -> list[tuple[int, bytes]]:
    return [(FIN | TEXT, payload) for payload in payloads]


def pong_of(*payloads: bytes) -> list[tuple[int, bytes]]:
    return [(FIN | PONG, payload) for payload in payloads]


def framing() -> Iterator[tuple[str, Case]]:
    for number, length in enumerate([0, 125, 126, 127, 128, 65_535, 65_536], start=1):
        yield f"1.1.{number}", Case([text(b"*" * length)], echo_of(b"*" * length))
        yield f"1.2.{number} binary is refused", Case([frame(BINARY, b"\xfe" * length)], fails=1003)


def pings() -> Iterator[tuple[str, Case]]:
    yield "2.1", Case([frame(PING)], pong_of(b""))
    yield "2.2", Case([frame(PING, b"Hello, world!")], pong_of(b"Hello, world!"))
    yield "2.3", Case([frame(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")], pong_of(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))
    yield "2.4, 2.6", Case([frame(PING, b"\xfe" * 125)], pong_of(b"\xfe" * 125))
    yield "2.5", Case([frame(PING, b"\xfe" * 126)], fails=1002)
    yield "2.7", Case([frame(PONG)])
    yield "2.8", Case([frame(PONG, b"unsolicited pong payload")])
    yield "2.9", Case([frame(PONG, b"unsolicited"), frame(PING, b"ping")], pong_of(b"ping"))
    ten = [b"payload-%d" % number for number in range(10)]
    yield "2.10, 2.11", Case([frame(PING, each) for each in ten], pong_of(*ten))


def reserved_bits() -> Iterator[tuple[str, Case]]:
    before, after = text(GREETING), frame(PING)
    yield "3.1", Case([text(GREETING, rsv=1)], fails=1002)
    yield "3.2 to 3.4", Case([before, text(GREETING, rsv=2), after], echo_of(GREETING), fails=1002)
    yield "3.2 RSV1 without compression", Case([before, text(GREETING, rsv=4), after], echo_of(GREETING), fails=1002)
    yield "3.5", Case([frame(BINARY, b"\xff" * 8, rsv=5)], fails=1002)
    yield "3.6", Case([frame(PING, GREETING, rsv=6)], fails=1002)
    yield "3.7", Case([frame(CLOSE, b"\x03\xe8", rsv=7)], fails=1002)


def opcodes() -> Iterator[tuple[str, Case]]:
    for group, first in ((1, 3), (2, 11)):
        for number in range(5):
            payload = GREETING if number % 2 else b""
            wrong = frame(first + number, payload)
            yield f"4.{group}.{number + 1}", Case([wrong, frame(PING)], fails=1002)
            yield (
                f"4.{group}.{number + 1} after a message",
                Case([text(GREETING), wrong, frame(PING)], echo_of(GREETING), fails=1002),
            )


def fragmentation() -> Iterator[tuple[str, Case]]:
    one, two = text(b"fragment1", fin=False), more(b"fragment2")
    both = echo_of(b"fragment1fragment2")
    yield "5.1", Case([frame(PING, b"fragment1", fin=False), more(b"fragment2")], fails=1002)
    yield "5.2", Case([frame(PONG, b"fragment1", fin=False), more(b"fragment2")], fails=1002)
    yield "5.3 to 5.5", Case([one, two], both)
    yield "5.6 to 5.8", Case([one, frame(PING, b"ping"), two], [*pong_of(b"ping"), *both])
    whole, open_ended = more(b"non-continuation"), more(b"non-continuation", fin=False)
    yield "5.9 to 5.11", Case([whole, text(b"Hello, world!")], fails=1002)
    yield "5.12 to 5.14", Case([open_ended, text(b"Hello, world!")], fails=1002)
    yield "5.15", Case([one, two, open_ended, text(b"Hello, world!")], both, fails=1002)
    yield "5.16", Case([open_ended, text(b"a", fin=False), more(b"b")] * 2, fails=1002)
    yield "5.17", Case([whole, text(b"a", fin=False), more(b"b")] * 2, fails=1002)
    yield "5.18", Case([one, text(b"fragment2")], fails=1002)
    five = [text(b"fragment1", fin=False)] + [more(b"fragment%d" % number, fin=number == 5) for number in range(2, 6)]
    asked = [*five[:2], frame(PING, b"pongme 1!"), *five[2:4], frame(PING, b"pongme 2!"), five[4]]
    together = b"fragment1fragment2fragment3fragment4fragment5"
    answers = [*pong_of(b"pongme 1!", b"pongme 2!"), *echo_of(together)]
    yield "5.19, 5.20", Case(asked, answers)


VALID = {
    "6.2": GREETING,
    "6.5": KOSME,
    "6.6": KOSME[:-2],
    "6.7.1": b"\x00",
    "6.7.2": b"\xc2\x80",
    "6.7.3": b"\xe0\xa0\x80",
    "6.7.4": b"\xf0\x90\x80\x80",
    "6.9.1": b"\x7f",
    "6.9.2": b"\xdf\xbf",
    "6.9.3": b"\xef\xbf\xbf",
    "6.9.4": b"\xf4\x8f\xbf\xbf",
    "6.11.1": b"\xed\x9f\xbf",
    "6.11.2": b"\xee\x80\x80",
    "6.11.3": b"\xef\xbf\xbd",
    "6.11.4": b"\xf3\xbf\xbf\xbf",
    "6.22 non-characters": b"\xef\xbf\xbe\xf0\x9f\xbf\xbf\xf4\x8f\xbf\xbe",
    "6.23 the replacement character": b"\xef\xbf\xbd\xef\xbf\xbc",
}
INVALID = {
    "6.3": KOSME + b"\xed\xa0\x80edited",
    "6.4 at the message's end": KOSME + b"\xf4\x90\x80\x80edited",
    "6.6 cut": KOSME[:-1],
    "6.8.1": b"\xf8\x88\x80\x80\x80",
    "6.8.2": b"\xfc\x84\x80\x80\x80\x80",
    "6.10.1": b"\xf7\xbf\xbf\xbf",
    "6.10.2": b"\xfb\xbf\xbf\xbf\xbf",
    "6.10.3": b"\xfd\xbf\xbf\xbf\xbf\xbf",
    "6.11.5": b"\xf4\x90\x80\x80",
    "6.12.1": b"\x80",
    "6.12.2": b"\xbf",
    "6.12.8": bytes(range(0x80, 0xC0)),
    "6.13.1": b" ".join(bytes([each]) for each in range(0xC0, 0xE0)),
    "6.13.2": b" ".join(bytes([each]) for each in range(0xE0, 0xF0)),
    "6.13.3": b" ".join(bytes([each]) for each in range(0xF0, 0xF8)),
    "6.13.5": b"\xfc \xfd ",
    "6.14.1": b"\xc0",
    "6.14.2": b"\xe0\x80",
    "6.14.3": b"\xf0\x80\x80",
    "6.14.6": b"\xdf",
    "6.14.7": b"\xef\xbf",
    "6.14.8": b"\xf7\xbf\xbf",
    "6.15": b"\xc0\xe0\x80\xf0\x80\x80\xdf\xef\xbf",
    "6.16.1": b"\xfe",
    "6.16.2": b"\xff",
    "6.17.1": b"\xc0\xaf",
    "6.17.2": b"\xe0\x80\xaf",
    "6.17.3": b"\xf0\x80\x80\xaf",
    "6.18.1": b"\xc1\xbf",
    "6.18.2": b"\xe0\x9f\xbf",
    "6.18.3": b"\xf0\x8f\xbf\xbf",
    "6.19.1": b"\xc0\x80",
    "6.19.2": b"\xe0\x80\x80",
    "6.20.1": b"\xed\xa0\x80",
    "6.20.4": b"\xed\xaf\xbf",
    "6.20.7": b"\xed\xbf\xbf",
    "6.21.1": b"\xed\xa0\x80\xed\xb0\x80",
    "6.21.8": b"\xed\xaf\xbf\xed\xbf\xbf",
}


def utf8() -> Iterator[tuple[str, Case]]:
    yield "6.1.1", Case([text(b"")], echo_of(b""))
    yield "6.1.2", Case([text(b"", fin=False), more(b"", fin=False), more(b"")], echo_of(b""))
    yield "6.1.3", Case([text(b"", fin=False), more(b"middle", fin=False), more(b"")], echo_of(b"middle"))
    for name, payload in VALID.items():
        yield name, Case([text(payload)], echo_of(payload))
        yield f"{name}, a byte in each fragment", Case(fragments(payload, 1), echo_of(payload))
    for name, payload in INVALID.items():
        yield name, Case([text(payload), text(b"after")], fails=1007)
        yield f"{name}, a byte in each fragment", Case(fragments(payload, 1), fails=1007)


def closing() -> Iterator[tuple[str, Case]]:
    ok = b"\x03\xe8"
    yield "7.1.1", Case([text(b"Hello"), close()], echo_of(b"Hello"), echoes=ok)
    yield "7.1.2", Case([close(), close()], echoes=ok)
    yield "7.1.3", Case([close(), frame(PING)], echoes=ok)
    yield "7.1.4", Case([close(), text(b"Hello")], echoes=ok)
    yield "7.1.5 is a fault", Case([text(b"fragment1", fin=False), close(), more(b"fragment2")], fails=1002)
    large = b"BAsd7&jh23" * 26_214
    yield "7.1.6", Case([text(large), close(), frame(PING)], echo_of(large), echoes=ok)
    yield "7.3.1", Case([close(None)], echoes=b"")
    yield "7.3.2", Case([frame(CLOSE, b"a")], fails=1002)
    yield "7.3.3", Case([close()], echoes=ok)
    yield "7.3.4", Case([close(1000, b"Hello World!")], echoes=ok + b"Hello World!")
    yield "7.3.5", Case([close(1000, b"*" * 123)], echoes=ok + b"*" * 123)
    yield "7.3.6", Case([close(1000, b"*" * 124)], fails=1002)
    yield "7.5.1", Case([close(1000, KOSME + b"\xed\xa0\x80edited")], fails=1007)
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
        yield f"7.7 {code}", Case([close(code)], echoes=struct.pack("!H", code))
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999):
        yield f"7.9 {code}", Case([close(code)], fails=1002)
        yield f"7.9 {code} with a reason", Case([close(code, b"why")], fails=1002)
    for code in (5000, 65_535):
        yield f"7.13 {code}", Case([close(code)], fails=1002)


def limits() -> Iterator[tuple[str, Case]]:
    """Cases 9.x go up to 16 MiB; the default limit is 256 KiB, in 128 fragments."""
    for kib in (64, 256):
        yield f"9.1 {kib} KiB", Case([text(b"*" * kib * 1024)], echo_of(b"*" * kib * 1024))
        payload = b"*" * kib * 1024
        yield f"9.3 {kib} KiB in 4 KiB fragments", Case(fragments(payload, 4_096), echo_of(payload))
    yield "9.1 1 MiB is too much", Case([text(b"*" * 1_048_576)[:14]], fails=1009)
    yield "9.3 256 KiB in 1 KiB fragments are too many", Case(fragments(b"*" * 262_144, 1_024), fails=1009)
    for length in (0, 16, 64, 256, 1_024):
        many = [b"%04d" % number * (length // 4) for number in range(100)]
        yield f"9.7 {length} bytes a hundred times", Case([text(each) for each in many], echo_of(*many))
    yield "10.1.1", Case(fragments(b"*" * 65_536, 1_300), echo_of(b"*" * 65_536))


CASES = dict(
    pair for group in (framing, pings, reserved_bits, opcodes, fragmentation, utf8, closing, limits) for pair in group()
)
SMALL = 300
"""Bytes up to which a case is played byte by byte too."""


def echo(socket: WebSocket, payload: bytes) -> None:
    socket.send(payload)


def ways(sent: list[bytes]) -> Iterator[list[bytes]]:
    """In one piece, frame by frame, byte by byte."""
    stream = b"".join(sent)
    yield [stream]
    yield sent
    if len(stream) <= SMALL:
        yield [bytes([each]) for each in stream]


@pytest.mark.parametrize("name", CASES)
async def test_case(name: str, listen: Listen) -> None:
    case = CASES[name]
    port = await listen(on_message=echo)
    for chunks in ways(case.sent):
        wire, sink = await port.socket()
        for chunk in chunks:
            wire.send(chunk)
            await wire.writer.drain()
        assert [await wire.receive() for _ in case.answers] == case.answers
        if case.fails is not None:
            assert (await wire.close_frame())[0] == case.fails
            assert ((await sink.end()).code, (await sink.end()).by_peer) == (case.fails, False)
        else:
            if case.echoes is None:
                wire.send(close())
            expected = b"\x03\xe8" if case.echoes is None else case.echoes
            assert await wire.receive() == (FIN | CLOSE, expected)
            assert (await sink.end()).by_peer
        assert await wire.rest() == b"", "nothing comes after the close frame"


# 12.x and 13.x: permessage-deflate

OFFERS = {
    "13.1": "",
    "13.2": "; server_no_context_takeover",
    "13.3": "; client_max_window_bits",
    "13.4": "; server_max_window_bits=9; client_max_window_bits",
    "13.5": "; server_max_window_bits=15",
    "13.6": "; client_no_context_takeover; server_no_context_takeover; client_max_window_bits=9",
    "13.7": "; server_no_context_takeover; server_max_window_bits=9, permessage-deflate",
}


class Deflate:
    """The client's half of permessage-deflate (RFC 7692), as was agreed on."""

    def __init__(self, agreed: str) -> None:
        named = dict(part.strip().partition("=")[::2] for part in agreed.split(";")[1:])
        self._alone = ("client_no_context_takeover" in named, "server_no_context_takeover" in named)
        self._bits = int(named.get("client_max_window_bits", 15)), int(named.get("server_max_window_bits", 15))
        self._restart()

    def _restart(self) -> None:
        self._compressor = zlib.compressobj(wbits=-self._bits[0])
        self._decompressor = zlib.decompressobj(wbits=-self._bits[1])

    def compress(self, payload: bytes) -> bytes:
        if self._alone[0]:
            self._compressor = zlib.compressobj(wbits=-self._bits[0])
        return (self._compressor.compress(payload) + self._compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(
            b"\x00\x00\xff\xff"
        )

    def decompress(self, payload: bytes) -> bytes:
        if self._alone[1]:
            self._decompressor = zlib.decompressobj(wbits=-self._bits[1])
        return self._decompressor.decompress(payload + b"\x00\x00\xff\xff")


async def deflated(listen: Listen, offer: str) -> tuple[Wire, Deflate]:
    """An open WebSocket that echoes, with compression agreed on."""
    port = await listen(on_message=echo, compression=True)
    wire = await port.wire()
    head = await wire.upgrade(f"Sec-WebSocket-Extensions: permessage-deflate{offer}")
    (agreed,) = [line for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Extensions: ")]
    return wire, Deflate(agreed)


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_compressed_messages_of_every_size(offer: str, listen: Listen) -> None:
    """12.x and 13.x: sizes 0 to 128 KiB, several of each, so that a context that is taken over matters."""
    wire, deflate = await deflated(listen, offer)
    for length in (0, 1, 16, 64, 256, 1_024, 8_192, 65_536, 131_072):
        for number in range(3):
            payload = (b'[2,"%d","Heartbeat",{}]' % number * (length // 16 + 1))[:length]
            wire.frame(TEXT, deflate.compress(payload), rsv=4)
            first, received = await wire.receive()
            assert first == FIN | TEXT | 0x40
            assert deflate.decompress(received) == payload


async def test_a_compressed_message_in_fragments(listen: Listen) -> None:
    wire, deflate = await deflated(listen, "")
    payload = KOSME * 300
    packed = deflate.compress(payload)
    wire.frame(TEXT, packed[:10], fin=False, rsv=4)
    wire.frame(PING, b"between")
    wire.frame(CONTINUATION, packed[10:])
    assert await wire.receive() == (FIN | PONG, b"between")
    assert deflate.decompress((await wire.receive())[1]) == payload


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([frame(TEXT, b"\xff\xff\xff", rsv=4)], 1002),
        ([frame(PING, b"x", rsv=4)], 1002),
        ([frame(TEXT, b"x", fin=False), frame(CONTINUATION, b"x", rsv=4)], 1002),
        ([frame(TEXT, zlib.compress(b"\xff\xfe", wbits=-12)[:-1] + b"\x00", rsv=4)], 1007),
        ([frame(TEXT, zlib.compress(bytes(1_000_000), wbits=-12), rsv=4)], 1009),
    ],
    ids=["not deflate", "a compressed ping", "RSV1 on a continuation", "not UTF-8 inside", "a bomb"],
)
async def test_what_compression_does_not_allow(sent: list[bytes], code: int, listen: Listen) -> None:
    wire, _ = await deflated(listen, "")
    wire.send(b"".join(sent))
    assert (await wire.close_frame())[0] == code
    assert await wire.rest() == b""


async def test_an_uncompressed_message_is_allowed_among_them(listen: Listen) -> None:
    wire, deflate = await deflated(listen, "")
    wire.frame(TEXT, b"plain")
    assert deflate.decompress((await wire.receive())[1]) == b"plain"


@pytest.mark.parametrize(
    "offer",
    [
        "; server_max_window_bits=16",
        "; server_max_window_bits=7",
        "; client_max_window_bits=x",
        "; unheard_of",
        "; server_no_context_takeover=1",
        "; server_no_context_takeover; server_no_context_takeover",
    ],
)
async def test_an_offer_that_cannot_be_met_is_declined(
    offer: str, listen: Listen, new_frame: Callable[..., bytes]
) -> None:
    port = await listen(on_message=echo, compression=True)
    wire = await port.wire()
    head = await wire.upgrade(f"Sec-WebSocket-Extensions: permessage-deflate{offer}")
    assert "101" in head
    assert "Sec-WebSocket-Extensions" not in head
    wire.send(new_frame(TEXT, b"plain"))
    assert await wire.receive() == (FIN | TEXT, b"plain")
