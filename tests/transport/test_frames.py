"""Frames without a socket: what bytes become messages, what ends a connection, what is sent."""

from __future__ import annotations

import itertools
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol, Side

from gateway.transport.frames import Ended, Event, Frames, Ping, Pong, cut_reason
from gateway.transport.limits import Limits
from gateway.transport.messages import Closed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    NewFrame = Callable[..., bytes]

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA


def events_of(frames: Frames, *chunks: bytes) -> list[Event]:
    """Feed each chunk from one and the same buffer, as a link does."""
    found: list[Event] = []
    for chunk in chunks:
        buffer = bytearray(chunk)
        frames.feed(memoryview(buffer))
        found += iter(frames.next, None)
        frames.keep()
        buffer[:] = b"\xff" * len(buffer)
    return found


def server(limits: Limits | None = None, *, deflate: bool = False) -> Frames:
    return Frames(limits or Limits(), client=False, extensions=[new_deflate()] if deflate else [])


def new_deflate() -> PerMessageDeflate:
    return PerMessageDeflate(
        remote_no_context_takeover=False,
        local_no_context_takeover=False,
        remote_max_window_bits=12,
        local_max_window_bits=12,
    )


def peer_of(frames: Frames, side: Side, *, deflate: bool = False) -> Protocol:
    """The other end, played by websockets."""
    del frames
    protocol = Protocol(side, state=OPEN)
    protocol.extensions = [new_deflate()] if deflate else []
    return protocol


def ended(found: Sequence[Event]) -> Closed:
    assert isinstance(found[-1], Ended)
    return found[-1].closed


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 262_144])
@pytest.mark.parametrize("client", [False, True])
def test_messages_of_every_length_pass_in_both_roles(length: int, *, client: bool) -> None:
    text = b"x" * length
    ours = Frames(Limits(), client=client)
    theirs = peer_of(ours, SERVER if client else CLIENT)

    theirs.send_text(text)
    assert events_of(ours, *theirs.data_to_send()) == [text]

    theirs.receive_data(ours.text(text))
    (frame,) = theirs.events_received()
    assert isinstance(frame, Frame)
    assert bytes(frame.data) == text


@given(
    st.lists(
        st.tuples(st.text(max_size=300), st.lists(st.integers(0, 900), max_size=3), st.binary(max_size=125)), max_size=5
    ),
    st.lists(st.integers(0, 4000), max_size=10),
    st.booleans(),
    st.booleans(),
)
def test_messages_pass_however_they_are_fragmented_and_cut(
    messages: list[tuple[str, list[int], bytes]],
    cuts: list[int],
    client: bool,
    deflate: bool,
) -> None:
    ours = Frames(Limits(), client=client, extensions=[new_deflate()] if deflate else [])
    theirs = peer_of(ours, SERVER if client else CLIENT, deflate=deflate)
    expected: list[Event] = []
    for text, edges, ping in messages:
        data = text.encode()
        parts = [data[a:b] for a, b in itertools.pairwise([0, *sorted(edges), len(data) + 900])]
        theirs.send_text(parts[0], fin=len(parts) == 1)
        for position, part in enumerate(parts[1:], start=2):
            theirs.send_ping(ping)
            expected.append(Ping(ping))
            theirs.send_continuation(part, fin=position == len(parts))
        expected.append(data)
    stream = b"".join(theirs.data_to_send())
    chunks = [stream[a:b] for a, b in itertools.pairwise([0, *sorted(cuts), len(stream) + 4000])]
    assert events_of(ours, *chunks) == expected


@given(st.lists(st.binary(max_size=40), max_size=6), st.booleans(), st.booleans())
def test_no_bytes_crash_it(chunks: list[bytes], client: bool, deflate: bool) -> None:
    frames = Frames(Limits(max_message=20), client=client, extensions=[new_deflate()] if deflate else [])
    found = events_of(frames, *chunks)
    assert all(not isinstance(event, Ended) for event in found[:-1])


@given(st.binary(min_size=2, max_size=60))
def test_it_refuses_what_websockets_refuses(stream: bytes) -> None:
    """Where websockets fails the connection, so do we, with the same code; we refuse more (binary, not UTF-8)."""
    stream += bytes(14)  # so that the last header is whole: we look at no part of one
    reference = Protocol(SERVER, state=OPEN, max_size=262_144)
    reference.receive_data(stream)
    found = events_of(server(), stream)
    if reference.close_sent is not None and not any(isinstance(event, Ended) for event in found):
        pytest.fail("not refused")
    if found and isinstance(found[-1], Ended) and found[-1].closed.code not in (1003, 1007):
        assert reference.close_sent is not None
        assert found[-1].closed.code == reference.close_sent.code


def test_pings_and_pongs_pass_between_fragments(new_frame: NewFrame) -> None:
    begin, end = new_frame(TEXT, b"a", fin=False), new_frame(CONTINUATION, b"b")
    stream = begin + new_frame(PING, b"p") + new_frame(PONG, b"q") + end
    assert events_of(server(), stream) == [Ping(b"p"), Pong(b"q"), b"ab"]


