"""The old backend's file server: images for charge points to load, and a place for the logs that it wants of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from gateway.demo.json_lines import Tell

_NAME: Final = "{name:[A-Za-z0-9][A-Za-z0-9._-]*}"
IMAGES: Final = "firmware"
LOGS: Final = "logs"


class BackendFiles:
    """A folder with images in ``firmware``, which anybody may GET, and logs in ``logs``, which anybody may PUT."""

    def __init__(self, folder: Path, tell: Tell) -> None:
        self._images = folder / IMAGES
        self._logs = folder / LOGS
        self._tell = tell

    @asynccontextmanager
    async def listen(self, port: int = 0) -> AsyncIterator[int]:
        """Be there on loopback, at the port that is yielded."""
        for each in (self._images, self._logs):
            each.mkdir(parents=True, exist_ok=True)
        app = web.Application()
        app.router.add_get(f"/{IMAGES}/{_NAME}", self._load)
        app.router.add_put(f"/{LOGS}/{_NAME}", self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    async def _load(self, request: web.Request) -> web.StreamResponse:
        image = self._images / request.match_info["name"]
        return web.FileResponse(image) if image.is_file() else web.Response(status=404)

    async def _take(self, request: web.Request) -> web.Response:
        name, octets = request.match_info["name"], await request.read()
        (self._logs / name).write_bytes(octets)
        self._tell("log", name=name, size=len(octets))
        return web.Response(status=201)
