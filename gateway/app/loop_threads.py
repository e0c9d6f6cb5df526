"""An event loop in a thread of its own, for work that must not hold up the stations' loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

Result = TypeVar("Result")


async def on_loop(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Result]) -> Result:
    """Have ``work`` run on ``loop``, which runs in another thread, and return what it returns or raise what it raises.

    Who waits for it may be cancelled: then it is, too.
    """
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


class LoopThread:
    """Runs one event loop from :meth:`start` to :meth:`close`."""

    def __init__(
        self, name: str, loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    ) -> None:
        self._loop_factory = loop_factory
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runs = threading.Event()

    async def start(self) -> None:
        """Return when the loop runs."""
        self._thread.start()
        await asyncio.to_thread(self._runs.wait)

    async def call(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Return what ``work()`` returns on that loop, or raise what it raises."""
        if self._loop is None:
            raise RuntimeError("the thread has not been started, or is closed")
        return await on_loop(self._loop, work())

    async def close(self) -> None:
        """Cancel what runs on the loop, and return when the thread has ended."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(self._stop.set)
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._runs.set()
        await self._stop.wait()
