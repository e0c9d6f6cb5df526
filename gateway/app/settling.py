"""What is asked of a station when it has been quiet for a while after it was accepted."""

import asyncio
from typing import Final

import structlog

from gateway.app.tasks import Tasks
from gateway.session.ports import StoreAway
from gateway.session.station import Station

QUIET: Final = 15.0
"""Seconds from its acceptance, or its return, until a station is asked; and until the next look whether it is done."""

log = structlog.get_logger(__name__)


class SettlingIn:
    """Lets each station that comes in settle, once for each time that it is here."""

    def __init__(self, tasks: Tasks, quiet: float = QUIET) -> None:
        self._tasks = tasks
        self._quiet = quiet
        self._settling: set[Station] = set()

    def begin(self, station: Station) -> None:
        """The station has been accepted, or has come back."""
        if station not in self._settling:
            self._settling.add(station)
            self._tasks.spawn(self._settle(station), f"settle in {station.identity}")

    async def _settle(self, station: Station) -> None:
        try:
            while True:
                await asyncio.sleep(self._quiet)
                if await station.settle_in():
                    return
        except StoreAway as away:
            log.error("station_not_settled", identity=station.identity, reason=str(away))  # noqa: TRY400 - it says it all
        finally:
            self._settling.discard(station)
