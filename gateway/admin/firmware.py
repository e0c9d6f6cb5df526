"""The catalogue of firmware: ``firmware``."""

from collections.abc import AsyncIterable, Sequence
from typing import Annotated, Final, Protocol

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field

from gateway.admin.firmware_shown import image_shown
from gateway.admin.problems import ApiRefusal
from gateway.admin.quarantine import BY_API
from gateway.admin.requests import NUMBER_MAX, PREFIX, Query, Request, read_body, read_query, refusals
from gateway.session.firmware import LOCATION_MAX, REASON_MAX, FirmwareImage, ImageState, NewImage
from pki.firmware import FirmwareRefused

LIMIT_MAX: Final = 1000
"""Images in one answer."""
UNKNOWN: Final = "unknown_image"
CHUNK: Final = 262_144
"""Bytes of an upload that are handed on at once."""


class Catalogue(Protocol):
    """The catalogue. What isn't there is a FirmwareUnknown, which is a LookupError."""

    async def register(self, new: NewImage, by: str, *, has_octets: bool) -> FirmwareImage:
        """Register an image alone. Raises FirmwareInvalid and FirmwareConflict."""

    async def receive(self, image_id: int, octets: AsyncIterable[bytes], by: str) -> FirmwareImage:
        """Keep an image's octets. Raises FirmwareConflict and FirmwareRefused."""

    def begin(self, image_id: int, by: str, location: str | None = None) -> None:
        """Verify an image in the background; ``location`` is its own, with what the entry doesn't hold."""

    async def verify(self, image_id: int, by: str) -> FirmwareImage:
        """Look at an image again. Raises FirmwareConflict."""

    async def withdraw(self, image_id: int, reason: str, by: str) -> FirmwareImage:
        """Serve an image no more. Raises FirmwareInvalid."""

    async def remove(self, image_id: int) -> None:
        """Forget an image. Raises FirmwareConflict."""

    async def find(self, image_id: int) -> FirmwareImage | None:
        """Return an image, or None."""

    async def list(
        self,
        *,
        state: ImageState | None = None,
        manufacturer: str | None = None,
        after_id: int = 0,
        limit: int = 1000,
    ) -> Sequence[FirmwareImage]:
        """Return those that fit, in the order in which they were added; None: any."""


class ImageFilter(Query):
    """GET firmware."""

    state: ImageState | None = None
    manufacturer: str | None = None
    after: Annotated[
        int, Field(ge=0, le=NUMBER_MAX, description="An id: the next page begins after the last one's.")
    ] = 0
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_MAX


class ImageToAdd(Request):
    """POST firmware."""

    manufacturer: Annotated[str, Field(description="A key of firmware.manufacturers.")]
    version: str
    model: Annotated[str | None, Field(description="BootNotification's model; null: all of the manufacturer.")] = None
    location: Annotated[
        str | None,
        Field(
            max_length=LOCATION_MAX,
            description="Where it is fetched from, and by which a backend's order means it. A user and password in it "
            "are used once, and not kept.",
        ),
    ] = None
    upload: Annotated[
        bool, Field(description="True: it isn't fetched; PUT firmware/{id}/content brings its octets.")
    ] = False
    signature: Annotated[str | None, Field(description="Base64, of the whole image.")] = None
    signing_certificate: Annotated[str | None, Field(description="PEM.")] = None
    signed_at: Annotated[
        AwareDatetime | None, Field(strict=False, description="ISO 8601; counts for validity: signing.")
    ] = None

    def read(self) -> NewImage:
        """Return the image."""
        return NewImage(
            manufacturer=self.manufacturer,
            version=self.version,
            model=self.model,
            location=self.location,
            signature=self.signature,
            signing_certificate=self.signing_certificate,
            signed_at=self.signed_at,
        )


class Withdrawal(Request):
    """POST firmware/{id}/withdraw."""

    reason: Annotated[str, Field(max_length=REASON_MAX, description="For people.")]


