"""A backend's orders: matched to the catalogue, or looked at by the signature that they bring; never passed on."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog

from gateway.bridge.books import Json
from gateway.bridge.ports import UpdateHeard, UpdateOrdered
from gateway.bridge.timestamps import backend_utc
from gateway.services.firmware_alarms import alarm_of
from gateway.services.firmware_refusals import answer_of
from gateway.services.firmware_steps import UpdatedStation
from gateway.services.firmware_updates import FirmwareUpdates
from gateway.session.firmware import FirmwareImage, NewUpdate, UpdateSource
from gateway.session.nameplate import nameplate
from gateway.session.security import SecurityLog
from pki.firmware import FirmwareRefused

SIGNER_WITHIN: Final = 10.0
"""Seconds in which the backend's answer waits for what is found of a signing certificate; what is found later is told
by a status."""

log = structlog.get_logger(__name__)


class Catalogue(Protocol):
    """The catalogue, as far as a backend's order needs it. Every method raises StoreAway."""

    async def for_order(self, location: str, vendor: str | None, model: str | None) -> FirmwareImage | None:
        """Return what a location means for stations of this vendor and model, or None."""

    async def expect(
        self,
        location: str,
        *,
        signature: str | None,
        signing_certificate: str | None,
        vendor: str | None,
        model: str | None,
        by: str,
    ) -> FirmwareImage:
        """Return the entry of what an order brings by itself. Raises FirmwareRefused."""

    async def check_signer(self, image_id: int) -> None:
        """Look at the signing certificate alone. Raises FirmwareRefused."""


class Publishing(Protocol):
    """The local controller that the gateway is towards a 2.0.1 backend (L03, L04)."""

    async def publish(self, station: UpdatedStation, payload: Json) -> str:
        """Handle PublishFirmware; return the GenericStatus."""

    async def unpublish(self, station: UpdatedStation, payload: Json) -> str:
        """Handle UnpublishFirmware; return the UnpublishFirmwareStatus."""

    async def publication(self, station: UpdatedStation) -> Json:
        """Return PublishFirmwareStatusNotificationRequest as it stands."""

    def proceed(self, identity: str) -> None:
        """Its backend has been answered: do what it has asked to publish."""


@dataclass(frozen=True, slots=True)
class StationFirmwareDesk:
    """Where one station's firmware is seen to: fulfils :class:`gateway.bridge.ports.FirmwareDesk`."""

    station: UpdatedStation
    backend: str
    """The name of its backend."""
    updates: FirmwareUpdates
    catalogue: Catalogue
    publishing: Publishing
    security: SecurityLog

    async def order(self, ordered: UpdateOrdered) -> str:
        """Take a backend's order; see :meth:`gateway.bridge.ports.FirmwareDesk.order`. Raises StoreAway."""
        refused = None
        try:
            image = await self._image(ordered)
            if image is None:
                return "Rejected"
        except FirmwareRefused as error:
            alarm = alarm_of(error, f"the backend's {ordered.action}", self.station.identity)
            if alarm is not None:
                self.security.note(alarm)
            answer = answer_of(error.refusal)
            if answer is not None:
                log.warning("firmware_order_refused", identity=self.station.identity, answer=answer, reason=str(error))
                return answer
            image, refused = None, error
        new = NewUpdate(
            identity=self.station.identity,
            image_id=None if image is None else image.id,
            source=UpdateSource.BACKEND,
            by=self.backend,
            location=ordered.location,
            action=ordered.action,
            backend_request_id=ordered.request_id,
            retrieve_at=_moment(ordered.retrieve_at),
            install_at=_moment(ordered.install_at),
            retries=ordered.retries,
            retry_interval=ordered.retry_interval,
        )
        _, took_place = await self.updates.place(new, refused)
        return "AcceptedCanceled" if took_place else "Accepted"

    async def proceed(self) -> None:
        """The backend has been answered: do what it has ordered."""
        self.updates.progress.proceed(self.station.identity)
        self.publishing.proceed(self.station.identity)

    async def heard(self, payload: Json) -> UpdateHeard | None:
        """Take note of a status notification; return whose update it is about. Raises StoreAway."""
        update = await self.updates.heard(self.station.identity, payload)
        if update is None:
            return None
        is_its_own = update.source is UpdateSource.BACKEND and update.by == self.backend
        return UpdateHeard(update.action, update.backend_request_id) if is_its_own else UpdateHeard(None)

    async def publish(self, payload: Json) -> str:
        """PublishFirmware."""
        return await self.publishing.publish(self.station, payload)

    async def unpublish(self, payload: Json) -> str:
        """UnpublishFirmware."""
        return await self.publishing.unpublish(self.station, payload)

    async def publication(self) -> Json:
        """What TriggerMessage asks for."""
        return await self.publishing.publication(self.station)

    async def _image(self, ordered: UpdateOrdered) -> FirmwareImage | None:
        """Return what is ordered; None: nobody knows a signature for it. Raises FirmwareRefused, StoreAway."""
        plate = nameplate(self.station.boot)
        known = await self.catalogue.for_order(ordered.location, plate.vendor, plate.model)
        if ordered.signature is None or ordered.signing_certificate is None:
            return known
        if known is None or not _is_signed_so(known, ordered):
            known = await self.catalogue.expect(
                ordered.location,
                signature=ordered.signature,
                signing_certificate=ordered.signing_certificate,
                vendor=plate.vendor,
                model=plate.model,
                by=self.backend,
            )
        try:
            async with asyncio.timeout(SIGNER_WITHIN):
                await self.catalogue.check_signer(known.id)
        except TimeoutError:
            pass  # it is looked at again before anything is sent
        return known


def _is_signed_so(image: FirmwareImage, ordered: UpdateOrdered) -> bool:
    return image.signature == ordered.signature and image.signing_certificate == ordered.signing_certificate


def _moment(text: str | None) -> datetime | None:
    """Return a backend's time; None, at once, for one that is unreadable."""
    spelled = None if text is None else backend_utc(text)
    return None if spelled is None else datetime.fromisoformat(spelled)
