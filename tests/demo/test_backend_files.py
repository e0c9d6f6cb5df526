"""The old backend's file server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.demo.backend_files import BackendFiles


@pytest.fixture
async def site(tmp_path: Path, told: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the server."""
    async with (
        BackendFiles(tmp_path, told).listen() as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield session


async def test_images_are_there(site: aiohttp.ClientSession, tmp_path: Path) -> None:
    (tmp_path / "firmware" / "two-oh-one-1.1.0.bin").write_bytes(b"image")

    async with site.get("/firmware/two-oh-one-1.1.0.bin") as response:
        assert (response.status, await response.read()) == (200, b"image")


async def test_logs_are_taken(site: aiohttp.ClientSession, tmp_path: Path, told: Any) -> None:
    async with site.put("/logs/diagnostics.json", data=b"{}") as response:
        assert response.status == 201

    assert told.events == [{"event": "log", "name": "diagnostics.json", "size": 2}]
    assert (tmp_path / "logs" / "diagnostics.json").read_bytes() == b"{}"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/firmware/missing.bin", 404),
        ("GET", "/firmware/..%2fsecret", 404),
        ("GET", "/firmware/.hidden", 404),
        ("GET", "/logs/diagnostics.json", 405),
        ("PUT", "/firmware/two.bin", 405),
        ("PUT", "/logs/..%2fsecret", 404),
    ],
)
async def test_nothing_else_is(
    site: aiohttp.ClientSession, tmp_path: Path, method: str, path: str, status: int
) -> None:
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "firmware" / ".hidden").write_text("s3cret")

    async with site.request(method, path, data=b"x" if method == "PUT" else None) as response:
        assert response.status == status

    assert (tmp_path / "secret").read_text() == "s3cret"
