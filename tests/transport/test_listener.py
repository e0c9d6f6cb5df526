"""A real port: its address, its bounds, its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import socket
import ssl
import warnings
from typing import TYPE_CHECKING

import pytest

from gateway.transport import HandshakePool, Limits, Listener, Refuse, Stage, UpgradeRequest, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.transport.conftest import Authority, Listen

    Until = Callable[[Callable[[], object]], Awaitable[None]]


async def nobody(asked: UpgradeRequest) -> Verdict:
    del asked
    return Refuse(403)


async def test_port_0_is_given_a_real_one(listen: Listen) -> None:
    port = await listen()
    ((host, number),) = port.listener.addresses
    assert host == "127.0.0.1"
    assert number > 0


async def test_a_taken_port_is_an_oserror(listen: Listen) -> None:
    port = await listen()
    second = Listener(host="127.0.0.1", port=port.number, admit=nobody)
    with pytest.raises(OSError, match="address already in use"):
        await second.start()
    await second.close()


async def test_a_listener_that_never_started_closes() -> None:
    listener = Listener(host="127.0.0.1", port=0, admit=nobody)
    assert listener.addresses == []
    await listener.close()


async def test_connections_over_the_bound_are_dropped_and_others_stay(listen: Listen) -> None:
    port = await listen(limits=Limits(max_connections=1), on_message=lambda socket, text: socket.send(text))
    first, sink = await port.socket()
    second = await port.wire()
    assert await second.rest() == b""
    refused = await port.refusal()
    assert (refused.stage, refused.code, refused.reason) == (Stage.CONNECTION, "TOO_MANY", "more than 1 connections")
    assert refused.remote == second.writer.get_extra_info("sockname")

    first.frame(0x1, b"still here")
    assert await first.receive() == (0x81, b"still here")
    first.frame(0x8, b"\x03\xe8")
    await first.close()
    await sink.end()
    await port.emptied()
    await port.socket()


async def test_closing_says_1001_to_everybody(listen: Listen) -> None:
    port = await listen()
    address = port.address
    (one, first), (two, second) = await port.socket(), await port.socket()
    closing = asyncio.create_task(port.listener.close(reason="maintenance"))
    for wire in (one, two):
        assert await wire.close_frame() == (1001, "maintenance")
        wire.frame(0x8, b"\x03\xe9")
        await wire.rest()
        await wire.close()
    await closing
    for sink in (first, second):
        assert (await sink.end()).code == 1001
    assert port.listener.connections == 0
    with pytest.raises(OSError, match=r"[Cc]onnect"):
        await asyncio.open_connection(*address)


async def test_who_does_not_answer_the_close_is_aborted_after_the_grace(listen: Listen, authority: Authority) -> None:
    context = authority.server()
    port = await listen(tls=lambda _: context)
    _, sink = await port.socket(tls=authority.client())
    silent_in_tls = await port.wire()
    await port.listener.close(grace=0.02)
    closed = await sink.end()
    assert (closed.code, closed.reason, closed.by_peer) == (1006, "shutting down", False)
    assert await silent_in_tls.rest() == b""
    assert port.listener.connections == 0


@pytest.mark.parametrize("turns", range(5))
async def test_closing_waits_for_nobody_whom_the_loop_has_only_just_accepted(turns: int) -> None:
    """asyncio accepts in one turn, and makes the protocol in the next: then it has no server for it any more."""

    async def admit(_: UpgradeRequest) -> Verdict:
        return Refuse(403)

    listener = Listener(host="127.0.0.1", port=0, admit=admit)
    await listener.start()
    with socket.create_connection(listener.addresses[0]):
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await listener.close(grace=0.01)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not listener.connections
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()  # asyncio itself doesn't close the socket for which it makes no transport


async def test_a_hundred_handshakes_at_once(listen: Listen, authority: Authority) -> None:
    asyncio.get_running_loop().set_debug(False)  # it would cost more than the handshakes
    pool = HandshakePool(Limits(max_handshakes=8))
    context = authority.server(clients=ssl.CERT_REQUIRED)
    port = await listen(tls=lambda _: context, pool=pool, on_message=lambda socket, text: socket.send(text))
    client = authority.client(authority.station())

    async def station(number: int) -> bytes:
        wire, _ = await port.socket(tls=client)
        wire.frame(0x1, b"%d" % number)
        return (await wire.receive())[1]

    try:
        answers = await asyncio.gather(*(station(number) for number in range(100)))
        assert answers == [b"%d" % number for number in range(100)]
        assert (pool.under_way, pool.waiting) == (0, 0)
        certificates = {asked.tls.certificate for asked in port.requests if asked.tls is not None}
        assert len(certificates) == 1
    finally:
        pool.close()


async def test_it_survives_having_no_file_descriptors_left(
    listen: Listen, until: Until, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("asyncio.constants.ACCEPT_RETRY_DELAY", 0.01)
    port = await listen(backlog=5, on_message=lambda socket, text: socket.send(text))
    starved = socket.socket()
    starved.setblocking(False)

    def was_noticed() -> bool:
        """asyncio says so and tries again later; uvloop drops who can't be served."""
        if "out of system resource" in caplog.text:
            return True
        with contextlib.suppress(BlockingIOError):
            return starved.recv(1) == b""
        return False

    with no_descriptors_left():
        with pytest.raises(BlockingIOError):
            starved.connect(port.address)
        await until(was_noticed)
    starved.close()
    wire, _ = await port.socket()
    wire.frame(0x1, b"alive")
    assert await wire.receive() == (0x81, b"alive")


@contextlib.contextmanager
def no_descriptors_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208  # Path.iterdir says no more
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)
