"""How fast files go: bytes a second of all transfers together, and of each station's."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

CHUNK: Final = 131_072
"""Bytes that are read and sent at once."""
CHUNK_MIN: Final = 1_024
"""The same at the slowest."""
CHUNKS_A_SECOND: Final = 4
"""A slow rate is kept in steps of this part of a second."""
BURST: Final = 0.1
"""Seconds of a rate that may go at once after a pause."""


class TooMany(Exception):
    """This holder has as many transfers under way as it may have."""


class Throttle:
    """Lets ``rate`` bytes a second pass, in the order in which they are asked for."""

    def __init__(
        self,
        rate: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._free_at = float("-inf")
        """When, by the clock, all that has passed so far is through."""

    async def take(self, size: int) -> None:
        """Return when ``size`` more bytes may pass."""
        now = self._clock()
        self._free_at = max(self._free_at, now - BURST) + size / self._rate
        if self._free_at > now:
            await self._sleep(self._free_at - now)


class Lanes:
    """The transfers under way: one throttle over all, one for each holder of a link, and how many each may have."""

    def __init__(
        self,
        rate: int,
        each_rate: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``rate`` of all together, ``each_rate`` of one holder, in bytes a second."""
        self._all = Throttle(rate, clock=clock, sleep=sleep)
        self._each_rate = each_rate
        self._clock = clock
        self._sleep = sleep
        self._held: dict[str, tuple[Throttle, int]] = {}
        """Holder -> its throttle, and its transfers under way."""
        self.chunk: Final = max(CHUNK_MIN, min(CHUNK, each_rate // CHUNKS_A_SECOND, rate // CHUNKS_A_SECOND))
        """Bytes to read and send at once, so that the rates are kept evenly."""

    @property
    def transfers(self) -> int:
        """Return how many are under way."""
        return sum(count for _, count in self._held.values())

    @contextmanager
    def lane(self, holder: str, most: int) -> Iterator["Lane"]:
        """Give the lane for one more transfer of ``holder``. Raises TooMany where it has ``most`` already."""
        throttle, count = self._held.get(holder, (None, 0))
        if count >= most:
            raise TooMany
        own = throttle or Throttle(self._each_rate, clock=self._clock, sleep=self._sleep)
        self._held[holder] = own, count + 1
        try:
            yield Lane(own, self._all)
        finally:
            _, count = self._held[holder]
            if count > 1:
                self._held[holder] = own, count - 1
            else:
                del self._held[holder]


class Lane:
    """One transfer's way through both throttles."""

    def __init__(self, *throttles: Throttle) -> None:
        self._throttles = throttles

    async def take(self, size: int) -> None:
        """Return when ``size`` more bytes may pass."""
        for each in self._throttles:
            await each.take(size)
