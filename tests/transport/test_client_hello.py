"""The ClientHello as bytes: the name of real clients, however they cut it, and nothing from anything else."""

from __future__ import annotations

import itertools
import ssl
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.transport.client_hello import HELLO_MAX, ClientHello

if TYPE_CHECKING:
    from collections.abc import Callable

    NewHello = Callable[..., bytes]


def records(message: bytes, size: int = 16_384) -> bytes:
    """One handshake message in TLS records of ``size`` bytes."""
    parts = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(part)) + part for part in parts)


def sized(data: bytes, *, width: int = 2) -> bytes:
    return len(data).to_bytes(width, "big") + data


def sni(name: bytes, *, kind: int = 0) -> bytes:
    """The server_name extension."""
    return b"\x00\x00" + sized(sized(bytes([kind]) + sized(name)))


def hello(extensions: bytes = b"", *, session: bytes = b"", padding: int = 0) -> bytes:
    """A ClientHello as a handshake message."""
    pad = b"\x00\x15" + sized(bytes(padding)) if padding else b""
    body = (
        b"\x03\x03"
        + bytes(32)
        + sized(session, width=1)
        + sized(b"\x13\x01")
        + sized(b"\x00", width=1)
        + sized(extensions + pad)
    )
    return b"\x01" + sized(body, width=3)


def name_in(stream: bytes) -> str | None:
    found = ClientHello()
    assert found.feed(stream)
    assert found.seen == stream
    return found.server_name


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, None])
@pytest.mark.parametrize(("asked", "found"), [("Gateway.Example.COM", "gateway.example.com"), (None, None)])
def test_openssls_own_hello(
    version: ssl.TLSVersion | None, asked: str | None, found: str | None, new_hello: NewHello
) -> None:
    assert name_in(new_hello(asked, version=version)) == found


@given(
    st.from_regex(r"[a-zA-Z0-9_-]{1,60}(\.[a-zA-Z0-9-]{1,60}){0,3}", fullmatch=True),
    st.binary(max_size=32),
    st.integers(0, 3_000),
    st.integers(1, 2_000),
    st.lists(st.integers(0, 4_000), max_size=6),
)
def test_it_may_be_cut_anywhere(name: str, session: bytes, padding: int, size: int, cuts: list[int]) -> None:
    other = b"\x00\x2b" + sized(b"\x02\x03\x04")
    message = hello(other + sni(name.encode()) + other, session=session, padding=padding)
    stream = records(message, size)
    if len(stream) >= HELLO_MAX:
        return
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    found = ClientHello()
    assert not any(found.feed(stream[a:b]) for a, b in itertools.pairwise(edges[:-1]))
    assert found.feed(memoryview(stream[edges[-2] :]))
    assert found.server_name == name.lower()
    assert found.seen == stream


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"a\x00b",
        b"caf\xc3\xa9.example",
        b"a b",
        b"a\nb",
        b"host\n",
        b"[::1]",
        b".",
        b"a..b",
        b"host.",
        b".host",
        b"a" * 256,
    ],
)
def test_what_is_no_host_name_is_no_name(name: bytes) -> None:
    assert name_in(records(hello(sni(name)))) is None


def test_the_longest_name() -> None:
    assert name_in(records(hello(sni(b"a" * 255)))) == "a" * 255


@pytest.mark.parametrize(
    "extensions",
    [
        sni(b"host", kind=1),
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x02\x00\x00",
        b"\x00\x00" + sized(sized(b"\x00" + sized(b"host") + b"\x00" + sized(b"other"))),
        b"\x00\x00" + sized(sized(b"\x00\x00\xffhost")),
        b"\x00\x00\x00\xff" + sni(b"host")[4:],
        b"\x00",
        b"\x00\x2b\xff\xff",
    ],
)
def test_an_extension_that_is_not_as_it_should_be_has_no_name(extensions: bytes) -> None:
    assert name_in(records(hello(extensions))) is None


