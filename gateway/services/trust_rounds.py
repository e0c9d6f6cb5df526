"""Who is visited when: each station a while after it came, again when something changed, and every week."""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from gateway.services.certificate_flows import Spawn
from gateway.services.station_commands import ConnectedStation
from gateway.services.trust_anchors import Goal, TrustVisits
from gateway.session.ports import StoreAway
from gateway.session.trust import StationTrust

SETTLES_WITHIN: Final = 60.0
"""Seconds from a station's connection to its visit at the earliest: it reports its status and its inventory first."""
SPREAD: Final = 120.0
"""Seconds over which those that are due together are spread."""
LOOK_AGAIN: Final = 60.0
"""Seconds to the next look at one that can't be visited now."""
VISITS_AT_ONCE: Final = 16
TICK: Final = 1.0
"""Seconds between two looks at who is due."""
TICKS: Final = 10
"""Such looks between two at who has left."""

log = structlog.get_logger(__name__)


class NotVisited(Exception):
    """The station can't be visited now; the text says why."""


@dataclass(slots=True, eq=False)
class _Guest:
    """A station's present connection."""

    station: ConnectedStation
    joined_at: float
    place: int = 0
    """In the queue: the number of the one place that counts."""
    is_visited: bool = False


GoalOf = Callable[[ConnectedStation, float], Awaitable[Goal]]
"""What a station that joined at a moment, in the clock's seconds, is visited for. Raises StoreAway."""


class TrustRounds:
    """Visits the stations that are connected, a few at a time."""

    def __init__(  # noqa: PLR0913 - what it asks, and the four things that a test replaces
        self,
        visits: TrustVisits,
        goal: GoalOf,
        *,
        is_upgrading: Callable[[str], bool],
        spawn: Spawn,
        clock: Callable[[], float] = lambda: asyncio.get_running_loop().time(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``is_upgrading(identity)``: its credentials are being changed; it is left alone."""
        self._visits = visits
        self._goal = goal
        self._is_upgrading = is_upgrading
        self._spawn = spawn
        self._clock = clock
        self._now = now
        self._jitter = jitter
        self._sleep = sleep
        self._guests: dict[str, _Guest] = {}
        self._queue: list[tuple[float, int, str]] = []
        """When, the number of the place, and whose it is: by name, for who has left is not to be kept for a week."""
        self._numbers = itertools.count(1)
        self._under_way = 0
        self._changes = 0
        """How often something has changed: a visit that began before knows nothing of it."""

    async def run(self) -> None:
        """Visit who is due, for ever."""
        while True:
            for _ in range(TICKS):
                await self._sleep(TICK)
                self.begin_due()
            self.forget()

    def welcome(self, station: ConnectedStation) -> None:
        """The station has connected."""
        guest = _Guest(station, self._clock())
        self._guests[station.identity] = guest
        self._put(guest, SETTLES_WITHIN + self._jitter() * SPREAD)

    def everybody(self) -> None:
        """Something has changed that may concern anybody."""
        self._changes += 1
        self.forget()
        self._queue.clear()  # each has a new place in it
        for guest in self._guests.values():
            self._put(guest, self._jitter() * SPREAD)

    def begin_due(self) -> None:
        """Begin the visits that are due, as far as there is room."""
        while self._queue and self._queue[0][0] <= self._clock() and self._under_way < VISITS_AT_ONCE:
            _, place, name = heapq.heappop(self._queue)
            guest = self._guests.get(name)
            if guest is None or guest.place != place:
                continue  # put off since, or gone
            if guest.is_visited:
                self._put(guest, LOOK_AGAIN)
                continue
            self._under_way += 1
            guest.is_visited = True
            self._spawn(self._visit(guest), f"trust anchors {guest.station.identity}")

    def forget(self) -> None:
        """Keep nothing of stations that have left, and no place in the queue that counts no more."""
        self._guests = {name: each for name, each in self._guests.items() if each.station.is_connected}
        places = {each.place for each in self._guests.values()}
        self._queue = [each for each in self._queue if each[1] in places]
        heapq.heapify(self._queue)

    async def visit_now(self, identity: str) -> StationTrust:
        """Visit a station at once, whatever it has refused, and return where it stands then.

        Raises :class:`NotVisited`, StoreAway.
        """
        guest = self._guests.get(identity)
        if guest is None or not guest.station.is_connected:
            raise NotVisited("the station is not connected; it is visited when it comes")
        if guest.is_visited:
            raise NotVisited("the station is being visited already; ask again in a minute")
        why_not = self._why_not(guest.station)
        if why_not is not None:
            raise NotVisited(why_not)
        guest.is_visited = True
        try:
            changes = self._changes
            goal = await self._goal(guest.station, guest.joined_at)
            trust = await self._visits.visit(guest.station, goal, force=True)
            self._put_at(guest, trust.again_at, changes)
        finally:
            guest.is_visited = False
        return trust

    async def _visit(self, guest: _Guest) -> None:
        station = guest.station
        try:
            if not station.is_connected:
                if self._guests.get(station.identity) is guest:
                    del self._guests[station.identity]
                return
            self._put(guest, LOOK_AGAIN + self._jitter() * LOOK_AGAIN)
            if self._why_not(station) is not None:
                return
            changes = self._changes
            goal = await self._goal(station, guest.joined_at)
            again_at = await self._visits.waits_until(station.identity, goal)
            if again_at is None:
                again_at = (await self._visits.visit(station, goal)).again_at
            self._put_at(guest, again_at, changes)
        except StoreAway as away:
            log.error("trust_not_visited", identity=station.identity, reason=str(away))  # noqa: TRY400 - it says it all
        finally:
            guest.is_visited = False
            self._under_way -= 1
            self.begin_due()

    def _why_not(self, station: ConnectedStation) -> str | None:
        if not station.gate.is_open:
            return "the station's BootNotification isn't accepted yet"
        if station.proof.provisional is not None:
            return "the station is here to get a new certificate only"
        if self._is_upgrading(station.identity):
            return "the station's security profile is being upgraded; ask again when that is over"
        return None

    def _put_at(self, guest: _Guest, moment: datetime | None, changes: int) -> None:
        if changes != self._changes:
            return  # it is due soon, for what has changed since
        wait = 0.0 if moment is None else (moment - self._now()).total_seconds()
        self._put(guest, max(wait, LOOK_AGAIN) + self._jitter() * SPREAD)

    def _put(self, guest: _Guest, wait: float) -> None:
        guest.place = next(self._numbers)
        heapq.heappush(self._queue, (self._clock() + wait, guest.place, guest.station.identity))
