"""Images by their SHA-256, here or from where all gateways have them: nothing that hashes to something else."""

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.store import firmware_files
from gateway.store.firmware_files import FirmwareFiles, SharingFailed
from gateway.store.firmware_parts import Part, Space
from pki.firmware import FirmwareRefused, ImageDigest, Refusal
from pki.firmware.digest import digest_file

PATIENCE = 30.0
"""Seconds after which a thread waits no more: a test that has failed must end."""
IMAGE = b"an image"
SHA256 = hashlib.sha256(IMAGE).hexdigest()


class Shared:
    """A place that all gateways share; it may hold something else than it should."""

    def __init__(self) -> None:
        self.images: dict[str, bytes] = {}
        self.downloads = 0

    def download(self, sha256: str, part: Part) -> bool:
        self.downloads += 1
        if sha256 in self.images:
            part.append(self.images[sha256])
        return sha256 in self.images

    def upload(self, sha256: str, path: Path) -> None:
        self.images[sha256] = path.read_bytes()

    def remove(self, sha256: str) -> None:
        self.images.pop(sha256, None)


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FirmwareFiles]:
    made = FirmwareFiles(tmp_path, max_size=100, reserve=0)
    yield made
    made.close()


@pytest.fixture
def sharing(tmp_path: Path, shared: Shared) -> Iterator[FirmwareFiles]:
    made = FirmwareFiles(tmp_path, max_size=100, shared=shared, reserve=0)
    yield made
    made.close()


async def add(files: FirmwareFiles, octets: bytes = IMAGE) -> ImageDigest:
    async with files.incoming("key") as incoming:
        await incoming.restart(None)
        await incoming.write(octets)
        return await incoming.commit()


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_it_is_read_again_whenever_it_is_asked_for(files: FirmwareFiles) -> None:
    digest = await add(files)
    assert await files.check(SHA256) == replace(digest, md5=b"")
    path = await files.path(SHA256)
    assert path is not None
    assert path.read_bytes() == IMAGE


@pytest.mark.parametrize("octets", [b"AN image", b"an", b"an image and more", b""])
async def test_what_was_changed_is_no_image_any_more(files: FirmwareFiles, octets: bytes, tmp_path: Path) -> None:
    await add(files)
    assert await files.check(SHA256)
    (tmp_path / SHA256).chmod(0o600)
    (tmp_path / SHA256).write_bytes(octets)
    for _ in range(2):
        with pytest.raises(
            FirmwareRefused, match=f"the file {SHA256} in firmware.directory has other octets"
        ) as caught:
            await files.check(SHA256)
        assert caught.value.refusal is Refusal.CHANGED


async def test_what_is_nowhere(files: FirmwareFiles, sharing: FirmwareFiles) -> None:
    for asked in (files, sharing):
        assert await asked.check(SHA256) is None
        assert await asked.path(SHA256) is None


