"""What is asked of a station when it has been quiet for a while after it was accepted."""

import asyncio
from typing import Final

import structlog

from gateway.app.tasks import Tasks
from gateway.session.ports import StoreAway
from gateway.session.station import Station

QUIET: Final = 15.0
"""Seconds from its acceptance, or its return, until a station is asked; and until the next look whether it is done."""
APART: Final = 0.01
"""Seconds between two stations that are asked the first time, at least. After a storm all would be due at once: what
they answer took the loop for seconds, and 25 KiB a station that the allocator never gave back, read in one turn."""
LATEST: Final = 300.0
"""Seconds that one waits at most: where more come for long than are asked, they are asked as fast as they come."""

log = structlog.get_logger(__name__)


class SettlingIn:
    """Lets each station that comes in settle, once for each time that it is here."""

    def __init__(self, tasks: Tasks, quiet: float = QUIET) -> None:
        self._tasks = tasks
        self._quiet = quiet
        self._settling: dict[Station, asyncio.Task[None]] = {}
        self._next = 0.0
        """When the next station may be asked, by the clock of the loop."""

    def begin(self, station: Station) -> None:
        """The station has been accepted, or has come back."""
        if station not in self._settling:
            self._settling[station] = self._tasks.spawn(self._settle(station), f"settle in {station.identity}")

    def end(self, station: Station) -> None:
        """The station's runtime is taken apart: who waits for its turn would keep it in memory until then."""
        if (settling := self._settling.pop(station, None)) is not None:
            settling.cancel()

    async def _settle(self, station: Station) -> None:
        try:
            wait = self._until_its_turn()
            while True:
                await asyncio.sleep(wait)
                if await station.settle_in():
                    return
                wait = self._quiet
        except StoreAway as away:
            log.error("station_not_settled", identity=station.identity, reason=str(away))  # noqa: TRY400 - it says it all
        finally:
            self._settling.pop(station, None)

    def _until_its_turn(self) -> float:
        """Return the seconds until a newcomer is asked: when it has been quiet, and after those that came before it."""
        now = asyncio.get_running_loop().time()
        wait = max(self._quiet, min(self._next - now, LATEST))
        self._next = now + wait + APART
        return wait
