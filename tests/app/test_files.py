"""The file endpoint as it is composed: on a real store, in its own thread, with a listener's certificates."""

import asyncio
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.app.file_urls import FileUrls
from gateway.app.files import FilesEndpoint, shown_by
from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.session.tally import Tally
from gateway.store.database import Database
from gateway.store.file_links import FileLinks
from gateway.store.firmware_files import FirmwareFiles
from tests.edge.file_street import CONTENT, PATIENCE, Heard, Kept, call
from tests.linked_files import IMAGE, keep
from tests.system.certificates import Authority

VERIFIED = replace(IMAGE, sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT))
TLS = {"certificates": [{"chain": "gateway.pem", "key": "file:gateway.key"}]}
LISTENERS: list[dict[str, Any]] = [
    {"bind": "127.0.0.1:0", "security_profiles": [1], "trusted_networks": ["127.0.0.0/8"]},
    {"bind": "127.0.0.1:0", "security_profiles": [2], "tls": TLS},
]
FILES = {"bind": "127.0.0.1:0", "public_url": "https://localhost:8444"}
PLAIN = {"bind": "127.0.0.1:0", "public_url": "http://localhost", "plain": True, "trusted_networks": ["127.0.0.0/8"]}


@dataclass
class Deployment:
    """The certificates that are shown, the image, and the logs that came; fulfils Images and Uploads."""

    folder: Path
    uploads: list[Kept] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder, "csms")
        self.shows("localhost")
        (self.folder / "image").write_bytes(CONTENT)

    def shows(self, name: str) -> None:
        for file, place in zip(self.authority.leaf(name, names=[name]), ("gateway.pem", "gateway.key"), strict=True):
            (self.folder / place).write_bytes(file.read_bytes())
        (self.folder / "gateway.key").chmod(0o600)

    async def path(self, sha256: str) -> Path | None:
        return self.folder / "image" if sha256 == VERIFIED.sha256 else None

    async def begin(self, log_id: int, identity: str, name: str | None, length: int | None) -> Kept:
        self.uploads.append(Kept(log_id, identity, name, length))
        return self.uploads[-1]

    def trusting(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.authority.root)
        return context


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


@dataclass
class Opened:
    """An endpoint that listens."""

    endpoint: FilesEndpoint
    urls: FileUrls
    links: FileLinks
    tally: Tally
    lines: list[str]

    @property
    def port(self) -> int:
        return int(self.lines[0].split()[1].rpartition(":")[2])


@asynccontextmanager
async def opened(
    deployment: Deployment, configured: Callable[..., Config], files: dict[str, Any] = FILES, **behind: Any
) -> AsyncIterator[Opened]:
    """``behind``: the images and uploads, in the place of the deployment's."""
    config = configured(listeners=LISTENERS, files=files)
    assert config.files is not None
    database = await Database.open(f"sqlite+aiosqlite:///{deployment.folder}/voltgate.db", exclusive=False)
    try:
        await keep(database, VERIFIED)
        links, tally = FileLinks(database, config.files.link_lifetime), Tally()
        parts = {"images": deployment, "uploads": deployment} | behind
        endpoint = FilesEndpoint(config, config.files, links, parts["images"], parts["uploads"], tally)
        lines = list(await endpoint.start())
        try:
            yield Opened(endpoint, FileUrls(links, config.files.public_url), links, tally, lines)
        finally:
            await endpoint.close()
    finally:
        await database.close()


async def ask(opened: Opened, url: str, tls: ssl.SSLContext | None, method: str = "GET", body: bytes = b"") -> Heard:
    path = "/" + url.split("/", 3)[3]
    async with await call(opened.port, tls, "localhost") as station:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        station.say(head.encode() + body)
        return await station.hear()


@pytest.mark.parametrize("files", [FILES, PLAIN])
async def test_an_ordered_image_is_loaded_and_a_log_comes(
    deployment: Deployment, configured: Callable[..., Config], files: dict[str, Any]
) -> None:
    tls = None if "plain" in files else deployment.trusting()
    async with opened(deployment, configured, files) as found:
        scheme = "https" if tls else "http"
        assert found.lines == [f"listening {scheme}://127.0.0.1:{found.port} files"]
        heard = await ask(found, await found.urls.download("CS1", VERIFIED, 1), tls)
        assert (heard.status, heard.body) == (200, CONTENT)
        heard = await ask(found, f"{await found.urls.upload('CS1', 2)}log.zip", tls, "PUT", CONTENT)
        assert heard.status == 201
    (kept,) = deployment.uploads
    assert (kept.log_id, kept.identity, kept.name, kept.content, kept.is_finished) == (
        2,
        "CS1",
        "log.zip",
        CONTENT,
        True,
    )
    assert found.tally.files == {("download", "done"): 1, ("upload", "done"): 1}
    assert found.tally.file_octets == {"download": len(CONTENT), "upload": len(CONTENT)}
    assert found.endpoint.connections == 0