def test_what_is_begun_is_told_by_keep(new_frame: NewFrame) -> None:
    frames = server()
    for chunk, unfinished in [
        (new_frame(TEXT, b"whole"), False),
        (new_frame(TEXT, b"cut")[:4], True),
        (new_frame(TEXT, b"cut")[4:], False),
        (new_frame(TEXT, b"fragment", fin=False), True),
        (new_frame(CONTINUATION, b"more", fin=False)[:3], True),
        (new_frame(CONTINUATION, b"more", fin=False)[3:], True),
        (new_frame(CONTINUATION, b"last"), False),
    ]:
        frames.feed(memoryview(chunk))
        list(iter(frames.next, None))
        assert frames.keep() is unfinished


def test_what_wasnt_taken_is_kept(new_frame: NewFrame) -> None:
    frames = server()
    buffer = bytearray(new_frame(TEXT, b"one") + new_frame(TEXT, b"two") + new_frame(TEXT, b"three")[:5])
    frames.feed(memoryview(buffer))
    assert frames.next() == b"one"
    assert frames.keep()
    buffer[:] = bytes(len(buffer))
    assert events_of(frames, b"", new_frame(TEXT, b"three")[5:]) == [b"two", b"three"]


@pytest.mark.parametrize(
    ("stream", "code", "reason"),
    [
        ([(BINARY, b"x")], 1003, "only text messages are accepted"),
        ([(BINARY, b"x", {"fin": False})], 1003, "only text messages are accepted"),
        ([(TEXT, b"\xff")], 1007, "text is not UTF-8"),
        ([(TEXT, b"\xed\xa0\x80")], 1007, "text is not UTF-8"),
        ([(TEXT, b"\xc3", {"fin": False}), (CONTINUATION, b"x")], 1007, "text is not UTF-8"),
        ([(TEXT, b"a", {"fin": False}), (CONTINUATION, b"\xe2\x82")], 1007, "text is not UTF-8"),
        ([(CONTINUATION, b"x")], 1002, "unexpected continuation frame"),
        ([(TEXT, b"a", {"fin": False}), (TEXT, b"b")], 1002, "expected a continuation frame"),
        ([(TEXT, b"a", {"rsv": 4})], 1002, "reserved bits must be 0"),
        ([(PING, b"a", {"rsv": 1})], 1002, "reserved bits must be 0"),
        ([(PING, b"a", {"fin": False})], 1002, "fragmented control frame"),
        ([(PING, b"a" * 126)], 1002, "control frame too long"),
        ([(TEXT, b"a", {"masked": False})], 1002, "incorrect masking"),
        ([(0x3, b"a")], 1002, "invalid opcode"),
        ([(CLOSE, b"\x03")], 1002, "close frame too short"),
        ([(CLOSE, b"\x03\xee")], 1002, "invalid status code"),
        ([(CLOSE, b"\x03\xe8\xff")], 1007, "invalid start byte at position 0"),
        ([(TEXT, b"a", {"fin": False}), (CLOSE, b"\x03\xe8")], 1002, "incomplete fragmented message"),
    ],
)
def test_what_ends_the_connection(
    stream: list[tuple[int, bytes] | tuple[int, bytes, dict[str, int]]], code: int, reason: str, new_frame: NewFrame
) -> None:
    frames = server()
    found = events_of(frames, *(new_frame(each[0], each[1], **(each[2] if len(each) == 3 else {})) for each in stream))
    assert ended(found) == Closed(code, reason, by_peer=False)
    assert isinstance(found[-1], Ended)
    assert found[-1].farewell[:1] == b"\x88"
    assert events_of(frames, new_frame(TEXT, b"too late")) == []
    assert frames.keep() is False


def test_utf8_may_be_split_between_fragments(new_frame: NewFrame) -> None:
    stream = new_frame(TEXT, b"\xe2\x82", fin=False) + new_frame(CONTINUATION, b"\xac")
    assert events_of(server(), stream) == ["€".encode()]


def test_a_message_may_be_as_long_as_the_limit(new_frame: NewFrame) -> None:
    limits = Limits(max_message=1000)
    assert events_of(server(limits), new_frame(TEXT, b"x" * 1000)) == [b"x" * 1000]
    too_long = new_frame(TEXT, b"x" * 1001)
    assert ended(events_of(server(limits), too_long[:4])).code == 1009


def test_fragments_count_together(new_frame: NewFrame) -> None:
    limits = Limits(max_message=1000)
    first, second = new_frame(TEXT, b"x" * 600, fin=False), new_frame(CONTINUATION, b"x" * 400)
    assert events_of(server(limits), first, second) == [b"x" * 1000]
    assert ended(events_of(server(limits), first, new_frame(CONTINUATION, b"x" * 401))).code == 1009


