"""Updates of stations: verified before the station hears of it, sent when it is there, followed until they are over.

One station has one update of which it has not heard, at most. It is looked at when it is ordered, and once more right
before it is sent: certificate, revocation, file (attack B5). Each step is in the store before the next one.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from gateway.bridge.books import Json
from gateway.services.firmware_progress import FAILED, FirmwareProgress
from gateway.services.firmware_refusals import final_status
from gateway.services.firmware_steps import Surroundings, UpdateSteps, Watcher
from gateway.session.firmware import (
    FirmwareConflict,
    FirmwareInvalid,
    FirmwareUnknown,
    ImageState,
    NewUpdate,
    UpdateRecord,
    UpdateSource,
    UpdateState,
)
from gateway.session.security import Kind, SecurityEvent
from pki.firmware import FirmwareRefused

ENDS: Final = {
    "Installed": UpdateState.INSTALLED,
    "DownloadFailed": UpdateState.FAILED,
    "InvalidSignature": UpdateState.FAILED,
    "InstallVerificationFailed": UpdateState.FAILED,
    "InstallationFailed": UpdateState.FAILED,
}
"""FirmwareStatus -> how an update ends by it; any other one says that it goes on (L01)."""
_MAY_BE_HEARD_OF: Final = frozenset({UpdateState.WAITING, UpdateState.SENT})
"""A status may overtake the answer by which the station agrees."""


class FirmwareUpdates:
    """The updates of all stations."""

    def __init__(self, on: Surroundings) -> None:
        self._on = on
        self._steps = UpdateSteps(on)
        self.progress = FirmwareProgress(on, self._steps)

    async def order(
        self,
        identity: str,
        image_id: int,
        *,
        source: UpdateSource,
        by: str,
        campaign_id: int | None = None,
        retrieve_at: datetime | None = None,
        install_at: datetime | None = None,
    ) -> UpdateRecord:
        """Order an update, which goes on by itself; one of which the station has not heard yet is canceled for it.

        Raises FirmwareUnknown for a station or an image that isn't there, FirmwareInvalid for times out of their order,
        FirmwareConflict for an image that isn't to be installed, StoreAway.
        """
        if install_at is not None and install_at < (retrieve_at or self._on.now()):
            raise FirmwareInvalid("install_at: it can't be installed before it is loaded")
        image = await self._on.images.find(image_id)
        if image is None:
            raise FirmwareUnknown(f"there is no firmware image {image_id}")
        if await self._on.stations.find(identity) is None:
            raise FirmwareUnknown(f"no station {identity[:60]!a} is registered")
        if image.state in {ImageState.WITHDRAWN, ImageState.REFUSED}:
            raise FirmwareConflict(f"image {image_id} is {image.state.value}: {image.reason or 'no reason is kept'}")
        new = NewUpdate(
            identity=identity,
            image_id=image_id,
            source=source,
            by=by,
            location=image.location or "",
            campaign_id=campaign_id,
            retrieve_at=retrieve_at,
            install_at=install_at,
        )
        record, _ = await self.place(new)
        self.progress.proceed(identity)
        return record

    async def place(self, new: NewUpdate, refused: FirmwareRefused | None = None) -> tuple[UpdateRecord, bool]:
        """Keep an order, which waits for ``progress.proceed``; return it, and whether it took another one's place.

        ``refused``: why it is over at once; its backend is told. Raises StoreAway.
        """
        over: dict[str, Any] = {}
        if refused is not None:
            status = final_status(refused.refusal)
            over = {"state": UpdateState.REFUSED, "status": status, "reason": str(refused), "untold": True}
        record, took_place = await self._steps.add(new, **over)
        self.progress.expect(new.identity)
        return record, took_place

    async def cancel(self, update_id: int) -> UpdateRecord:
        """End an update of which the station has not heard. Raises FirmwareUnknown, FirmwareConflict, StoreAway."""
        record = await self.find(update_id)
        ended = await self._steps.end(record, UpdateState.CANCELED, FAILED, "canceled by an operator")
        if ended is None:
            raise _not_cancelable(await self.find(update_id))
        self.progress.proceed(record.identity)
        return ended

    async def find(self, update_id: int) -> UpdateRecord:
        """Return one update. Raises FirmwareUnknown, StoreAway."""
        record = await self._on.book.find(update_id)
        if record is None:
            raise FirmwareUnknown(f"there is no firmware update {update_id}")
        return record

    async def list(
        self,
        *,
        identity: str | None = None,
        campaign_id: int | None = None,
        states: Collection[UpdateState] | None = None,
        after: int = 0,
        at_most: int | None = None,
    ) -> Sequence[UpdateRecord]:
        """Return the updates above the id ``after`` that fit, oldest first; None: any. Raises StoreAway."""
        return await self._on.book.list(
            identity=identity, campaign_id=campaign_id, states=states, after=after, at_most=at_most
        )

    def watch(self, watcher: Watcher) -> None:
        """Have ``watcher`` called with the record at each change of an update, when it is on file."""
        self._steps.watch(watcher)

    async def heard(self, identity: str, payload: Json) -> UpdateRecord | None:
        """Take note of a status notification of the station, or one in its place; return the update that it is about.

        Raises StoreAway.
        """
        status, request_id = payload["status"], payload.get("requestId")
        if request_id is None and status == "Idle":
            return None
        record = await self._on.book.of_request(identity, request_id)
        if record is None or status == "Idle" or record.state not in _MAY_BE_HEARD_OF:
            return record
        next_state = ENDS.get(status, UpdateState.SENT)
        told = {"untold": True} if not next_state.is_open and self._is_missed(record) else {}
        moved = await self._steps.move(record, next_state, was=_MAY_BE_HEARD_OF, status=status, **told)
        if told:
            self.progress.missed(identity)
        if moved is not None and status == "InvalidSignature":
            detail = f"the station finds no valid signature on firmware that was verified here (update {record.id})"
            self._on.security.note(SecurityEvent(Kind.INVALID_FIRMWARE_SIGNATURE, detail, identity))
        return moved or record

    def _is_missed(self, record: UpdateRecord) -> bool:
        """Return whether the backend that ordered it is away: how it ended is told when it is back."""
        station = self._on.live(record.identity)
        return record.source is UpdateSource.BACKEND and (station is None or not station.backend.is_up)


def _not_cancelable(record: UpdateRecord) -> FirmwareConflict:
    if record.state is UpdateState.SENT:
        return FirmwareConflict(
            f"station {record.identity} has update {record.id} already, and OCPP has no message to take it back; order "
            "another one in its place"
        )
    return FirmwareConflict(f"update {record.id} is over: it is {record.state.value}")
