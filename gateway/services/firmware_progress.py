"""What goes on with updates beside those who order them: looked at, sent when the station is there, told, given up."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import structlog

from gateway.bridge.ports import NotSent, PeerUnavailable
from gateway.bridge.request_ids import next_id
from gateway.services.firmware_alarms import alarm_of
from gateway.services.firmware_refusals import final_status, statuses
from gateway.services.firmware_sending import AGREED, CERTIFICATE_REFUSED, send_plain, send_signed
from gateway.services.firmware_steps import UNSENT, Surroundings, UpdatedStation, UpdateSteps
from gateway.services.station_commands import Outcome, Reply
from gateway.session.firmware import FirmwareImage, FirmwareUnknown, UpdateRecord, UpdateState
from gateway.session.nameplate import Nameplate, nameplate
from gateway.session.ports import StationRecord, StoreAway
from gateway.session.security import Kind, SecurityEvent
from gateway.wire.errors import CallError
from gateway.wire.versions import Version
from pki.firmware import FirmwareRefused, Refusal

AT_ONCE: Final = 4
"""Stations whose images are looked at, or that are told, at the same time; each look reads the whole file."""
LOOK_EVERY: Final = 15.0
"""Seconds between two looks at who can be told now; who has just been accepted is told at once."""
TRIED_AGAIN: Final = 60.0
"""Seconds until a station that gave no answer is asked again, and until a store that was away is asked anew."""
ATTEMPTS_MAX: Final = 5
"""How often a connected station is asked that doesn't answer; counted anew after a restart."""
SILENT_FOR: Final = timedelta(days=7)
"""A station that has agreed, and tells nothing for so long after it was to load or to install, has failed."""
SILENT_EVERY: Final = 600.0
"""Seconds between two looks for such stations."""
UNANSWERED: Final = "it was sent, and no answer has come"
"""Noted before it is sent: over a ``kill -9`` the station may have it, and be at it."""
BUSY: Final = "Rejected"
"""What a station may say of the request that it is at already (L01.FR.27)."""
FAILED: Final = "DownloadFailed"
"""What a backend hears of an order that its station doesn't take."""

log = structlog.get_logger(__name__)


