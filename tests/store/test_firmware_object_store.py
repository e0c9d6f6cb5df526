"""Images in an object store: obstore's own in memory and on the disk, and S3's protocol with a fake server.

The fake is PyPI's localbucket: it speaks S3 with single and multipart uploads, and checks no credentials.
"""

import hashlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from gateway.store import firmware_object_store
from gateway.store.firmware_files import FirmwareFiles, SharingFailed
from gateway.store.firmware_object_store import ObjectStoreImages, ObjectStoreUnusable
from gateway.store.firmware_parts import Part, Space
from pki.firmware import FirmwareRefused, Refusal

IMAGE = bytes(range(256)) * 40_000
"""Two pieces."""
SHA256 = hashlib.sha256(IMAGE).hexdigest()

FAKE = """
import http.server, pathlib, sys
import localbucket
localbucket.S3Handler.data_root = pathlib.Path(sys.argv[1])
localbucket.S3Handler.log_message = lambda *_: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), localbucket.S3Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
"""localbucket, at a port of the kernel's choice."""


def s3(port: int, bucket: str = "images", prefix: str = "voltgate/fw") -> S3Store:
    return S3Store(
        bucket,
        prefix=prefix,
        endpoint=f"http://127.0.0.1:{port}",
        access_key_id="an-id",
        secret_access_key="a-secret",
        region="eu-central-1",
        virtual_hosted_style_request=False,
        disable_bulk_delete=True,
        client_options={"allow_http": True},
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
    )


@pytest.fixture(scope="module")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run localbucket with the bucket ``images``."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "images").mkdir()
    with subprocess.Popen([sys.executable, "-c", FAKE, str(folder)], stdout=subprocess.PIPE, text=True) as running:  # noqa: S603 - our own words
        assert running.stdout is not None
        yield int(running.stdout.readline())
        running.terminate()


