"""The scheduler of firmware campaigns: so many stations at once, in the window, until too many have failed.

What it knows is in the store; in memory it holds only which stations still wait. A restart goes on where it was: no
station is ordered twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Protocol

import structlog

from gateway.bridge.books import Json
from gateway.services.campaign_steps import (
    NOT_REGISTERED,
    is_to_be_withdrawn,
    may_order,
    next_of,
    silence,
    why_it_halts,
    why_not_for_it,
)
from gateway.services.clock_watch import ClockWatch
from gateway.services.looking import look_once
from gateway.session.boot import BootGate
from gateway.session.firmware import (
    CampaignState,
    FirmwareConflict,
    FirmwareInvalid,
    FirmwareUnknown,
    UpdateRecord,
    UpdateSource,
    UpdateState,
)
from gateway.session.firmware_campaigns import (
    CampaignAtWork,
    CampaignProgress,
    CampaignStationState,
    StationChange,
    UnderWay,
)
from gateway.session.ports import Provisional, StoreAway
from pki.firmware import FirmwareRefused

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at what people and stations have done."""
PENDING_READ_EVERY: Final = 300.0
"""Seconds between two readings of who still waits: of those that aren't registered any more, too."""
LOOKED_AT: Final = 5_000
"""Stations of one campaign that are considered in one look; the others have their turn in the next ones."""

log = structlog.get_logger(__name__)

_S: Final = CampaignStationState


class CampaignBook(Protocol):
    """The campaigns as they are kept. All raise StoreAway."""

    async def at_work(self) -> Sequence[CampaignAtWork]:
        """Return the campaigns that aren't over, and those of which an update is still under way."""

    async def under_way(self, campaign_id: int) -> Sequence[UnderWay]:
        """Return the stations whose update is under way."""

    async def pending(self, campaign_id: int, after: str) -> Sequence[tuple[str, bool, Json | None]]:
        """Return the next pending stations by identity: whether each is registered, and its last boot."""

    async def progress(self, campaign_id: int) -> CampaignProgress:
        """Return how far it is."""

    async def claim(self, campaign_id: int, identity: str) -> bool:
        """A station is ordered next: False where it may not be."""

    async def move(self, campaign_id: int, changes: Collection[StationChange]) -> None:
        """Give stations their next state."""

    async def installed_late(self, update_ids: Collection[int]) -> int:
        """Of these updates, some had been taken for failed: correct it, and return how many."""

    async def halt(self, campaign_id: int, reason: str) -> bool:
        """Halt a campaign; False where it wasn't running."""

    async def finish(self, campaign_id: int) -> bool:
        """A campaign is done; False where it isn't."""


class Updates(Protocol):
    """The updates of stations."""

    async def order(
        self, identity: str, image_id: int, *, source: UpdateSource, by: str, campaign_id: int | None = None
    ) -> UpdateRecord:
        """Order an update; it is on record when this returns.

        Raises StoreAway, FirmwareUnknown, FirmwareInvalid, FirmwareConflict, FirmwareRefused.
        """

    async def cancel(self, update_id: int) -> object:
        """Take one back. Raises StoreAway, FirmwareUnknown; FirmwareConflict where its station has heard of it."""


class CampaignedStation(Protocol):
    """A station's runtime, as far as a campaign needs it."""

    gate: BootGate
    boot: Json | None

    @property
    def is_connected(self) -> bool:
        """True while the station's WebSocket is open."""

    @property
    def provisional(self) -> Provisional | None:
        """Why it was let in only to get a new certificate, if it was."""


@dataclass(slots=True)
class _Known:
    """What is held in memory of a campaign."""

    changed_at: datetime
    """Of the campaign, when it was read."""
    read_at: float
    pending: dict[str, None]
    """Who waits, those first that were looked at longest ago."""
    progress: CampaignProgress | None = None
    """None: something has changed since it was counted."""
    unordered: dict[str, str] = field(default_factory=dict)
    """Why a station could not be ordered, until that is on record."""

    @property
    def is_over(self) -> bool:
        """True when no station waits or is under way, as far as is counted."""
        return not self.pending and self.progress is not None and self.progress.over == self.progress.total


