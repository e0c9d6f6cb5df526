"""The local controller that the gateway is towards a 2.0.1 backend: PublishFirmware, UnpublishFirmware (L03, L04).

What is published was verified, as whatever stations load: an MD5 proves nothing. Each step is in the store before the
backend hears of it; how it ended is told until the backend has heard it.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.services.firmware_alarms import alarm_of
from gateway.session.file_links import Links
from gateway.session.firmware import (
    FirmwareImage,
    FirmwareUnknown,
    ImageState,
    PublicationRecord,
    PublicationState,
)
from gateway.session.nameplate import nameplate
from gateway.session.ports import Backend, StoreAway
from gateway.session.security import SecurityLog
from gateway.wire.errors import CallError
from pki.firmware import FirmwareRefused, Refusal

ACTION: Final = "PublishFirmwareStatusNotification"
AT_ONCE: Final = 2
"""Stations on whose legs images are looked at at the same time; each look reads the whole file."""
LEG_WITHIN: Final = 5.0
"""Seconds that a station's leg to its backend may take to open; then the next look finds it."""
LOOK_EVERY: Final = 15.0
"""Seconds between two looks at whose backend can be told now."""
SAME_MD5_MAX: Final = 10
"""Verified images of one MD5 that are looked at for one that fits."""

_OPEN: Final = frozenset(state for state in PublicationState if state.is_open)
_NOT_LOADED: Final = frozenset({Refusal.FETCH_FAILED, Refusal.NO_SPACE, Refusal.SOURCE_NOT_ALLOWED, Refusal.TOO_LARGE})
_IDLE: Final = frozenset({PublicationState.PUBLISHED, PublicationState.UNPUBLISHED})
"""After these nothing is going on (L03)."""

log = structlog.get_logger(__name__)


class PublicationBook(Protocol):
    """The publications on file. Every method raises StoreAway."""

    async def add(self, identity: str, request_id: int, *, checksum: str, location: str) -> PublicationRecord | None:
        """Keep a new one; None where the station's leg has too many."""

    async def newest(self, identity: str) -> PublicationRecord | None:
        """Return the last one that was asked for on a station's leg."""

    async def live(self, identity: str, checksum: str) -> Sequence[PublicationRecord]:
        """Return those with a checksum that go on or are published on a station's leg."""

    async def is_published(self, image_id: int) -> bool:
        """Return whether an image is published on whatever leg."""

    async def unfinished(self, identity: str) -> Sequence[PublicationRecord]:
        """Return those on a station's leg that go on, or of whose end the backend has not heard."""

    async def stations(self) -> Sequence[str]:
        """Return the stations that have such ones."""

    async def move(
        self,
        publication_id: int,
        state: PublicationState,
        *,
        was: Collection[PublicationState],
        untold: bool = False,
        image_id: int | None = None,
    ) -> PublicationRecord | None:
        """Give one its next state; None when it isn't in one of ``was`` any more."""

    async def told(self, publication_id: int) -> None:
        """The backend has heard how it ended."""


class Images(Protocol):
    """The catalogue, as far as publishing needs it. Every method raises StoreAway."""

    async def for_order(self, location: str, vendor: str | None, model: str | None) -> FirmwareImage | None:
        """Return what a location means for stations of this vendor and model, or None."""

    async def list(
        self, *, state: ImageState | None = None, md5: str | None = None, limit: int = ...
    ) -> Sequence[FirmwareImage]:
        """Return images that fit."""

    async def prepare(
        self, image_id: int, *, vendor: str | None, model: str | None, location: str | None = None
    ) -> FirmwareImage:
        """Return one that may be installed now. Raises FirmwareRefused, FirmwareUnknown."""


class PublishingStation(Protocol):
    """A station's runtime, as far as publishing needs it."""

    boot: Json | None
    backend: Backend

    @property
    def identity(self) -> str:
        """The identity in the station's URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What publishing stands on."""

    book: PublicationBook
    images: Images
    links: Links | None
    """None: nothing is published, for there is no endpoint to load it from."""
    live: Callable[[str], PublishingStation | None]
    """Returns the runtime of a station, if it has one."""
    security: SecurityLog
    spawn: Callable[[Coroutine[Any, Any, None], str], object]


