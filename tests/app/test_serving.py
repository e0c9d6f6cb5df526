"""The composition root in this process: what is opened is announced, and everything is closed again."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from gateway.app.problems import StartFailed
from gateway.app.serving import serving
from gateway.app.setup import scaffold
from gateway.config import load
from gateway.transport import Listener as TransportListener

PORTS = {
    "VOLTGATE__LISTENERS__0__BIND": "127.0.0.1:0",
    "VOLTGATE__LISTENERS__1__BIND": "127.0.0.1:0",
    "VOLTGATE__ADMIN__BIND": "127.0.0.1:0",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("serving") / "gw"
    scaffold(made, backend_url="ws://127.0.0.1:1/{identity}", operator="A CPO", names=["localhost"])
    return made


@pytest.fixture
def config(folder: Path) -> Callable[..., Any]:
    return lambda **changes: load(folder / "voltgate.yaml", PORTS | changes)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


async def test_it_announces_serves_and_closes(config: Callable[..., Any]) -> None:
    lines: list[str] = []
    async with serving(config(), lines.append):
        assert [line.split(":")[0] for line in lines] == ["listening wss", "listening ws", "listening http", "ready"]
        admin = lines[2].split()[1]
        async with aiohttp.ClientSession(admin) as session, session.get("/readyz") as response:
            assert await response.json() == {"ready": True, "checks": {"store": True, "listeners": True}}
    # Everything was given back: the same store can be opened again, by the same process too.
    async with serving(config(), lines.append):
        pass
    with pytest.raises(aiohttp.ClientConnectionError):
        async with aiohttp.ClientSession(admin) as session:
            await session.get("/readyz")


async def test_all_listeners_close_at_once(config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, the last would go on admitting stations while the first one drains."""
    begun = asyncio.Barrier(2)
    close = TransportListener.close

    async def close_together(listener: TransportListener, *arguments: Any, **named: Any) -> None:
        async with asyncio.timeout(5):
            await begun.wait()
        await close(listener, *arguments, **named)

    monkeypatch.setattr(TransportListener, "close", close_together)
    async with serving(config(), lambda _: None):
        pass


async def test_a_refusal_before_the_door_is_logged_under_the_reason_that_is_counted(config: Callable[..., Any]) -> None:
    lines: list[str] = []
    with capture_logs() as logged:
        async with serving(config(), lines.append):
            port = int(lines[1].split("/ocpp")[0].rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /ocpp/CS1 HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()
    refused = [line for line in logged if line["event"] == "connection_refused"]
    assert [(line["reason"], line["detail"]) for line in refused] == [("head_http_405", "only GET is served here")]


@pytest.mark.parametrize("key", ["LISTENERS__0__BIND", "LISTENERS__1__BIND", "ADMIN__BIND"])
async def test_a_port_that_is_taken_is_named_and_nothing_stays_open(
    config: Callable[..., Any], taken: int, key: str
) -> None:
    with pytest.raises(StartFailed, match=f"127.0.0.1:{taken}: Address already in use"):
        async with serving(config(**{f"VOLTGATE__{key}": f"127.0.0.1:{taken}"}), print):
            pass
    async with serving(config(), lambda _: None):
        pass


async def test_a_bind_that_cannot_be_resolved_is_in_the_resolvers_words(
    config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", unknown)
    with pytest.raises(StartFailed, match=r"cannot listen on 127\.0\.0\.1:0: Name or service not known"):
        async with serving(config(), print):
            pass


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"VOLTGATE__POLICY": "missing.yaml"}, "policy: "),
        ({"VOLTGATE__ADMIN__TOKEN": "env:NO_SUCH_VARIABLE"}, "admin.token: "),
        ({"VOLTGATE__LISTENERS__0__TLS__STATION_ROOTS": "missing.pem"}, r"listeners\[0\]\.tls: .*missing\.pem"),
        (
            {"VOLTGATE__LISTENERS__0__TLS__CERTIFICATES__0__CHAIN": "missing.pem"},
            r"listeners\[0\]\.tls: .*missing\.pem",
        ),
        ({"VOLTGATE__STORE__URL": "sqlite+aiosqlite:////proc/none/voltgate.db"}, "store.url: "),
        ({"VOLTGATE__AUTHORITY__STATION__LOCAL__DIR": "/proc/none/ca"}, "authority.station.local.dir: "),
    ],
)
async def test_what_cannot_be_had_is_named(config: Callable[..., Any], change: dict[str, str], complaint: str) -> None:
    with pytest.raises(StartFailed, match=complaint):
        async with serving(config(**change), print):
            pass
