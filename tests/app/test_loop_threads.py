"""Loops in threads."""

import asyncio
import threading

import pytest

from gateway.app.loop_threads import LoopThread, on_loop


@pytest.fixture
async def thread() -> LoopThread:
    return LoopThread("other")


async def test_work_runs_in_the_other_thread_and_comes_back(thread: LoopThread) -> None:
    await thread.start()

    async def name() -> str:
        return threading.current_thread().name

    assert await thread.call(name) == "other"
    await thread.close()


async def test_what_it_raises_comes_back(thread: LoopThread) -> None:
    async def fail() -> None:
        raise LookupError("there")

    await thread.start()
    with pytest.raises(LookupError, match="there"):
        await thread.call(fail)
    await thread.close()


async def test_home_can_be_asked_from_there(thread: LoopThread) -> None:
    home, here = asyncio.get_running_loop(), threading.get_ident()

    async def at_home() -> int:
        return threading.get_ident()

    async def there() -> int:
        return await on_loop(home, at_home())

    await thread.start()
    assert await thread.call(there) == here
    await thread.close()


async def test_who_waits_no_longer_cancels_the_work(thread: LoopThread) -> None:
    began, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await thread.start()
    waiting = asyncio.create_task(thread.call(wait))
    await asyncio.to_thread(began.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(cancelled.wait, 10)
    await thread.close()


async def test_closing_cancels_what_runs(thread: LoopThread) -> None:
    began, cancelled = threading.Event(), threading.Event()

    async def forever() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await thread.start()
    waiting = asyncio.create_task(thread.call(forever))
    await asyncio.to_thread(began.wait, 10)
    await thread.close()
    assert cancelled.is_set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await thread.close()


async def test_a_thread_that_does_not_run_takes_nothing(thread: LoopThread) -> None:
    async def nothing() -> None: ...

    with pytest.raises(RuntimeError, match="not been started"):
        await thread.call(nothing)