class FirmwarePublishing:
    """The publications on the legs of all stations. Fulfils :class:`gateway.services.firmware_desk.Publishing`."""

    def __init__(self, on: Surroundings) -> None:
        self._on = on
        self._unfinished: set[str] = set()
        """Stations on whose leg something goes on, or whose backend must be told."""
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._urls: dict[int, str] = {}
        """Of publications of which the backend has not heard; a restart makes new ones."""
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.is_loaded: Callable[[int], bool] = lambda _: False
        """Whether stations are just loading this image from the gateway (L04.FR.03): the file endpoint comes later."""

    # --- for the desk

    async def publish(self, station: PublishingStation, payload: Json) -> str:
        """Handle PublishFirmware; return the GenericStatus. It waits for :meth:`proceed`. Raises StoreAway."""
        if self._on.links is None:
            return "Rejected"
        added = await self._on.book.add(
            station.identity,
            payload["requestId"],
            checksum=payload["checksum"].lower(),
            location=payload["location"],
        )
        if added is None:
            return "Rejected"
        self._unfinished.add(station.identity)
        return "Accepted"

    async def unpublish(self, station: PublishingStation, payload: Json) -> str:
        """Handle UnpublishFirmware; return the UnpublishFirmwareStatus. Raises StoreAway."""
        records = await self._on.book.live(station.identity, payload["checksum"].lower())
        if not records:
            return "NoFirmware"
        images = {each.image_id for each in records if each.image_id is not None}
        if any(each.state.is_open for each in records) or any(map(self.is_loaded, images)):
            return "DownloadOngoing"
        for each in records:
            await self._on.book.move(each.id, PublicationState.UNPUBLISHED, was={PublicationState.PUBLISHED})
            self._urls.pop(each.id, None)
        for image_id in images:
            if self._on.links is not None and not await self._on.book.is_published(image_id):
                await self._on.links.unpublish(image_id)
        return "Unpublished"

    async def publication(self, station: PublishingStation) -> Json:
        """Return the PublishFirmwareStatusNotificationRequest that TriggerMessage asks for (L03).

        The last status, or Idle when nothing goes on. Raises StoreAway.
        """
        record = await self._on.book.newest(station.identity)
        if record is None or record.state in _IDLE:
            return {"status": "Idle"}
        return {"status": record.state.value, "requestId": record.request_id}

    # --- for the composition root

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        self._unfinished.update(await self._on.book.stations())

    def start(self) -> None:
        """Begin what goes on beside the stations."""
        self._on.spawn(self._look(), "publications of firmware")

    def proceed(self, identity: str) -> None:
        """The backend has been answered, or the station is back: do what is to be done on its leg, if anything is."""
        if identity not in self._unfinished:
            return
        if identity in self._running:
            self._again.add(identity)
            return
        self._running.add(identity)
        self._on.spawn(self._work(identity), f"publications of {identity}")

    # --- the rounds

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def look(self) -> None:
        """Go on with those whose backend can be told now."""
        for identity in sorted(self._unfinished):
            station = self._on.live(identity)
            if station is not None and station.backend.is_up:
                self.proceed(identity)

    async def _work(self, identity: str) -> None:
        try:
            while True:
                self._again.discard(identity)
                is_done = await self._round(identity)
                if identity not in self._again:
                    break
        except (StoreAway, PeerUnavailable) as away:
            log.info("publication_waits", identity=identity, reason=str(away))
            is_done = False
        finally:
            self._running.discard(identity)
        if is_done:
            self._unfinished.discard(identity)

    async def _round(self, identity: str) -> bool:
        """Return whether nothing is left to do. Raises StoreAway, PeerUnavailable."""
        station = self._on.live(identity)
        if station is None:
            return False  # who is to be told comes with it
        await station.backend.begun(LEG_WITHIN)
        if not station.backend.is_up:
            return False
        for record in await self._on.book.unfinished(identity):
            ended = record
            if record.state.is_open or (record.state is PublicationState.PUBLISHED and record.id not in self._urls):
                async with self._turns:
                    found = await self._publish(station, record)
                if found is None:
                    continue
                ended = found
            await self._tell(station, ended, url=self._urls.get(ended.id))
            await self._on.book.told(ended.id)
            self._urls.pop(ended.id, None)
        return not await self._on.book.unfinished(identity)

    # --- one publication

    async def _publish(self, station: PublishingStation, record: PublicationRecord) -> PublicationRecord | None:
        """Return it as it ended, on file; None when it was unpublished meanwhile. Raises StoreAway."""
        state, image = await self._look_at(station, record)
        was = _OPEN if record.state.is_open else {PublicationState.PUBLISHED}
        image_id = None if image is None else image.id
        ended = await self._on.book.move(record.id, state, was=was, untold=True, image_id=image_id)
        if ended is not None and image is not None and self._on.links is not None:
            self._urls[ended.id] = await self._on.links.publish(image)
        return ended

    async def _look_at(
        self, station: PublishingStation, record: PublicationRecord
    ) -> tuple[PublicationState, FirmwareImage | None]:
        """Return how a publication ends, and what is published. Raises StoreAway."""
        await self._step(station, record, PublicationState.DOWNLOADING)
        try:
            image = await self._image(station, record)
        except FirmwareRefused as refused:
            log.warning("not_published", identity=record.identity, request_id=record.request_id, reason=str(refused))
            alarm = alarm_of(refused, "PublishFirmware of the backend", record.identity)
            if alarm is not None:
                self._on.security.note(alarm)
            if refused.refusal in _NOT_LOADED:
                return PublicationState.DOWNLOAD_FAILED, None
            return PublicationState.PUBLISH_FAILED, None
        await self._step(station, record, PublicationState.DOWNLOADED)
        if image.md5 != record.checksum:
            return PublicationState.INVALID_CHECKSUM, None
        await self._step(station, record, PublicationState.CHECKSUM_VERIFIED)
        return PublicationState.PUBLISHED, image

    async def _image(self, station: PublishingStation, record: PublicationRecord) -> FirmwareImage:
        """Return what is to be published, verified just now. Raises FirmwareRefused, StoreAway."""
        plate, location = nameplate(station.boot), record.location or ""
        known = await self._on.images.for_order(location, plate.vendor, plate.model)
        candidates = [known] if known is not None else await self._of_checksum(record)
        for image in candidates:
            try:
                return await self._on.images.prepare(
                    image.id, vendor=plate.vendor, model=plate.model, location=location
                )
            except FirmwareUnknown:
                continue
            except FirmwareRefused as refused:
                if known is not None or refused.refusal is not Refusal.WRONG_STATION:
                    raise
        raise FirmwareRefused(
            Refusal.NO_SIGNATURE, "no signature is known for it: add the image to the catalogue (voltgate firmware add)"
        )

    async def _of_checksum(self, record: PublicationRecord) -> Sequence[FirmwareImage]:
        """What is verified already, whatever the place that the backend names: the MD5 only chooses among it."""
        return await self._on.images.list(state=ImageState.VERIFIED, md5=record.checksum, limit=SAME_MD5_MAX)

    async def _step(self, station: PublishingStation, record: PublicationRecord, state: PublicationState) -> None:
        """Note how far it is, and tell it; a backend that is away misses it. Raises StoreAway."""
        if not record.state.is_open or await self._on.book.move(record.id, state, was=_OPEN) is None:
            return
        try:
            await self._say(station, state, record.request_id)
        except PeerUnavailable:
            log.info("publication_step_untold", identity=record.identity, status=state.value)

    async def _tell(self, station: PublishingStation, record: PublicationRecord, *, url: str | None) -> None:
        """Tell how it ended. Raises PeerUnavailable: then it is told again."""
        location = {} if url is None else {"location": [url]}
        await self._say(station, record.state, record.request_id, **location)

    async def _say(self, station: PublishingStation, state: PublicationState, request_id: int, **more: Any) -> None:
        payload = {"status": state.value, "requestId": request_id, **more}
        try:
            await station.backend.call(ACTION, payload)
        except CallError as error:
            log.warning("publication_refused", identity=station.identity, status=state.value, reason=str(error))
