"""What people have released from the quarantine goes on to the backends, whether or not its station is connected."""

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from gateway.app.tasks import Tasks
from gateway.bridge.ports import NotSent, PeerUnavailable
from gateway.services.looking import look_once
from gateway.session.directory import Directory
from gateway.session.ports import JournalFull, StaleEpoch, StoreAway
from gateway.session.quarantine import QuarantinedMessage, ReleaseRefused, State
from gateway.session.station import Station
from gateway.session.tally import Tally
from gateway.store.quarantine import Quarantine
from gateway.store.stations import Stations
from gateway.wire.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Mapping

POLL: Final = 0.5
"""Seconds between two looks for what was released, by whatever process."""
RETRY: Final = 5.0
"""Seconds until a station's messages are tried again, when its backend or the store is away."""
LEG_WAIT: Final = 10.0
"""Seconds in which a leg to the backend must be up, and greeted."""
UNANSWERED_MAX: Final = 5
"""Times in a row that a message is sent and gets no answer; then a person decides anew. One that books and never
answers would book it every few seconds for ever, and what was released after it would never come."""
AT_ONCE: Final = 20
"""Stations whose messages are delivered at the same time; others have their turn after them."""

log = structlog.get_logger(__name__)


class ReleasedMessages:
    """Delivers them, of each station one after the other, oldest first."""

    def __init__(
        self, quarantine: Quarantine, stations: Stations, directory: Directory, tasks: Tasks, tally: Tally
    ) -> None:
        self.counts: Mapping[State, int] = {}
        """How many messages there were in each undecided state at the last look."""
        self._quarantine = quarantine
        self._stations = stations
        self._directory = directory
        self._tasks = tasks
        self._tally = tally
        self._busy: set[str] = set()
        self._not_before: dict[str, float] = {}
        """By identity: when, in the loop's time, it is tried again."""
        self._unanswered: dict[str, tuple[int, int]] = {}
        """By identity: the message that got no answer the last time, and how often in a row."""

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await look_once(self.look, "released_messages_failed")
            await asyncio.sleep(POLL)

    async def look(self) -> None:
        """Begin to deliver what is released by now. Raises StoreAway."""
        self.counts = await self._quarantine.counts()
        if not self.counts[State.RELEASED]:
            self._not_before.clear()
            return
        now = asyncio.get_running_loop().time()
        for identity in await self._quarantine.stations_with_released():
            is_due = now >= self._not_before.get(identity, 0.0)
            if is_due and identity not in self._busy and len(self._busy) < AT_ONCE:
                self._busy.add(identity)
                self._tasks.spawn(self._deliver_of(identity), f"released messages of {identity}")

    async def _deliver_of(self, identity: str) -> None:
        try:
            is_done = await self._deliver_all(identity)
        except (StoreAway, StaleEpoch, KeyError) as away:
            log.warning("release_waits", identity=identity, reason=str(away))
            is_done = False
        finally:
            self._busy.discard(identity)
        if not is_done:
            self._not_before[identity] = asyncio.get_running_loop().time() + RETRY

    async def _deliver_all(self, identity: str) -> bool:
        """Return whether nothing is left; some of it may be held again. Raises StoreAway, StaleEpoch, KeyError."""
        record = await self._stations.find(identity)
        if record is None:
            await self._quarantine.put_back_all(identity, "the station isn't registered any more")
            return True
        station = await self._directory.open(record)
        quarantine = station.quarantine  # the runtime may be taken apart meanwhile
        quarantine.is_releasing = True
        try:
            await self._directory.release(station)  # where it isn't connected, that begins to dial
            if not await station.backend.wait_up(LEG_WAIT):
                log.warning("release_waits", identity=identity, reason="the backend can't be reached")
                return False
            await station.backend.begun(LEG_WAIT)
            while messages := await self._quarantine.released(identity):
                for message in messages:
                    if not await self._deliver(station, message):
                        return False
            return True
        finally:
            quarantine.is_releasing = False
            await self._directory.release(station)

    async def _deliver(self, station: Station, message: QuarantinedMessage) -> bool:
        """Deliver one; False: it is to be tried again, before what comes after it. Raises StoreAway, StaleEpoch."""
        try:
            await station.quarantine.deliver(message)
        except (PeerUnavailable, JournalFull) as away:
            if isinstance(away, NotSent | JournalFull) or not self._was_unanswered_too_often(message):
                log.warning("release_waits", identity=station.identity, message=message.id, reason=str(away))
                return False
            error = f"the backend gave no answer, {UNANSWERED_MAX} times in a row: it may have it ({away})"
        except (StoreAway, StaleEpoch):
            raise
        except (CallError, ReleaseRefused) as refused:
            error = str(refused)
        except Exception:
            log.exception("release_failed", identity=station.identity, message=message.id)
            error = "internal error; the log has it whole"
        else:
            self._tally.quarantine_left["delivered"] += 1
            return True
        await self._quarantine.put_back(message, station.epoch, error)
        log.error("release_put_back", identity=station.identity, message=message.id, reason=error)
        self._tally.quarantine_left["put_back"] += 1
        return True

    def _was_unanswered_too_often(self, message: QuarantinedMessage) -> bool:
        """Count one more time that a message got no answer; return whether that was the last."""
        number, times = self._unanswered.pop(message.identity, (0, 0))
        times = times + 1 if number == message.id else 1
        if times < UNANSWERED_MAX:
            self._unanswered[message.identity] = message.id, times
        return times == UNANSWERED_MAX
