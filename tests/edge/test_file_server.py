"""Who gets in at the file endpoint, and for how long."""

import asyncio
import gc
import socket
import ssl
from ipaddress import ip_network
from pathlib import Path

import pytest
import uvloop
from structlog.testing import capture_logs

from gateway.edge import file_server
from gateway.edge.file_endpoint import TRANSFERS_OF_STATION
from gateway.edge.file_server import FileServer
from gateway.edge.tls import server_context
from tests.edge.file_street import CONTENT, GOOD, LOG, PATIENCE, PUBLISHED, ask, call, street
from tests.system.certificates import Authority

IMAGE = f"GET /firmware/{PUBLISHED} HTTP/1.1\r\nHost: files\r\n\r\n".encode()
SLOW = 40_000


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "csms")


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    return server_context([authority.leaf("localhost", names=["localhost"])], [])


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.root)
    return context


async def gone(server: FileServer) -> None:
    """Return when all connections are over."""
    if server._carried:
        await asyncio.wait(list(server._carried), timeout=PATIENCE)
    await asyncio.sleep(0)
    assert server.connections == 0


async def test_a_connection_carries_one_request(tmp_path: Path) -> None:
    async with street(tmp_path) as opened, await call(opened.port) as station:
        station.say(IMAGE + IMAGE)
        heard = await station.hear()
        assert (heard.status, heard.body) == (200, CONTENT)
        assert await station.is_dropped() == b""
        await gone(opened.server)


@pytest.mark.parametrize(
    "octets", [b"\x16\x03\x01 a ClientHello", b"\r\n\r\nnonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
async def test_what_is_not_http_is_refused(tmp_path: Path, octets: bytes) -> None:
    async with street(tmp_path) as opened, await call(opened.port) as station:
        station.say(octets)
        assert (await station.is_dropped()).startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))


async def test_a_head_without_end_is_refused(tmp_path: Path) -> None:
    async with street(tmp_path) as opened, await call(opened.port) as station:
        station.say(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000)
        assert b"400" in await station.is_dropped()


async def test_who_asks_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_server, "HEAD_MAX", 0.02)
    async with street(tmp_path) as opened, await call(opened.port) as silent, await call(opened.port) as slow:
        slow.say(IMAGE[:-2])
        assert [await silent.is_dropped(), await slow.is_dropped()] == [b"", b""]
        await gone(opened.server)


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """While it is set connections have deadlines of 20 ms; until then none begins, so that nobody must be quick."""
    run, ends = asyncio.Event(), file_server._ends

    async def ends_in_time(connection: file_server._Connection, timeout: float) -> bool:
        await run.wait()
        return await ends(connection, timeout)

    monkeypatch.setattr(file_server, "_ends", ends_in_time)
    monkeypatch.setattr(file_server, "HEAD_MAX", 0.02)
    monkeypatch.setattr(file_server, "LINGER", 0.02)
    return run


async def test_a_transfer_outlasts_the_deadlines_of_the_head(tmp_path: Path, deadlines: asyncio.Event) -> None:
    async with (
        street(tmp_path, station_rate=1_000_000) as opened,
        await call(opened.port) as station,
        asyncio.timeout(PATIENCE),
    ):
        station.say(IMAGE)
        await station.reader.readuntil(b"\r\n\r\n")
        deadlines.set()
        begin = await station.reader.readexactly(100_000)  # a tenth of a second: several of them pass
        deadlines.clear()
        assert begin + await station.reader.readexactly(len(CONTENT) - len(begin)) == CONTENT


async def test_who_does_not_read_its_end_is_dropped(tmp_path: Path, deadlines: asyncio.Event) -> None:
    async with street(tmp_path) as opened, await call(opened.port) as station:
        # Told 404, and still sending its body.
        station.say(f"PUT /logs/{GOOD} HTTP/1.1\r\nHost: files\r\nContent-Length: 1000\r\n\r\n".encode())
        assert (await station.hear()).status == 404
        deadlines.set()
        await gone(opened.server)


async def test_without_tls_only_trusted_networks_come_in(tmp_path: Path) -> None:
    for networks in ((), (ip_network("10.0.0.0/8"),)):
        async with street(tmp_path, networks=networks) as opened, await call(opened.port) as station:
            station.say(IMAGE)
            assert await station.is_dropped() == b""
            assert opened.server.connections == 0


@pytest.mark.parametrize("has_tls", [True, False])
def test_strangers_leave_nothing_that_must_be_looked_for(tmp_path: Path, tls: ssl.SSLContext, has_tls: bool) -> None:
    """What only the collector of cyclic garbage finds stays as long as no station leaves (gateway.app.interpreter)."""

    async def come_and_go() -> list[object]:
        opening = street(tmp_path, connections=1, tls=lambda: tls) if has_tls else street(tmp_path, connections=1)
        async with opening as opened:
            for _ in range(3):
                async with await call(opened.port) as stranger:
                    stranger.say(b"" if has_tls else b"GET /firm")
                    async with await call(opened.port):
                        await stranger.is_dropped()
            await gone(opened.server)
            return [each for each in gc.get_objects() if isinstance(each, file_server._Connection)]

    gc.collect()
    gc.disable()
    try:
        assert uvloop.run(come_and_go()) == []
    finally:
        gc.enable()


