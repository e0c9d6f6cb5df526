"""Images on disk, and what becomes of them between two looks."""

import asyncio
import hashlib
import os
from io import FileIO
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.edge import checked_images
from gateway.edge.checked_images import CheckedImages, ImageChanged

CONTENT = bytes(range(256)) * 64
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Folder:
    """Fulfils Images."""

    def __init__(self, path: Path | None) -> None:
        self.file = path

    async def path(self, sha256: str) -> Path | None:
        return self.file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / SHA256
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is hashed, one entry each time."""
    counted: list[int] = []
    whole = checked_images._sha256

    def count(file: FileIO) -> str:
        counted.append(file.fileno())
        return whole(file)

    monkeypatch.setattr(checked_images, "_sha256", count)
    return counted


def touch(file: Path) -> None:
    """Move the time of the last change, as every change does."""
    found = file.stat()
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000_000))


async def test_any_part_of_an_image_can_be_read(file: Path) -> None:
    image = await CheckedImages(Folder(file)).open(SHA256)
    assert image is not None
    with image:
        assert image.size == len(CONTENT)
        assert await image.read(0, image.size) == CONTENT
        assert await image.read(1_000, 7) == CONTENT[1_000:1_007]


async def test_it_is_hashed_once_until_it_changes(file: Path, hashed: list[int]) -> None:
    images = CheckedImages(Folder(file))
    for _ in range(3):
        image = await images.open(SHA256)
        assert image is not None
        image.__exit__(None, None, None)
    assert len(hashed) == 1
    touch(file)
    again = await images.open(SHA256)
    assert again is not None
    again.__exit__(None, None, None)
    assert len(hashed) == 2


async def test_many_at_once_share_one_look(file: Path, hashed: list[int]) -> None:
    images = CheckedImages(Folder(file))
    for image in await asyncio.gather(*(images.open(SHA256) for _ in range(20))):
        assert image is not None
        image.__exit__(None, None, None)
    assert len(hashed) == 1


async def test_what_was_swapped_after_the_check_is_not_served(file: Path, tmp_path: Path) -> None:
    images = CheckedImages(Folder(file))
    first = await images.open(SHA256)
    assert first is not None
    with first:
        other = tmp_path / "other"
        other.write_bytes(CONTENT[:-1] + b"!")
        other.replace(file)
        with capture_logs() as logs:
            assert await images.open(SHA256) is None
        assert [entry["event"] for entry in logs] == ["image_changed_on_disk"]


async def test_one_that_is_overwritten_while_it_is_read_is_not_read_on(file: Path) -> None:
    image = await CheckedImages(Folder(file)).open(SHA256)
    assert image is not None
    with image:
        await image.read(0, 100)
        with file.open("r+b") as opened:
            opened.seek(200)
            opened.write(b"!")
        touch(file)
        with pytest.raises(ImageChanged):
            await image.read(100, 100)


async def test_one_that_is_cut_is_not_read_on(file: Path) -> None:
    image = await CheckedImages(Folder(file)).open(SHA256)
    assert image is not None
    with image:
        os.truncate(file, 10)
        with pytest.raises(ImageChanged):
            await image.read(0, 100)


async def test_what_is_not_a_file_is_not_here(file: Path, tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(file)
    os.mkfifo(pipe)
    for place in (None, tmp_path / "none", tmp_path, link, pipe):
        with capture_logs() as logs:
            assert await CheckedImages(Folder(place)).open(SHA256) is None
        assert [entry["event"] for entry in logs] == ["image_not_here"]


async def test_what_is_remembered_is_bounded(
    file: Path, hashed: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checked_images, "KNOWN_MAX", 1)
    other = tmp_path / "other"
    other.write_bytes(b"other")
    folder = Folder(file)
    images = CheckedImages(folder)
    for place, sha256 in ((file, SHA256), (other, hashlib.sha256(b"other").hexdigest()), (file, SHA256)):
        folder.file = place
        image = await images.open(sha256)
        assert image is not None
        image.__exit__(None, None, None)
    assert len(hashed) == 3
