"""Upgrades of stations' security profiles: begun by an operator, taken step by step, gone on with after a restart.

Only one process drives the upgrades of a deployment's stations; what it holds in memory is what the store holds of
those that aren't over. The registry's ratchet is not moved here: the admission under the new profile moves it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificate_flows import Spawn
from gateway.services.station_commands import ConnectedStation
from gateway.services.upgrade_steps import (
    Step,
    StepFailed,
    UpgradeSteps,
    deadline_from,
    first_step,
    moved,
)
from gateway.session.ports import StoreAway
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.session.upgrades import UpgradeOver, UpgradeRecord, UpgradeUnderWay

ATTEMPTS_MAX: Final = 5
"""Times that a step is tried while the station is connected and gives no answer."""
PAUSE: Final = 30.0
"""Seconds between two of them."""
SWEEP_EVERY: Final = 15.0
"""Seconds between two looks at the deadlines."""
SESSIONS_END_WITHIN: Final = timedelta(days=1)
"""From a reconnect under the old profile, of a station that restarts when its sessions have ended, to the new one."""
INTERFACES: Final = frozenset(f"{kind}{number}" for kind in ("Wired", "Wireless") for number in range(4))
"""What a network profile may use (OCPP 2.0.1 OCPPInterfaceEnumType)."""
URL_MAX: Final = 512
"""Characters of ocppCsmsUrl."""

log = structlog.get_logger(__name__)


class UpgradeRefused(Exception):
    """The upgrade is not begun; the text says why and what to do."""


class UpgradeBook(Protocol):
    """The upgrades as they are kept. All raise StoreAway."""

    async def begin(self, record: UpgradeRecord) -> None:
        """Keep a new one. Raises UpgradeUnderWay, and KeyError when the station isn't registered."""

    async def find(self, identity: str) -> UpgradeRecord | None:
        """Return the station's one that is under way, or its last, or None."""

    async def unfinished(self) -> Sequence[UpgradeRecord]:
        """Return those that aren't over."""

    async def save(self, record: UpgradeRecord) -> None:
        """Keep one as it is now; durable on return. Raises UpgradeOver when it was cancelled or removed."""

    async def cancel(self, identity: str, detail: str) -> bool:
        """End the one that is under way where it stands; False when there is none."""


