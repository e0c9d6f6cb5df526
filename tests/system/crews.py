"""Crews: the stations whose sessions are brought to one moment, so that something can be killed just then."""

import asyncio
import enum
from collections.abc import Sequence
from typing import Final

from tests.system.charging_sessions import Phase, Session
from tests.system.cutter import Way, of
from tests.system.failing_site import Backend, FailingSite, line_of
from tests.system.queueing_station import Pace, QueueingStation, QueueingStation16


class Moment(enum.Enum):
    """Where a session stands when something is killed."""

    BOOTING = "the station boots, with sessions in its queue"
    START_UNHEARD = "StartTransaction has left the gateway and not reached the backend"
    START_BOOKED = "StartTransaction is booked, and not answered"
    STARTED = "between the start and the first meter values"
    METERING = "MeterValues are booked, and not answered"
    STOP_UNBOOKED = "StopTransaction has reached the backend, and is not booked"
    STOP_BOOKED = "StopTransaction is booked, and not answered"
    STOP_UNANSWERED = "StopTransaction is answered to the gateway, and not to the station"
    ENDED = "all is over"
    DRAINING = "the journal is being delivered, of a station that is here or has left"


HELD: Final = {
    Moment.BOOTING: ("BootNotification", "after"),
    Moment.START_BOOKED: ("StartTransaction", "after"),
    Moment.METERING: ("MeterValues", "after"),
    Moment.STOP_UNBOOKED: ("StopTransaction", "before"),
    Moment.STOP_BOOKED: ("StopTransaction", "after"),
    Moment.STOP_UNANSWERED: ("StopTransaction", "before"),
    Moment.DRAINING: ("MeterValues", "after"),
}
"""What the backend holds to bring a session there."""


async def at_once(_session: Session, _phase: Phase) -> None:
    """The pace of a session that is over before anybody can look."""


class Crew:
    """The stations whose sessions are brought to one moment."""

    def __init__(self, site: FailingSite, moment: Moment, stations: Sequence[QueueingStation], round_: int) -> None:
        self._site = site
        self.moment = moment
        self._stations = stations
        self._round = round_
        self.identities = [station.identity for station in stations]
        self.is_held = moment in HELD and moment is not Moment.STOP_UNANSWERED
        """True where a backend holds a CALL of each of them."""
        self._struck = asyncio.Event()

    async def bring(self) -> None:
        """Bring the sessions to their moment, and return when they are there."""
        if self.moment in HELD and self.moment is not Moment.DRAINING:
            self._hold()
        if self.moment is Moment.BOOTING:
            self._site.reboot(self._stations)
        if self.moment is Moment.START_UNHEARD:
            await self._start_into_silence()
        elif self.moment is Moment.STARTED:
            await self._started(self._stations, self._charge(self._stations, self._when_struck))
        elif self.moment is Moment.DRAINING:
            await self._drain()
        elif self.moment is Moment.ENDED:
            await self._ended(self._charge(self._stations, at_once))
        else:
            self._charge(self._stations, at_once)
            await self._held()
        if self.moment is Moment.STOP_UNANSWERED:
            await self._answer_into_silence()

    def is_struck(self) -> None:
        """What was to be killed is dead: the sessions go on."""
        self._struck.set()
        if self.moment is Moment.STOP_UNANSWERED:
            self._site.network.cut(line_of(self._stations))  # a line that has swallowed something is of no use

    def is_over(self) -> None:
        """All has been delivered: who has left comes back."""
        self.release()
        for station in self._stations:
            station.is_here.set()

    def release(self) -> None:
        """Let go what the backends hold of these stations."""
        for backend in self._site.backends:
            backend.process.release(self.of(backend))

    def _charge(self, stations: Sequence[QueueingStation], pace: Pace) -> list[Session]:
        return self._site.charge(stations, pace, round_=self._round)

    async def _when_struck(self, _session: Session, phase: Phase) -> None:
        if phase is not Phase.START:
            await self._struck.wait()

    def _hold(self) -> None:
        action, moment = HELD[self.moment]
        for backend in self._site.backends:
            for identity in self.of(backend):
                backend.process.hold(identity, action, moment)

    async def _held(self) -> None:
        for backend in self._site.backends:
            await backend.process.holds(self.of(backend))

    async def _started(self, stations: Sequence[QueueingStation], sessions: list[Session]) -> None:
        by_identity = {station.identity: station for station in stations}
        for session in sessions:
            await by_identity[session.identity].answered(session, Phase.START)

    async def _ended(self, sessions: list[Session]) -> None:
        by_identity = {station.identity: station for station in self._stations}
        for session in sessions:
            await by_identity[session.identity].answered(session, Phase.STOP)

    async def _start_into_silence(self) -> None:
        theirs = of(self.identities)
        for backend in self._site.backends:
            backend.network.silence(Way.THERE, theirs)
        self._charge(self._stations, at_once)
        for backend in self._site.backends:
            await backend.network.swallows(Way.THERE, len(self.of(backend)), theirs)

    async def _answer_into_silence(self) -> None:
        theirs = line_of(self._stations)
        self._site.network.silence(Way.BACK, theirs)
        self.release()
        await self._site.network.swallows(Way.BACK, len(self._stations), theirs)

    async def _drain(self) -> None:
        """A station of 1.6 starts while its backend is there; one of 2.0.1 while it isn't, and leaves in the end."""
        offline = asyncio.Event()

        async def when_offline(_session: Session, phase: Phase) -> None:
            if phase is not Phase.START:
                await offline.wait()

        old = [station for station in self._stations if isinstance(station, QueueingStation16)]
        new = [station for station in self._stations if station not in old]
        begun = self._charge(old, when_offline)
        await self._started(old, begun)
        for backend in self._site.backends:
            backend.network.is_down = of(self.identities)
            backend.network.cut(of(self.identities))
        offline.set()
        await self._ended(begun + self._charge(new, at_once))
        await asyncio.gather(*(station.leave() for station in new))
        self._hold()
        for backend in self._site.backends:
            backend.network.is_down = lambda _: False
        await self._held()

    def of(self, backend: Backend) -> list[str]:
        """Return the identities of those that have this backend."""
        return [station.identity for station in self._stations if station in backend.stations]
