"""Guarded downloads, as a dialogue with a server of any kind: what is asked for, taken up again and refused."""

import asyncio
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.destinations import AllowList, Destination
from pki.downloading import ATTEMPTS_MAX, DOWNLOADS_MAX, REDIRECTS_MAX, WAITING_MAX, GuardedDownloads
from pki.firmware import FirmwareRefused, Refusal

PATIENCE = 30.0
"""Seconds after which a test has failed."""
LOOPBACK = [ipaddress.ip_network("127.0.0.1/32")]
IMAGE = bytes(range(256)) * 4
TAG = '"v1"'


class Site:
    """A server that says its answers one after the other, the last one again and again; one to a connection."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.heard: list[dict[str, str]] = []
        self.port = 0
        self.stalls = False
        self.arrived = asyncio.Semaphore(0)
        self.gate: asyncio.Event | None = None
        self._over = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/fw.bin"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        self.heard.append({"path": lines[0].split(" ")[1], **headers})
        self.arrived.release()
        if self.gate is not None:
            await self.gate.wait()
        writer.write(self.answers[0] if len(self.answers) == 1 else self.answers.pop(0))
        await writer.drain()
        if self.stalls:
            await self._over.wait()
        writer.close()

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Site"]:
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        self._over.set()
        if self.gate is not None:
            self.gate.set()
        server.close()
        await server.wait_closed()


class Sink:
    """Keeps what comes, up to ``max_size``."""

    def __init__(self, octets: bytes = b"", validator: str | None = None, max_size: int = 10_000) -> None:
        self.octets = octets
        self.validator = validator
        self.max_size = max_size
        self.done: list[tuple[str, Any]] = []

    @property
    def offset(self) -> int:
        return len(self.octets)

    async def restart(self, validator: str | None) -> None:
        self.done.append(("restart", validator))
        self.octets, self.validator = b"", validator

    async def expect(self, size: int) -> None:
        self.done.append(("expect", size))
        self._check(size)

    async def write(self, chunk: bytes) -> None:
        self.octets += chunk
        self._check(len(self.octets))

    def _check(self, size: int) -> None:
        if size > self.max_size:
            raise FirmwareRefused(Refusal.TOO_LARGE, "too large")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site().running() as running:
        yield running


@pytest.fixture
async def downloads(site: Site) -> AsyncIterator[GuardedDownloads]:
    async with to(f"127.0.0.1:{site.port}") as made:
        yield made


def to(*places: str, stall: float = PATIENCE, total: float = PATIENCE, roots: Path | None = None) -> GuardedDownloads:
    allowed = AllowList(map(Destination.parse, places), LOOPBACK)
    return GuardedDownloads(allowed, listed_in="firmware.sources", roots=roots, stall=stall, total=total, pause=0)


def answer(body: bytes, status: str = "200 OK", *, length: int = -1, **headers: str) -> bytes:
    headers["Content-Length"] = str(len(body) if length < 0 else length)
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def rest(start: int, body: bytes = IMAGE, total: int | str = len(IMAGE), **headers: str) -> bytes:
    headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{total}"
    return answer(body[start:], "206 Partial Content", length=-1, **headers)


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer(b"", status, Location=location)


async def refused(downloads: GuardedDownloads, url: str, sink: Sink | None = None) -> FirmwareRefused:
    with pytest.raises(FirmwareRefused) as caught:
        await downloads.download(url, Sink() if sink is None else sink)
    return caught.value


async def test_all_of_it(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [answer(IMAGE, ETag=TAG)]
    sink, seen = Sink(), list[tuple[int, int | None]]()
    await downloads.download(site.url, sink, progress=lambda here, total: seen.append((here, total)))
    assert sink.octets == IMAGE
    assert sink.done == [("restart", TAG), ("expect", 1024)]
    assert seen[-1] == (1024, 1024)
    assert site.heard[0]["accept-encoding"] == "identity"
    assert "range" not in site.heard[0]


async def test_what_has_no_length_ends_where_it_ends(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
    sink, seen = Sink(), list[tuple[int, int | None]]()
    await downloads.download(site.url, sink, progress=lambda here, total: seen.append((here, total)))
    assert sink.octets == b"abc"
    assert seen == [(3, None)]


async def test_what_is_here_is_not_asked_for_again(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [rest(100, ETag=TAG)]
    sink = Sink(IMAGE[:100], TAG)
    await downloads.download(site.url, sink)
    assert sink.octets == IMAGE
    assert (site.heard[0]["range"], site.heard[0]["if-range"]) == ("bytes=100-", TAG)


async def test_another_version_comes_whole(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [answer(IMAGE, ETag='"v2"')]
    sink = Sink(b"older", TAG)
    await downloads.download(site.url, sink)
    assert (sink.octets, sink.validator) == (IMAGE, '"v2"')


@pytest.mark.parametrize(
    "first",
    [
        rest(99),
        rest(101),
        rest(100, ETag='"v2"'),
        answer(IMAGE[100:], "206 Partial Content"),
        answer(IMAGE[100:], "206 Partial Content", Content_Range="bytes 100-1023"),
        answer(b"", "416 Range Not Satisfiable", Content_Range="bytes */9"),
    ],
)
async def test_a_part_that_does_not_fit_is_not_put_to_it(site: Site, downloads: GuardedDownloads, first: bytes) -> None:
    site.answers = [first, answer(IMAGE, ETag=TAG)]
    sink = Sink(IMAGE[:100], TAG)
    await downloads.download(site.url, sink)
    assert sink.octets == IMAGE
    assert "range" not in site.heard[1]


async def test_what_has_no_version_begins_anew(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [answer(IMAGE)]
    sink = Sink(b"of whatever")
    await downloads.download(site.url, sink)
    assert sink.octets == IMAGE
    assert "range" not in site.heard[0]


async def test_a_weak_version_is_none(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [answer(IMAGE, ETag='W/"v1"')]
    sink = Sink()
    await downloads.download(site.url, sink)
    assert sink.validator is None


async def test_what_breaks_off_is_gone_on_with(site: Site, downloads: GuardedDownloads) -> None:
    half = answer(IMAGE[:500], length=1024, ETag=TAG)
    more = rest(500)[:-100]
    site.answers = [half, more, rest(924)]
    sink = Sink()
    await downloads.download(site.url, sink)
    assert sink.octets == IMAGE
    assert [heard.get("range") for heard in site.heard] == [None, "bytes=500-", "bytes=924-"]


async def test_a_server_that_lies_about_its_length(site: Site, downloads: GuardedDownloads) -> None:
    """It ends at the same place each time: the second attempt is the last."""
    site.answers = [answer(IMAGE, length=5000)]
    sink = Sink()
    error = await refused(downloads, site.url, sink)
    assert error.refusal is Refusal.FETCH_FAILED
    assert len(site.heard) == 2


async def test_a_part_of_more_than_there_is(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [rest(100, total=1000)]
    sink = Sink(IMAGE[:100], TAG)
    error = await refused(downloads, site.url, sink)
    assert (error.refusal, str(error)) == (
        Refusal.FETCH_FAILED,
        "it sends more than the 1000 bytes that it has announced",
    )
    assert sink.octets == b""


async def test_parts_that_never_end(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [
        answer(IMAGE[:1], length=1024, ETag=TAG),
        *(answer(b"x", "206 Partial Content", Content_Range=f"bytes {n}-{n}/1024") for n in range(1, 100)),
    ]
    error = await refused(downloads, site.url)
    assert str(error) == f"it ended after {ATTEMPTS_MAX} of 1024 bytes"
    assert len(site.heard) == ATTEMPTS_MAX


async def test_another_version_each_time(site: Site, downloads: GuardedDownloads) -> None:
    whole = answer(IMAGE[:9], length=1024, ETag=TAG)
    site.answers = [whole, rest(8), whole, rest(8), whole, rest(8), whole, rest(8), whole, rest(8), whole]
    error = await refused(downloads, site.url, Sink())
    assert error.refusal is Refusal.FETCH_FAILED
    assert len(site.heard) == ATTEMPTS_MAX


VERSIONS = {'"v1"': IMAGE, '"v2"': IMAGE[::-1] + b"!"}


class Moody(Site):
    """A server of many moods: each answer is of one version, breaks off somewhere, and may not know of ranges."""

    def __init__(self, moods: list[tuple[str, int, bool]]) -> None:
        super().__init__()
        self.moods = moods

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        tag, until, knows_ranges = self.moods.pop(0) if self.moods else (TAG, 10_000, True)
        asked = re.search(rf"Range: bytes=(\d+)-\r\nIf-Range: {tag}\r\n", head)
        image = VERSIONS[tag]
        whole = answer(image, ETag=tag) if asked is None or not knows_ranges else rest(int(asked[1]), image, ETag=tag)
        if asked is not None and int(asked[1]) >= len(image):
            whole = answer(b"", "416 Range Not Satisfiable")
        writer.write(whole[: whole.index(b"\r\n\r\n") + 4 + until])
        await writer.drain()
        writer.close()


@settings(max_examples=20, deadline=None)
@given(
    moods=st.lists(st.tuples(st.sampled_from(sorted(VERSIONS)), st.integers(0, 1100), st.booleans()), max_size=12),
    here=st.tuples(st.sampled_from(sorted(VERSIONS)), st.integers(0, 1025)),
)
def test_whatever_happens_it_is_one_version_or_none(moods: list[tuple[str, int, bool]], here: tuple[str, int]) -> None:
    async def download() -> None:
        octets = VERSIONS[here[0]][: here[1]]
        sink = Sink(octets, here[0] if octets else None)
        refusal = None
        async with Moody(moods).running() as site, to(f"127.0.0.1:{site.port}") as downloads:
            try:
                await downloads.download(site.url, sink)
            except FirmwareRefused as refused:
                refusal = refused.refusal
        assert refusal in {None, Refusal.FETCH_FAILED}
        if sink.octets:
            whole = VERSIONS[sink.validator or ""]
            assert whole.startswith(sink.octets), "what is here can be gone on with"
        if refusal is None:
            assert sink.octets == VERSIONS[sink.validator or ""]

    asyncio.run(download())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(b"gone", "404 Not Found"), "it answered 404"),
        (answer(b"", "503 Service Unavailable"), "it answered 503"),
        (answer(b"", "304 Not Modified"), "it answered 304"),
        (rest(0), "it answered 206"),
        (answer(IMAGE, Content_Encoding="gzip"), "encoded body"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "^it doesn't answer in HTTP$"),
        (b"", "disconnected"),
    ],
)
async def test_an_answer_that_is_none(site: Site, downloads: GuardedDownloads, said: bytes, words: str) -> None:
    site.answers = [said]
    error = await refused(downloads, f"{site.url}?secret")
    assert error.refusal is Refusal.FETCH_FAILED
    assert re.search(words, str(error))
    assert "secret" not in str(error)
    assert len(site.heard) <= 2, "aiohttp asks once more where nothing at all was answered"


@pytest.mark.parametrize("said", [answer(b"", length=10_001), answer(b"x" * 10_001), answer(b"", length=10**14)])
async def test_too_much_is_refused_when_it_is_announced(site: Site, downloads: GuardedDownloads, said: bytes) -> None:
    site.answers = [said]
    sink = Sink()
    assert (await refused(downloads, site.url, sink)).refusal is Refusal.TOO_LARGE
    assert sink.octets == b""


async def test_too_much_is_refused_when_it_comes(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_001]
    assert (await refused(downloads, site.url)).refusal is Refusal.TOO_LARGE


async def test_a_server_that_stalls(site: Site) -> None:
    site.answers, site.stalls = [answer(IMAGE[:10], length=1024, ETag=TAG)], True
    sink = Sink()
    async with to(f"127.0.0.1:{site.port}", stall=0.1) as downloads:
        error = await refused(downloads, site.url, sink)
    assert (error.refusal, str(error)) == (Refusal.FETCH_FAILED, "nothing came for 0.1 s")
    assert IMAGE.startswith(sink.octets), "what has come is kept"


async def test_all_of_it_has_its_time(site: Site) -> None:
    site.answers, site.stalls = [answer(IMAGE[:10], length=1024)], True
    async with to(f"127.0.0.1:{site.port}", total=0.1) as downloads:
        error = await refused(downloads, site.url)
    assert (error.refusal, str(error)) == (Refusal.FETCH_FAILED, "it wasn't here within 0.1 s")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/fw.bin?sig=secret",
        "http://user:secret@127.0.0.2/fw.bin",
        "ftp://user:secret@127.0.0.1:{port}/fw.bin",
        "http://127.0.0.1:{port}/#secret",
        "http://[secret@x/",
        "secret",
    ],
)
async def test_it_goes_nowhere_else(site: Site, downloads: GuardedDownloads, url: str) -> None:
    url = url.format(port=site.port)
    error = await refused(downloads, url)
    with pytest.raises(FirmwareRefused):
        downloads.check(url)
    assert error.refusal is Refusal.SOURCE_NOT_ALLOWED
    assert "firmware.sources" in str(error)
    assert "secret" not in str(error)
    assert site.heard == []


async def test_what_may_be_fetched(site: Site, downloads: GuardedDownloads) -> None:
    downloads.check(site.url)
    downloads.check(site.url.replace("//", "//user:secret@"))


async def test_a_private_address_under_a_name(site: Site) -> None:
    allowed = AllowList([Destination.parse(f"localhost:{site.port}")])
    async with GuardedDownloads(allowed, listed_in="firmware.trusted_networks") as downloads:
        error = await refused(downloads, f"http://localhost:{site.port}/fw.bin")
    assert error.refusal is Refusal.SOURCE_NOT_ALLOWED
    assert "isn't a public address" in str(error)
    assert site.heard == []


async def test_redirects_are_followed_where_they_may_go(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [
        redirect("/a", "301 Moved Permanently"),
        redirect("b?x=1", "307 Temporary Redirect"),
        redirect(f"http://127.0.0.1:{site.port}/c", "308 Permanent Redirect"),
        rest(100),
    ]
    sink = Sink(IMAGE[:100], TAG)
    await downloads.download(site.url, sink)
    assert sink.octets == IMAGE
    assert [heard["path"] for heard in site.heard] == ["/fw.bin", "/a", "/b?x=1", "/c"]
    assert {heard["range"] for heard in site.heard} == {"bytes=100-"}


async def test_redirects_are_counted(site: Site, downloads: GuardedDownloads) -> None:
    site.answers = [redirect("/again")]
    error = await refused(downloads, site.url)
    assert (error.refusal, str(error)) == (Refusal.FETCH_FAILED, "it redirects more than 3 times")
    assert len(site.heard) == REDIRECTS_MAX + 1


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data?secret",
        "http://127.0.0.2:{port}/?secret",
        "http://user:secret@127.0.0.1:{port}/",
        "file:///etc/secret",
        "//10.0.0.1/secret",
        "gopher://127.0.0.1:{port}/secret",
    ],
)
async def test_redirects_into_the_private_network(site: Site, location: str) -> None:
    """One that isn't on the list, and one that is but leads to an address that isn't."""
    site.answers = [redirect(location.format(port=site.port))]
    async with to(f"127.0.0.1:{site.port}", f"127.0.0.2:{site.port}") as downloads:
        error = await refused(downloads, site.url)
    assert error.refusal is Refusal.SOURCE_NOT_ALLOWED
    assert "secret" not in str(error)
    assert len(site.heard) == 1


@pytest.mark.parametrize("location", ["", "http://[x", "http://127.0.0.1:{port}/\x01"])
async def test_redirects_to_nowhere(site: Site, downloads: GuardedDownloads, location: str) -> None:
    site.answers = [redirect(location.format(port=site.port))]
    assert (await refused(downloads, site.url)).refusal in {Refusal.FETCH_FAILED, Refusal.SOURCE_NOT_ALLOWED}


async def test_user_and_password_stay_with_the_server_they_are_for(site: Site) -> None:
    async with Site().running() as other, to(f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}") as downloads:
        site.answers, other.answers = [redirect(other.url)], [answer(IMAGE)]
        await downloads.download(site.url.replace("//", "//us%40er:se%3Acret@"), Sink())
    assert site.heard[0]["authorization"] == "Basic dXNAZXI6c2U6Y3JldA=="
    assert "authorization" not in other.heard[0]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def secure(authority: trustme.CA) -> AsyncIterator[Site]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with Site().running(context) as running:
        yield running


async def test_a_server_is_who_the_roots_say(secure: Site, authority: trustme.CA, tmp_path: Path) -> None:
    secure.answers = [answer(IMAGE)]
    url = secure.url.replace("http:", "https:")
    authority.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    async with to(f"127.0.0.1:{secure.port}", roots=tmp_path / "roots.pem") as downloads:
        sink = Sink()
        await downloads.download(url, sink)
    async with to(f"127.0.0.1:{secure.port}") as downloads:
        error = await refused(downloads, url)
    assert sink.octets == IMAGE
    assert error.refusal is Refusal.FETCH_FAILED
    assert "certificate" in str(error)


async def test_no_redirect_from_https_to_http(secure: Site, site: Site, authority: trustme.CA, tmp_path: Path) -> None:
    secure.answers = [redirect(site.url)]
    authority.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    async with to(f"127.0.0.1:{secure.port}", f"127.0.0.1:{site.port}", roots=tmp_path / "roots.pem") as downloads:
        error = await refused(downloads, secure.url.replace("http:", "https:"))
    assert (error.refusal, str(error)) == (
        Refusal.SOURCE_NOT_ALLOWED,
        "it redirects from https to http (firmware.sources)",
    )
    assert site.heard == []


async def test_few_at_once_and_not_endlessly_many(site: Site, downloads: GuardedDownloads) -> None:
    site.answers, site.gate = [answer(IMAGE)], asyncio.Event()
    under_way = [asyncio.ensure_future(downloads.download(site.url, Sink())) for _ in range(WAITING_MAX)]
    for _ in range(DOWNLOADS_MAX):
        await site.arrived.acquire()
    error = await refused(downloads, site.url)
    assert (error.refusal, str(error)) == (
        Refusal.FETCH_FAILED,
        f"{WAITING_MAX} downloads are under way already; try again later",
    )
    assert len(site.heard) == DOWNLOADS_MAX
    for download in under_way:
        download.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    site.gate.set()
    await downloads.download(site.url, Sink())
