"""The API under ``/api/v1``: stations, and CALLs to a connected one."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, Protocol, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from gateway.admin.problems import ApiRefusal
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16.dialect import check_direction
from gateway.session.ports import RegistrationRefused, StationRecord
from gateway.session.station import Station
from gateway.wire.errors import CallError
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

PREFIX: Final = "/api/v1"

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewStation(_Request):
    """POST stations."""

    identity: str
    profile: Annotated[int, Field(ge=1, le=3)]
    serial: str | None = None
    backend: str | None = None
    password: SecretStr | None = None


class StationCall(_Request):
    """POST stations/{identity}/calls: an action in the station's own dialect."""

    action: str
    payload: dict[str, Any] = Field(default_factory=dict)


class NewlyRegistered(Protocol):
    """A registration and its password, which is shown once."""

    @property
    def record(self) -> StationRecord:
        """The station."""

    @property
    def password(self) -> str | None:
        """The password in the clear."""


class Registration(Protocol):
    """What the API needs of registration. Raises RegistrationRefused, LookupError for a station that isn't there."""

    async def add(
        self, identity: str, *, profile: int, serial: str | None, backend: str | None, password: str | None
    ) -> NewlyRegistered:
        """Register a station."""

    async def show(self, identity: str) -> StationRecord:
        """Return one station."""

    async def list(self) -> Sequence[StationRecord]:
        """Return all stations."""

    async def remove(self, identity: str, *, force: bool = False) -> None:
        """Remove a station."""


class RenewalRefused(Exception):
    """A station that doesn't agree to renew its certificate; the text says why."""


class StationApi:
    """The station endpoints, on the parts that ``app`` joins.

    ``live`` returns the runtime of a station or None; ``renew`` asks a connected station for a new certificate and
    raises :class:`RenewalRefused`, PeerUnavailable or CallError.
    """

    def __init__(
        self,
        *,
        registration: Registration,
        live: Callable[[str], Station | None],
        renew: Callable[[Station], Awaitable[None]],
    ) -> None:
        self._registration = registration
        self._live = live
        self._renew = renew

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/stations", self.list)
        router.add_post(f"{PREFIX}/stations", self.create)
        router.add_get(f"{PREFIX}/stations/{{identity}}", self.show)
        router.add_delete(f"{PREFIX}/stations/{{identity}}", self.remove)
        router.add_post(f"{PREFIX}/stations/{{identity}}/calls", self.call)
        router.add_post(f"{PREFIX}/stations/{{identity}}/certificate", self.renew_certificate)

    # --- records

    async def list(self, _: web.Request) -> web.Response:
        """GET stations."""
        return web.json_response({"stations": [self._shown(record) for record in await self._registration.list()]})

    async def create(self, request: web.Request) -> web.Response:
        """POST stations: the answer holds the password, once."""
        wanted = await _body(request, NewStation)
        password = wanted.password.get_secret_value() if wanted.password is not None else None
        try:
            made = await self._registration.add(
                wanted.identity, profile=wanted.profile, serial=wanted.serial, backend=wanted.backend, password=password
            )
        except RegistrationRefused as error:
            raise ApiRefusal(409, "refused", str(error)) from None
        shown = self._shown(made.record) | {"password": made.password}
        return web.json_response(shown, status=201, headers={"Location": f"{PREFIX}/stations/{wanted.identity}"})

    async def show(self, request: web.Request) -> web.Response:
        """GET stations/{identity}."""
        return web.json_response(self._shown(await self._record(request)))

    async def remove(self, request: web.Request) -> web.Response:
        """DELETE stations/{identity}; ``?force=true`` although its journal isn't empty."""
        record = await self._record(request)
        try:
            await self._registration.remove(record.identity, force=request.query.get("force") == "true")
        except RegistrationRefused as error:
            raise ApiRefusal(409, "refused", str(error)) from None
        return web.Response(status=204)

    # --- the live station

    async def call(self, request: web.Request) -> web.Response:
        """POST stations/{identity}/calls: send a CALL and return the payload of its CALLRESULT."""
        wanted = await _body(request, StationCall)
        station = await self._connected(request)
        try:
            operation(Version.V201, wanted.action).request.check(wanted.payload)
            check_direction(wanted.action)
        except CallError as error:
            raise ApiRefusal(400, "invalid_call", str(error), {"ocpp_code": error.code.value}) from None
        answer = await _asked(station.call_station(wanted.action, wanted.payload))
        return web.json_response({"action": wanted.action, "payload": answer})

    async def renew_certificate(self, request: web.Request) -> web.Response:
        """POST stations/{identity}/certificate: ask the station to renew its certificate."""
        station = await self._connected(request)
        try:
            await _asked(self._renew(station))
        except RenewalRefused as refusal:
            raise ApiRefusal(409, "station_refused", str(refusal)) from None
        return web.json_response({"status": "requested"}, status=202)

    async def _record(self, request: web.Request) -> StationRecord:
        try:
            return await self._registration.show(request.match_info["identity"])
        except LookupError as error:
            raise ApiRefusal(404, "not_registered", str(error)) from None

    async def _connected(self, request: web.Request) -> Station:
        record = await self._record(request)
        station = self._live(record.identity)
        if station is None or not station.is_connected:
            raise ApiRefusal(409, "not_connected", f"station {record.identity} is not connected")
        return station

    def _shown(self, record: StationRecord) -> dict[str, Any]:
        """What the API tells of a station; never its password's hash."""
        station = self._live(record.identity)
        connected = station is not None and station.is_connected
        return {
            "identity": record.identity,
            "profile": record.minimum_profile,
            "serial": record.serial,
            "backend": record.backend,
            "boot_status": record.boot_status.value,
            "connected": connected,
            "connected_profile": station.profile if connected and station is not None else None,
            "backend_connected": station is not None and station.backend.is_up,
        }


async def _asked(answer: Awaitable[T]) -> T:
    """Wait for a station's answer and say in HTTP's words why there is none."""
    try:
        return await answer
    except PeerUnavailable as away:
        raise ApiRefusal(504, "no_answer", str(away)) from None
    except CallError as error:
        details = {"ocpp_code": error.code.value, "ocpp_details": error.details}
        raise ApiRefusal(502, "call_error", error.description or error.code.value, details) from None


async def _body(request: web.Request, model: type[M]) -> M:
    """Read the JSON body. Raises ApiRefusal 400 naming the field, never its value."""
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "body"
        raise ApiRefusal(400, "invalid_request", f"{place}: {first['msg']}") from None
