"""Blocking requests, off the event loop, in threads of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from pki.vault.failures import NoAnswer
from pki.vault.transport import Attempt

GRACE: Final = 0.5
"""Seconds that a thread has to notice by itself that its time is over."""

T = TypeVar("T")


class RequestThreads:
    """A bounded pool. A request whose time is over, or whose caller has gone, loses its socket: its thread is free."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="vault")

    async def run(self, work: Callable[[Attempt], T], seconds: float) -> T:
        """Return what ``work`` returns. Raises what it raises, and NoAnswer after ``seconds``."""
        attempt = Attempt(seconds)
        running = asyncio.get_running_loop().run_in_executor(self._pool, work, attempt)
        try:
            async with asyncio.timeout(seconds + GRACE):
                return await running
        except TimeoutError:
            attempt.abort()
            raise NoAnswer(f"no answer within {seconds:g} s") from None
        except asyncio.CancelledError:
            attempt.abort()
            raise

    def close(self) -> None:
        """Let the threads end; what still waits is never begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)