async def test_an_image_of_the_folder_is_served(deployment: Deployment, configured: Callable[..., Config]) -> None:
    folder = FirmwareFiles(deployment.folder / "firmware", max_size=len(CONTENT))
    async with folder.incoming("image") as incoming:
        await incoming.write(CONTENT)
        await incoming.commit()
    async with opened(deployment, configured, images=folder) as found:
        heard = await ask(found, await found.urls.publish(VERIFIED), deployment.trusting())
        assert (heard.status, heard.body) == (200, CONTENT)
        await folder.remove(VERIFIED.sha256 or "")
        assert (await ask(found, await found.urls.publish(VERIFIED), deployment.trusting())).status == 404
    folder.close()


async def test_without_firmware_or_logs_there_is_nothing(
    deployment: Deployment, configured: Callable[..., Config]
) -> None:
    async with opened(deployment, configured, images=None, uploads=None) as found:
        assert (await ask(found, await found.urls.publish(VERIFIED), deployment.trusting())).status == 404
        assert (await ask(found, await found.urls.upload("CS1", 1), deployment.trusting(), "PUT")).status == 404


async def test_a_link_that_was_closed_is_unknown(deployment: Deployment, configured: Callable[..., Config]) -> None:
    async with opened(deployment, configured) as found:
        url = await found.urls.download("CS1", VERIFIED, 1)
        await found.urls.close_update(1)
        assert (await ask(found, url, deployment.trusting())).status == 404


async def test_a_certificate_is_shown_by_the_name_that_is_asked_for(
    deployment: Deployment, configured: Callable[..., Config]
) -> None:
    other = deployment.authority.leaf("files.example.com", names=["files.example.com"])
    pair = {"chain": str(other[0]), "key": f"file:{other[1]}"}
    listeners = [{**LISTENERS[1], "tls": {"certificates": [*TLS["certificates"], pair]}}]
    config_keys = {"listeners": listeners}

    def make(**keys: Any) -> Config:
        return configured(**(keys | config_keys))

    async with opened(deployment, make) as found:
        for name in ("localhost", "files.example.com"):
            async with await call(found.port, deployment.trusting(), name):
                pass


async def test_certificates_that_are_replaced_are_taken_over(
    deployment: Deployment, configured: Callable[..., Config]
) -> None:
    async with opened(deployment, configured) as found:
        deployment.shows("files.example.com")
        with capture_logs() as logs:
            await found.endpoint.reload()
            await found.endpoint.reload()
        assert [entry["event"] for entry in logs] == ["certificates_reloaded"]
        async with await call(found.port, deployment.trusting(), "files.example.com"):
            pass
        (deployment.folder / "gateway.pem").write_text("nonsense")
        with capture_logs() as logs:
            await found.endpoint.reload()
            await found.endpoint.reload()
        assert [entry["event"] for entry in logs] == ["certificates_not_reloaded"]
        async with await call(found.port, deployment.trusting(), "files.example.com"):
            pass


async def test_links_that_are_over_are_swept(deployment: Deployment, configured: Callable[..., Config]) -> None:
    async with opened(deployment, configured) as found:
        swept = asyncio.Event()
        sweep = found.links.sweep

        async def note() -> int:
            swept.set()
            return await sweep()

        found.links.sweep = note  # type: ignore[method-assign]  # to hear of it
        running = asyncio.create_task(found.endpoint.run())
        async with asyncio.timeout(PATIENCE):
            await swept.wait()
        running.cancel()


async def test_a_taken_port_is_said(deployment: Deployment, configured: Callable[..., Config]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StartFailed, match=f"files.bind: cannot listen on {bind}: Address already in use"):
            async with opened(deployment, configured, FILES | {"bind": bind}):
                pytest.fail("it listens")


async def test_a_certificate_that_cannot_be_used_is_said(
    deployment: Deployment, configured: Callable[..., Config]
) -> None:
    (deployment.folder / "gateway.pem").write_text("nonsense")
    with pytest.raises(StartFailed, match=r"files: listeners\[1\]\.tls: certificate .*gateway\.pem"):
        async with opened(deployment, configured):
            pytest.fail("it listens")


def test_whose_certificates_are_shown(configured: Callable[..., Config]) -> None:
    config = configured(listeners=LISTENERS, files=FILES)
    assert config.files is not None
    assert shown_by(config, config.files)[0] == 1
    assert shown_by(config, config.files.model_copy(update={"listener": 1}))[0] == 1
    for wrong in (0, 2):
        with pytest.raises(StartFailed, match=r"files\.listener: there is no such listener with TLS"):
            shown_by(config, config.files.model_copy(update={"listener": wrong}))
