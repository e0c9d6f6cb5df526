"""What acts on a connected station: CALLs, its certificate, its password, its security profile."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from gateway.admin.ports import StationCommands, Upgrades
from gateway.admin.problems import ApiRefusal
from gateway.admin.renewals import RenewalOfOne
from gateway.admin.requests import PREFIX, Query, Request, read_body, read_query, refusals
from gateway.admin.roster import Roster
from gateway.admin.shown import rotation_state, upgrade_shown
from gateway.bridge import v16_v16, v201_v16
from gateway.wire.errors import CallError
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

_CHECK_DIRECTION: Final[Mapping[Version, Callable[[str], None]]] = {
    Version.V16: v16_v16.dialect.check_direction,
    Version.V201: v201_v16.dialect.check_direction,
}
_OF_FIRMWARE: Final = frozenset({"SignedUpdateFirmware", "UpdateFirmware"})
"""Actions that aren't sent as they are where the gateway verifies firmware."""


class StationCall(Request):
    """POST stations/{identity}/calls: an action in the station's own dialect."""

    action: str
    payload: dict[str, Any] = Field(default_factory=dict)


class ProfileUpgrade(Request):
    """POST stations/{identity}/security-profile."""

    profile: Annotated[int, Field(ge=2, le=3, description="The security profile to go to.")]
    interface: Annotated[
        str,
        Field(pattern="^(Wired|Wireless)[0-3]$", description="The station's network interface, for 2.0.1 (B09)."),
    ] = "Wired0"


class Rotation(Query):
    """POST stations/{identity}/password."""

    force: bool = False


class StationCommandEndpoints:
    """The endpoints that want the station to be connected, and the state of its upgrade."""

    def __init__(
        self, roster: Roster, commands: StationCommands, upgrades: Upgrades, *, verifies_firmware: bool
    ) -> None:
        """``verifies_firmware``: updates are ordered elsewhere, where what they install is looked at (attack B5)."""
        self._verifies_firmware = verifies_firmware
        self._roster = roster
        self._commands = commands
        self._upgrades = upgrades

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        station = f"{PREFIX}/stations/{{identity}}"
        router.add_post(f"{station}/calls", self.call)
        router.add_post(f"{station}/certificate", self.renew_certificate)
        router.add_post(f"{station}/password", self.rotate_password)
        router.add_get(f"{station}/security-profile", self.show_upgrade)
        router.add_post(f"{station}/security-profile", self.upgrade)
        router.add_delete(f"{station}/security-profile", self.cancel_upgrade)

    async def call(self, request: web.Request) -> web.Response:
        """POST stations/{identity}/calls: send a CALL and return the payload of its CALLRESULT."""
        wanted = await read_body(request, StationCall)
        if self._verifies_firmware and wanted.action in _OF_FIRMWARE:
            text = (
                f"{wanted.action} would install what nobody has verified: add the image to the catalogue, and order it "
                "by stations/{identity}/firmware"
            )
            raise ApiRefusal(409, "unverified_firmware", text)
        station = await self._roster.connected(request)
        try:
            operation(station.version, wanted.action).request.check(wanted.payload)
            _CHECK_DIRECTION[station.version](wanted.action)
        except CallError as error:
            raise ApiRefusal(400, "invalid_call", str(error), {"ocpp_code": error.code.value}) from None
        with refusals():
            answer = await station.call_station(wanted.action, wanted.payload)
        return web.json_response({"action": wanted.action, "payload": answer})

    async def renew_certificate(self, request: web.Request) -> web.Response:
        """POST stations/{identity}/certificate: ask the station to renew its certificate, ``?usage=v2g`` that one."""
        usage = read_query(request, RenewalOfOne).usage
        station = await self._roster.connected(request)
        with refusals():
            await self._commands.renew_certificate(station, usage)
        return web.json_response({"status": "requested"}, status=202)

    async def rotate_password(self, request: web.Request) -> web.Response:
        """POST stations/{identity}/password: a new one is made, sent, and shown to nobody.

        200 when the station has taken it, 202 when it takes it after a reboot. ``?force=true`` although the fate of the
        last one isn't known.
        """
        force = read_query(request, Rotation).force
        station = await self._roster.connected(request)
        with refusals():
            await self._commands.rotate_password(station, force=force)
        record = await self._roster.record(request)
        state = rotation_state(record)
        shown = {"identity": record.identity, "password_rotation": state}
        return web.json_response(shown, status=200 if state == "settled" else 202)

    async def show_upgrade(self, request: web.Request) -> web.Response:
        """GET stations/{identity}/security-profile."""
        return web.json_response(await self._profile_shown(request))

    async def upgrade(self, request: web.Request) -> web.Response:
        """POST stations/{identity}/security-profile: begin the upgrade, which goes on by itself."""
        wanted = await read_body(request, ProfileUpgrade)
        station = await self._roster.connected(request)
        with refusals():
            await self._commands.upgrade(station, wanted.profile, interface=wanted.interface)
        return web.json_response(await self._profile_shown(request), status=202)

    async def cancel_upgrade(self, request: web.Request) -> web.Response:
        """DELETE stations/{identity}/security-profile: end the upgrade where it stands."""
        record = await self._roster.record(request)
        if not await self._upgrades.cancel(record.identity):
            raise ApiRefusal(404, "no_upgrade", f"no upgrade of station {record.identity} is under way")
        return web.json_response(await self._profile_shown(request))

    async def _profile_shown(self, request: web.Request) -> dict[str, Any]:
        record = await self._roster.record(request)
        upgrade = await self._upgrades.status(record.identity)
        return {
            "identity": record.identity,
            "profile": record.minimum_profile,
            "upgrade": upgrade_shown(upgrade),
        }
