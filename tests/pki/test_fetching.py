"""The guarded fetch: what it refuses, whatever a name resolves to, and what it bounds."""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from pki.destinations import AllowList, Destination, DestinationRefused
from pki.fetching import (
    CONNECTIONS_MAX,
    CONNECTIONS_PER_PLACE_MAX,
    FETCHES_MAX,
    FetchFailed,
    GuardedHttp,
    TooManyFetches,
    UselessAnswer,
    reason_of,
)

TYPE = "application/ocsp-response"
PATIENCE = 30.0
"""Seconds after which a test has failed."""
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


class Site:
    """A web server, and what it has heard."""

    def __init__(self) -> None:
        self.response: dict[str, Any] = {"body": b"yes", "content_type": TYPE}
        self.heard: list[tuple[str, str, bytes]] = []
        self.here = 0
        self.most = 0
        self.arrived = asyncio.Semaphore(0)
        self.gate: asyncio.Event | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ocsp"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.heard.append((request.method, request.content_type, await request.read()))
        self.here += 1
        self.most = max(self.most, self.here)
        self.arrived.release()
        if self.gate is not None:
            await self.gate.wait()
        self.here -= 1
        return web.Response(**self.response)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    if made.gate is not None:
        made.gate.set()
    await runner.cleanup()


@pytest.fixture
async def http(site: Site) -> AsyncIterator[GuardedHttp]:
    allowed = AllowList([Destination.parse(f"127.0.0.1:{site.port}")], LOOPBACK)
    async with GuardedHttp(allowed, timeout=PATIENCE) as made:
        yield made


async def fetch(http: GuardedHttp, url: str, size_max: int = 100, body: bytes | None = None) -> bytes:
    return await http.fetch(url, expect=TYPE, size_max=size_max, body=body, sends="application/ocsp-request")


async def test_it_gets_and_posts(site: Site, http: GuardedHttp) -> None:
    assert await fetch(http, site.url) == b"yes"
    assert await fetch(http, site.url, body=b"?") == b"yes"
    assert site.heard == [("GET", "application/octet-stream", b""), ("POST", "application/ocsp-request", b"?")]


async def test_an_answer_of_one_type_among_several(site: Site, http: GuardedHttp) -> None:
    assert await http.fetch(site.url, expect=("application/pkix-crl", TYPE), size_max=100) == b"yes"
    with pytest.raises(UselessAnswer, match="something else than application/pkix-crl"):
        await http.fetch(site.url, expect=("application/pkix-crl", "text/plain"), size_max=100)
    assert site.heard[0] == ("GET", "application/octet-stream", b"")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/ocsp",
        "http://127.0.0.2/",
        "http://user@127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/#x",
    ],
)
async def test_it_goes_nowhere_else(site: Site, http: GuardedHttp, url: str) -> None:
    with pytest.raises(DestinationRefused):
        await fetch(http, url.format(port=site.port))
    assert site.heard == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "2130706433"])
async def test_a_private_address_is_refused_under_any_name(site: Site, name: str) -> None:
    async with GuardedHttp(AllowList([Destination.parse(f"{name}:{site.port}")])) as http:
        with pytest.raises((DestinationRefused, FetchFailed), match=r"isn't a public|canonical"):
            await fetch(http, f"http://{name}:{site.port}/ocsp")
    assert site.heard == []


