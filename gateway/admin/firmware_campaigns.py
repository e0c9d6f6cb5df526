"""Campaigns that bring one image to many stations: ``firmware/campaigns``."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Final, Protocol

from aiohttp import web
from pydantic import AfterValidator, Field

from gateway.admin.campaigns_shown import campaign_shown, campaign_station_shown
from gateway.admin.problems import ApiRefusal
from gateway.admin.quarantine import BY_API
from gateway.admin.requests import NUMBER_MAX, PREFIX, Query, Request, parse_body, read_query, refusals
from gateway.session.campaign_windows import read_window
from gateway.session.firmware import REASON_MAX, CampaignRecord, CampaignState, NewCampaign
from gateway.session.firmware_campaigns import (
    BATCH_MAX,
    NAME_MAX,
    STATIONS_MAX,
    CampaignProgress,
    CampaignStation,
    CampaignStationState,
)

LIMIT_MAX: Final = 100
"""Campaigns in one answer: the stations of each are counted for it."""
STATIONS_LIMIT_MAX: Final = 1000
"""Stations in one answer."""
BODY_MAX: Final = 6_000_000
"""Bytes of a campaign's description: ``STATIONS_MAX`` identities."""
UNKNOWN: Final = "unknown_campaign"
STATES: Final = tuple(state.value for state in CampaignState)
STATION_STATES: Final = tuple(state.value for state in CampaignStationState)


class Campaigns(Protocol):
    """The campaigns. What isn't there is a FirmwareUnknown, which is a LookupError."""

    async def create(self, plan: NewCampaign, by: str) -> CampaignRecord:
        """Begin one. Raises FirmwareInvalid, FirmwareConflict."""

    async def find(self, campaign_id: int) -> CampaignRecord | None:
        """Return one, or None."""

    async def list(
        self, *, states: Collection[CampaignState] | None = None, after_id: int = 0, limit: int = 1000
    ) -> Sequence[CampaignRecord]:
        """Return those that fit, in the order in which they were created; None: any."""

    async def stations(
        self,
        campaign_id: int,
        *,
        states: Collection[CampaignStationState] | None = None,
        after: str = "",
        limit: int = 1000,
    ) -> Sequence[CampaignStation]:
        """Return stations of one by identity, behind ``after``; None: any."""

    async def progress(self, *campaign_ids: int) -> Mapping[int, CampaignProgress]:
        """Return how far campaigns are."""

    async def pause(self, campaign_id: int, by: str, reason: str | None = None) -> CampaignRecord:
        """Order no more stations. Raises FirmwareConflict."""

    async def resume(self, campaign_id: int, by: str, *, retry_failed: bool = False) -> CampaignRecord:
        """Let it go on. Raises FirmwareConflict."""

    async def cancel(self, campaign_id: int, by: str, reason: str | None = None) -> CampaignRecord:
        """End it. Raises FirmwareConflict."""


def _window(text: str | None) -> str | None:
    if text is not None:
        read_window(text)
    return text


class CampaignToCreate(Request):
    """POST firmware/campaigns."""

    name: Annotated[str, Field(max_length=NAME_MAX, description="Not a number; no two campaigns have the same.")]
    image_id: Annotated[int, Field(ge=1, le=NUMBER_MAX, description="A verified image of the catalogue.")]
    group: Annotated[str | None, Field(description="The stations that are in this group now; else name them.")] = None
    stations: Annotated[
        list[str],
        Field(default_factory=list, max_length=STATIONS_MAX, description="Identities, where no group is named."),
    ]
    batch_size: Annotated[int, Field(ge=1, le=BATCH_MAX, description="Updates under way at once.")] = 10
    halt_above: Annotated[
        int, Field(ge=0, le=100, description="Per cent of failures above which it halts; 100: never.")
    ] = 20
    halt_after: Annotated[
        int, Field(ge=1, le=STATIONS_MAX, description="Stations that must be through before that counts.")
    ] = 5
    window: Annotated[
        str | None,
        AfterValidator(_window),
        Field(description="Of the day, UTC, in which stations are ordered, such as 22:00-05:30; null: always."),
    ] = None

    def read(self) -> NewCampaign:
        """Return the plan."""
        begin, end = (None, None) if self.window is None else read_window(self.window)
        return NewCampaign(
            self.name,
            self.image_id,
            self.group,
            tuple(self.stations),
            self.batch_size,
            self.halt_above,
            self.halt_after,
            begin,
            end,
        )


def _of(states: Collection[str], text: str) -> str:
    if not set(text.split(",")) <= set(states):
        raise ValueError(f"must be one of {', '.join(states)}, or several with commas between them")
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


class CampaignFilter(Query):
    """GET firmware/campaigns."""

    state: Annotated[
        str | None,
        AfterValidator(lambda text: _of(STATES, text)),
        Field(description="One, or several with commas between them."),
    ] = None
    after: Annotated[
        int, Field(ge=0, le=NUMBER_MAX, description="An id: the next page begins after the last one's.")
    ] = 0
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_MAX


