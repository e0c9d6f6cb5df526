"""The catalogue of firmware: what may be installed, because its manufacturer signed it (OCPP 2.0.1 L01).

An image is verified when it comes, and looked at again whenever an update is ordered: nothing is sent to a station
before that.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gateway.services.firmware_alarms import alarm_of
from gateway.services.firmware_inspection import Images, Inspection, Manufacturers, Octets, Progress
from gateway.session.firmware import (
    FirmwareConflict,
    FirmwareImage,
    FirmwareInvalid,
    FirmwareUnknown,
    ImageState,
    NewImage,
)
from gateway.session.firmware_locations import comparable, file_name, location_shown
from gateway.session.security import SecurityLog
from pki.firmware import FirmwareRefused, Refusal

TEXT_MAX: Final = 50
"""Characters of a version (BootNotification's firmwareVersion); a model has 20, of 1.6 and of 2.0.1."""
SIGNATURE_MAX: Final = 800
"""Characters (OCPP 2.0.1 FirmwareType)."""
CERTIFICATE_MAX: Final = 5500
"""Characters (the same)."""
BY_GATEWAY: Final = "gateway"
"""Who changes an image when an update is ordered."""

_PEM_IN_BASE64: Final = "LS0tLS1CRUdJTi"
"""How a PEM file begins in base64: one was named in the place of a signature, maybe the key."""

Spawn = Callable[[Coroutine[Any, Any, None], str], Any]


class FirmwareCatalogue:
    """The catalogue of one gateway."""

    def __init__(
        self,
        images: Images,
        octets: Octets,
        manufacturers: Manufacturers,
        *,
        security: SecurityLog,
        spawn: Spawn,
        now: Callable[[], datetime],
    ) -> None:
        """``security`` hears of what isn't taken from a person; what isn't installed, from who orders updates."""
        self._images = images
        self._octets = octets
        self._manufacturers = manufacturers
        self._security = security
        self._spawn = spawn
        self._inspection = Inspection(images, octets, manufacturers, now)
        self._looks: dict[int, asyncio.Future[FirmwareImage]] = {}

    # --- for people

    async def add(
        self,
        new: NewImage,
        by: str,
        octets: Path | AsyncIterable[bytes] | None = None,
        progress: Progress | None = None,
    ) -> FirmwareImage:
        """Register an image, with its octets or to be fetched from its location, and verify it.

        What is returned says in its state what came of it; what couldn't be fetched is quarantined. A user and password
        in the location are used, and not kept. Raises FirmwareInvalid, FirmwareConflict, and FirmwareRefused where the
        octets can't be kept: then there is no entry.
        """
        image = await self.register(new, by, has_octets=octets is not None)
        if octets is not None:
            try:
                await self.receive(image.id, octets, by, progress)
            except BaseException:
                await self._images.remove(image.id)
                raise
        return await self.verify(image.id, by, location=new.location, progress=progress)

    async def register(self, new: NewImage, by: str, *, has_octets: bool) -> FirmwareImage:
        """Register an image alone: its octets are still to be received or fetched.

        Raises FirmwareInvalid and FirmwareConflict.
        """
        return await self._images.add(self._checked(new, has_octets=has_octets), by)

    async def receive(
        self, image_id: int, octets: Path | AsyncIterable[bytes], by: str, progress: Progress | None = None
    ) -> FirmwareImage:
        """Keep the octets of an image that has none.

        Raises FirmwareUnknown, FirmwareConflict, FirmwareRefused (no space, too large) and OSError (a file).
        """
        image = await self._known(image_id)
        if image.sha256 is not None or image.state is ImageState.WITHDRAWN:
            raise FirmwareConflict(f"image {image_id} has its octets, or is withdrawn: add a new one")
        digest = await self._octets.take(f"upload-{image_id}", octets, progress)
        return await self._inspection.keep(image, digest, by)

    async def verify(
        self, image_id: int, by: str, *, location: str | None = None, progress: Progress | None = None
    ) -> FirmwareImage:
        """Look at an image again, fetching it where it isn't here; its state says what came of it.

        ``location`` is the image's own, with the user and password that the entry doesn't hold.
        Raises FirmwareUnknown, and FirmwareConflict for one that is withdrawn.
        """
        image = await self._known(image_id)
        if image.state is ImageState.WITHDRAWN:
            raise FirmwareConflict(f"image {image_id} is withdrawn: to take that back, remove it and add it anew")
        try:
            return await self._look(image_id, by, location, progress)
        except FirmwareRefused as refused:
            alarm = alarm_of(refused, f"firmware image {image_id}")
            if alarm is not None:
                self._security.note(alarm)
            return await self._known(image_id)

    def begin(self, image_id: int, by: str, location: str | None = None) -> None:
        """Verify an image in the background, as :meth:`verify` does: its state will say what came of it."""
        self._spawn(self._verified_or_gone(image_id, by, location), f"firmware image {image_id}")

    async def resume(self) -> None:
        """Verify, one after the other, the images of people that nobody has looked at to the end: a gateway stopped.

        What orders bring is taken up again with its update.
        """
        for image in await self._images.list(state=ImageState.QUARANTINED):
            if not image.from_order and image.refusal is None and (image.location or image.sha256):
                await self._verified_or_gone(image.id, BY_GATEWAY)

    async def sign(self, image_id: int, signature: str, signing_certificate: str, by: str) -> FirmwareImage:
        """Give an image that isn't verified its signature (base64) and the signing certificate (PEM).

        Raises FirmwareUnknown, FirmwareInvalid and FirmwareConflict.
        """
        image = await self._known(image_id)
        _check_signature(signature, signing_certificate)
        if image.state not in {ImageState.QUARANTINED, ImageState.REFUSED}:
            raise FirmwareConflict(f"image {image_id} is {image.state.value}: its signature stays as it is")
        changes = {"signature": signature, "signing_certificate": signing_certificate}
        return await self._images.change(image_id, by, changes, unless={ImageState.VERIFIED, ImageState.WITHDRAWN})

    async def withdraw(self, image_id: int, reason: str, by: str) -> FirmwareImage:
        """Serve an image no more, for good. Raises FirmwareUnknown and FirmwareInvalid."""
        if not reason.strip() or not reason.isprintable():
            raise FirmwareInvalid("reason: say why it is withdrawn, in one line of printable characters")
        changes = {"state": ImageState.WITHDRAWN, "refusal": Refusal.WITHDRAWN.value, "reason": reason}
        return await self._images.change(image_id, by, changes, unless={ImageState.WITHDRAWN})

    async def remove(self, image_id: int) -> None:
        """Forget an image and, if no other entry has them, its octets. Raises FirmwareUnknown and FirmwareConflict."""
        removed = await self._images.remove(image_id)
        await self._inspection.forget_octets(removed.sha256)

    async def find(self, image_id: int) -> FirmwareImage | None:
        """Return an image, or None."""
        return await self._images.find(image_id)

    async def list(
        self,
        *,
        state: ImageState | None = None,
        manufacturer: str | None = None,
        sha256: str | None = None,
        md5: str | None = None,
        after_id: int = 0,
        limit: int = 1000,
    ) -> Sequence[FirmwareImage]:
        """Return at most ``limit`` images in the order in which they were added; None: any.

        The next page begins after the id of the last one's.
        """
        return await self._images.list(
            state=state,
            manufacturer=manufacturer,
            sha256=sha256,
            md5=md5,
            after_id=after_id,
            limit=limit,
        )

    async def counts(self) -> Mapping[ImageState, int]:
        """Return how many images there are of each state."""
        return await self._images.counts()

    # --- for updates

    async def for_order(self, location: str, vendor: str | None, model: str | None) -> FirmwareImage | None:
        """Return the image that a location means for stations of this vendor and model, or None.

        It is the newest verified one, else the newest; none that is withdrawn.
        """
        manufacturer = None if vendor is None else self._manufacturers.of_vendor(vendor)
        if manufacturer is None:
            return None
        try:
            return await self._images.for_station(comparable(location), manufacturer, model)
        except ValueError:
            return None

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
        """Return the entry of what a backend orders by itself: its location, signature and signing certificate.

        It is for the one model alone; :meth:`prepare` fetches and verifies it. Raises FirmwareRefused: no signature,
        an unknown vendor, a location that isn't one of ``firmware.sources``, one that was withdrawn.
        """
        if signature is None or signing_certificate is None:
            raise FirmwareRefused(
                Refusal.NO_SIGNATURE,
                f"no signature is known for {location_shown(location)}: add the image to the catalogue "
                "(voltgate firmware add)",
            )
        manufacturer = self._manufacturer(vendor)
        try:
            self._octets.check_location(location)
            new = NewImage(
                manufacturer=manufacturer,
                version=file_name(location)[-TEXT_MAX:],
                model=model,
                location=comparable(location),
                signature=signature,
                signing_certificate=signing_certificate,
            )
        except ValueError as error:
            raise FirmwareRefused(Refusal.SOURCE_NOT_ALLOWED, str(error)) from None
        for refusal, text in _malformed(signature, signing_certificate):
            raise FirmwareRefused(refusal, text)
        image = await self._images.expect(new, by)
        if image is None:
            raise FirmwareRefused(Refusal.NO_SPACE, "the catalogue is full: remove images (voltgate firmware remove)")
        if image.state is ImageState.WITHDRAWN:
            raise FirmwareRefused(Refusal.WITHDRAWN, f"it was withdrawn as image {image.id}: {image.reason}")
        return image

    async def check_signer(self, image_id: int) -> None:
        """Look at the signing certificate alone, without fetching anything (OCPP 2.0.1 L01.FR.21, L01.FR.22).

        Raises FirmwareUnknown and FirmwareRefused.
        """
        await self._inspection.check_signer(await self._known(image_id))

    async def prepare(
        self, image_id: int, *, vendor: str | None, model: str | None, location: str | None = None
    ) -> FirmwareImage:
        """Return an image that may be installed now on stations of this vendor and model: fetched, verified, here.

        ``location``: as it was ordered; a user and password in it are used if the image has to be fetched. Stations
        that want the same one at once share the work. Raises FirmwareUnknown and FirmwareRefused.
        """
        image = await self._known(image_id)
        if image.manufacturer != self._manufacturer(vendor) or image.model not in {None, model}:
            meant = f"{image.manufacturer}, {'all models' if image.model is None else f'model {image.model}'}"
            raise FirmwareRefused(Refusal.WRONG_STATION, f"image {image_id} is for other stations: {meant}")
        return await self._look(image_id, BY_GATEWAY, location if _is_same(location, image.location) else None)

    # --- the parts

    async def _known(self, image_id: int) -> FirmwareImage:
        image = await self._images.find(image_id)
        if image is None:
            raise FirmwareUnknown(f"there is no firmware image {image_id}")
        return image

    def _manufacturer(self, vendor: str | None) -> str:
        """Raises FirmwareRefused."""
        manufacturer = None if vendor is None else self._manufacturers.of_vendor(vendor)
        if manufacturer is None:
            said = "the station hasn't said its vendor" if vendor is None else f"no manufacturer has vendor {vendor!a}"
            raise FirmwareRefused(Refusal.MANUFACTURER_UNKNOWN, f"firmware.manufacturers: {said}")
        return manufacturer

    async def _verified_or_gone(self, image_id: int, by: str, location: str | None = None) -> None:
        with contextlib.suppress(FirmwareUnknown, FirmwareConflict):  # somebody has removed or withdrawn it meanwhile
            await self.verify(image_id, by, location=location)

    async def _look(
        self, image_id: int, by: str, location: str | None, progress: Progress | None = None
    ) -> FirmwareImage:
        """Who comes while a look is under way gets what it finds; who goes away doesn't end it."""
        look = self._looks.get(image_id)
        if look is None:
            look = self._looks[image_id] = asyncio.get_running_loop().create_future()
            inspect = functools.partial(self._inspection.look, by=by, location=location, progress=progress)
            self._spawn(self._take_look(image_id, inspect, look), f"firmware image {image_id}")
        return await asyncio.shield(look)

    async def _take_look(
        self,
        image_id: int,
        inspect: Callable[[FirmwareImage], Awaitable[FirmwareImage]],
        look: asyncio.Future[FirmwareImage],
    ) -> None:
        try:
            found = await inspect(await self._known(image_id))
        except asyncio.CancelledError:
            look.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - those who wait get it
            look.set_exception(error)
            look.exception()  # nobody may be left who asks
        else:
            look.set_result(found)
        finally:
            del self._looks[image_id]

    def _checked(self, new: NewImage, *, has_octets: bool) -> NewImage:
        """Return it as it is kept. Raises FirmwareInvalid."""
        if new.manufacturer not in self._manufacturers:
            raise FirmwareInvalid(f"manufacturer: {new.manufacturer!a} isn't a key of firmware.manufacturers")
        for name, text in (("version", new.version), ("model", new.model)):
            if text is not None and not (0 < len(text) <= TEXT_MAX and text.isprintable()):
                raise FirmwareInvalid(f"{name}: must have 1 to {TEXT_MAX} printable characters")
        _check_signature(new.signature, new.signing_certificate)
        if new.location is None:
            if not has_octets:
                raise FirmwareInvalid("location: without a file, the place to fetch it from is needed")
            return new
        try:
            if not has_octets:
                self._octets.check_location(new.location)
            return replace(new, location=comparable(new.location))
        except (FirmwareRefused, ValueError) as error:
            raise FirmwareInvalid(f"location: {error}") from None


def _is_same(ordered: str | None, location: str | None) -> bool:
    try:
        return ordered is not None and comparable(ordered) == location
    except ValueError:
        return False


def _check_signature(signature: str | None, signing_certificate: str | None) -> None:
    """Raises FirmwareInvalid."""
    for _, text in _malformed(signature, signing_certificate):
        raise FirmwareInvalid(text)


def _malformed(signature: str | None, signing_certificate: str | None) -> Iterator[tuple[Refusal, str]]:
    for name, text, longest, refusal in (
        ("signature", signature, SIGNATURE_MAX, Refusal.SIGNATURE_MALFORMED),
        ("certificate", signing_certificate, CERTIFICATE_MAX, Refusal.CERTIFICATE_MALFORMED),
    ):
        if text is not None and not (0 < len(text) <= longest and text.isascii() and "\0" not in text):
            yield refusal, f"{name}: must have 1 to {longest} ASCII characters, as many as OCPP can carry"
        elif text is not None and ("PRIVATE KEY-----" in text or text.startswith(_PEM_IN_BASE64)):
            yield refusal, f"{name}: it isn't one but a private key, or a PEM file that may hold one: none is kept"