async def test_a_name_that_resolves_anew_wins_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: whatever was looked up before, what is connected to is looked at."""
    places = [["203.0.113.9"], ["127.0.0.1"]]  # the first is nobody's (RFC 5737)

    async def resolve(self: Any, *args: Any, **_: Any) -> Any:
        found = places.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, site.port)) for each in found]

    monkeypatch.setattr(asyncio.get_running_loop().__class__, "getaddrinfo", resolve)
    destination = Destination.parse(f"ocsp.example.com:{site.port}")
    allowed = AllowList([destination], [ipaddress.ip_network("203.0.113.0/24")])
    async with GuardedHttp(allowed, timeout=0.2) as http:
        with pytest.raises(FetchFailed):
            await fetch(http, f"http://ocsp.example.com:{site.port}/ocsp")
        with pytest.raises(DestinationRefused, match="isn't a public address"):
            await fetch(http, f"http://ocsp.example.com:{site.port}/ocsp")
    assert site.heard == []


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ({"status": 302, "headers": {"Location": "http://127.0.0.1/"}}, "answered 302"),
        ({"status": 500, "body": b"yes", "content_type": TYPE}, "answered 500"),
        ({"body": b"yes", "content_type": "text/html"}, "something else"),
        ({"body": b"yes", "content_type": TYPE, "headers": {"Content-Encoding": "gzip"}}, "something else"),
        ({"body": b"x" * 101, "content_type": TYPE}, "more than 100 bytes"),
    ],
)
async def test_an_answer_that_is_none(site: Site, http: GuardedHttp, response: dict[str, Any], words: str) -> None:
    site.response = response
    with pytest.raises(UselessAnswer, match=words):
        await fetch(http, site.url)
    assert len(site.heard) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_nobody_behind_what_answers(site: Site, http: GuardedHttp, status: int) -> None:
    site.response = {"status": status}
    with pytest.raises(FetchFailed, match=f"answered {status}") as caught:
        await fetch(http, site.url)
    assert type(caught.value) is FetchFailed, "it is away, whatever is asked"


async def test_what_speaks_something_else_is_not_quoted(http: GuardedHttp) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        http.allowed.replace([Destination.parse(f"127.0.0.1:{port}")])
        with pytest.raises(FetchFailed, match=r"^it doesn't answer in HTTP$"):
            await fetch(http, f"http://127.0.0.1:{port}/?secret")


async def test_the_greatest_answer(site: Site, http: GuardedHttp) -> None:
    site.response = {"body": b"x" * 100, "content_type": TYPE}
    assert len(await fetch(http, site.url)) == 100


async def test_nobody_there(http: GuardedHttp) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        http.allowed.replace([Destination.parse(f"127.0.0.1:{port}")])
        with pytest.raises(FetchFailed, match=r"^can't connect to 127\.0\.0\.1:\d+: (?!.*object at)"):
            await fetch(http, f"http://127.0.0.1:{port}/")


async def test_who_answers_late(site: Site) -> None:
    site.gate = asyncio.Event()
    async with GuardedHttp(AllowList([Destination.parse(f"127.0.0.1:{site.port}")], LOOPBACK), timeout=0.1) as http:
        with pytest.raises(FetchFailed, match=r"within 0\.1 s"):
            await fetch(http, site.url)


async def test_one_responder_is_asked_few_things_at_once(site: Site, http: GuardedHttp) -> None:
    site.gate = asyncio.Event()
    fetches = [asyncio.ensure_future(fetch(http, site.url)) for _ in range(3 * CONNECTIONS_PER_PLACE_MAX)]
    for _ in range(CONNECTIONS_PER_PLACE_MAX):
        await site.arrived.acquire()
    site.gate.set()
    assert await asyncio.gather(*fetches) == [b"yes"] * len(fetches)
    assert site.most <= CONNECTIONS_PER_PLACE_MAX <= CONNECTIONS_MAX


async def test_more_than_can_wait_are_refused_at_once(site: Site, http: GuardedHttp) -> None:
    site.gate = asyncio.Event()
    fetches = [asyncio.ensure_future(fetch(http, site.url)) for _ in range(FETCHES_MAX)]
    await site.arrived.acquire()
    with pytest.raises(TooManyFetches, match="under way already"):
        await fetch(http, site.url)
    site.gate.set()
    await asyncio.gather(*fetches)
    assert await fetch(http, site.url) == b"yes", "there is room again"


@pytest.mark.parametrize(
    ("number", "words"), [(None, "the connection broke off"), (errno.ECONNRESET, "Connection reset by peer")]
)
def test_a_reason_has_no_url_in_it(number: int | None, words: str) -> None:
    assert reason_of(aiohttp.ClientOSError(number, "Can not write request body for http://h/?sig=secret")) == words
