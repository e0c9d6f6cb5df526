"""An image that comes in, seen from the event loop."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web

from gateway.store.firmware_incoming import BUFFER, Incoming, in_thread
from gateway.store.firmware_parts import Part, Space
from pki.destinations import AllowList, Destination
from pki.downloading import GuardedDownloads
from pki.firmware import FirmwareRefused, Refusal

IMAGE = bytes(range(256)) * 8192
"""Twice the buffer."""


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return Space(tmp_path, 10 * BUFFER, reserve=0)


def parts(space: Space) -> list[Path]:
    return list(space.incoming.glob("*"))


async def test_pieces_of_any_size(space: Space) -> None:
    async with Incoming(Part.open(space, "key")) as incoming:
        await incoming.restart(None)
        await incoming.expect(len(IMAGE))
        for start in range(0, len(IMAGE), 65_535):
            await incoming.write(IMAGE[start : start + 65_535])
        assert incoming.offset == len(IMAGE)
        digest = await incoming.commit(hashlib.sha256(IMAGE).hexdigest())
    assert (space.directory / digest.sha256.hex()).read_bytes() == IMAGE


async def test_what_went_to_the_disk_waits_to_be_resumed(space: Space) -> None:
    async with Incoming(Part.open(space, "key")) as incoming:
        await incoming.restart('"v1"')
        await incoming.write(IMAGE[:BUFFER])
        await incoming.write(IMAGE[BUFFER : BUFFER + 10])
    async with Incoming(Part.open(space, "key")) as incoming:
        assert (incoming.offset, incoming.validator) == (BUFFER, '"v1"')
        await incoming.write(IMAGE[BUFFER:])
        assert (await incoming.commit()).sha256 == hashlib.sha256(IMAGE).digest()


async def test_what_is_ended_leaves_nothing(space: Space) -> None:
    async with Incoming(Part.open(space, "key")) as incoming:
        await incoming.restart('"v1"')
        await incoming.write(IMAGE)
        await incoming.abort()
    assert parts(space) == []


async def test_too_much_leaves_nothing(space: Space) -> None:
    async with Incoming(Part.open(space, "key")) as incoming:
        await incoming.restart('"v1"')
        for _ in range(5):
            await incoming.write(IMAGE)
        with pytest.raises(FirmwareRefused) as caught:
            await incoming.write(IMAGE)
    assert caught.value.refusal is Refusal.TOO_LARGE
    assert parts(space) == []


async def test_work_goes_on_to_its_end_when_its_caller_is_cancelled() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait()
        ended.set()

    task = asyncio.ensure_future(in_thread(work))
    await in_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await in_thread(ended.wait)


@pytest.fixture
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """aiohttp's own file server: it knows ranges and versions."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "fw.bin").write_bytes(IMAGE)
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_download_goes_on_after_a_restart(space: Space, place: str) -> None:
    class Ended(Exception):
        pass

    def end_midway(here: int, _: int | None) -> None:
        if here >= BUFFER:
            raise Ended

    seen: list[tuple[int, int | None]] = []
    allowed = AllowList([Destination.parse(place)], [ip_network("127.0.0.0/8")])
    async with GuardedDownloads(allowed, listed_in="firmware.sources") as downloads:
        with pytest.raises(Ended):
            async with Incoming(Part.open(space, "key")) as incoming:
                await downloads.download(f"http://{place}/fw.bin", incoming, progress=end_midway)
        async with Incoming(Part.open(space, "key")) as incoming:
            await downloads.download(f"http://{place}/fw.bin", incoming, progress=lambda *now: seen.append(now))
            assert (await incoming.commit()).sha256 == hashlib.sha256(IMAGE).digest()
    assert seen[0][0] > BUFFER, "what had come didn't come again"
    assert seen[-1] == (len(IMAGE), len(IMAGE))
