"""The catalogue on real files, a real store and a real manufacturer's PKI: what comes in, and each corruption."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from gateway.app import firmware
from gateway.app.firmware import FirmwareParts, firmware_beside, open_firmware
from gateway.app.problems import StartFailed
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.session.firmware import FirmwareImage, ImageState, NewImage
from gateway.session.security import Kind
from gateway.store.database import Database
from gateway.store.security_events import SecurityEvents
from pki.firmware import FirmwareRefused, Refusal, Signed
from tests.app.conftest import Events
from tests.firmware_pki import FirmwarePki, Signer, manufacturer

IMAGE = b"\x7fELF" + bytes(range(256)) * 64
STATION: dict[str, Any] = {"vendor": "ACME Ltd", "model": "A"}

Configured = Callable[..., Config]


@pytest.fixture(scope="module")
def acme() -> FirmwarePki:
    return manufacturer("ACME")


@pytest.fixture(scope="module")
def foreign() -> FirmwarePki:
    return manufacturer("Foreign")


@pytest.fixture
async def site() -> AsyncIterator[BaseTestServer]:
    async def image(request: web.Request) -> web.Response:
        if request.query:
            raise web.HTTPFound("http://169.254.169.254/latest/meta-data/")
        return web.Response(body=IMAGE)

    app = web.Application()
    app.router.add_get("/fw.bin", image)
    async with TestServer(app) as server:
        yield server


@pytest.fixture
def config(
    configured: Configured, acme: FirmwarePki, foreign: FirmwarePki, tmp_path: Path, site: BaseTestServer
) -> Config:
    acme.write(tmp_path / "acme")
    foreign.write(tmp_path / "foreign")
    roots = {"intermediates": "acme/intermediates.pem", "crls": ["acme/signers.crl"]}
    return configured(
        firmware={
            "manufacturers": {
                "acme": {**roots, "roots": "acme/roots.pem", "vendors": ["ACME Ltd"]},
                "foreign": {"roots": "foreign/roots.pem", "revocation": "off"},
            },
            "sources": [f"127.0.0.1:{site.port}"],
            "trusted_networks": ["127.0.0.0/8"],
            "max_size": 2 * len(IMAGE),
        }
    )


@pytest.fixture
async def parts(config: Config, tmp_path: Path) -> AsyncIterator[FirmwareParts]:
    tasks = Tasks()
    async with AsyncExitStack() as stack:
        database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
        stack.push_async_callback(database.close)
        opened = await open_firmware(config, database, Events(), tasks, stack)
        assert opened is not None
        stack.push_async_callback(tasks.close)
        yield opened


def new(signed: Signed, **more: Any) -> NewImage:
    fields = {"signature": signed.signature, "signing_certificate": signed.signing_certificate, **more}
    return NewImage("acme", "1.0", **fields)


async def add(parts: FirmwareParts, folder: Path, signer: Signer, octets: bytes = IMAGE, **more: Any) -> FirmwareImage:
    """Add a file with these octets; what was signed is IMAGE."""
    (folder / "fw.bin").write_bytes(octets)
    return await parts.catalogue.add(new(signer.sign(IMAGE), **more), "ann", folder / "fw.bin")


@pytest.mark.parametrize("kind", ["ec", "rsa"])
async def test_an_image_of_the_manufacturer(parts: FirmwareParts, acme: FirmwarePki, tmp_path: Path, kind: str) -> None:
    signer = getattr(acme, kind)
    image = await add(parts, tmp_path, signer)
    assert (image.state, image.refusal, image.signer_fingerprint) == (ImageState.VERIFIED, None, signer.fingerprint)
    assert image.sha256 is not None
    assert (tmp_path / "firmware" / image.sha256).read_bytes() == IMAGE
    assert await parts.catalogue.prepare(image.id, **STATION) == image


async def test_an_image_that_is_fetched(parts: FirmwareParts, acme: FirmwarePki, site: BaseTestServer) -> None:
    location = str(site.make_url("/fw.bin"))
    image = await parts.catalogue.add(new(acme.ec.sign(IMAGE), location=location), "ann")
    assert (image.state, image.size) == (ImageState.VERIFIED, len(IMAGE))


@pytest.mark.parametrize(
    ("signer", "octets", "refusal"),
    [
        ("ec", IMAGE[:-1], Refusal.SIGNATURE_INVALID),
        ("ec", IMAGE + b"\0", Refusal.SIGNATURE_INVALID),
        ("ec", IMAGE[:-1] + b"\0", Refusal.SIGNATURE_INVALID),
        ("expired", IMAGE, Refusal.CERTIFICATE_EXPIRED),
        ("not_yet", IMAGE, Refusal.CERTIFICATE_NOT_YET_VALID),
        ("revoked", IMAGE, Refusal.CERTIFICATE_REVOKED),
    ],
)
async def test_what_is_refused(
    parts: FirmwareParts, acme: FirmwarePki, tmp_path: Path, signer: str, octets: bytes, refusal: Refusal
) -> None:
    image = await add(parts, tmp_path, getattr(acme, signer), octets)
    assert (image.state, image.refusal) == (ImageState.REFUSED, refusal.value)
    with pytest.raises(FirmwareRefused) as caught:
        await parts.catalogue.prepare(image.id, **STATION)
    assert caught.value.refusal is refusal


async def test_another_key_and_another_manufacturer(
    parts: FirmwareParts, acme: FirmwarePki, foreign: FirmwarePki, tmp_path: Path
) -> None:
    image = await add(parts, tmp_path, acme.ec, signing_certificate=acme.other.pem)
    assert image.refusal == Refusal.SIGNATURE_INVALID.value
    image = await add(parts, tmp_path, foreign.ec)
    assert image.refusal == Refusal.CERTIFICATE_UNTRUSTED.value


async def test_a_leaf_without_its_chain(parts: FirmwareParts, foreign: FirmwarePki, tmp_path: Path) -> None:
    (tmp_path / "fw.bin").write_bytes(IMAGE)
    image = replace(new(foreign.ec.sign(IMAGE)), manufacturer="foreign")
    alone = await parts.catalogue.add(image, "ann", tmp_path / "fw.bin")
    assert alone.refusal == Refusal.CERTIFICATE_UNTRUSTED.value
    whole = foreign.ec.pem + foreign.intermediates_pem.decode()
    again = replace(image, signing_certificate=whole)
    assert (await parts.catalogue.add(again, "ann", tmp_path / "fw.bin")).state is ImageState.VERIFIED


async def test_swapped_after_the_check(parts: FirmwareParts, acme: FirmwarePki, tmp_path: Path) -> None:
    image = await add(parts, tmp_path, acme.ec)
    assert image.sha256 is not None
    path = tmp_path / "firmware" / image.sha256
    path.chmod(0o600)
    path.write_bytes(IMAGE[:-1] + b"\0")
    with pytest.raises(FirmwareRefused) as caught:
        await parts.catalogue.prepare(image.id, **STATION)
    assert caught.value.refusal is Refusal.CHANGED


async def test_a_server_that_leads_elsewhere(parts: FirmwareParts, acme: FirmwarePki, site: BaseTestServer) -> None:
    location = str(site.make_url("/fw.bin?elsewhere=1"))
    image = await parts.catalogue.add(new(acme.ec.sign(IMAGE), location=location), "ann")
    assert (image.state, image.refusal) == (ImageState.QUARANTINED, Refusal.SOURCE_NOT_ALLOWED.value)


async def test_too_large_leaves_no_entry(parts: FirmwareParts, acme: FirmwarePki, tmp_path: Path) -> None:
    with pytest.raises(FirmwareRefused) as caught:
        await add(parts, tmp_path, acme.ec, IMAGE * 3)
    assert caught.value.refusal is Refusal.TOO_LARGE
    assert await parts.catalogue.list() == []


async def test_images_are_counted(
    parts: FirmwareParts, acme: FirmwarePki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(parts, tmp_path, acme.ec)
    counted = asyncio.Event()

    async def sweep(_: Any) -> int:
        counted.set()
        return 0

    monkeypatch.setattr(parts.files, "sweep", sweep)
    tasks = Tasks()
    parts.start(tasks)
    async with asyncio.timeout(10):
        await counted.wait()
    await tasks.close()
    assert parts.counts[ImageState.VERIFIED] == 1


async def test_without_the_section(configured: Configured, tmp_path: Path) -> None:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
    async with AsyncExitStack() as stack:
        assert await open_firmware(configured(), database, Events(), Tasks(), stack) is None
    await database.close()
    with pytest.raises(StartFailed, match="firmware: the section is missing"):
        async with firmware_beside(configured()):
            pass


async def test_a_folder_that_cannot_be_had(configured: Configured, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StartFailed, match=r"firmware.directory: .*file/images: Not a directory"):
        async with firmware_beside(configured(firmware={"directory": "file/images"})):
            pass


async def test_roots_of_the_places_that_are_not_there(configured: Configured) -> None:
    config = configured(firmware={"sources": ["fw.example.com"], "roots": "nowhere.pem"})
    with pytest.raises(StartFailed, match=r"firmware.roots: .*nowhere.pem"):
        async with firmware_beside(config):
            pass


async def test_beside_a_gateway_events_are_kept(config: Config, acme: FirmwarePki, tmp_path: Path) -> None:
    async with firmware_beside(config) as beside:
        image = await add(beside, tmp_path, acme.ec, b"something else")
        assert image.state is ImageState.REFUSED
    database = await Database.open(config.store.connect_url(), exclusive=False)
    (event,) = await SecurityEvents(database).list()
    await database.close()
    assert event.kind == Kind.INVALID_FIRMWARE_SIGNATURE


@pytest.mark.parametrize("place", ["gs://", "s3://bucket/?key=x"])
async def test_an_object_store_that_is_none(config: Config, place: str) -> None:
    assert config.firmware is not None
    elsewhere = config.firmware.model_copy(update={"object_store": place})
    with pytest.raises(StartFailed, match=r"firmware.object_store: must be s3://"):
        async with firmware_beside(config.model_copy(update={"firmware": elsewhere})):
            pass


async def test_what_was_begun_before_the_gateway_stopped_goes_on(
    parts: FirmwareParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = asyncio.Event()

    async def resume() -> None:
        resumed.set()

    monkeypatch.setattr(parts.catalogue, "resume", resume)
    tasks = Tasks()
    parts.start(tasks)
    async with asyncio.timeout(10):
        await resumed.wait()
    await tasks.close()


async def test_a_store_that_is_away(configured: Configured, tmp_path: Path) -> None:
    config = configured(firmware={}, store={"url": f"sqlite+aiosqlite:///{tmp_path}/nowhere/voltgate.db"})
    with pytest.raises(StartFailed, match=r"store.url"):
        async with firmware_beside(config):
            pass


def test_what_commands_use_is_here() -> None:
    assert all(hasattr(firmware, name) for name in firmware.__all__)
