"""The renewal of many stations' certificates at once: ``renewals``."""

from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from gateway.admin.ports import Renewals
from gateway.admin.requests import PREFIX, Query, Request, read_body

Usage = Annotated[
    Literal["station", "v2g"], Field(description="station: for TLS towards the gateway; v2g: ISO 15118's, of the SECC.")
]
STATION: Final = "station"


class RenewalOfOne(Query):
    """POST stations/{identity}/certificate."""

    usage: Usage = STATION


class RenewalOfAll(Request):
    """POST renewals."""

    usage: Usage = STATION
    group: Annotated[str | None, Field(description="Only the stations of this group; null: all.")] = None


class RenewalEndpoints:
    """The endpoint of the scheduler."""

    def __init__(self, renewals: Renewals) -> None:
        self._renewals = renewals

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoint."""
        router.add_post(f"{PREFIX}/renewals", self.renew_all)

    async def renew_all(self, request: web.Request) -> web.Response:
        """POST renewals: answered at once with how many; the stations are asked one after the other."""
        wanted = await read_body(request, RenewalOfAll)
        count = await self._renewals.renew_all(wanted.usage, wanted.group)
        return web.json_response({"usage": wanted.usage, "group": wanted.group, "count": count}, status=202)
