"""The stations as the API finds and shows them: what the registry holds, and what is connected."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web

from gateway.admin.ports import Registration, Renewals, Routes, Upgrades
from gateway.admin.problems import ApiRefusal
from gateway.admin.requests import PREFIX, refusals
from gateway.admin.shown import renewal_shown, station_shown, upgrade_shown
from gateway.session.ports import StationRecord
from gateway.session.station import Station
from gateway.session.upgrades import UpgradeRecord


class Roster:
    """Finds a request's station. ``live`` returns the runtime of a station or None."""

    def __init__(
        self,
        registration: Registration,
        routes: Routes,
        live: Callable[[str], Station | None],
        upgrades: Upgrades,
        renewals: Renewals,
    ) -> None:
        self._registration = registration
        self._routes = routes
        self._live = live
        self._upgrades = upgrades
        self._renewals = renewals

    async def record(self, request: web.Request) -> StationRecord:
        """Return the station of the request's path. Raises ApiRefusal 404."""
        with refusals():
            return await self._registration.show(request.match_info["identity"])

    async def connected(self, request: web.Request) -> Station:
        """Return the runtime of the request's station. Raises ApiRefusal 404, and 409 while it isn't connected."""
        record = await self.record(request)
        station = self._live(record.identity)
        if station is None or not station.is_connected:
            raise ApiRefusal(409, "not_connected", f"station {record.identity} is not connected")
        return station

    async def shown(self, record: StationRecord) -> dict[str, Any]:
        """Return what the API tells of one station."""
        (route,) = await self._routes.of([record])
        return self._shown(record, route, await self._upgrades.status(record.identity))

    async def all_shown(self) -> list[dict[str, Any]]:
        """Return what it tells of all; of upgrades only those under way."""
        upgrades = {each.identity: each for each in self._upgrades.under_way()}
        records = await self._registration.list()
        routes = await self._routes.of(records)
        return [
            self._shown(record, route, upgrades.get(record.identity))
            for record, route in zip(records, routes, strict=True)
        ]

    def _shown(self, record: StationRecord, route: Mapping[str, Any], upgrade: UpgradeRecord | None) -> dict[str, Any]:
        runtime = self._live(record.identity)
        station = runtime if runtime is not None and runtime.is_connected else None
        provisional = station.provisional if station is not None else None
        return station_shown(record) | {
            "route": route,
            "connected": station is not None,
            "connected_profile": station.profile if station is not None else None,
            "provisional": provisional.value if provisional is not None else None,
            "backend_connected": runtime is not None and runtime.backend.is_up,
            "upgrade": upgrade_shown(upgrade),
            "renewals": [renewal_shown(each) for each in self._renewals.of_station(record.identity)],
        }


def station_url(identity: str) -> str:
    """Return where a station is found."""
    return f"{PREFIX}/stations/{quote(identity, safe='')}"
