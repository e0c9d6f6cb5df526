"""A file sent by HTTP to a real server: what it gets, and what its answers mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from pki.destinations import DestinationRefused
from pki.uploading import UploadFailed
from pki.uploading.http import HttpUploads
from pki.uploading.places import UploadPlace
from tests.pki.uploading.conftest import OCTETS, allowed


class Site:
    """A server that keeps what comes, and answers as it is told."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)
        self.heard: list[tuple[str, str, str | None, bytes]] = []
        self.port = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.heard.append((request.method, request.raw_path, request.headers.get("Authorization"), body))
        status = self._statuses.pop(0)
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 307 else {})


@asynccontextmanager
async def serving(*statuses: int) -> AsyncIterator[Site]:
    site = Site(*statuses)
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", site.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.port = runner.addresses[0][1]
    try:
        yield site
    finally:
        await runner.cleanup()


async def send(
    site: Site, log: Path, path: str, user: str = "", *, host: str = "127.0.0.1", open_: bool = True
) -> None:
    places = allowed(f"127.0.0.1:{site.port}", f"localhost:{site.port}", networks=open_)
    place = UploadPlace.parse(f"http://{user}{host}:{site.port}{path}", places)
    async with HttpUploads(places) as uploads:
        await uploads.send(place, log, "a.zip")


async def test_a_file_is_put_with_user_and_password(log: Path) -> None:
    async with serving(201) as site:
        await send(site, log, "/in/?sig=1", "u:secret@")

    assert site.heard == [("PUT", "/in/a.zip?sig=1", "Basic dTpzZWNyZXQ=", OCTETS)]


@pytest.mark.parametrize("status", [405, 501])
async def test_where_put_is_not_known_it_is_posted(log: Path, status: int) -> None:
    async with serving(status, 204) as site:
        await send(site, log, "/in")

    assert [(method, path, body) for method, path, _, body in site.heard] == [
        ("PUT", "/in", OCTETS),
        ("POST", "/in", OCTETS),
    ]


async def test_an_empty_file_is_sent_as_well(empty: Path) -> None:
    async with serving(200) as site:
        await send(site, empty, "/in")

    assert site.heard[0][3] == b""


@pytest.mark.parametrize(
    ("statuses", "is_final"), [([403], True), ([307], True), ([405, 405], True), ([503], False), ([405, 429], False)]
)
async def test_what_a_refusal_means(log: Path, statuses: list[int], is_final: bool) -> None:
    async with serving(*statuses) as site:
        with pytest.raises(UploadFailed, match=f"it answered {statuses[-1]}") as failed:
            await send(site, log, "/in", "u:secret@")

    assert failed.value.is_final == is_final
    assert len(site.heard) == len(statuses)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_address_that_is_refused_hears_nothing(log: Path, host: str) -> None:
    async with serving(200) as site:
        with pytest.raises(DestinationRefused, match="isn't a public address"):
            await send(site, log, "/in", host=host, open_=False)

    assert site.heard == []


async def test_nobody_is_there(log: Path) -> None:
    async with serving() as site:
        pass
    with pytest.raises(UploadFailed, match=r"can't connect to 127\.0\.0\.1") as failed:
        await send(site, log, "/in")

    assert not failed.value.is_final


async def test_a_server_that_goes_away_in_the_middle_brings_no_secret_into_the_reason(tmp_path: Path) -> None:
    async def go_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1_000_000)
        writer.transport.abort()

    log = tmp_path / "long.log"
    log.write_bytes(bytes(30_000_000))
    site = Site()
    async with await asyncio.start_server(go_away, "127.0.0.1", 0) as server:
        site.port = server.sockets[0].getsockname()[1]
        with pytest.raises(UploadFailed) as failed:
            await send(site, log, "/in/?sig=secret")

    assert not failed.value.is_final
    assert "/in" not in str(failed.value)


async def test_a_file_that_is_gone_is_said_so(tmp_path: Path) -> None:
    async with serving(200) as site:
        with pytest.raises(FileNotFoundError):
            await send(site, tmp_path / "gone.log", "/in")