async def test_a_newcomer_takes_the_place_of_the_oldest_stranger(tmp_path: Path) -> None:
    async with (
        street(tmp_path, connections=3, station_rate=SLOW) as opened,
        await call(opened.port) as loading,
        await call(opened.port) as first,
        await call(opened.port) as second,
    ):
        loading.say(IMAGE)
        await loading.reader.readuntil(b"\r\n\r\n")
        assert (await ask(opened.port, "HEAD", f"/firmware/{PUBLISHED}")).status == 200
        assert await first.is_dropped() == b""
        second.say(IMAGE)
        await second.reader.readuntil(b"\r\n\r\n")


async def test_who_is_sent_away_before_its_task_has_run_leaves_no_socket(tmp_path: Path) -> None:
    """Garbage would close it too, and say so: an error here."""
    loop = asyncio.get_running_loop()
    async with street(tmp_path, connections=1) as opened, asyncio.timeout(PATIENCE):
        at_once = [socket.create_connection(("127.0.0.1", opened.port)) for _ in range(3)]
        for each in at_once:
            each.setblocking(False)
        assert [await loop.sock_recv(each, 1) for each in at_once[:2]] == [b"", b""]
        assert opened.server.connections == 1
        for each in at_once:
            each.close()


async def test_no_newcomer_takes_the_place_of_a_transfer(tmp_path: Path) -> None:
    async with street(tmp_path, connections=TRANSFERS_OF_STATION, station_rate=SLOW) as opened:
        loading = [await call(opened.port) for _ in range(TRANSFERS_OF_STATION)]
        for each in loading:
            each.say(IMAGE)
            await each.reader.readuntil(b"\r\n\r\n")
        async with await call(opened.port) as newcomer:
            assert await newcomer.is_dropped() == b""
        assert opened.server.connections == TRANSFERS_OF_STATION
        for each in loading:
            each.writer.transport.abort()


async def test_tls(tmp_path: Path, tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async with street(tmp_path, tls=lambda: tls) as opened, await call(opened.port, trusting, "localhost") as station:
        station.say(IMAGE)
        assert (await station.hear()).body == CONTENT
        await gone(opened.server)


async def test_what_is_not_tls_is_dropped(tmp_path: Path, tls: ssl.SSLContext) -> None:
    async with street(tmp_path, tls=lambda: tls) as opened, await call(opened.port) as station:
        station.say(IMAGE)
        assert b"HTTP" not in await station.is_dropped()
        await gone(opened.server)


async def test_a_handshake_that_hangs_is_dropped(
    tmp_path: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_server, "HANDSHAKE_MAX", 0.02)
    async with street(tmp_path, tls=lambda: tls) as opened, await call(opened.port) as station:
        assert await station.is_dropped() == b""
        await gone(opened.server)


async def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    async with (
        street(tmp_path, station_rate=SLOW) as opened,
        await call(opened.port) as loading,
        await call(opened.port) as uploading,
        await call(opened.port) as idle,
    ):
        loading.say(IMAGE)
        await loading.reader.readuntil(b"\r\n\r\n")
        uploading.say(f"PUT /logs/{LOG} HTTP/1.1\r\nHost: files\r\nContent-Length: 9\r\n\r\nlog".encode())
        async with asyncio.timeout(PATIENCE):
            await opened.began.wait()
        port = opened.port
        await opened.server.close(0.01)
        assert len(await loading.is_dropped()) < len(CONTENT)
        assert await idle.is_dropped() == b""
        assert opened.uploads[0].aborted is not None
        assert opened.server.connections == 0
        with pytest.raises(ConnectionRefusedError):
            await call(port)


async def test_closing_lets_a_transfer_end(tmp_path: Path) -> None:
    async with street(tmp_path, station_rate=1_000_000) as opened, await call(opened.port) as loading:
        loading.say(IMAGE)
        head = await loading.reader.readuntil(b"\r\n\r\n")
        closing = asyncio.create_task(opened.server.close(PATIENCE))
        assert b" 200 " in head
        assert await loading.reader.readexactly(len(CONTENT)) == CONTENT
        await closing


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    async with street(tmp_path) as opened:
        other = FileServer(opened.endpoint, connections=1, networks=())
        with pytest.raises(OSError, match="Address already in use"):
            await other.start("127.0.0.1", opened.port)
        assert other.addresses == []
        await other.close(0)


@pytest.fixture
def has_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as found:
        try:
            found.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")


@pytest.mark.usefixtures("has_ipv6")
async def test_ipv6(tmp_path: Path) -> None:
    async with street(tmp_path) as opened:
        other = FileServer(opened.endpoint, connections=1, networks=(ip_network("::1/128"),))
        await other.start("::1", 0)
        reader, writer = await asyncio.open_connection("::1", other.addresses[0][1])
        writer.write(IMAGE)
        async with asyncio.timeout(PATIENCE):
            assert await reader.readuntil(b" 200 ")
        writer.transport.abort()
        await other.close(0)


async def test_no_descriptor_left_is_said_once_and_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_server, "ACCEPT_PAUSE", 0)
    async with street(tmp_path) as opened:
        loop, tries = asyncio.get_running_loop(), 0
        accept = loop.sock_accept

        async def short(listening: socket.socket) -> tuple[socket.socket, object]:
            nonlocal tries
            tries += 1
            if tries < 4:
                raise OSError(24, "Too many open files")
            return await accept(listening)

        monkeypatch.setattr(loop, "sock_accept", short)
        with capture_logs() as logs:
            for _ in range(2):  # the first wait to accept is the real one's
                assert (await ask(opened.port, "HEAD", f"/firmware/{PUBLISHED}")).status == 200
        assert [entry["event"] for entry in logs] == ["file_endpoint_cannot_accept"]