@pytest.fixture(params=["memory", "local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "local":
        return LocalStore(tmp_path / "store", mkdir=True)
    return s3(request.getfixturevalue("s3_port"), prefix=tmp_path.name)


@pytest.fixture
def files(store: ObjectStore, tmp_path: Path) -> Iterator[FirmwareFiles]:
    shared = ObjectStoreImages(store)
    made = FirmwareFiles(tmp_path / "here", max_size=len(IMAGE), shared=shared, reserve=0)
    yield made
    made.close()


async def add(files: FirmwareFiles) -> Path:
    async with files.incoming("key") as incoming:
        await incoming.restart(None)
        await incoming.write(IMAGE)
        await incoming.commit(SHA256)
    path = await files.path(SHA256)
    assert path is not None
    return path


async def test_from_one_gateway_to_another(files: FirmwareFiles, store: ObjectStore, tmp_path: Path) -> None:
    path = await add(files)
    store.put(SHA256, b"of somebody else")
    await files.keep(SHA256)
    path.unlink()
    digest = await files.check(SHA256)
    assert digest is not None
    assert (digest.size, path.read_bytes()) == (len(IMAGE), IMAGE)

    await files.remove(SHA256)
    await files.remove(SHA256)
    assert await files.check(SHA256) is None


async def test_what_lies_there_is_not_believed(files: FirmwareFiles, store: ObjectStore, tmp_path: Path) -> None:
    store.put(SHA256, IMAGE[:-1] + b"!")
    with pytest.raises(FirmwareRefused, match=r"in firmware\.object_store has other octets") as caught:
        await files.check(SHA256)
    assert caught.value.refusal is Refusal.CHANGED
    store.put(SHA256, IMAGE + b"!")
    with pytest.raises(FirmwareRefused) as caught:
        await files.check(SHA256)
    assert caught.value.refusal is Refusal.TOO_LARGE
    assert list((tmp_path / "here" / "incoming").iterdir()) == []


class Breaking:
    """Gives the first piece, and then fails; or gives less than it was asked for."""

    def __init__(self, store: ObjectStore, piece: bytes | None = None) -> None:
        self.head = store.head
        self._store = store
        self._piece = piece
        self.asked: list[int] = []

    def get_range(self, path: str, *, start: int, length: int) -> Any:
        self.asked.append(start)
        if start:
            raise OSError("gone")
        return self._store.get_range(path, start=start, length=length) if self._piece is None else self._piece


def test_a_download_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware_object_store, "PIECE", 4)
    store, space = MemoryStore(), Space(tmp_path, 100, reserve=0)
    store.put(SHA256, b"an image")
    part = Part.open(space, "key")
    with pytest.raises(
        FirmwareRefused, match=r"object store \(firmware\.object_store\) doesn't give it: gone"
    ) as caught:
        ObjectStoreImages(Breaking(store)).download(SHA256, part)  # type: ignore[arg-type]  # as much as is asked of it
    assert caught.value.refusal is Refusal.FETCH_FAILED
    part.close()
    part = Part.open(space, "key")
    assert part.offset == 4
    assert ObjectStoreImages(store).download(SHA256, part)
    assert part.commit(None).sha256 == hashlib.sha256(b"an image").digest()


def test_a_piece_that_is_too_short(tmp_path: Path) -> None:
    store = MemoryStore()
    store.put(SHA256, b"an image")
    part = Part.open(Space(tmp_path, 100, reserve=0), "key")
    with pytest.raises(FirmwareRefused, match="it gave 2 bytes from 0 on, not 8"):
        ObjectStoreImages(Breaking(store, b"an")).download(SHA256, part)  # type: ignore[arg-type]  # as above
    part.discard()


async def test_a_store_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        shared = ObjectStoreImages(s3(free.getsockname()[1]))
        files = FirmwareFiles(tmp_path, max_size=len(IMAGE), shared=shared, reserve=0)
        with pytest.raises(FirmwareRefused, match="error sending request") as refused:
            await files.check(SHA256)
        with pytest.raises(SharingFailed, match=r"doesn't take it: .*error sending request") as not_kept:
            shared.upload(SHA256, await add(files))
        with pytest.raises(SharingFailed, match=r"doesn't drop it: .*error sending request") as not_removed:
            shared.remove(SHA256)
    assert refused.value.refusal is Refusal.FETCH_FAILED
    for caught in (refused, not_kept, not_removed):
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
    files.close()


def test_a_bucket_that_is_not_there(s3_port: int, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(IMAGE)
    images = ObjectStoreImages(s3(s3_port, "elsewhere"))
    with pytest.raises(SharingFailed, match="404 Not Found"):
        images.upload(SHA256, tmp_path / "image")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "images",
        "s3://",
        "s3:///prefix",
        "http://127.0.0.1/images",
        "file:///srv/images",
        "memory:///",
        "s3://id:secret@images/fw",
        "s3://images/fw?token=secret",
        "az://images/fw#x",
    ],
)
def test_what_is_no_object_store(url: str) -> None:
    with pytest.raises(ObjectStoreUnusable, match="must be s3://BUCKET/PREFIX") as caught:
        ObjectStoreImages.at(url)
    assert "secret" not in str(caught.value)


def test_it_is_opened_by_its_url(s3_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who we are stands in the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    (tmp_path / "image").write_bytes(b"by its URL")
    name = hashlib.sha256(b"by its URL").hexdigest()
    images = ObjectStoreImages.at("s3://images/another/prefix")
    images.upload(name, tmp_path / "image")
    assert bytes(images._store.get(name).bytes()) == b"by its URL"
    images.remove(name)
    part = Part.open(Space(tmp_path, 100, reserve=0), "key")
    assert not images.download(name, part)
    part.close()


def test_an_account_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(ObjectStoreUnusable, match="Account must be specified"):
        ObjectStoreImages.at("az://images/fw")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(ObjectStoreUnusable, match=r"pip install 'voltgate\[object-store\]'"):
        ObjectStoreImages.at("s3://images/fw")
