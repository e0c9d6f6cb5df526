"""Those that came without being registered: ``pending-stations``."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from gateway.admin.ports import Registration
from gateway.admin.requests import PREFIX, Request, read_body, refusals
from gateway.admin.roster import Roster, station_url
from gateway.admin.shown import pending_shown


class Approval(Request):
    """POST pending-stations/{identity}."""

    profile: Annotated[int, Field(ge=1, le=3)]
    serial: Annotated[str | None, Field(description="CN of its certificate; what it showed is not taken.")] = None
    backend: str | None = None
    group: Annotated[str | None, Field(description="Names the stations that are routed alike; null: none.")] = None


class PendingStationEndpoints:
    """The endpoints of onboarding."""

    def __init__(self, registration: Registration, roster: Roster) -> None:
        self._registration = registration
        self._roster = roster

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/pending-stations", self.list)
        router.add_post(f"{PREFIX}/pending-stations/{{identity}}", self.approve)
        router.add_delete(f"{PREFIX}/pending-stations/{{identity}}", self.dismiss)

    async def list(self, _: web.Request) -> web.Response:
        """GET pending-stations."""
        found = await self._registration.pending()
        return web.json_response({"pending_stations": [pending_shown(each) for each in found]})

    async def approve(self, request: web.Request) -> web.Response:
        """POST pending-stations/{identity}: register it; the answer holds the password, once."""
        wanted = await read_body(request, Approval)
        identity = request.match_info["identity"]
        with refusals("not_pending"):
            made = await self._registration.approve(
                identity,
                profile=wanted.profile,
                serial=wanted.serial,
                backend=wanted.backend,
                group=wanted.group,
            )
        shown = await self._roster.shown(made.record) | {"password": made.password}
        return web.json_response(shown, status=201, headers={"Location": station_url(identity)})

    async def dismiss(self, request: web.Request) -> web.Response:
        """DELETE pending-stations/{identity}: forget it; if it comes again, it is recorded again."""
        with refusals("not_pending"):
            await self._registration.dismiss(request.match_info["identity"])
        return web.Response(status=204)
