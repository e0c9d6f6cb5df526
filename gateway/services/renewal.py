"""The scheduler: stations are asked to renew their certificates in time, few at once, and people hear what may lapse.

It holds in memory what the store holds; a plan is saved before its station is asked, so that no restart asks anew.
Nothing is done by the date for an hour after the machine's clock has jumped.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificate_flows import Spawn
from gateway.services.certificates import RENEWED_WITHIN, NotRenewed, Renewal, TriggerRefused
from gateway.services.clock_watch import ClockWatch
from gateway.services.renewal_plan import RenewalRules, pause_after
from gateway.services.station_commands import ConnectedStation
from gateway.session.ports import StoreAway
from gateway.session.renewals import HeldCertificate, RenewalRecord, RenewalState
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from pki.authority import AuthorityError

SWEEP_EVERY: Final = 15.0
"""Seconds between two looks at what is due."""
IN_FLIGHT: Final = 8
"""Stations that are being renewed at once."""
FIRST_PAUSE: Final = 900.0
"""Seconds before a station is asked for the second time; each pause is twice the one before."""
LONGEST_PAUSE: Final = 86_400.0
HEALTH_WITHIN: Final = 15.0
"""Seconds in which an authority must have said that it could sign."""
BATCH: Final = 200
"""Plans that are made or saved before others have their turn on the event loop."""
BATCHES: Final = 10
"""Batches of new plans in one sweep."""
STAGGER: Final = 1.0
"""Seconds between two stations when all are to be renewed now."""
STAGGER_MAX: Final = 3600.0
"""Seconds over which they are spread at most."""
STILL_USED: Final = "it has accepted a newer one, and still comes with this one"

log = structlog.get_logger(__name__)


class RenewalBook(Protocol):
    """The plans as they are kept. All raise StoreAway."""

    async def revision(self) -> int:
        """Return a number that grows with every change that a person made."""

    async def load(self) -> Sequence[RenewalRecord]:
        """Return all plans whose certificate the station still has."""

    async def unplanned(self, at_most: int) -> Sequence[HeldCertificate]:
        """Return certificates that stations have and for which there is no plan yet."""

    async def still_used(self, since: datetime, until: datetime) -> Sequence[HeldCertificate]:
        """Return what stations came with last though they have a newer one, of what ends between these times."""

    async def save(self, records: Iterable[RenewalRecord]) -> None:
        """Insert or replace plans, durable on return."""

    async def members(self, group: str) -> frozenset[str]:
        """Return the identities of the stations in a group."""


@dataclass(slots=True)
class _Watched:
    """A plan, and when its alerts are due."""

    record: RenewalRecord
    alerts_at: tuple[datetime, ...]


_Key = tuple[str, str]


class RenewalScheduler:
    """Renews the stations' certificates. :meth:`load` comes before the first admission; :meth:`run` never ends."""

    def __init__(  # noqa: PLR0913 - what it renews by, what it tells, and three clocks for its tests
        self,
        book: RenewalBook,
        renewal: Renewal,
        security: SecurityLog,
        *,
        rules: RenewalRules,
        health: Mapping[str, Callable[[], Awaitable[None]]],
        spawn: Spawn,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``health``: by usage, how to ask its authority whether it could sign (raises AuthorityError).

        A usage that nobody signs for is only watched.
        """
        self._book = book
        self._renewal = renewal
        self._security = security
        self._rules = rules
        self._health = health
        self._spawn = spawn
        self._now = now
        self._clock = ClockWatch(now, monotonic)
        self._sleep = sleep
        self._watched: dict[_Key, _Watched] = {}
        self._stations: dict[str, ConnectedStation] = {}
        """By identity: those whose WebSocket was opened, until it is seen closed."""
        self._in_flight: set[_Key] = set()
        self._queue: deque[_Key] = deque()
        """Those that are due and can be asked, the first to expire first."""
        self._still_used: dict[tuple[str, str, str], int] = {}
        """How many alerts were given for certificates that stations should have replaced: told anew after a restart."""
        self._down: dict[str, str] = {}
        """By usage: why its authority can't sign now."""
        self._revision = -1

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        self._revision = await self._book.revision()
        watched: dict[_Key, _Watched] = {}
        for number, record in enumerate(await self._book.load()):
            key = record.identity, record.usage
            known = self._watched.get(key)
            # What is known already may have moved on since the store was read.
            watched[key] = known if known is not None and known.record.serial == record.serial else self._watch(record)
            if number % BATCH == BATCH - 1:
                await asyncio.sleep(0)
        self._watched = watched

    def joined(self, station: ConnectedStation) -> None:
        """A station's WebSocket is open: it may be asked when it is its turn, and its boot was accepted."""
        self._stations[station.identity] = station

    async def run(self) -> None:
        """Look at what is due, again and again. Never returns."""
        while True:
            await self._sleep(SWEEP_EVERY)
            try:
                await self.sweep()
            except StoreAway as away:
                log.error("renewals_not_looked_at", reason=str(away))  # noqa: TRY400 - it says it all
            except Exception:
                log.exception("renewals_failed")

    async def sweep(self) -> None:
        """Look once. Raises StoreAway."""
        self._queue.clear()
        if not self._clock.is_steady():
            return
        self._stations = {name: each for name, each in self._stations.items() if each.is_connected}
        if await self._book.revision() != self._revision:
            await self.load()
        await self._plan()
        await self._alert()
        await self._alert_of_still_used()
        await self._line_up()

    async def renew_all(self, usage: str, group: str | None) -> int:
        """Plan all certificates of ``usage`` (of a group's stations) for now, one after the other; return how many.

        A station that isn't connected is asked when it comes. Raises StoreAway.
        """
        members = await self._book.members(group) if group is not None else None
        chosen = sorted(
            key for key in self._watched if key[1] == usage and key not in self._in_flight and _is_in(key, members)
        )
        step = timedelta(seconds=min(STAGGER, STAGGER_MAX / max(1, len(chosen))))
        now, count = self._now(), 0
        for start in range(0, len(chosen), BATCH):
            known = [(place, self._watched.get(key)) for place, key in enumerate(chosen[start : start + BATCH], start)]
            changed = [
                replace(watched.record, state=RenewalState.PLANNED, due_at=now + step * place, attempts=0, problem="")
                for place, watched in known
                if watched is not None
            ]
            await self._save(changed)
            count += len(changed)
        log.info("renewal_of_all", usage=usage, group=group, count=count)
        return count

    def of_station(self, identity: str) -> Sequence[RenewalRecord]:
        """Return the plans of one station, by usage."""
        found = (self._watched.get((identity, usage)) for usage in ("station", "v2g"))
        return [each.record for each in found if each is not None]

    def expiring(self) -> Mapping[str, int]:
        """Return by usage how many certificates an alert was given for; a usage that no station has isn't named."""
        found: dict[str, int] = {}
        for (_, usage), watched in self._watched.items():
            found[usage] = found.get(usage, 0) + bool(watched.record.alerts)
        for _, usage, _ in self._still_used:
            found[usage] = found.get(usage, 0) + 1
        return found

    # --- plans and alerts

    def _watch(self, record: RenewalRecord) -> _Watched:
        return _Watched(record, self._rules.alerts_at(record.not_before, record.not_after))

    async def _plan(self) -> None:
        """Plan for what was installed since the last look, or for as much of it as a sweep has time for."""
        for _ in range(BATCHES):
            found = await self._book.unplanned(BATCH)
            records = [RenewalRecord.planned(held, self._rules.begins_at(held)) for held in found]
            await self._book.save(records)
            for record in records:
                self._watched[record.identity, record.usage] = self._watch(record)
            if len(found) < BATCH:
                return

    async def _alert(self) -> None:
        now, changed = self._now(), list[RenewalRecord]()
        for watched in self._watched.values():
            record, given = watched.record, min(watched.record.alerts, len(watched.alerts_at))
            if (given < len(watched.alerts_at) and watched.alerts_at[given] <= now) or (
                given and watched.alerts_at[given - 1] > now  # the clock was ahead when that was said
            ):
                changed.append(replace(record, alerts=sum(each <= now for each in watched.alerts_at)))
                if len(changed) == BATCH:
                    break
        earlier = {(each.identity, each.usage): self._watched[each.identity, each.usage].record for each in changed}
        await self._save(changed)
        for record in changed:
            if record.alerts > earlier[record.identity, record.usage].alerts:
                self._tell(record, now)

    async def _alert_of_still_used(self) -> None:
        """Look at what stations come with though they have accepted a newer one: only that one has a plan."""
        now, given, told = self._now(), dict[tuple[str, str, str], int](), 0
        for held in await self._book.still_used(now, now + max(self._rules.alert, default=timedelta(0))):
            key = held.identity, held.usage, held.serial
            passed = sum(each <= now for each in self._rules.alerts_at(held.not_before, held.not_after))
            before = self._still_used.get(key, 0)
            if passed > before and told < BATCH:
                self._tell(replace(RenewalRecord.planned(held, now), problem=STILL_USED), now)
                told, before = told + 1, passed
            if before:
                given[key] = before
        self._still_used = given

    def _tell(self, record: RenewalRecord, now: datetime) -> None:
        left = record.not_after - now
        when = f"expires in {_words(left)}" if left > timedelta(0) else f"expired {_words(-left)} ago"
        why = record.problem or ("its renewal is under way" if record.identity in self._stations else "it isn't here")
        detail = f"the station's {record.usage} certificate {when}: {why}"
        ends = record.not_after.isoformat()
        log.error("certificate_expiring", identity=record.identity, usage=record.usage, not_after=ends, reason=why)
        presented = {"serial": record.serial, "usage": record.usage, "not_after": ends}
        self._security.note(SecurityEvent(Kind.CERTIFICATE_EXPIRING, detail, record.identity, presented=presented))

    async def _save(self, records: Sequence[RenewalRecord]) -> None:
        """Keep plans, and go by them from then on. Raises StoreAway."""
        for start in range(0, len(records), BATCH):
            batch = records[start : start + BATCH]
            await self._book.save(batch)
            for record in batch:
                watched = self._watched.get((record.identity, record.usage))
                if watched is not None and watched.record.serial == record.serial:
                    watched.record = record

    # --- asking

    async def _line_up(self) -> None:
        now = self._now()
        due = [key for key, watched in self._watched.items() if self._station_for(key, watched.record, now) is not None]
        usable = {usage: await self._is_up(usage) for usage in {usage for _, usage in due}}
        due = [key for key in due if usable[key[1]]]
        self._queue = deque(sorted(due, key=lambda key: self._watched[key].record.not_after))
        self._fill()

    def _fill(self) -> None:
        """Ask as many as may be asked at once."""
        now = self._now()
        while self._queue and len(self._in_flight) < IN_FLIGHT:
            key = self._queue.popleft()
            watched = self._watched.get(key)
            station = self._station_for(key, watched.record, now) if watched is not None else None
            if watched is not None and station is not None:
                self._in_flight.add(key)
                self._spawn(self._ask(key, watched.record, station), f"renewal {key[1]} {key[0]}")

    def _station_for(self, key: _Key, record: RenewalRecord, now: datetime) -> ConnectedStation | None:
        """Return the station that is to be asked for this certificate now, None when it isn't."""
        if record.state is RenewalState.REFUSED or key in self._in_flight or record.usage not in self._health:
            return None
        # A pause that is longer than any, or a turn after the end, comes of a clock that was ahead.
        is_far = record.due_at > now + timedelta(seconds=LONGEST_PAUSE)
        was_ahead = is_far and (record.attempts > 0 or record.due_at > record.not_after)
        station = self._stations.get(record.identity) if record.due_at <= now or was_ahead else None
        if station is None or not station.is_connected or not station.gate.is_open:
            return None
        # A provisional one is asked again and again as it is.
        return station if station.proof.provisional is None else None

    async def _is_up(self, usage: str) -> bool:
        try:
            async with asyncio.timeout(HEALTH_WITHIN):
                await self._health[usage]()
        except (AuthorityError, TimeoutError) as error:
            reason = str(error) or f"no answer within {HEALTH_WITHIN:.0f} s"
            if usage not in self._down:
                log.error("renewals_wait_for_authority", usage=usage, reason=reason)  # noqa: TRY400 - its own words
            self._down[usage] = reason
            return False
        if self._down.pop(usage, None) is not None:
            log.info("renewals_go_on", usage=usage)
        return True

    async def _ask(self, key: _Key, record: RenewalRecord, station: ConnectedStation) -> None:
        try:
            attempts = record.attempts + 1
            pause = pause_after(attempts, FIRST_PAUSE, LONGEST_PAUSE)
            due_at = self._now() + timedelta(seconds=pause)
            asked = replace(record, state=RenewalState.ASKED, attempts=attempts, due_at=due_at)
            await self._save([asked])
            state, problem = await self._renew(station, record.usage)
            if state is RenewalState.RENEWED:
                log.info("renewed", identity=record.identity, usage=record.usage)
            else:
                log.warning(
                    "not_renewed", identity=record.identity, usage=record.usage, reason=problem, state=state.value
                )
            watched = self._watched.get(key)
            if watched is not None and watched.record.serial == record.serial:
                # Alerts that were given meanwhile stay given.
                await self._save([replace(asked, state=state, problem=problem, alerts=watched.record.alerts)])
        except StoreAway as away:
            log.error("renewal_not_saved", identity=record.identity, reason=str(away))  # noqa: TRY400 - it says it all
        finally:
            self._in_flight.discard(key)
            self._fill()

    async def _renew(self, station: ConnectedStation, usage: str) -> tuple[RenewalState, str]:
        try:
            await self._renewal.renew_and_wait(station, RENEWED_WITHIN, usage)
        except TriggerRefused as refused:
            return RenewalState.REFUSED if refused.is_unknown else RenewalState.FAILED, str(refused)
        except (NotRenewed, PeerUnavailable) as error:
            return RenewalState.FAILED, str(error)
        return RenewalState.RENEWED, ""


def _is_in(key: _Key, members: frozenset[str] | None) -> bool:
    return members is None or key[0] in members


def _words(span: timedelta) -> str:
    hours = span // timedelta(hours=1)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
