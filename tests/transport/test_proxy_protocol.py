"""The PROXY header as bytes: what is taken, what is refused, and that no bytes surprise it."""

import itertools
import socket
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.transport.proxy_protocol import HEADER_MAX, SIGNATURE, Passed, ProxyHeader, ProxyHeaderError

PROXY, LOCAL, TCP4, TCP6 = 0x21, 0x20, 0x11, 0x21
IPV4_BLOCK = socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.1") + struct.pack("!HH", 50_000, 443)
IPV6_BLOCK = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + struct.pack("!HH", 50_001, 443)
)
TLV = b"\x02\x00\x0cgateway.test"


def header(command: int, kind: int, block: bytes) -> bytes:
    return SIGNATURE + bytes([command, kind]) + struct.pack("!H", len(block)) + block


def read(stream: bytes) -> Passed | None:
    return ProxyHeader().feed(stream)


@pytest.mark.parametrize(
    ("stream", "client"),
    [
        (header(PROXY, TCP4, IPV4_BLOCK), ("192.0.2.7", 50_000)),
        (header(PROXY, TCP4, IPV4_BLOCK + TLV), ("192.0.2.7", 50_000)),
        (header(PROXY, TCP6, IPV6_BLOCK), ("2001:db8::7", 50_001)),
        (header(PROXY, TCP6, IPV6_BLOCK + TLV * 20), ("2001:db8::7", 50_001)),
        (header(PROXY, TCP6, bytes(10) + b"\xff\xff\xc0\x00\x02\x07" + IPV6_BLOCK[16:]), ("192.0.2.7", 50_001)),
        (header(LOCAL, 0, b""), None),
        (header(LOCAL, TCP4, IPV4_BLOCK), None),
        (header(LOCAL, 0x31, bytes(216)), None),
    ],
)
def test_whom_it_names(stream: bytes, client: tuple[str, int] | None) -> None:
    assert read(stream) == Passed(client, b"")
    assert read(stream + b"\x16\x03\x01") == Passed(client, b"\x16\x03\x01")


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (
            b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n",
            "PROXY protocol version 1; set the load balancer to versi",
        ),
        (b"GET / HTTP/1.1\r\n", "no PROXY protocol header, from an address that is listed in load_balancers"),
        (b"\x16\x03\x01", "no PROXY protocol header, from an address that is listed in load_balancers"),
        (SIGNATURE[:-1] + b"\x00", "no PROXY protocol header"),
        (header(0x11, TCP4, IPV4_BLOCK), "unknown version or command"),
        (header(0x31, TCP4, IPV4_BLOCK), "unknown version or command"),
        (header(0x22, TCP4, IPV4_BLOCK), "unknown version or command"),
        (header(PROXY, 0x00, b""), "something else than TCP"),
        (header(PROXY, 0x10, IPV4_BLOCK), "something else than TCP"),
        (header(PROXY, 0x12, IPV4_BLOCK), "something else than TCP"),
        (header(PROXY, 0x22, IPV6_BLOCK), "something else than TCP"),
        (header(PROXY, 0x31, bytes(216)), "something else than TCP"),
        (header(PROXY, TCP4, IPV4_BLOCK[:-1]), "too short for its addresses"),
        (header(PROXY, TCP6, IPV4_BLOCK), "too short for its addresses"),
    ],
)
def test_what_is_refused(stream: bytes, reason: str) -> None:
    with pytest.raises(ProxyHeaderError, match=reason):
        read(stream)


def test_a_header_may_be_as_long_as_the_limit() -> None:
    room = HEADER_MAX - 16 - len(IPV4_BLOCK)
    assert read(header(PROXY, TCP4, IPV4_BLOCK + bytes(room))) is not None
    too_long = header(PROXY, TCP4, IPV4_BLOCK + bytes(room + 1))
    with pytest.raises(ProxyHeaderError, match="more than 2048 bytes"):
        read(too_long[:16])


@given(st.sampled_from([IPV4_BLOCK, IPV6_BLOCK]), st.binary(max_size=60), st.lists(st.integers(0, 120), max_size=8))
def test_it_may_be_cut_anywhere(block: bytes, rest: bytes, cuts: list[int]) -> None:
    whole = header(PROXY, TCP4 if block is IPV4_BLOCK else TCP6, block + TLV)
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    reader = ProxyHeader()
    answers = [reader.feed(whole[a:b]) for a, b in itertools.pairwise(edges[:-1])]
    assert not any(answers)
    found = reader.feed(memoryview(whole[edges[-2] :] + rest))
    assert found is not None
    assert found.rest == rest


@given(st.lists(st.binary(max_size=40), max_size=5), st.booleans())
@example([bytes([PROXY, TCP4, 0xFF, 0xFF])], True)
def test_no_bytes_crash_it(chunks: list[bytes], signed: bool) -> None:
    reader = ProxyHeader()
    for chunk in [SIGNATURE, *chunks] if signed else chunks:
        try:
            if reader.feed(chunk) is not None:
                return
        except ProxyHeaderError:
            return


@given(st.binary(min_size=1, max_size=30).filter(lambda data: not SIGNATURE.startswith(data[:12])))
def test_what_is_no_header_is_known_by_its_first_wrong_byte(data: bytes) -> None:
    if not b"PROXY ".startswith(data[:6]):
        with pytest.raises(ProxyHeaderError):
            read(data)
