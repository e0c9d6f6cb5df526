"""Firmware that local controllers publish (OCPP 2.0.1 L03): what a station's leg has seen of it."""

from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from gateway.admin.requests import PREFIX
from gateway.admin.roster import Roster
from gateway.session.firmware_locations import location_shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.session.firmware import PublicationRecord


class Publications(Protocol):
    """What is on file. Raises StoreAway."""

    async def list(self, identity: str) -> "Sequence[PublicationRecord]":
        """Return those of a station, in the order in which they were asked for."""


class PublicationEndpoints:
    """The endpoint of publications."""

    def __init__(self, publications: Publications, roster: Roster) -> None:
        self._publications = publications
        self._roster = roster

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoint."""
        router.add_get(f"{PREFIX}/stations/{{identity}}/publications", self.list)

    async def list(self, request: web.Request) -> web.Response:
        """GET stations/{identity}/publications: the last ones of the gateway and of the station itself."""
        record = await self._roster.record(request)
        found = await self._publications.list(record.identity)
        return web.json_response({"publications": [publication_shown(each) for each in found]})


def publication_shown(record: "PublicationRecord") -> dict[str, Any]:
    """Return what is told of one: no secret of its location, and no URL of ours."""
    return {
        "id": record.id,
        "publisher": record.publisher.value,
        "request_id": record.request_id,
        "status": record.state.value,
        "checksum": record.checksum,
        "location": location_shown(record.location),
        "image_id": record.image_id,
        "published": [*record.published],
        "created_at": record.created_at.isoformat(),
        "changed_at": record.changed_at.isoformat(),
    }
