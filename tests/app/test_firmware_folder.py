"""The folder of images, out of the configuration."""

import hashlib
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from gateway.app.firmware_folder import open_folder
from gateway.app.problems import StartFailed
from gateway.config.firmware import Firmware
from gateway.store.firmware_object_store import ObjectStoreImages
from pki.firmware import FirmwareRefused, Refusal

IMAGE = b"an image"
SHA256 = hashlib.sha256(IMAGE).hexdigest()


def section(folder: Path, object_store: str | None = None) -> Firmware:
    return Firmware(directory=folder, object_store=object_store, max_size=8)


@pytest.mark.parametrize("store", [None, "s3://images/fw"])
async def test_what_one_gateway_has_verified_another_has_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str | None
) -> None:
    shared = ObjectStoreImages(MemoryStore())
    monkeypatch.setattr(ObjectStoreImages, "at", lambda url: {"s3://images/fw": shared}[url])
    one, other = open_folder(section(tmp_path / "one", store)), open_folder(section(tmp_path / "other", store))
    async with one.incoming("key") as incoming:
        await incoming.restart(None)
        await incoming.write(IMAGE)
        await incoming.commit(SHA256)
    await one.keep(SHA256)
    assert await other.path(SHA256) == (tmp_path / "other" / SHA256 if store else None)
    one.close()
    other.close()


async def test_an_image_has_its_size(tmp_path: Path) -> None:
    files = open_folder(section(tmp_path))
    async with files.incoming("key") as incoming:
        await incoming.expect(8)
        with pytest.raises(FirmwareRefused) as caught:
            await incoming.expect(9)
    assert caught.value.refusal is Refusal.TOO_LARGE
    files.close()


def test_an_object_store_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"^firmware\.object_store: must be s3://BUCKET/PREFIX"):
        open_folder(section(tmp_path, "ftp://images"))
