"""Attack C8: no file descriptor left to accept with, and what a thousand connections leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest
import uvloop

from gateway.transport import (
    Accept,
    Closed,
    HandshakePool,
    Limits,
    Listener,
    Refuse,
    UpgradeRequest,
    Verdict,
    WebSocket,
)
from gateway.transport.entrance import Entrance
from gateway.transport.link import Link
from gateway.transport.opening import Opening
from gateway.transport.tls import TlsEngine
from tests.transport.conftest import frame, request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.transport.conftest import Authority

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
PATIENCE: Final = 20.0
DESCRIPTORS: Final = 40

SERVER: Final = """
import asyncio, resource, sys
import uvloop
from gateway.transport import Accept, Listener

class Echo:
    def connected(self, socket): self.socket = socket
    def message(self, text): self.socket.send(text)
    def disconnected(self, closed): pass

async def admit(request):
    return Accept(Echo(), None)

async def main():
    listener = Listener(host="127.0.0.1", port=0, admit=admit)
    await listener.start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]), int(sys.argv[2])))
    print(listener.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print(listener.connections, flush=True)
    await listener.close(grace=0)

factory = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[sys.argv[1]]
with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
"""


class Station:
    """A blocking WebSocket client."""

    def __init__(self, port: int) -> None:
        self._plug = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def fileno(self) -> int:
        return self._plug.fileno()

    def talk(self, said: bytes, until: bytes) -> bool:
        """Send; True when ``until`` came back, False when the server hung up."""
        heard = b""
        with contextlib.suppress(ConnectionError):
            self._plug.sendall(said)
            while not heard.endswith(until):
                more = self._plug.recv(1_000)
                if not more:
                    return False
                heard += more
            return True
        return False

    def upgrade(self) -> bool:
        return self.talk(request(), b"\r\n\r\n")

    def echo(self) -> bool:
        return self.talk(frame(0x1, b"alive"), b"\x81\x05alive")

    def close(self) -> None:
        self._plug.close()


@contextlib.contextmanager
def server(loop: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A listener in a process that may have few descriptors."""
    with subprocess.Popen(  # noqa: S603  # our own interpreter and the text above
        [sys.executable, "-c", SERVER, loop, str(DESCRIPTORS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("loop", LOOPS)
def test_no_descriptor_is_left(loop: str) -> None:
    """It survives, who is inside is served, who comes afterwards is let in; and the log isn't flooded."""
    with server(loop) as (process, port):
        inside = Station(port)
        assert inside.upgrade()
        crowd = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) for _ in range(3 * DESCRIPTORS)]
        assert inside.echo()
        for each in crowd:
            each.close()
        assert inside.echo()
        late = Station(port)
        while not (late.upgrade() and late.echo()):  # it came while the crowd was still being counted out
            late.close()
            late = Station(port)
        assert inside.echo()
        out, err = process.communicate("\n", timeout=PATIENCE)
        assert out == "2\n"
        assert process.returncode == 0
        assert err.count("out of system resource") <= 100
        inside.close()
        late.close()


class Silent:
    """A sink that closes what says "close", and has enough for a moment of what says "pause"."""

    def connected(self, websocket: WebSocket) -> None:
        self.websocket = websocket

    def message(self, text: bytes) -> None:
        if text == b"close":
            self.websocket.close(1000)
        elif text == b"pause":
            self.websocket.pause()
            asyncio.get_running_loop().call_later(0.01, self.websocket.resume)

    def disconnected(self, closed: Closed) -> None:
        del closed


async def admit(asked: UpgradeRequest) -> Verdict:
    if asked.target == "/never":
        await asyncio.Event().wait()
    if asked.target == "/broken":
        raise ValueError("a mistake of the test's")
    return Refuse(401) if asked.target == "/refuse" else Accept(Silent(), None, compression=True)


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
WAYS: Final = [
    b"",
    b"GET /",
    b"rubbish",
    request(target="/never"),
    request(target="/refuse"),
    request(target="/broken"),
    request() + b"early",
    request(),
    request(DEFLATE),
]
"""What a client sends first; it goes on only if it is let in."""
FRAMES: Final = [
    b"",
    frame(0x8, b"\x03\xe8"),
    frame(0x1, b"close"),
    frame(0x1, b"pause") + frame(0x1, b"more"),
    frame(0x1, b"half")[:5],
    frame(0x1, b"half", fin=False),
    frame(0x3),
]


async def visit(address: tuple[str, int], number: int, tls: ssl.SSLContext | None) -> None:
    """Come, say something, and leave by a close or by a reset."""
    try:
        reader, writer = await asyncio.open_connection(*address, ssl=tls, server_hostname="localhost" if tls else None)
    except OSError:
        return
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        said = WAYS[number % len(WAYS)]
        writer.write(said)
        await writer.drain()
        if said.startswith(b"GET /ocpp") and said.endswith(b"\r\n\r\n"):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(FRAMES[number // len(WAYS) % len(FRAMES)])
            await writer.drain()
        if number % 2:
            writer.transport.abort()
        else:
            writer.close()
        await writer.wait_closed()


def left_over() -> Counter[str]:
    gc.collect()
    kinds = (Link, Opening, Entrance, WebSocket, TlsEngine, Silent)
    found = Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds))
    return found + Counter({"descriptors": len(os.listdir("/proc/self/fd"))})  # noqa: PTH208  # Path.iterdir says no more


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_thousand_connections_leave_nothing(
    loop: str, authority: Authority, caplog: pytest.LogCaptureFixture, *, secure: bool
) -> None:
    caplog.set_level("CRITICAL")  # the mistakes in admission are meant
    visits = 1_000 if not secure else 300

    async def crowd() -> None:
        pool = HandshakePool()
        context = authority.server()
        client = authority.client() if secure else None
        listener = Listener(
            host="127.0.0.1",
            port=0,
            admit=admit,
            tls=(lambda _: context) if secure else None,
            pool=pool if secure else None,
            limits=Limits(linger_timeout=0.2),
        )
        await listener.start()
        (address,) = listener.addresses
        await visit(address, 7, client)  # what is made once is made now
        await until(lambda: not listener.connections)
        before = left_over()
        for start in range(0, visits, 50):
            await asyncio.gather(*(visit(address, number, client) for number in range(start, start + 50)))
        await until(lambda: not listener.connections)
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        assert listener.waiting == 0
        assert listener._doorkeeper.room._present == {}
        assert (pool.under_way, pool.waiting, len(pool._idle), len(pool._since)) == (0, 0, 0, 0)
        timers = [each for each in getattr(asyncio.get_running_loop(), "_scheduled", ()) if not each.cancelled()]
        assert all("Link" not in repr(each) and "WebSocket" not in repr(each) for each in timers)
        assert left_over() == before
        await listener.close()
        pool.close()

    with asyncio.Runner(loop_factory=LOOPS[loop], debug=False) as runner:
        runner.run(crowd())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