class CampaignStationFilter(Query):
    """GET firmware/campaigns/{id}/stations."""

    state: Annotated[
        str | None,
        AfterValidator(lambda text: _of(STATION_STATES, text)),
        Field(description="One, or several with commas between them."),
    ] = None
    after: Annotated[
        str,
        AfterValidator(_printable),
        Field(description="An identity: the next page begins after the last one's."),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=STATIONS_LIMIT_MAX)] = STATIONS_LIMIT_MAX


class CampaignStop(Query):
    """POST firmware/campaigns/{id}/pause and cancel."""

    reason: Annotated[str | None, Field(max_length=REASON_MAX, description="For those who look at it later.")] = None


class CampaignResumption(Query):
    """POST firmware/campaigns/{id}/resume."""

    retry_failed: Annotated[bool, Field(description="Stations that failed are tried again.")] = False


class FirmwareCampaignEndpoints:
    """The endpoints of campaigns; all of them answer 409 where the configuration has no ``firmware``."""

    def __init__(self, campaigns: Campaigns | None) -> None:
        self._configured = campaigns

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        one = f"{PREFIX}/firmware/campaigns/{{id:\\d+}}"
        router.add_get(f"{PREFIX}/firmware/campaigns", self.list)
        router.add_post(f"{PREFIX}/firmware/campaigns", self.create)
        router.add_get(one, self.show)
        router.add_get(f"{one}/stations", self.stations)
        router.add_post(f"{one}/pause", self.pause)
        router.add_post(f"{one}/resume", self.resume)
        router.add_post(f"{one}/cancel", self.cancel)

    @property
    def _campaigns(self) -> Campaigns:
        if self._configured is None:
            raise ApiRefusal(
                409, "not_configured", "firmware: no station is updated without the sections firmware and files"
            )
        return self._configured

    async def list(self, request: web.Request) -> web.Response:
        """GET firmware/campaigns, in the order in which they began; ``next`` is where the next page begins."""
        wanted = read_query(request, CampaignFilter)
        states = None if wanted.state is None else {CampaignState(each) for each in wanted.state.split(",")}
        found = await self._campaigns.list(states=states, after_id=wanted.after, limit=wanted.limit)
        progress = await self._campaigns.progress(*(each.id for each in found))
        shown = [campaign_shown(each, progress[each.id]) for each in found]
        following = found[-1].id if len(found) == wanted.limit else None
        return web.json_response({"campaigns": shown, "next": following})

    async def create(self, request: web.Request) -> web.Response:
        """POST firmware/campaigns: it goes on by itself."""
        campaigns = self._campaigns
        octets = await request.clone(client_max_size=BODY_MAX).read()
        wanted = await asyncio.to_thread(parse_body, octets, CampaignToCreate)  # a body of megabytes
        with refusals("unknown_image"):
            created = await campaigns.create(wanted.read(), BY_API)
        return await self._told(created, status=201)

    async def show(self, request: web.Request) -> web.Response:
        """GET firmware/campaigns/{id}."""
        return await self._told(await self._record(request))

    async def stations(self, request: web.Request) -> web.Response:
        """GET firmware/campaigns/{id}/stations, by identity; ``next`` is where the next page begins."""
        wanted = read_query(request, CampaignStationFilter)
        record = await self._record(request)
        states = None if wanted.state is None else {CampaignStationState(each) for each in wanted.state.split(",")}
        found = await self._campaigns.stations(record.id, states=states, after=wanted.after, limit=wanted.limit)
        following = found[-1].identity if len(found) == wanted.limit else None
        return web.json_response({"stations": [campaign_station_shown(each) for each in found], "next": following})

    async def pause(self, request: web.Request) -> web.Response:
        """POST firmware/campaigns/{id}/pause: what a station has not heard of is taken back."""
        wanted = read_query(request, CampaignStop)
        with refusals(UNKNOWN):
            return await self._told(await self._campaigns.pause(_number(request), BY_API, wanted.reason))

    async def resume(self, request: web.Request) -> web.Response:
        """POST firmware/campaigns/{id}/resume."""
        wanted = read_query(request, CampaignResumption)
        with refusals(UNKNOWN):
            return await self._told(
                await self._campaigns.resume(_number(request), BY_API, retry_failed=wanted.retry_failed)
            )

    async def cancel(self, request: web.Request) -> web.Response:
        """POST firmware/campaigns/{id}/cancel: stations that have heard of their update go on with it."""
        wanted = read_query(request, CampaignStop)
        with refusals(UNKNOWN):
            return await self._told(await self._campaigns.cancel(_number(request), BY_API, wanted.reason))

    async def _record(self, request: web.Request) -> CampaignRecord:
        found = await self._campaigns.find(_number(request))
        if found is None:
            raise ApiRefusal(404, UNKNOWN, f"there is no campaign {_number(request)}")
        return found

    async def _told(self, record: CampaignRecord, status: int = 200) -> web.Response:
        progress = await self._campaigns.progress(record.id)
        shown: dict[str, Any] = campaign_shown(record, progress[record.id])
        return web.json_response(shown, status=status)


def _number(request: web.Request) -> int:
    text = request.match_info["id"]
    if len(text) > len(str(NUMBER_MAX)) or int(text) > NUMBER_MAX:
        raise ApiRefusal(404, UNKNOWN, "there is no campaign of this number")
    return int(text)
