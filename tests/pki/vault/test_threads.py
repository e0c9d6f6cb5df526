"""Blocking work beside the event loop, and its end."""

import asyncio
import contextlib
import select
import socket
import threading

import pytest

from pki.client_tls import TlsTrust
from pki.vault import threads as threads_module
from pki.vault.failures import NoAnswer, NotSent
from pki.vault.threads import RequestThreads
from pki.vault.transport import Attempt, Transport


async def test_it_runs_elsewhere() -> None:
    threads = RequestThreads(1)
    assert (await threads.run(lambda _: threading.current_thread().name, 5)).startswith("vault")

    def refused(_: Attempt) -> None:
        raise NotSent("refused")

    with pytest.raises(NotSent, match="refused"):
        await threads.run(refused, 5)
    threads.close()


async def test_a_time_that_is_over_is_told_to_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "GRACE", 0.0)
    threads, gate, told = RequestThreads(1), threading.Event(), threading.Event()

    def work(attempt: Attempt) -> None:
        gate.wait(10)
        with pytest.raises(TimeoutError):
            attempt.remaining()
        told.set()

    with pytest.raises(NoAnswer, match=r"no answer within 0\.01 s"):
        await threads.run(work, 0.01)
    gate.set()
    assert await asyncio.to_thread(told.wait, 10)
    threads.close()


async def test_a_server_that_drips_holds_no_thread_longer() -> None:
    """A byte now and then never lets a socket's own timeout pass."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def drip() -> None:
            peer, _ = listening.accept()
            with peer, contextlib.suppress(OSError):
                peer.recv(10_000)
                peer.sendall(b"HTTP/1.1 200 OK\r\n")
                while not select.select([peer], [], [], 0.01)[0]:
                    peer.sendall(b"X")
            ended.set()

        dripping = threading.Thread(target=drip, name="dripping")
        dripping.start()
        threads = RequestThreads(1)
        node = Transport(f"http://127.0.0.1:{listening.getsockname()[1]}", TlsTrust().context)
        with pytest.raises(NoAnswer, match=r"0\.1 s"):
            await threads.run(lambda attempt: node.exchange("GET", "/", {}, None, attempt), 0.1)
        assert await asyncio.to_thread(ended.wait, 10)
        assert await threads.run(lambda _: "free", 5) == "free"
        threads.close()
        dripping.join()


async def test_a_caller_that_goes_away_is_told_to_the_thread() -> None:
    threads, gate, begun, told = RequestThreads(1), threading.Event(), threading.Event(), threading.Event()

    def work(attempt: Attempt) -> None:
        begun.set()
        gate.wait(10)
        with pytest.raises(TimeoutError):
            attempt.remaining()
        told.set()

    task = asyncio.create_task(threads.run(work, 100))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    assert await asyncio.to_thread(told.wait, 10)
    threads.close()