class ProfileUpgrades:
    """Drives the upgrades. :meth:`load` comes before the first admission; :meth:`run` keeps the deadlines."""

    def __init__(
        self,
        book: UpgradeBook,
        steps: UpgradeSteps,
        security: SecurityLog,
        *,
        is_connected: Callable[[str], bool],
        spawn: Spawn,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._book = book
        self._steps = steps
        self._security = security
        self._is_connected = is_connected
        self._spawn = spawn
        self._now = now
        self._sleep = sleep
        self._open: dict[str, UpgradeRecord] = {}
        """By identity: those that the store holds as not over, as they are now."""
        self._dances: dict[str, tuple[ConnectedStation, asyncio.Task[None]]] = {}

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        self._open = {record.identity: record for record in await self._book.unfinished()}

    async def run(self) -> None:
        """Look at the deadlines, again and again. Never returns."""
        while True:
            await self._sleep(SWEEP_EVERY)
            await self.check_deadlines()

    async def begin(self, station: ConnectedStation, target: int, *, interface: str = "Wired0") -> UpgradeRecord:
        """Begin the upgrade of a connected station to ``target`` and return its first record, which is durable by then.

        Raises :class:`UpgradeRefused`, UpgradeUnderWay, StoreAway.
        """
        self._check(station, target, interface)
        step = first_step(station.version, target)
        now = self._now()
        data = {"interface": interface}
        blank = UpgradeRecord(
            station.identity, target, station.proof.profile, step.value, None, "", data, False, now, now
        )
        record = moved(blank, step)
        known = self._open.get(station.identity)
        if known is not None and not known.is_over:
            raise UpgradeUnderWay(known)
        try:
            await self._book.begin(record)
        except KeyError:
            raise UpgradeRefused("the station is not registered any more") from None
        self._open[station.identity] = record
        log.info("upgrade_begun", identity=station.identity, target=target, previous=record.previous_profile)
        self._start(station, record, is_repeat=False)
        return record

    async def resume(self, station: ConnectedStation) -> None:
        """The station is connected: go on with its upgrade, if one was broken off."""
        record = self._open.get(station.identity)
        if record is None or record.is_over or record.step == Step.WAITING.value:
            return
        driven, task = self._dances.get(station.identity, (None, None))
        if task is None or task.done():
            self._start(station, record, is_repeat=True)
        elif driven is not station:
            await self._stop(station.identity)
            await self.resume(station)  # unless somebody else was quicker

    async def came_back(self, identity: str, profile: int) -> None:
        """The station was admitted under ``profile``; if it is the new one, its upgrade is done."""
        record = self._open.get(identity)
        if record is None or record.is_over:
            return
        if profile >= record.target_profile:
            await self._stop(identity)
            detail = f"the station uses security profile {profile}"
            await self._end(record, Step.DONE, detail)
            self._security.note(SecurityEvent(Kind.RECONFIGURATION, f"upgraded: {detail}", identity))
        elif record.step == Step.WAITING.value:
            note = f"it came back under security profile {profile}, which it may use until it has used the new one"
            log.warning("upgrade_came_back", identity=identity, profile=profile, target=record.target_profile)
            deadline = record.data.get("deadline")
            if deadline is None or record.data.get("left_early"):
                # It restarts when its sessions have ended; this may be a mere reconnect before that.
                deadline = (self._now() + SESSIONS_END_WITHIN).isoformat()
            await self._try_save(
                moved(record, Step.WAITING, note=note, deadline=deadline, left_early=False, came_under=profile)
            )

    async def status(self, identity: str) -> UpgradeRecord | None:
        """Return the station's upgrade that is under way, or its last, or None. Raises StoreAway."""
        return self._open.get(identity) or await self._book.find(identity)

    def under_way(self) -> Sequence[UpgradeRecord]:
        """Return those that aren't over, the oldest first."""
        return sorted((each for each in self._open.values() if not each.is_over), key=lambda each: each.started_at)

    def is_under_way(self, identity: str) -> bool:
        """Return whether the station's upgrade isn't over."""
        record = self._open.get(identity)
        return record is not None and not record.is_over

    async def cancel(self, identity: str) -> bool:
        """End the upgrade that is under way where it stands; False when there is none. Raises StoreAway.

        What the station has taken by then it keeps: after a restart it may come under the new profile all the same.
        """
        await self._stop(identity)
        self._open.pop(identity, None)
        return await self._book.cancel(identity, "cancelled by an operator; the station keeps what it has taken")

    async def check_deadlines(self) -> None:
        """Fail those whose station hasn't come back under the new profile in time."""
        for identity in list(self._open):
            record = self._open.get(identity)
            if record is None:
                continue
            if record.is_over:
                await self._try_save(record)
            elif record.step == Step.WAITING.value:
                await self._check_deadline(record)

    async def _check_deadline(self, record: UpgradeRecord) -> None:
        deadline = record.data.get("deadline")
        if deadline is None:
            # Its sessions had to end first; the time runs from when it has left.
            if not self._is_connected(record.identity):
                waiting = moved(record, Step.WAITING, deadline=deadline_from(self._now()), left_early=True)
                await self._try_save(waiting)
        elif self._now() >= datetime.fromisoformat(deadline):
            await self._fail(record, self._why_late(record))

    def _why_late(self, record: UpgradeRecord) -> str:
        under = record.data.get("came_under")
        wanted = f"security profile {record.target_profile}"
        if under is not None:
            return f"the station came back under security profile {under} and not under {wanted}; it goes on as before"
        if self._is_connected(record.identity):
            return f"the station has not restarted, and goes on without {wanted}"
        return f"the station has not come back under {wanted}, nor under the old one; look at it on site"

    def _check(self, station: ConnectedStation, target: int, interface: str) -> None:
        if target not in {2, 3}:
            raise UpgradeRefused(f"a station is upgraded to security profile 2 or 3, not {target}")
        if not station.is_connected:
            raise UpgradeRefused("the station is not connected; an upgrade begins over its connection")
        if target <= station.proof.profile:
            raise UpgradeRefused(f"the station uses security profile {station.proof.profile} already")
        if interface not in INTERFACES:
            raise UpgradeRefused(f"a network interface is one of {', '.join(sorted(INTERFACES))}")
        if target == 2 and station.record.password_hash is None:
            raise UpgradeRefused("security profile 2 needs a password; give the station one first")
        offer = self._steps.offer(target)
        if offer is None:
            raise UpgradeRefused(
                f"no listener offers security profile {target}: one needs it in security_profiles, and a public_url "
                "that stations can be told"
            )
        if not offer.url.startswith("wss://") or len(offer.url) > URL_MAX:
            raise UpgradeRefused(
                f"the listener's public_url must begin with wss:// and have at most {URL_MAX} characters"
            )

    # --- the dance

    def _start(self, station: ConnectedStation, record: UpgradeRecord, *, is_repeat: bool) -> None:
        task = self._spawn(self._dance(station, record, is_repeat=is_repeat), f"upgrade {station.identity}")
        self._dances[station.identity] = station, task

    async def _stop(self, identity: str) -> None:
        """End the dance. It stands in ``_dances`` until it has ended: none begins beside it."""
        dance = self._dances.get(identity)
        if dance is None:
            return
        dance[1].cancel()
        await asyncio.wait([dance[1]])
        if self._dances.get(identity) is dance:
            del self._dances[identity]

    async def _dance(self, station: ConnectedStation, record: UpgradeRecord, *, is_repeat: bool) -> None:
        """Take step after step until the station is waited for. One that is left broken off waits for its station."""
        failures = 0
        while record.step != Step.WAITING.value:
            try:
                taken = await self._steps.take(station, record, is_repeat=is_repeat)
                record = await self._save(taken)
            except StepFailed as failed:
                await self._fail(record, str(failed))
                return
            except UpgradeOver:
                self._open.pop(record.identity, None)
                return
            except (PeerUnavailable, StoreAway) as away:
                failures += 1
                log.warning("upgrade_step_repeated", identity=record.identity, step=record.step, reason=str(away))
                if not station.is_connected:
                    return
                if failures == ATTEMPTS_MAX:
                    await self._fail(record, f"no answer at the step {record.step!r}: {away}")
                    return
                is_repeat = True
                await self._sleep(PAUSE)
                continue
            is_repeat, failures = False, 0
            log.info("upgrade_step", identity=record.identity, step=record.step, slot=record.slot)

    async def _fail(self, record: UpgradeRecord, reason: str) -> None:
        log.error("upgrade_failed", identity=record.identity, target=record.target_profile, reason=reason)
        self._security.note(SecurityEvent(Kind.UPGRADE_FAILED, reason, record.identity))
        await self._end(record, Step.FAILED, reason)

    async def _end(self, record: UpgradeRecord, step: Step, detail: str) -> None:
        await self._try_save(replace(record, step=step.value, detail=detail, is_over=True))

    async def _try_save(self, record: UpgradeRecord) -> None:
        """Save what is known, whether the store can take it now or when it is back (:meth:`check_deadlines`)."""
        self._open[record.identity] = record
        try:
            await self._save(record)
        except UpgradeOver:
            self._open.pop(record.identity, None)
        except StoreAway as away:
            log.error("upgrade_not_saved", identity=record.identity, reason=str(away))  # noqa: TRY400 - it says it all

    async def _save(self, record: UpgradeRecord) -> UpgradeRecord:
        record = replace(record, changed_at=self._now())
        await self._book.save(record)
        known = self._open.get(record.identity)
        if known is None or known.started_at != record.started_at:
            return record  # cancelled while it was being kept
        if record.is_over:
            del self._open[record.identity]
        else:
            self._open[record.identity] = record
        return record
