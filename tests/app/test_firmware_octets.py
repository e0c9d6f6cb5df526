"""Images that come from a file, from an upload, from a server: whole, or not at all."""

import hashlib
import ipaddress
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from gateway.app.firmware_octets import CHUNK, FirmwareOctets
from gateway.store.firmware_files import FirmwareFiles
from pki.destinations import AllowList, Destination
from pki.downloading import GuardedDownloads
from pki.firmware import FirmwareRefused, ImageDigest, Refusal

IMAGE = bytes(range(256)) * 4096 + b"end"
SHA256 = hashlib.sha256(IMAGE).hexdigest()
LOOPBACK = [ipaddress.ip_network("127.0.0.1/32")]


@pytest.fixture
async def site() -> AsyncIterator[BaseTestServer]:
    async def image(_: web.Request) -> web.Response:
        return web.Response(body=IMAGE)

    app = web.Application()
    app.router.add_get("/fw.bin", image)
    async with TestServer(app) as server:
        yield server


@pytest.fixture
async def octets(tmp_path: Path, site: BaseTestServer) -> AsyncIterator[FirmwareOctets]:
    files = FirmwareFiles(tmp_path / "firmware", max_size=len(IMAGE))
    allowed = AllowList([Destination.parse(f"127.0.0.1:{site.port}")], LOOPBACK)
    async with GuardedDownloads(allowed, listed_in="firmware.sources") as downloads:
        yield FirmwareOctets(files, downloads)
    files.close()


async def pieces(*all_: bytes) -> AsyncIterator[bytes]:
    for each in all_:
        yield each


Take = Callable[[FirmwareOctets, Path, BaseTestServer, Any], Any]


async def from_file(octets: FirmwareOctets, folder: Path, _: BaseTestServer, progress: Any) -> ImageDigest:
    (folder / "image").write_bytes(IMAGE)
    return await octets.take("key", folder / "image", progress)


async def from_upload(octets: FirmwareOctets, _: Path, __: BaseTestServer, progress: Any) -> ImageDigest:
    return await octets.take("key", pieces(IMAGE[:CHUNK], IMAGE[CHUNK:]), progress)


async def from_server(octets: FirmwareOctets, _: Path, site: BaseTestServer, progress: Any) -> ImageDigest:
    return await octets.fetch("key", str(site.make_url("/fw.bin")), progress)


@pytest.mark.parametrize("take", [from_file, from_upload, from_server])
async def test_an_image_comes(octets: FirmwareOctets, tmp_path: Path, site: BaseTestServer, take: Take) -> None:
    seen: list[int] = []
    digest = await take(octets, tmp_path, site, lambda here, _: seen.append(here))
    assert (digest.size, digest.sha256.hex()) == (len(IMAGE), SHA256)
    assert seen == sorted(seen)
    assert seen[-1] == len(IMAGE)
    assert await take(octets, tmp_path, site, None) == digest
    checked = await octets.check(SHA256)
    assert checked is not None
    assert checked.sha256 == digest.sha256
    await octets.verified(SHA256)
    await octets.remove(SHA256)
    assert await octets.check(SHA256) is None


async def test_an_upload_that_breaks_off_leaves_nothing(octets: FirmwareOctets, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield IMAGE[:CHUNK]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await octets.take("key", broken())
    assert [path for path in (tmp_path / "firmware").rglob("*") if path.is_file() and path.stat().st_size] == []


@pytest.mark.parametrize("is_file", [True, False])
async def test_what_is_too_large(octets: FirmwareOctets, tmp_path: Path, is_file: bool) -> None:
    (tmp_path / "image").write_bytes(IMAGE + b"!")
    with pytest.raises(FirmwareRefused) as caught:
        await octets.take("key", tmp_path / "image" if is_file else pieces(IMAGE, b"!" * CHUNK))
    assert caught.value.refusal is Refusal.TOO_LARGE


async def test_a_file_that_is_not_there(octets: FirmwareOctets, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await octets.take("key", tmp_path / "nowhere")


async def test_a_place_that_is_not_allowed(octets: FirmwareOctets) -> None:
    with pytest.raises(FirmwareRefused, match=r"firmware.sources"):
        octets.check_location("http://10.0.0.1/fw.bin")
    with pytest.raises(FirmwareRefused) as caught:
        await octets.fetch("key", "http://10.0.0.1/fw.bin")
    assert caught.value.refusal is Refusal.SOURCE_NOT_ALLOWED
