"""One thing at a time, in the order in which they came."""

import asyncio
from types import TracebackType


class Turn:
    """``async with turn`` holds it. As asyncio.Lock, which takes half as long again while nobody else wants it.

    Who gives it up hands it to the next one in line, so that it is never free while somebody waits.
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
        if self._is_held:
            await self._wait()
        else:
            self._is_held = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line:
            self._pass_on()
        else:
            self._is_held = False

    async def _wait(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it had come, and is for the next one
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._line:
            place = self._line.pop(0)
            if not place.done():  # as of one that was cancelled while it stood in line
                place.set_result(None)
                return
        self._is_held = False
