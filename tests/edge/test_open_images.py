"""Images on disk, and what becomes of them between the look at them and the last octet."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.edge.open_images import ImageChanged, open_image
from pki.firmware import FirmwareRefused, Refusal

CONTENT = bytes(range(256)) * 64
SHA256 = "ab" * 32


class Folder:
    """Fulfils Images; ``then`` is done after each look."""

    def __init__(self, path: Path | None, then: Callable[[], object] = lambda: None) -> None:
        self.file = path
        self.then = then
        self.looks = 0

    async def checked_path(self, sha256: str) -> Path | None:
        assert sha256 == SHA256
        self.looks += 1
        self.then()
        return self.file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / SHA256
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other"
    path.write_bytes(CONTENT[:-1] + b"!")
    return path


def touch(file: Path) -> None:
    """Move the time of the last change, as every change does."""
    found = file.stat()
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000_000))


async def test_any_part_of_an_image_can_be_read(file: Path) -> None:
    image = await open_image(Folder(file), SHA256)
    assert image is not None
    with image:
        assert image.size == len(CONTENT)
        assert await image.read(0, image.size) == CONTENT
        assert await image.read(1_000, 7) == CONTENT[1_000:1_007]


async def test_what_is_swapped_after_the_last_look_is_not_served(file: Path, other: Path) -> None:
    folder = Folder(file)
    folder.then = lambda: other.replace(file) if folder.looks == 2 else None
    with capture_logs() as logs:
        assert await open_image(folder, SHA256) is None
    assert [entry["event"] for entry in logs] == ["image_not_here"]


async def test_what_is_swapped_for_the_opening_alone_is_not_served(file: Path, other: Path) -> None:
    kept = file.with_name("kept")
    os.link(file, kept)
    folder = Folder(file)
    folder.then = lambda: (other if folder.looks == 1 else kept).replace(file)
    with capture_logs() as logs:
        assert await open_image(folder, SHA256) is None
    assert [entry["event"] for entry in logs] == ["image_not_here"]


async def test_what_the_second_look_refuses_is_not_served(file: Path) -> None:
    folder = Folder(file)

    def refuse() -> None:
        if folder.looks == 2:
            raise FirmwareRefused(Refusal.CHANGED, "other octets")

    folder.then = refuse
    with capture_logs() as logs:
        assert await open_image(folder, SHA256) is None
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("image_not_served", "other octets")]


async def test_one_that_is_overwritten_while_it_is_read_is_not_read_on(file: Path) -> None:
    image = await open_image(Folder(file), SHA256)
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
    image = await open_image(Folder(file), SHA256)
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
            assert await open_image(Folder(place), SHA256) is None
        assert [entry["event"] for entry in logs] == ["image_not_here"]
