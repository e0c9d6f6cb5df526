"""The steps of an update: what they stand on, each on file before the next, and whoever watches hears of it."""

from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from gateway.bridge.books import Json
from gateway.services.station_commands import ConnectedStation
from gateway.session.file_links import Links
from gateway.session.firmware import FirmwareImage, NewUpdate, UpdateRecord, UpdateSource, UpdateState
from gateway.session.ports import Backend, Bridge, StationRecord
from gateway.session.security import SecurityLog
from gateway.session.turn import Turn

UNSENT: Final = frozenset({UpdateState.PREPARING, UpdateState.WAITING})
"""States in which the station has not heard of it."""

Watcher = Callable[[UpdateRecord], None]
"""Hears of each change of an update; it neither blocks nor raises."""


class UpdateBook(Protocol):
    """The updates on file. Every method raises StoreAway."""

    async def add(
        self, new: NewUpdate, *, state: UpdateState = UpdateState.PREPARING, **told: Any
    ) -> tuple[UpdateRecord, Sequence[UpdateRecord]]:
        """Keep a new one; return it, and those of which the station has not heard and that it replaces."""

    async def find(self, update_id: int) -> UpdateRecord | None:
        """Return one, or None."""

    async def of_request(self, identity: str, request_id: int | None) -> UpdateRecord | None:
        """Return what a station calls so; None: the last that it was told by the plain UpdateFirmware."""

    async def list(
        self,
        *,
        identity: str | None = None,
        campaign_id: int | None = None,
        states: Collection[UpdateState] | None = None,
        after: int = 0,
        at_most: int | None = None,
    ) -> Sequence[UpdateRecord]:
        """Return those that fit, in the order in which they were ordered; None: any."""

    async def untold(self, identity: str) -> Sequence[UpdateRecord]:
        """Return those of a station whose status its backend has not heard."""

    async def unfinished(self) -> Sequence[str]:
        """Return the stations that must be told of an update, or whose backend must."""

    async def silent(self, since: datetime) -> Sequence[UpdateRecord]:
        """Return those that were agreed to, and of which nothing was told since then."""

    async def move(
        self, update_id: int, state: UpdateState, *, was: Collection[UpdateState], **values: Any
    ) -> UpdateRecord | None:
        """Give one its next state; None when it isn't in one of ``was`` any more."""

    async def told(self, update_id: int) -> UpdateRecord | None:
        """Its backend has heard its status."""

    async def cancel_sent(self, agreed: UpdateRecord) -> Sequence[UpdateRecord]:
        """Cancel what the station had agreed to before this one; return them."""


class Images(Protocol):
    """The catalogue, as far as an update needs it."""

    async def find(self, image_id: int) -> FirmwareImage | None:
        """Return one, or None. Raises StoreAway."""

    async def prepare(
        self, image_id: int, *, vendor: str | None, model: str | None, location: str | None = None
    ) -> FirmwareImage:
        """Return one that may be installed now on such stations: fetched, from where it was ordered, and verified.

        Raises FirmwareRefused, FirmwareUnknown, StoreAway.
        """


class Stations(Protocol):
    """The registry."""

    async def find(self, identity: str) -> StationRecord | None:
        """Return a station, or None. Raises StoreAway."""


class UpdatedStation(ConnectedStation, Protocol):
    """A station's runtime, as far as updates need it."""

    boot: Json | None
    bridge: Bridge
    backend: Backend

    @property
    def turn(self) -> Turn:
        """Held while a CALL of the station is in hand, or something is told in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What updates stand on."""

    book: UpdateBook
    images: Images
    links: Links | None
    """None: stations load from where the image comes from."""
    stations: Stations
    live: Callable[[str], UpdatedStation | None]
    """Returns the runtime of a station, if it has one."""
    without_signature: Callable[[StationRecord], bool]
    """Whether a 1.6 station is told by the plain UpdateFirmware."""
    security: SecurityLog
    spawn: Callable[[Coroutine[Any, Any, None], str], object]
    now: Callable[[], datetime]


class UpdateSteps:
    """Moves updates. Every method raises StoreAway."""

    def __init__(self, on: Surroundings) -> None:
        self._book = on.book
        self._links = on.links
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Have ``watcher`` called with the record at each change of an update, when it is on file."""
        self._watchers.append(watcher)

    async def add(
        self, new: NewUpdate, *, state: UpdateState = UpdateState.PREPARING, **told: Any
    ) -> tuple[UpdateRecord, bool]:
        """Keep a new update; return it, and whether it took the place of one that the station has not heard of."""
        record, replaced = await self._book.add(new, state=state, **told)
        for each in (*replaced, record):
            await self._changed(each)
        return record, bool(replaced)

    async def move(
        self, record: UpdateRecord, state: UpdateState, *, was: Collection[UpdateState] = UNSENT, **values: Any
    ) -> UpdateRecord | None:
        """Give an update its next state; None when it isn't in one of ``was`` any more."""
        moved = await self._book.move(record.id, state, was=was, **values)
        if moved is not None:
            await self._changed(moved)
        return moved

    async def end(
        self, record: UpdateRecord, state: UpdateState, status: str, reason: str, *, tell: bool = True
    ) -> UpdateRecord | None:
        """An update ends that its station has not agreed to; unless not to ``tell``, the backend that ordered it hears.

        None when it isn't one of those any more.
        """
        untold = tell and record.source is UpdateSource.BACKEND
        return await self.move(record, state, status=status, reason=reason, untold=untold)

    async def agreed(self, record: UpdateRecord) -> None:
        """Its station has agreed: what it had agreed to before is over."""
        await self.move(record, UpdateState.SENT, reason=None)
        for each in await self._book.cancel_sent(record):
            await self._changed(each)

    async def _changed(self, record: UpdateRecord) -> None:
        if not record.state.is_open and self._links is not None:
            await self._links.close_update(record.id)
        for watcher in self._watchers:
            watcher(record)
