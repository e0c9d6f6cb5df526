"""The registered stations: ``stations`` and ``stations/{identity}``."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field, SecretStr

from gateway.admin.ports import Registration
from gateway.admin.problems import ApiRefusal
from gateway.admin.requests import PREFIX, Query, Request, read_body, read_query, refusals
from gateway.admin.roster import Roster, station_url
from gateway.wire.versions import Version

_GROUP: Final = "Names the stations that are routed alike; null: none."
_BACKEND: Final = "A configured backend; null: the routes say, or default_backend."
_VERSION: Final = "The only OCPP version that it may speak; null: any that its listener speaks."


class NewStation(Request):
    """POST stations."""

    identity: str
    profile: Annotated[int, Field(ge=1, le=3)]
    serial: str | None = None
    backend: str | None = None
    group: Annotated[str | None, Field(description=_GROUP)] = None
    password: SecretStr | None = None
    pinned_version: Annotated[Version | None, Field(description=_VERSION)] = None


class StationChange(Request):
    """PATCH stations/{identity}: what is left out stays as it is."""

    allow_expired: Annotated[
        bool | None, Field(description="Let it in with an expired certificate, to be renewed at once.")
    ] = None
    allow_downgrade: Annotated[
        bool | None, Field(description="Let it go back from security profile 3 to 2; never to 1.")
    ] = None
    serial: Annotated[str | None, Field(description="CN of its certificate; null: its identity is.")] = None
    backend: Annotated[str | None, Field(description=_BACKEND)] = None
    group: Annotated[str | None, Field(description=_GROUP)] = None
    pinned_version: Annotated[Version | None, Field(description=_VERSION)] = None


class Removal(Query):
    """DELETE stations/{identity}."""

    force: bool = False


class StationEndpoints:
    """The endpoints of the registry."""

    def __init__(self, registration: Registration, roster: Roster) -> None:
        self._registration = registration
        self._roster = roster

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/stations", self.list)
        router.add_post(f"{PREFIX}/stations", self.create)
        router.add_get(f"{PREFIX}/stations/{{identity}}", self.show)
        router.add_patch(f"{PREFIX}/stations/{{identity}}", self.change)
        router.add_delete(f"{PREFIX}/stations/{{identity}}", self.remove)

    async def list(self, _: web.Request) -> web.Response:
        """GET stations."""
        return web.json_response({"stations": await self._roster.all_shown()})

    async def create(self, request: web.Request) -> web.Response:
        """POST stations: the answer holds the password, once."""
        wanted = await read_body(request, NewStation)
        password = wanted.password.get_secret_value() if wanted.password is not None else None
        with refusals():
            made = await self._registration.add(
                wanted.identity,
                profile=wanted.profile,
                serial=wanted.serial,
                backend=wanted.backend,
                password=password,
                version=wanted.pinned_version,
                group=wanted.group,
            )
        shown = await self._roster.shown(made.record) | {"password": made.password}
        return web.json_response(shown, status=201, headers={"Location": station_url(wanted.identity)})

    async def show(self, request: web.Request) -> web.Response:
        """GET stations/{identity}."""
        return web.json_response(await self._roster.shown(await self._roster.record(request)))

    async def change(self, request: web.Request) -> web.Response:
        """PATCH stations/{identity}: the registry's answer to the first thing that it refuses; the rest isn't done."""
        wanted = await read_body(request, StationChange)
        given = wanted.model_fields_set
        if not given:
            raise ApiRefusal(400, "invalid_request", f"body: name one of {', '.join(StationChange.model_fields)}")
        identity = (await self._roster.record(request)).identity
        with refusals():
            if "serial" in given:
                await self._registration.set_serial(identity, wanted.serial)
            if "backend" in given:
                await self._registration.set_backend(identity, wanted.backend)
            if "group" in given:
                await self._registration.set_group(identity, wanted.group)
            if "pinned_version" in given:
                await self._registration.pin_version(identity, wanted.pinned_version)
            if wanted.allow_expired is not None or wanted.allow_downgrade is not None:
                await self._registration.allow(identity, expired=wanted.allow_expired, downgrade=wanted.allow_downgrade)
        return await self.show(request)

    async def remove(self, request: web.Request) -> web.Response:
        """DELETE stations/{identity}; ``?force=true`` although its journal isn't empty."""
        force = read_query(request, Removal).force
        record = await self._roster.record(request)
        with refusals():
            await self._registration.remove(record.identity, force=force)
        return web.Response(status=204)