def test_a_length_beyond_all_bounds_is_refused_by_its_header() -> None:
    assert ended(events_of(server(), b"\x81\xff\x7f" + b"\xff" * 7)).code == 1009


@pytest.mark.parametrize("payload", [b"", b"x"])
def test_fragments_are_counted(payload: bytes, new_frame: NewFrame) -> None:
    limits = Limits(max_fragments=3)
    first, more = new_frame(TEXT, b"", fin=False), new_frame(CONTINUATION, payload, fin=False)
    last = new_frame(CONTINUATION, b"")
    assert events_of(server(limits), first, more, last) == [payload]
    assert ended(events_of(server(limits), first, more, more, last)) == Closed(
        1009, "message in more than 3 fragments", by_peer=False
    )


def test_the_count_of_fragments_begins_anew(new_frame: NewFrame) -> None:
    frames = server(Limits(max_fragments=2))
    message = new_frame(TEXT, b"a", fin=False) + new_frame(CONTINUATION, b"b")
    assert events_of(frames, message * 5) == [b"ab"] * 5


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-12)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_a_bomb_stops_at_the_limit(new_frame: NewFrame) -> None:
    bomb = deflated(bytes(50_000_000))
    assert len(bomb) < 262_144
    assert ended(events_of(server(deflate=True), new_frame(TEXT, bomb, rsv=4))).code == 1009


def test_a_bomb_in_fragments_stops_at_the_limit(new_frame: NewFrame) -> None:
    limits = Limits(max_message=10_000)
    bomb = deflated(bytes(1_000_000))
    half = len(bomb) // 2
    first, second = new_frame(TEXT, bomb[:half], fin=False, rsv=4), new_frame(CONTINUATION, bomb[half:])
    assert ended(events_of(server(limits, deflate=True), first, second)).code == 1009


def test_inflation_up_to_the_limit_passes(new_frame: NewFrame) -> None:
    limits = Limits(max_message=10_000)
    assert events_of(server(limits, deflate=True), new_frame(TEXT, deflated(b"x" * 10_000), rsv=4)) == [b"x" * 10_000]
    found = events_of(server(limits, deflate=True), new_frame(TEXT, deflated(b"x" * 10_001), rsv=4))
    assert ended(found).code == 1009


def test_what_was_agreed_to_be_compressed_is_sent_compressed() -> None:
    ours = server(deflate=True)
    theirs = peer_of(ours, CLIENT, deflate=True)
    sent = ours.text(b"x" * 1000)
    assert len(sent) < 100
    theirs.receive_data(sent)
    (frame,) = theirs.events_received()
    assert isinstance(frame, Frame)
    assert bytes(frame.data) == b"x" * 1000


def test_the_peers_close_is_answered_with_its_code(new_frame: NewFrame) -> None:
    assert events_of(server(), new_frame(CLOSE, b"\x03\xe9bye")) == [
        Ended(Closed(1001, "bye", by_peer=True), new_frame(CLOSE, b"\x03\xe9bye", masked=False))
    ]


def test_a_close_without_a_code_counts_as_1005(new_frame: NewFrame) -> None:
    assert ended(events_of(server(), new_frame(CLOSE))) == Closed(1005, "", by_peer=True)


def test_our_close_ends_when_the_peer_answers(new_frame: NewFrame) -> None:
    frames = server()
    assert frames.close(1000, "done") == new_frame(CLOSE, b"\x03\xe8done", masked=False)
    found = events_of(frames, new_frame(TEXT, b"late") + new_frame(CLOSE, b"\x03\xe8"))
    assert found == [b"late", Ended(Closed(1000, "done", by_peer=False), b"")]


def test_a_fault_after_our_close_keeps_our_code(new_frame: NewFrame) -> None:
    frames = server()
    frames.close(1001, "bye")
    assert ended(events_of(frames, new_frame(0x3))) == Closed(1001, "bye", by_peer=False)


def test_a_client_masks_what_it_sends(new_frame: NewFrame) -> None:
    client = Frames(Limits(), client=True)
    for sent in (client.text(b"abc"), client.ping(b"abc"), client.pong(b"abc"), client.close(1000, "")):
        assert sent[1] & 0x80
    assert server().ping(b"abc") == new_frame(PING, b"abc", masked=False)
    assert server().pong(b"abc") == new_frame(PONG, b"abc", masked=False)


def test_two_masks_differ() -> None:
    client = Frames(Limits(), client=True)
    assert len({client.text(b"abc")[2:6] for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("reason", "cut"),
    [
        ("short", "short"),
        ("x" * 123, "x" * 123),
        ("x" * 124, "x" * 123),
        ("€" * 42, "€" * 41),
        ("x" + "€" * 41, "x" + "€" * 40),
    ],
)
def test_reasons_are_cut_between_characters(reason: str, cut: str) -> None:
    assert cut_reason(reason) == cut
    assert len(cut.encode()) <= 123
