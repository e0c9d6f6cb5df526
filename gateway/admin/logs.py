"""The logs of stations, and asking for one: ``logs``."""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol
from urllib.parse import quote

from aiohttp import web
from pydantic import AfterValidator, Field

from gateway.admin.problems import ApiRefusal
from gateway.admin.quarantine import BY_API
from gateway.admin.requests import NUMBER_MAX, PREFIX, Query, Request, read_body, read_query, refusals
from gateway.admin.roster import Roster
from gateway.session.firmware import LogRecord, LogState
from gateway.session.station import Station
from pki.uploading.places import shown

LIMIT_MAX: Final = 1000
"""Logs in one answer."""
STATES: Final = tuple(state.value for state in LogState)
UNKNOWN: Final = "unknown_log"


class StationLogs(Protocol):
    """The logs. What isn't there is a FirmwareUnknown, which is a LookupError."""

    async def list(
        self,
        *,
        identity: str | None = None,
        states: Collection[LogState] | None = None,
        after_id: int = 0,
        limit: int | None = None,
    ) -> Sequence[LogRecord]:
        """Return those that fit, in the order in which they were asked for; None: any."""

    async def find(self, log_id: int) -> LogRecord | None:
        """Return one, or None."""

    async def delete(self, log_id: int) -> LogRecord:
        """Delete a log's file. Raises FirmwareUnknown, FirmwareConflict."""

    async def request(self, station: Station, log_type: str, by: str) -> LogRecord:
        """Ask a station for one. Raises FirmwareConflict, CallError, PeerUnavailable."""

    def path(self, log_id: int) -> Path:
        """Return where a log's file lies, or would."""


def _states(text: str) -> str:
    if not set(text.split(",")) <= set(STATES):
        raise ValueError(f"must be one of {', '.join(STATES)}, or several with commas between them")
    return text


class LogFilter(Query):
    """GET logs."""

    identity: str | None = None
    state: Annotated[
        str | None, AfterValidator(_states), Field(description="One, or several with commas between them.")
    ] = None
    after: Annotated[
        int, Field(ge=0, le=NUMBER_MAX, description="An id: the next page begins after the last one's.")
    ] = 0
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_MAX


class LogRequest(Request):
    """POST stations/{identity}/logs."""

    log_type: Annotated[
        Literal["DiagnosticsLog", "SecurityLog"],
        Field(description="SecurityLog of a 1.6 station: where it knows the security extension."),
    ]


class LogEndpoints:
    """The endpoints of the logs; all of them answer 409 where the configuration has no ``logs``."""

    def __init__(self, logs: StationLogs | None, roster: Roster) -> None:
        self._configured = logs
        self._roster = roster

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/logs", self.list)
        router.add_get(f"{PREFIX}/logs/{{id:\\d+}}", self.show)
        router.add_get(f"{PREFIX}/logs/{{id:\\d+}}/content", self.content)
        router.add_delete(f"{PREFIX}/logs/{{id:\\d+}}", self.delete)
        router.add_post(f"{PREFIX}/stations/{{identity}}/logs", self.ask)

    @property
    def _logs(self) -> StationLogs:
        if self._configured is None:
            raise ApiRefusal(409, "not_configured", "logs: the section is missing in the configuration")
        return self._configured

    async def list(self, request: web.Request) -> web.Response:
        """GET logs, in the order in which they were asked for; ``next`` is where the next page begins."""
        wanted = read_query(request, LogFilter)
        states = None if wanted.state is None else {LogState(each) for each in wanted.state.split(",")}
        found = await self._logs.list(
            identity=wanted.identity, states=states, after_id=wanted.after, limit=wanted.limit
        )
        following = found[-1].id if len(found) == wanted.limit else None
        return web.json_response({"logs": [log_shown(each) for each in found], "next": following})

    async def show(self, request: web.Request) -> web.Response:
        """GET logs/{id}."""
        return web.json_response(log_shown(await self._found(request)))

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET logs/{id}/content: the file as it came. Nobody has looked into it, and no browser is to."""
        found = await self._found(request)
        path = self._logs.path(found.id)
        if found.sha256 is None or not await asyncio.to_thread(path.is_file):
            raise ApiRefusal(404, "no_file", f"log {found.id} has no file: it is {found.state.value}")
        name = quote(found.file_name or path.name, safe="")
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "X-Content-Type-Options": "nosniff",
        }
        return web.FileResponse(path, headers=headers)

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE logs/{id}: its file; that it was here stays on record."""
        logs, number = self._logs, _number(request)
        with refusals(UNKNOWN):
            deleted = await logs.delete(number)
        return web.json_response(log_shown(deleted))

    async def ask(self, request: web.Request) -> web.Response:
        """POST stations/{identity}/logs: ask the station for a log, which is kept here."""
        wanted = await read_body(request, LogRequest)
        logs = self._logs
        station = await self._roster.connected(request)
        with refusals():
            record = await logs.request(station, wanted.log_type, BY_API)
        return web.json_response(log_shown(record), status=202)

    async def _found(self, request: web.Request) -> LogRecord:
        number = _number(request)
        found = await self._logs.find(number)
        if found is None:
            raise ApiRefusal(404, UNKNOWN, f"there is no log {number}")
        return found


def _number(request: web.Request) -> int:
    number = int(request.match_info["id"][:20])
    if number > NUMBER_MAX:
        raise ApiRefusal(404, UNKNOWN, f"there is no log {number}")
    return number


def log_shown(record: LogRecord) -> dict[str, Any]:
    """Return what is told of a log: of where its backend wants it no user, password or query."""
    return {
        "id": record.id,
        "identity": record.identity,
        "state": record.state.value,
        "reason": record.reason,
        "log_type": record.log_type,
        "action": record.action,
        "by": record.by,
        "request_id": record.request_id,
        "backend_request_id": record.backend_request_id,
        "destination": None if record.destination is None else shown(record.destination),
        "file_name": record.file_name,
        "sha256": record.sha256,
        "size": record.size,
        "backend_told": record.is_told,
        "created_at": record.created_at.isoformat(),
        "changed_at": record.changed_at.isoformat(),
    }
