"""One thing at a time, in the order in which they came."""

import asyncio
from types import TracebackType


class Turn:
    """``async with turn`` holds it. As asyncio.Lock, which takes half as long again while nobody else wants it.

    Who gives it up hands it to the next one in line, so that it is never free while somebody waits. On the road of
    every message: ``if not turn.take(): await turn.wait()``, and ``turn.give()`` at the end, which need no coroutine.
    """

    __slots__ = ("_is_held", "_line")

    def __init__(self) -> None:
        self._is_held = False
        self._line: list[asyncio.Future[None]] = []

    def __repr__(self) -> str:
        return f"<Turn {'held' if self._is_held else 'free'} waiting={len(self._line)}>"

    def locked(self) -> bool:
        """Return whether somebody holds it."""
        return self._is_held

    async def __aenter__(self) -> None:
        if not self.take():
            await self.wait()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give()

    def take(self) -> bool:
        """Hold it if nobody does; return whether it is held now by who asks."""
        if self._is_held:
            return False
        self._is_held = True
        return True

    async def wait(self) -> None:
        """Hold it when all who came before have had it."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it had come, and is for the next one
                self.give()
            raise

    def give(self) -> None:
        """Hand it to the next one in line, if there is one."""
        while self._line:
            place = self._line.pop(0)
            if not place.done():  # as of one that was cancelled while it stood in line
                place.set_result(None)
                return
        self._is_held = False