async def test_what_cannot_be_read(files: FirmwareFiles, tmp_path: Path) -> None:
    (tmp_path / SHA256).mkdir()
    assert await files.path(SHA256) is None
    with pytest.raises(FirmwareRefused, match="can't be read: Is a directory") as caught:
        await files.check(SHA256)
    assert caught.value.refusal is Refusal.CHANGED


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", SHA256.upper(), SHA256[1:], SHA256 + "\n", "g" * 64])
async def test_what_is_no_sha256(files: FirmwareFiles, name: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        await files.path(name)
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        await files.check(name)


async def test_what_is_removed_is_gone_everywhere(sharing: FirmwareFiles, shared: Shared) -> None:
    await add(sharing)
    await sharing.keep(SHA256)
    assert await sharing.path(SHA256)
    await sharing.remove(SHA256)
    await sharing.remove(SHA256)
    assert shared.images == {}
    assert await sharing.path(SHA256) is None


async def test_a_shared_place_that_is_away(tmp_path: Path) -> None:
    """The image is as good as it was, and gone when it is removed."""

    class Away(Shared):
        def upload(self, sha256: str, path: Path) -> None:
            raise SharingFailed("gone")

        def remove(self, sha256: str) -> None:
            raise SharingFailed("gone, too")

    away = FirmwareFiles(tmp_path, max_size=100, shared=Away(), reserve=0)
    await add(away)
    with capture_logs() as logs:
        await away.keep(SHA256)
        assert await away.check(SHA256)
        await away.remove(SHA256)
    away.close()
    assert [(line["event"], line["sha256"], line["reason"]) for line in logs] == [
        ("image_not_shared", SHA256, "gone"),
        ("image_not_shared", SHA256, "gone, too"),
    ]
    assert left(tmp_path) == []


async def test_without_a_shared_place_it_is_kept_here_alone(files: FirmwareFiles) -> None:
    await add(files)
    await files.keep(SHA256)
    assert await files.check(SHA256)


async def test_what_another_gateway_has_verified(sharing: FirmwareFiles, shared: Shared) -> None:
    shared.images[SHA256] = IMAGE
    path = await sharing.path(SHA256)
    assert path is not None
    assert path.read_bytes() == IMAGE
    assert await sharing.check(SHA256)
    assert shared.downloads == 1


async def test_what_was_changed_in_the_shared_place(sharing: FirmwareFiles, shared: Shared, tmp_path: Path) -> None:
    shared.images[SHA256] = b"another image"
    with pytest.raises(FirmwareRefused) as caught:
        await sharing.check(SHA256)
    assert caught.value.refusal is Refusal.CHANGED
    assert await sharing.path(SHA256) is None
    assert left(tmp_path) == []


async def test_what_is_too_large_in_the_shared_place(sharing: FirmwareFiles, shared: Shared, tmp_path: Path) -> None:
    shared.images[SHA256] = b"x" * 101
    with pytest.raises(FirmwareRefused) as caught:
        await sharing.check(SHA256)
    assert caught.value.refusal is Refusal.TOO_LARGE
    assert left(tmp_path) == []


async def test_many_who_ask_share_one_reading(files: FirmwareFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of another event loop as well; who goes away takes nothing from the others."""
    await add(files)
    begun, go_on, reads = threading.Event(), threading.Event(), list[Path]()

    def slow(path: Path, *, md5: bool) -> ImageDigest:
        reads.append(path)
        begun.set()
        go_on.wait(PATIENCE)
        return digest_file(path, md5=md5)

    monkeypatch.setattr(firmware_files, "digest_file", slow)
    asked = [asyncio.ensure_future(files.check(SHA256)) for _ in range(20)]
    elsewhere = asyncio.get_running_loop().run_in_executor(None, lambda: asyncio.run(files.check(SHA256)))
    await asyncio.to_thread(begun.wait, PATIENCE)
    asked[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked[0]
    go_on.set()
    found = await asyncio.gather(elsewhere, *asked[1:])
    assert len({digest.sha256 for digest in found if digest}) == 1
    assert len(reads) <= 2, "who asks after the reading has ended has one of his own"


async def test_who_is_cancelled_while_it_opens_leaves_nothing_open(
    files: FirmwareFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    opened, is_closed = Part.open, asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(space: Space, key: str) -> Part:
        begun.set()
        go_on.wait(PATIENCE)
        return opened(space, key)

    def closed(part: Part) -> None:
        part.discard()
        loop.call_soon_threadsafe(is_closed.set)

    monkeypatch.setattr(Part, "open", slow)
    monkeypatch.setattr(Part, "close", closed)
    adding = asyncio.ensure_future(add(files))
    await asyncio.to_thread(begun.wait, PATIENCE)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    go_on.set()
    await is_closed.wait()
    assert left(tmp_path) == []


async def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = FirmwareFiles(tmp_path / "file", max_size=100, reserve=0)
    with pytest.raises(FirmwareRefused, match=r"can't be written to firmware\.directory: Not a directory") as caught:
        await add(files)
    assert caught.value.refusal is Refusal.NO_SPACE
    files.close()


async def test_the_sweep(files: FirmwareFiles, tmp_path: Path) -> None:
    async with files.incoming("another key") as incoming:
        await incoming.restart('"v1"')
        await incoming.write(b"x" * 50)
        await incoming._flush()
    digest = await add(files)
    now = datetime.now(UTC)
    assert await files.sweep(now - timedelta(days=1)) == 0
    assert await files.sweep(now + timedelta(days=1)) == 1
    assert left(tmp_path) == [digest.sha256.hex()]
