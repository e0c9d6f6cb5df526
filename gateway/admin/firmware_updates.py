"""The updates of stations: ``firmware/updates``, and ``stations/{identity}/firmware``."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Protocol

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, Field

from gateway.admin.problems import ApiRefusal
from gateway.admin.quarantine import BY_API
from gateway.admin.requests import NUMBER_MAX, PREFIX, Query, Request, read_body, read_query, refusals
from gateway.admin.roster import Roster
from gateway.session.firmware import UpdateRecord, UpdateSource, UpdateState
from gateway.session.firmware_locations import location_shown

STATES: Final = tuple(state.value for state in UpdateState)
LIMIT_MAX: Final = 1000
"""Updates in one answer."""
UNKNOWN: Final = "unknown_update"


class Updates(Protocol):
    """The updates of stations. What isn't there is a FirmwareUnknown, which is a LookupError."""

    async def order(
        self,
        identity: str,
        image_id: int,
        *,
        source: UpdateSource,
        by: str,
        retrieve_at: datetime | None,
        install_at: datetime | None,
    ) -> UpdateRecord:
        """Order one. Raises FirmwareInvalid, FirmwareConflict."""

    async def cancel(self, update_id: int) -> UpdateRecord:
        """End one of which the station has not heard. Raises FirmwareConflict."""

    async def find(self, update_id: int) -> UpdateRecord:
        """Return one."""

    async def list(
        self,
        *,
        identity: str | None = None,
        campaign_id: int | None = None,
        states: Collection[UpdateState] | None = None,
        after: int = 0,
        at_most: int | None = None,
    ) -> Sequence[UpdateRecord]:
        """Return those above the id ``after`` that fit, oldest first; None: any."""


class UpdateToOrder(Request):
    """POST stations/{identity}/firmware."""

    image_id: Annotated[int, Field(ge=1, le=NUMBER_MAX, description="An image of the catalogue.")]
    retrieve_at: Annotated[
        AwareDatetime | None, Field(strict=False, description="When the station is to load it; null: at once.")
    ] = None
    install_at: Annotated[
        AwareDatetime | None, Field(strict=False, description="When it is to install it; null: as soon as it may.")
    ] = None


def _states(text: str) -> str:
    if not set(text.split(",")) <= set(STATES):
        raise ValueError(f"must be one of {', '.join(STATES)}, or several with commas between them")
    return text


class UpdateFilter(Query):
    """GET firmware/updates."""

    identity: str | None = None
    state: Annotated[
        str | None, AfterValidator(_states), Field(description="One, or several with commas between them.")
    ] = None
    campaign: Annotated[int | None, Field(ge=1, le=NUMBER_MAX, description="The id of the campaign.")] = None
    after: Annotated[
        int, Field(ge=0, le=NUMBER_MAX, description="An id: the next page begins after the last one's.")
    ] = 0
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_MAX


class FirmwareUpdateEndpoints:
    """The endpoints of updates; all of them answer 409 where the configuration has no ``firmware``."""

    def __init__(self, roster: Roster, updates: Updates | None) -> None:
        self._roster = roster
        self._configured = updates

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        station = f"{PREFIX}/stations/{{identity}}/firmware"
        update = f"{PREFIX}/firmware/updates/{{id:\\d+}}"
        router.add_get(station, self.of_station)
        router.add_post(station, self.order)
        router.add_get(f"{PREFIX}/firmware/updates", self.list)
        router.add_get(update, self.show)
        router.add_delete(update, self.cancel)

    @property
    def _updates(self) -> Updates:
        if self._configured is None:
            raise ApiRefusal(
                409, "not_configured", "firmware: no station is updated without the sections firmware and files"
            )
        return self._configured

    async def of_station(self, request: web.Request) -> web.Response:
        """GET stations/{identity}/firmware: the last of its updates, oldest first."""
        record = await self._roster.record(request)
        found = await self._updates.list(identity=record.identity)
        return web.json_response({"updates": [update_shown(each) for each in found]})

    async def order(self, request: web.Request) -> web.Response:
        """POST stations/{identity}/firmware: it goes on by itself, whether or not the station is connected."""
        wanted = await read_body(request, UpdateToOrder)
        record = await self._roster.record(request)
        with refusals("unknown_image"):
            ordered = await self._updates.order(
                record.identity,
                wanted.image_id,
                source=UpdateSource.OPERATOR,
                by=BY_API,
                retrieve_at=wanted.retrieve_at,
                install_at=wanted.install_at,
            )
        return web.json_response(update_shown(ordered), status=202)

    async def list(self, request: web.Request) -> web.Response:
        """GET firmware/updates, in the order in which they were ordered; ``next`` is where the next page begins."""
        wanted = read_query(request, UpdateFilter)
        found = await self._updates.list(
            identity=wanted.identity,
            campaign_id=wanted.campaign,
            states=None if wanted.state is None else {UpdateState(each) for each in wanted.state.split(",")},
            after=wanted.after,
            at_most=wanted.limit,
        )
        following = found[-1].id if len(found) == wanted.limit else None
        return web.json_response({"updates": [update_shown(each) for each in found], "next": following})

    async def show(self, request: web.Request) -> web.Response:
        """GET firmware/updates/{id}."""
        with refusals(UNKNOWN):
            return web.json_response(update_shown(await self._updates.find(_number(request))))

    async def cancel(self, request: web.Request) -> web.Response:
        """DELETE firmware/updates/{id}: the station must not have heard of it yet."""
        with refusals(UNKNOWN):
            return web.json_response(update_shown(await self._updates.cancel(_number(request))))


def update_shown(update: UpdateRecord) -> dict[str, Any]:
    """Return what is told of an update: nothing secret."""
    return {
        "id": update.id,
        "identity": update.identity,
        "image_id": update.image_id,
        "source": update.source.value,
        "campaign_id": update.campaign_id,
        "by": update.by,
        "location": location_shown(update.location) if update.location else None,
        "retrieve_at": _moment(update.retrieve_at),
        "install_at": _moment(update.install_at),
        "state": update.state.value,
        "status": update.status,
        "reason": update.reason,
        "created_at": update.created_at.isoformat(),
        "changed_at": update.changed_at.isoformat(),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _number(request: web.Request) -> int:
    text = request.match_info["id"]
    if len(text) > len(str(NUMBER_MAX)) or int(text) > NUMBER_MAX:
        raise ApiRefusal(404, UNKNOWN, "there is no firmware update of this number")
    return int(text)
