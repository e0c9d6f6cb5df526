"""The API as the commands reach it."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.cli.api import download, request, station_path
from gateway.cli.output import Failed
from gateway.config import load


def _config(folder: Path, bind: str, token: str | None) -> Any:
    (folder / "token").write_text("a-token-for-tests")
    admin = {"bind": bind} | ({"token": token} if token else {})
    tree = {"backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}}, "admin": admin}
    (folder / "voltgate.yaml").write_text(yaml.safe_dump(tree))
    return load(folder / "voltgate.yaml", {})


@pytest.fixture
async def answering(tmp_path: Path) -> Any:
    """``answering(status, body)`` runs a server that answers so, and returns the configuration that leads to it."""
    servers: list[TestServer] = []

    async def serve(status: int, body: Any, bind: str = "127.0.0.1") -> Any:
        async def answer(asked: web.Request) -> web.Response:
            assert asked.headers["Authorization"] == "Bearer a-token-for-tests"
            return web.json_response(body, status=status)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        server = TestServer(application)
        servers.append(server)
        await server.start_server()
        return _config(tmp_path, f"{bind}:{server.port}", "file:token")

    yield serve
    for server in servers:
        await server.close()


async def test_the_answer(answering: Callable[..., Any]) -> None:
    assert await request(await answering(200, {"x": 1}), "GET", "stations", None) == {"x": 1}


async def test_a_gateway_on_all_addresses_is_reached_by_loopback(answering: Callable[..., Any]) -> None:
    assert await request(await answering(200, {"x": 1}, bind="0.0.0.0"), "GET", "stations", None) == {"x": 1}  # noqa: S104 - what is tested


async def test_the_gateways_own_words(answering: Callable[..., Any]) -> None:
    body = {"error": {"code": "not_connected", "message": "station CS1 is not connected"}}
    config = await answering(409, body)
    with pytest.raises(Failed, match="station CS1 is not connected"):
        await request(config, "POST", "stations/CS1/calls", {})


async def test_a_server_that_is_no_gateway(answering: Callable[..., Any]) -> None:
    config = await answering(500, [])
    with pytest.raises(Failed, match="answered 500"):
        await request(config, "GET", "stations", None)


@pytest.mark.parametrize(("token", "complaint"), [(None, "not set"), ("file:missing", "missing")])
async def test_without_a_token(tmp_path: Path, token: str | None, complaint: str) -> None:
    with pytest.raises(Failed, match=complaint):
        await request(_config(tmp_path, "127.0.0.1:1", token), "GET", "stations", None)


@pytest.mark.parametrize("typed", ["CS1", "CS00%31", "a/b", "CS1?x=1", "CS1#", "../stations/CS1", "\udcff"])
async def test_the_identity_that_was_typed_is_the_one_that_is_asked_for(tmp_path: Path, typed: str) -> None:
    """Nothing in it is read as a path, an escape or a query: another station would be acted on."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.match_info["identity"])
        return web.json_response({})

    application = web.Application()
    application.router.add_post("/api/v1/stations/{identity}/certificate", answer)
    async with TestServer(application) as server:
        await request(_config(tmp_path, f"127.0.0.1:{server.port}", "file:token"), "POST",
            station_path(typed, "certificate"), None)  # fmt: skip
    assert asked == [typed.replace("\udcff", "?")]


async def test_a_file_is_downloaded(answering: Callable[..., Any]) -> None:
    config, file = await answering(200, {"x": 1}), io.BytesIO()

    assert await download(config, "logs/7/content", file) == hashlib.sha256(file.getvalue()).hexdigest()
    assert file.getvalue() == b'{"x": 1}'


async def test_what_is_refused_is_no_file(answering: Callable[..., Any]) -> None:
    config, file = await answering(404, {"error": {"code": "no_file", "message": "log 7 has no file"}}), io.BytesIO()

    with pytest.raises(Failed, match="log 7 has no file"):
        await download(config, "logs/7/content", file)
    assert file.getvalue() == b""
