"""Something that happens, and those who wait for it."""

import asyncio


class Signal:
    """An ``asyncio.Event`` of which each station may have some: idle it takes 50 bytes, the event 800."""

    __slots__ = ("_waiting", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        """True between :meth:`set` and :meth:`clear`."""
        self._waiting: tuple[asyncio.Future[None], ...] = ()

    def set(self) -> None:
        """It has happened: all that wait go on."""
        self.is_set = True
        for each in self._waiting:
            if not each.done():
                each.set_result(None)

    def clear(self) -> None:
        """It may happen again."""
        self.is_set = False

    async def wait(self) -> None:
        """Wait until it happens, if it hasn't."""
        if self.is_set:
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting += (mine,)
        try:
            await mine
        finally:
            self._waiting = tuple(each for each in self._waiting if each is not mine)
