"""What the gateway saw at its door and on its lines, and what stations reported: ``security-events``."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import AwareDatetime, Field

from gateway.admin.ports import SecurityEvents
from gateway.admin.requests import NUMBER_MAX, PREFIX, Query, read_query
from gateway.admin.shown import event_shown

LIMIT: Final = 100
"""Events in an answer, where none is asked for."""
LIMIT_MAX: Final = 1000
"""Events in one answer."""


class EventFilter(Query):
    """GET security-events."""

    identity: str | None = None
    type: str | None = None
    since: Annotated[AwareDatetime | None, Field(description="ISO 8601 with a zone: what had not ended before it.")] = (
        None
    )
    before: Annotated[
        int | None, Field(ge=1, le=NUMBER_MAX, description="An id: the next page begins before the last one's.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT


class SecurityEventEndpoints:
    """The endpoint of the security events."""

    def __init__(self, events: SecurityEvents) -> None:
        self._events = events

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoint."""
        router.add_get(f"{PREFIX}/security-events", self.list)

    async def list(self, request: web.Request) -> web.Response:
        """GET security-events: the newest first."""
        wanted = read_query(request, EventFilter)
        found = await self._events.list(
            identity=wanted.identity,
            kind=wanted.type,
            since=wanted.since,
            before_id=wanted.before,
            limit=wanted.limit,
        )
        return web.json_response({"security_events": [event_shown(each) for each in found]})