class CampaignScheduler:
    """Goes on with the campaigns. :meth:`run` never ends."""

    def __init__(
        self,
        book: CampaignBook,
        updates: Updates,
        *,
        live: Callable[[str], CampaignedStation | None],
        manufacturer_of: Callable[[str], str | None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``live``: a station's runtime, if it has one; ``manufacturer_of``: who has a vendorName."""
        self._book = book
        self._updates = updates
        self._live = live
        self._manufacturer_of = manufacturer_of
        self._now = now
        self._monotonic = monotonic
        self._clock = ClockWatch(now, monotonic)
        self._sleep = sleep
        self._known: dict[int, _Known] = {}
        self._installed: set[int] = set()
        """Updates that have ended well since the last look."""
        self.campaigns: Mapping[CampaignState, int] = {}
        """How many there are of those that aren't over, at the last look."""

    @property
    def stations(self) -> Mapping[CampaignStationState, int]:
        """How many stations of these campaigns are in which state."""
        counted = [known.progress for known in self._known.values() if known.progress is not None]
        return {state: sum(each[state] for each in counted) for state in CampaignStationState}

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await look_once(self.sweep, "firmware_campaigns_failed")
            await self._sleep(LOOK_EVERY)

    def changed(self, update: UpdateRecord) -> None:
        """An update has changed: one that had been silent for too long may have ended well after all."""
        if update.campaign_id is not None and update.state is UpdateState.INSTALLED:
            self._installed.add(update.id)

    async def sweep(self) -> None:
        """Look once at all campaigns. Raises StoreAway."""
        found = await self._book.at_work()
        is_steady = self._clock.is_steady()
        at_work = {each.record.id for each in found}
        self._known = {number: known for number, known in self._known.items() if number in at_work}
        states = [each.record.state for each in found]
        self.campaigns = {state: states.count(state) for state in CampaignState}
        installed, self._installed = self._installed, set()
        if installed and await self._book.installed_late(installed):
            for known in self._known.values():
                known.progress = None
        for campaign in found:
            await self._advance(campaign, is_steady=is_steady)

    async def _advance(self, campaign: CampaignAtWork, *, is_steady: bool) -> None:
        number, now = campaign.record.id, self._now()
        known = await self._know(campaign)
        rows = await self._follow(campaign, known, is_steady=is_steady)
        if known.progress is None:
            known.progress = await self._book.progress(number)
        if campaign.record.state is not CampaignState.RUNNING:
            return
        why = why_it_halts(campaign) or known.progress.too_many_failed(campaign.record.plan)
        if why is not None:
            if await self._book.halt(number, why):
                log.error("firmware_campaign_halted", campaign=campaign.record.plan.name, id=number, reason=why)
            return
        if may_order(campaign, now):
            await self._order(campaign, known, campaign.record.plan.batch_size - rows)
        if known.is_over:
            await self._finish(campaign)

    async def _finish(self, campaign: CampaignAtWork) -> None:
        if await self._book.finish(campaign.record.id):
            log.info("firmware_campaign_done", campaign=campaign.record.plan.name, id=campaign.record.id)
        self._known.pop(campaign.record.id, None)

    # --- who waits

    async def _know(self, campaign: CampaignAtWork) -> _Known:
        """Read who waits, where that isn't known or may not be so any more. Raises StoreAway."""
        number, seconds = campaign.record.id, self._monotonic()
        known = self._known.get(number)
        if (
            known is not None
            and known.changed_at == campaign.record.changed_at
            and seconds - known.read_at < PENDING_READ_EVERY
        ):
            return known
        fresh = _Known(campaign.record.changed_at, seconds, {}, unordered={} if known is None else known.unordered)
        if campaign.record.state is CampaignState.RUNNING:
            await self._read_pending(campaign, fresh)
        if known is not None:  # the turn goes on where it was
            fresh.pending = {each: None for each in known.pending if each in fresh.pending} | fresh.pending
        self._known[number] = fresh
        return fresh

    async def _read_pending(self, campaign: CampaignAtWork, known: _Known) -> None:
        """Those that are not for this campaign are skipped at once, whether or not they are here."""
        after = ""
        while page := await self._book.pending(campaign.record.id, after):
            skipped = []
            for identity, is_registered, boot in page:
                why = why_not_for_it(campaign, self._manufacturer_of, boot) if is_registered else NOT_REGISTERED
                if why is None:
                    known.pending[identity] = None
                else:
                    skipped.append(StationChange(identity, _S.PENDING, _S.SKIPPED, reason=why))
            await self._book.move(campaign.record.id, skipped)
            after = page[-1][0]

    # --- those that are under way

    async def _follow(self, campaign: CampaignAtWork, known: _Known, *, is_steady: bool) -> int:
        """Take over what has become of updates; return how many are still under way. Raises StoreAway."""
        number, now = campaign.record.id, self._now()
        rows = await self._book.under_way(number)
        changes: list[StationChange] = []
        for row in rows:
            change = next_of(row, campaign, known.unordered.get(row.identity))
            if change is None and is_to_be_withdrawn(row, campaign, now, self._is_here):
                change = StationChange(row.identity, row.state, _S.WITHDRAWING)
            if change is None and is_steady:
                change = silence(row, now)
            if change is not None:
                changes.append(change)
        if changes:
            await self._book.move(number, changes)
            self._moved(campaign, known, changes)
        withdrawn = {each.identity for each in changes if each.state is _S.WITHDRAWING}
        for row in rows:
            if row.identity in withdrawn or (row.state is _S.WITHDRAWING and next_of(row, campaign) is None):
                await self._withdraw(row)
        return len(rows) - sum(not each.state.is_under_way for each in changes)

    def _moved(self, campaign: CampaignAtWork, known: _Known, changes: Sequence[StationChange]) -> None:
        known.progress = None
        for change in changes:
            known.unordered.pop(change.identity, None)
            if change.state is _S.PENDING:
                known.pending[change.identity] = None
            elif change.state is _S.FAILED:
                name, reason = campaign.record.plan.name, change.reason
                log.warning("firmware_campaign_station_failed", campaign=name, identity=change.identity, reason=reason)

    async def _withdraw(self, row: UnderWay) -> None:
        """What comes of it is seen at the next look: its station may have heard of it meanwhile. Raises StoreAway."""
        if row.newest_id is None:
            return
        try:
            await self._updates.cancel(row.newest_id)
        except (FirmwareConflict, FirmwareUnknown) as error:
            log.debug("firmware_update_not_withdrawn", identity=row.identity, reason=str(error))

    # --- those that are next

    async def _order(self, campaign: CampaignAtWork, known: _Known, places: int) -> None:
        """Order as many as may be under way. Raises StoreAway."""
        skipped: list[StationChange] = []
        for identity in list(islice(known.pending, LOOKED_AT)):
            if places <= 0:
                break
            del known.pending[identity]  # and to the end, if it still waits
            station = self._live(identity) if self._is_here(identity) else None
            why = None if station is None else why_not_for_it(campaign, self._manufacturer_of, station.boot)
            if why is not None:
                skipped.append(StationChange(identity, _S.PENDING, _S.SKIPPED, reason=why))
            elif station is None or not await self._book.claim(campaign.record.id, identity):
                known.pending[identity] = None
            else:
                known.progress = None
                places -= 1
                await self._order_one(campaign, known, identity)
        if skipped:
            known.progress = None
            await self._book.move(campaign.record.id, skipped)

    async def _order_one(self, campaign: CampaignAtWork, known: _Known, identity: str) -> None:
        """Order a station that was claimed. What is left open here is taken up at the next look. Raises StoreAway."""
        record = campaign.record
        try:
            update = await self._updates.order(
                identity,
                record.plan.image_id,
                source=UpdateSource.CAMPAIGN,
                by=record.plan.name,
                campaign_id=record.id,
            )
        except (FirmwareUnknown, FirmwareInvalid, FirmwareConflict, FirmwareRefused) as error:
            known.unordered[identity] = str(error)
        except StoreAway:
            raise
        except Exception:
            log.exception("firmware_update_not_ordered", identity=identity, campaign=record.plan.name)
            known.unordered[identity] = "it could not be ordered; the gateway's log says why"
        else:
            change = StationChange(identity, _S.ORDERING, _S.ORDERED, update_id=update.id)
            await self._book.move(record.id, [change])

    def _is_here(self, identity: str) -> bool:
        """True while a station can be told."""
        station = self._live(identity)
        return station is not None and station.is_connected and station.gate.is_open and station.provisional is None