BODIES: Final[tuple[type[BaseModel], ...]] = (ImageToAdd, Withdrawal)
"""What the endpoints read."""


class FirmwareEndpoints:
    """The endpoints of the catalogue; all of them answer 409 where the configuration has no ``firmware``."""

    def __init__(self, catalogue: Catalogue | None) -> None:
        self._configured = catalogue

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        image = f"{PREFIX}/firmware/{{id:\\d+}}"
        router.add_get(f"{PREFIX}/firmware", self.list)
        router.add_post(f"{PREFIX}/firmware", self.add)
        router.add_get(image, self.show)
        router.add_delete(image, self.remove)
        router.add_put(f"{image}/content", self.receive)
        router.add_post(f"{image}/verify", self.verify)
        router.add_post(f"{image}/withdraw", self.withdraw)

    @property
    def _catalogue(self) -> Catalogue:
        if self._configured is None:
            raise ApiRefusal(409, "not_configured", "firmware: the section is missing in the configuration")
        return self._configured

    async def list(self, request: web.Request) -> web.Response:
        """GET firmware, in the order in which they were added; ``next`` is where the next page begins."""
        wanted = read_query(request, ImageFilter)
        found = await self._catalogue.list(
            state=wanted.state, manufacturer=wanted.manufacturer, after_id=wanted.after, limit=wanted.limit
        )
        following = found[-1].id if len(found) == wanted.limit else None
        return web.json_response({"images": [image_shown(each) for each in found], "next": following})

    async def add(self, request: web.Request) -> web.Response:
        """POST firmware: what is fetched is fetched and verified afterwards, and its state says what came of it."""
        wanted = await read_body(request, ImageToAdd)
        with refusals():
            added = await self._catalogue.register(wanted.read(), BY_API, has_octets=wanted.upload)
        if not wanted.upload:
            self._catalogue.begin(added.id, BY_API, wanted.location)
        return web.json_response(image_shown(added), status=201)

    async def show(self, request: web.Request) -> web.Response:
        """GET firmware/{id}, with signature and signing certificate."""
        number = _number(request)
        found = await self._catalogue.find(number)
        if found is None:
            raise ApiRefusal(404, UNKNOWN, f"there is no firmware image {number}")
        return web.json_response(image_shown(found, whole=True))

    async def receive(self, request: web.Request) -> web.Response:
        """PUT firmware/{id}/content: the image itself, of any size; it is verified when it is here."""
        number = _number(request)
        try:
            with refusals(UNKNOWN):
                await self._catalogue.receive(number, request.content.iter_chunked(CHUNK), BY_API)
                return web.json_response(image_shown(await self._catalogue.verify(number, BY_API)))
        except FirmwareRefused as refused:
            raise ApiRefusal(409, refused.refusal.value, str(refused)) from None

    async def verify(self, request: web.Request) -> web.Response:
        """POST firmware/{id}/verify: look at it again, fetching it where it isn't here."""
        with refusals(UNKNOWN):
            return web.json_response(image_shown(await self._catalogue.verify(_number(request), BY_API)))

    async def withdraw(self, request: web.Request) -> web.Response:
        """POST firmware/{id}/withdraw: it is served no more."""
        wanted = await read_body(request, Withdrawal)
        with refusals(UNKNOWN):
            withdrawn = await self._catalogue.withdraw(_number(request), wanted.reason, BY_API)
        return web.json_response(image_shown(withdrawn))

    async def remove(self, request: web.Request) -> web.Response:
        """DELETE firmware/{id}: its entry and its octets."""
        with refusals(UNKNOWN):
            await self._catalogue.remove(_number(request))
        return web.Response(status=204)


def _number(request: web.Request) -> int:
    text = request.match_info["id"]
    if len(text) > len(str(NUMBER_MAX)) or int(text) > NUMBER_MAX:
        raise ApiRefusal(404, UNKNOWN, "there is no firmware image of this number")
    return int(text)
