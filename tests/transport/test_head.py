"""HTTP heads: where they end, how large they may be, what a request must and must not hold."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers

from gateway.transport.head import SINGLE, HeadError, HeadScanner, check_fields, check_request, proper_target, refusal
from gateway.transport.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"


def scan(chunks: Sequence[bytes], limits: Limits | None = None) -> tuple[bytes, bytes] | None:
    scanner = HeadScanner(limits or Limits())
    for position, chunk in enumerate(chunks):
        found = scanner.feed(chunk)
        if found is not None:
            return found[0], found[1] + b"".join(chunks[position + 1 :])
    return None


@given(st.lists(st.integers(0, len(HEAD) + 5), max_size=8))
def test_a_head_is_found_however_it_is_cut(cuts: list[int]) -> None:
    data = HEAD + b"after"
    edges = [0, *sorted(cuts), len(data)]
    chunks = [data[start:stop] for start, stop in itertools.pairwise(edges)]
    assert scan(chunks) == (HEAD, b"after")


def test_a_head_without_its_empty_line_is_waited_for() -> None:
    assert scan([HEAD[:-1]]) is None


def test_max_head_counts_the_empty_line() -> None:
    assert scan([HEAD + b"x" * 99], Limits(max_head=len(HEAD))) == (HEAD, b"x" * 99)
    with pytest.raises(HeadError) as caught:
        scan([HEAD], Limits(max_head=len(HEAD) - 1))
    assert (caught.value.status, caught.value.reason) == (431, f"head of more than {len(HEAD) - 1} bytes")


def test_an_endless_head_is_not_collected() -> None:
    with pytest.raises(HeadError, match="head of more than 100 bytes"):
        scan([b"G" * 101], Limits(max_head=100))


def test_max_headers_counts_lines() -> None:
    assert scan([HEAD], Limits(max_headers=2)) is not None
    with pytest.raises(HeadError, match="more than 1 header lines") as caught:
        scan([HEAD], Limits(max_headers=1))
    assert caught.value.status == 431


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16\x03\x01\x02", "not HTTP (it looks like TLS, on a port without TLS)"),
        (b"\x00", "not HTTP"),
        (b"\r\nGET / HTTP/1.1\r\n", "not HTTP"),
        (b"get / HTTP/1.1\r\n", "not HTTP"),
    ],
)
def test_what_is_not_http_is_refused_at_its_first_byte(data: bytes, reason: str) -> None:
    with pytest.raises(HeadError) as caught:
        scan([data])
    assert (caught.value.status, caught.value.reason) == (400, reason)


@pytest.mark.parametrize("host", ["csms", "csms.example:8443", "192.0.2.1", "[2001:db8::1]:443", "a_b-c.example"])
def test_hosts_that_pass(host: str) -> None:
    check_request("/", Headers({"Host": host}))


@pytest.mark.parametrize("host", ["", "a b", "a@b", "a,b", "a/b", "[::1", "a:b", "a:123456", "a:", "ä", "a\tb"])
def test_hosts_that_do_not(host: str) -> None:
    with pytest.raises(HeadError, match="Host header is missing or malformed"):
        check_request("/", Headers({"Host": host}))


def test_a_missing_host_is_refused() -> None:
    with pytest.raises(HeadError, match="Host header is missing or malformed"):
        check_request("/", Headers())


@pytest.mark.parametrize("name", SINGLE)
def test_single_fields_are_single(name: str) -> None:
    headers = Headers([("Host", "a")])
    for _ in range(2):
        headers[name.upper()] = "a"
    with pytest.raises(HeadError, match=f"more than one {name} header") as caught:
        check_request("/", headers)
    assert caught.value.status == 400


@pytest.mark.parametrize("target", ["/", "/ocpp/CS%2F1", "/a?b=c", "/~!$&'()*+,;=:@\"<>"])
def test_targets_that_pass(target: str) -> None:
    assert proper_target(target)
    check_request(target, Headers({"Host": "a"}))


@pytest.mark.parametrize("target", ["", "*", "ocpp", "http://a/b", "/a b", "/a#b", "/\x00", "/\x7f", "/ä", "/a\n"])
def test_targets_that_do_not(target: str) -> None:
    assert not proper_target(target)
    with pytest.raises(HeadError, match="request target"):
        check_request(target, Headers({"Host": "a"}))


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ä"])
def test_field_names_are_tokens(name: str) -> None:
    with pytest.raises(ValueError, match="can't be the name of a header"):
        check_fields({name: "x"})


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\x00", "a\x7f", "ä"])
def test_field_values_stay_in_their_line(value: str) -> None:
    with pytest.raises(ValueError, match="the value of the header X"):
        check_fields({"X": value})


def test_a_refusal_closes_and_says_how_long_it_is() -> None:
    head, _, body = refusal(401, {"WWW-Authenticate": 'Basic realm="a"', "Connection": "keep-alive"}, "né\n").partition(
        b"\r\n\r\n"
    )
    first, *lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert first == "HTTP/1.1 401 Unauthorized"
    assert fields.pop("Date").endswith(" GMT")
    assert fields == {
        "Connection": "close",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": "4",
        "WWW-Authenticate": 'Basic realm="a"',
    }
    assert body.decode() == "né\n"


def test_a_status_without_a_phrase_can_be_sent() -> None:
    assert refusal(499, {}, "").startswith(b"HTTP/1.1 499 \r\n")
