"""Work that few can do at once, shared out by address: a stranger's hundred come before nobody's one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway.transport import household

Line = dict[asyncio.Future[None], None]


class TooManyWaiting(Exception):
    """More wait than can be served in time: the newcomer, or the last of the longest line, had better come again."""


class Turns:
    """At most ``at_once`` have their turn, ``waiting_max`` wait for it in a line per address (per /64, with IPv6).

    The lines take turns. When all places are taken, the last of the longest line gives way to a newcomer of a shorter.
    """

    def __init__(self, at_once: int, waiting_max: int) -> None:
        self._at_once: Final = at_once
        self._waiting_max: Final = waiting_max
        self._working = 0
        self._waiting = 0
        self._lines: dict[str | bytes, Line] = {}
        """By household, whose turn is next first; an empty line isn't kept."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._waiting

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn and have it within the context. Raises :class:`TooManyWaiting`."""
        if self._working < self._at_once:
            self._working += 1
        else:
            await self._wait(household(address))
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, key: str | bytes) -> None:
        """Stand in line. Who goes on has the place of the one whose turn has ended."""
        if self._waiting >= self._waiting_max:
            self._make_room(key)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(key, {})[mine] = None
        self._waiting += 1
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._pass_on()  # its turn had come in the very moment
            else:
                self._leave(key, mine)
            raise

    def _make_room(self, key: str | bytes) -> None:
        longest = max(self._lines, key=lambda each: len(self._lines[each]), default=key)
        if len(self._lines.get(key, ())) + 1 >= len(self._lines.get(longest, ())):
            raise TooManyWaiting(f"{self._waiting} wait already, no address with more of them than this one")
        last = next(reversed(self._lines[longest]))
        self._leave(longest, last)
        last.set_exception(TooManyWaiting("it is somebody else's turn: too many of this address wait"))

    def _pass_on(self) -> None:
        """One has ended: the first of the line whose turn it is goes on, and that line goes behind all others."""
        while self._lines:
            key = next(iter(self._lines))
            following = next(iter(self._lines[key]))
            self._leave(key, following)
            if key in self._lines:
                self._lines[key] = self._lines.pop(key)
            if not following.done():  # one that is may be leaving in this very moment
                following.set_result(None)
                return
        self._working -= 1

    def _leave(self, key: str | bytes, waiting: asyncio.Future[None]) -> None:
        line = self._lines.get(key, {})
        if waiting in line:
            del line[waiting]
            self._waiting -= 1
            if not line:
                del self._lines[key]