class FirmwareProgress:
    """Does what is left to do for the stations, for each in one task at a time."""

    def __init__(self, on: Surroundings, steps: UpdateSteps) -> None:
        self._on = on
        self._steps = steps
        self._unfinished: dict[str, float] = {}
        """Stations that must be told of an update, or whose backend must -> not before this, on the loop's clock."""
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._unlooked: set[str] = set()
        """Stations whose update could not be looked at: the store was away."""
        self._attempts: dict[int, int] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        self._unfinished.update(dict.fromkeys(await self._on.book.unfinished(), 0.0))

    def start(self) -> None:
        """Begin what goes on beside the stations."""
        for identity in self._unfinished:
            self.proceed(identity)
        self._on.spawn(self._look(), "firmware updates")
        self._on.spawn(self._end_silent(), "silent firmware updates")

    def expect(self, identity: str) -> None:
        """There is something to do for a station, when :meth:`proceed` says so, or at the next look but one."""
        self._unfinished[identity] = asyncio.get_running_loop().time() + LOOK_EVERY

    def missed(self, identity: str) -> None:
        """The backend of a station has not heard how an update ended: it is told after the next look."""
        self.expect(identity)
        if identity in self._running:
            self._again.add(identity)

    def opened(self, identity: str) -> None:
        """The station has been accepted, or has come back as one that was."""
        if identity in self._unfinished:
            self.proceed(identity)

    def proceed(self, identity: str) -> None:
        """Do what is to be done for a station, now."""
        self._unfinished.setdefault(identity, 0.0)
        if identity in self._running:
            self._again.add(identity)
            return
        self._running.add(identity)
        self._on.spawn(self._work(identity), f"firmware of {identity}")

    # --- the rounds

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def look(self) -> None:
        """Go on with those for whom something can be done now."""
        now = asyncio.get_running_loop().time()
        for identity, not_before in list(self._unfinished.items()):
            if now >= not_before and (identity in self._unlooked or self._is_there(identity)):
                self.proceed(identity)

    def _is_there(self, identity: str) -> bool:
        station = self._on.live(identity)
        return station is not None and (_is_open(station) or station.backend.is_up)

    async def _work(self, identity: str) -> None:
        try:
            while True:
                self._again.discard(identity)
                async with self._turns:
                    is_done = await self._round(identity)
                if identity not in self._again:
                    break
            if is_done:
                self._unfinished.pop(identity, None)
                return
        except StoreAway as away:
            log.error("firmware_update_waits", identity=identity, reason=str(away), again_in=TRIED_AGAIN)  # noqa: TRY400 - the text says it
            self._unlooked.add(identity)
        finally:
            self._running.discard(identity)
        self._unfinished[identity] = asyncio.get_running_loop().time() + TRIED_AGAIN

    async def _round(self, identity: str) -> bool:
        """Return whether nothing is left to do for the station. Raises StoreAway."""
        self._unlooked.discard(identity)
        await self._tell_all(identity)  # of what is over, before there is anything to hear of the next one
        for update in await self._on.book.list(identity=identity, states=UNSENT):
            await self._advance(update)
        await self._tell_all(identity)
        return not (await self._on.book.list(identity=identity, states=UNSENT) or await self._on.book.untold(identity))

    async def _tell_all(self, identity: str) -> None:
        for update in await self._on.book.untold(identity):
            await self._tell(update)

    # --- one update

    async def _advance(self, update: UpdateRecord) -> None:
        registered = await self._on.stations.find(update.identity)
        if registered is None:
            await self._steps.end(update, UpdateState.CANCELED, FAILED, "the station isn't registered", tell=False)
            return
        station = self._on.live(update.identity)
        is_here = station is not None and _is_open(station)
        if update.state is UpdateState.WAITING and not is_here:
            return  # it was looked at, and is once more when the station is there
        plate = self._plate(registered)
        try:
            image = await self._look_at(update, plate)
        except FirmwareRefused as refused:
            await self._refuse(update, refused)
            return
        if image is None:
            return
        if update.state is UpdateState.PREPARING:
            await self._steps.move(update, UpdateState.WAITING)
        station = self._on.live(update.identity)
        if station is not None and _is_open(station) and _is_same_kind(nameplate(station.boot), plate):
            await self._send(station, registered, update, image)

    def _plate(self, registered: StationRecord) -> Nameplate:
        station = self._on.live(registered.identity)
        return nameplate(registered.boot_payload if station is None else station.boot)

    async def _look_at(self, update: UpdateRecord, plate: Nameplate) -> FirmwareImage | None:
        """Return the image, verified; None while it isn't known whose station it is. Raises FirmwareRefused."""
        if update.image_id is None:
            raise FirmwareRefused(Refusal.WITHDRAWN, "its image isn't in the catalogue any more")
        if plate.vendor is None:
            return None  # it comes with its BootNotification
        try:
            return await self._on.images.prepare(
                update.image_id, vendor=plate.vendor, model=plate.model, location=update.location
            )
        except FirmwareUnknown as unknown:
            raise FirmwareRefused(Refusal.WITHDRAWN, str(unknown)) from None

    async def _refuse(self, update: UpdateRecord, refused: FirmwareRefused) -> None:
        status = final_status(refused.refusal)
        if await self._steps.end(update, UpdateState.REFUSED, status, str(refused)) is None:
            return
        alarm = alarm_of(refused, f"firmware update {update.id}", update.identity)
        if alarm is not None:
            self._on.security.note(alarm)

    async def _send(
        self, station: UpdatedStation, registered: StationRecord, update: UpdateRecord, image: FirmwareImage
    ) -> None:
        try:
            location = await self._location(update, image)
        except FirmwareRefused as refused:
            await self._refuse(update, refused)
            return
        is_plain = station.version is Version.V16 and self._on.without_signature(registered)
        own_id = await self._own_id(update, is_plain=is_plain)
        moved = await self._steps.move(update, UpdateState.WAITING, reason=UNANSWERED, **own_id)
        if moved is None:
            return  # another one has taken its place meanwhile
        was_sent, update = update.reason == UNANSWERED, moved
        try:
            if is_plain:
                reply = await send_plain(station, update, location, self._on.now())
            else:
                reply = await send_signed(station, update, image, location, self._on.now())
        except PeerUnavailable as away:
            await self._unanswered(update, away)
            return
        self._attempts.pop(update.id, None)
        if reply.status in AGREED or (was_sent and reply.status == BUSY):
            await self._steps.agreed(update)
        else:
            await self._not_agreed(station, update, reply)

    async def _own_id(self, update: UpdateRecord, *, is_plain: bool) -> dict[str, Any]:
        """Return what changes of its requestId: the plain message has none, and what was to be sent so may not be now.

        Raises StoreAway.
        """
        if is_plain:
            return {"request_id": None}
        if update.request_id is not None:
            return {}
        others = await self._on.book.list(identity=update.identity)
        return {"request_id": next_id(max((each.request_id or 0 for each in others), default=0), self._on.now())}

    async def _location(self, update: UpdateRecord, image: FirmwareImage) -> str:
        """Return where the station loads it. Raises FirmwareRefused."""
        if self._on.links is None:
            if image.location is None:
                raise FirmwareRefused(
                    Refusal.FETCH_FAILED, "firmware.serve is original, and it isn't known where the image comes from"
                )
            return image.location
        try:
            return await self._on.links.download(update.identity, image, update.id, not_before=update.retrieve_at)
        except ValueError as error:
            raise FirmwareRefused(Refusal.CHANGED, str(error)) from None

    async def _unanswered(self, update: UpdateRecord, away: PeerUnavailable) -> None:
        if isinstance(away, NotSent):
            await self._steps.move(update, UpdateState.WAITING, reason=None)
            return
        attempts = self._attempts[update.id] = self._attempts.get(update.id, 0) + 1
        if attempts >= ATTEMPTS_MAX:
            del self._attempts[update.id]
            reason = f"the station has not answered {ATTEMPTS_MAX} times: {away}"
            await self._steps.end(update, UpdateState.FAILED, FAILED, reason)

    async def _not_agreed(self, station: UpdatedStation, update: UpdateRecord, reply: Reply) -> None:
        reason = f"the station doesn't take it: {reply.words}"
        if reply.outcome is Outcome.NOT_SUPPORTED and station.version is Version.V16:
            reason += "; where it may get the plain UpdateFirmware instead, name it in firmware.without_signature"
        if await self._steps.end(update, UpdateState.FAILED, FAILED, reason) is None:
            return
        if reply.status in CERTIFICATE_REFUSED:
            detail = f"the station refuses the signing certificate that was found good here: {reply.words}"
            self._on.security.note(SecurityEvent(Kind.INVALID_FIRMWARE_CERTIFICATE, detail, update.identity))

    async def _tell(self, update: UpdateRecord) -> None:
        """Tell the backend that ordered it how it ended, as its station would, or has while the backend was away."""
        station = self._on.live(update.identity)
        if station is None or not station.backend.is_up:
            return
        named = {} if update.request_id is None else {"requestId": update.request_id}
        is_signed = station.version is Version.V16 and named
        action = "SignedFirmwareStatusNotification" if is_signed else "FirmwareStatusNotification"
        final = update.status or FAILED
        # Of what the station has begun its backend has heard, but for the end.
        for status in statuses(final) if update.state is UpdateState.REFUSED else (final,):
            try:
                async with station.turn:
                    await station.bridge.from_station(action, {"status": status, **named})
            except (CallError, PeerUnavailable) as error:
                log.warning("firmware_status_not_told", identity=update.identity, status=status, reason=str(error))
        if station.backend.is_up:  # else it may not have heard
            await self._on.book.told(update.id)

    # --- stations that say nothing any more

    async def _end_silent(self) -> None:
        while True:
            try:
                await self.end_silent()
            except StoreAway as away:
                log.error("firmware_updates_not_looked_at", reason=str(away), again_in=SILENT_EVERY)  # noqa: TRY400 - the text says it
            await asyncio.sleep(SILENT_EVERY)

    async def end_silent(self) -> None:
        """End the updates of which nothing has been heard for too long. Raises StoreAway."""
        for update in await self._on.book.silent(self._on.now() - SILENT_FOR):
            reason = f"the station has told nothing of it for {SILENT_FOR.days} days"
            await self._steps.move(update, UpdateState.FAILED, was={UpdateState.SENT}, reason=reason)


def _is_same_kind(plate: Nameplate, looked_at: Nameplate) -> bool:
    """Return whether it is what the image was looked at for: while gigabytes come, a station may be exchanged."""
    return (plate.vendor, plate.model) == (looked_at.vendor, looked_at.model)


def _is_open(station: UpdatedStation) -> bool:
    return station.is_connected and station.gate.is_open