@pytest.mark.parametrize(
    "stream",
    [
        b"G",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x2e\x01\x03\x01",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x02\x00\x00\x01\x01",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x00\x01\x02",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x00\x00",
        records(hello(sni(b"host")) + b"\x01"),
    ],
)
def test_what_is_no_hello_is_left_to_openssl_at_once(stream: bytes) -> None:
    assert name_in(stream) is None


def test_a_hello_that_is_shorter_than_it_says_is_waited_for() -> None:
    found = ClientHello()
    assert not found.feed(records(hello(sni(b"host"))[:-1]))
    assert found.server_name is None


def test_what_follows_the_hello_is_kept_for_openssl() -> None:
    stream = records(hello(sni(b"host"))) + b"\x14\x03\x03\x00\x01\x01"
    assert name_in(stream) == "host"


def test_an_endless_hello_ends_at_the_limit() -> None:
    stream = records(b"\x01\xff\xff\xff" + bytes(HELLO_MAX), 1)
    found = ClientHello()
    fed = 0
    while not found.feed(stream[fed : fed + 1]):
        fed += 1
    assert fed + 1 == HELLO_MAX
    assert found.server_name is None


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=80), max_size=5), st.booleans(), st.integers(0, 200), st.integers(0, 255))
def test_no_bytes_crash_it(chunks: list[bytes], begun: bool, at: int, value: int) -> None:
    """Any bytes, and a proper hello with any one byte changed, go through whole."""
    stream = bytearray(records(hello(sni(b"host.example"), padding=20)))
    stream[at % len(stream)] = value
    found = ClientHello()
    for chunk in [bytes(stream), *chunks] if begun else chunks:
        found.feed(chunk)
    assert found.server_name is None or found.server_name.isascii()
    assert found.seen == b"".join([bytes(stream), *chunks] if begun else chunks)


def shares(*groups: int) -> bytes:
    """The key_share extension with one byte of key for each group."""
    return b"\x00\x33" + sized(sized(b"".join(struct.pack("!HHB", group, 1, 7) for group in groups)))


def supported(*groups: int) -> bytes:
    """The supported_groups extension."""
    return b"\x00\x0a" + sized(sized(b"".join(struct.pack("!H", group) for group in groups)))


X25519, P256, FFDHE2048, FFDHE4096, FFDHE8192, GREASE, KYBER = 0x1D, 0x17, 0x100, 0x102, 0x104, 0x0A0A, 0x11EC


@pytest.mark.parametrize(
    ("extensions", "is_costly"),
    [
        (shares(X25519) + supported(X25519, FFDHE8192), False),
        (shares(FFDHE2048) + supported(FFDHE2048), False),
        (shares(FFDHE8192) + supported(FFDHE8192), True),
        (shares(FFDHE4096, X25519) + supported(FFDHE4096, X25519), True),
        (shares(GREASE, KYBER, X25519, FFDHE8192) + supported(X25519, FFDHE8192), False),
        (shares(GREASE, FFDHE8192) + supported(X25519, FFDHE8192), True),
        (shares() + supported(FFDHE8192), True),
        (shares() + supported(FFDHE8192, P256), False),
        (shares(KYBER) + supported(KYBER, FFDHE4096), True),
        (shares() + supported(GREASE), False),
        (shares(), False),
        (supported(FFDHE8192), False),
        (b"", False),
    ],
)
def test_groups_that_cost_too_much(extensions: bytes, is_costly: bool) -> None:
    found = ClientHello()
    assert found.feed(records(hello(sni(b"gateway.example") + extensions)))
    assert (found.is_costly, found.server_name) == (is_costly, "gateway.example")


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_key_shares_are_too_odd(share: bytes, groups: bytes) -> None:
    found = ClientHello()
    assert found.feed(records(hello(b"\x00\x33" + sized(share) + b"\x00\x0a" + sized(groups))))
