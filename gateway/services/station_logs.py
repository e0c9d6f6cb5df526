"""Stations' logs, from the backend's order to what it hears of it (OCPP 2.0.1 N01, 1.6 GetDiagnostics and GetLog).

A station uploads to the gateway; the backend hears that it has only when the log is where it belongs.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from gateway.bridge.books import Json, Page
from gateway.bridge.log_places import has_agreed
from gateway.bridge.ports import LogOrdered, PeerUnavailable
from gateway.bridge.v201_v201.relaying import OWN_REQUESTS
from gateway.services.log_book import LogBook, fate, file_name_of
from gateway.services.peer_text import printable
from gateway.session.file_links import Links
from gateway.session.firmware import FirmwareConflict, LogRecord, LogState, NewLog
from gateway.session.ports import StoreAway
from gateway.session.station import Station
from gateway.wire.errors import CallError
from gateway.wire.versions import Version

TOLD_WITHIN: Final = 300.0
"""Seconds that a backend's leg is waited for; after them the backend hears it when the station comes back."""
WORD_MAX: Final = 40
"""Characters of a station's word in a reason."""

_UNDER_WAY: Final = frozenset({"Idle", "Uploading"})
_REFUSED: Final = "the station has none, or refuses"

log = structlog.get_logger(__name__)

Spawn = Callable[[Coroutine[Any, Any, None], str], object]


class StationLogs:
    """The logs of all stations."""

    def __init__(
        self,
        book: LogBook,
        links: Links,
        *,
        live: Callable[[str], Station | None],
        spawn: Spawn,
        is_coming: Callable[[int], bool] = lambda _: False,
    ) -> None:
        """``is_coming(log_id)``: an upload is under way."""
        self._book = book
        self._links = links
        self._live = live
        self._spawn = spawn
        self.is_coming = is_coming

    def desk(self, station: Station) -> "StationDesk":
        """Return where one station's logs are received."""
        return StationDesk(self, station)

    # --- asking

    async def expect(self, new: NewLog) -> tuple[LogRecord, str]:
        """Put a log on record, and return where the station is to upload it. Raises StoreAway."""
        record, dropped = await self._book.add(new)
        for each in dropped:
            await self.over(each)
        if new.destination is None and new.action == "GetLog":
            record = await self._book.number(record.id, OWN_REQUESTS[record.id % len(OWN_REQUESTS)])
        return record, await self._links.upload(new.identity, record.id)

    async def refused(self, log_id: int, reason: str) -> None:
        """The station doesn't upload it, and who asked knows it. Raises StoreAway."""
        await self._book.move(log_id, {LogState.ASKED}, LogState.FAILED, reason=reason, is_told=True)
        await self._links.close_log(log_id)

    async def named(self, log_id: int, file_name: str | None) -> None:
        """The station has agreed, and named the file. Raises StoreAway."""
        if name := file_name_of(file_name):
            await self._book.named(log_id, name)

    async def request(self, station: Station, log_type: str, by: str) -> LogRecord:
        """Ask a station for a log that an operator wants; it stays here.

        Raises FirmwareConflict when it refuses; CallError, PeerUnavailable, StoreAway.
        """
        is_diagnostics = station.version is Version.V16 and log_type == "DiagnosticsLog"
        action = "GetDiagnostics" if is_diagnostics else "GetLog"
        record, url = await self.expect(NewLog(identity=station.identity, by=by, action=action, log_type=log_type))
        payload: Json = (
            {"location": url}
            if is_diagnostics
            else {"logType": log_type, "requestId": record.request_id, "log": {"remoteLocation": url}}
        )
        try:
            answer = await station.call_station(action, payload)
        except (CallError, PeerUnavailable):
            await self.refused(record.id, "the station has given no answer, or an error")
            raise
        if not has_agreed(answer):
            await self.refused(record.id, _REFUSED)
            raise FirmwareConflict(f"station {station.identity} has no such log, or refuses")
        await self.named(record.id, answer.get("filename", answer.get("fileName")))
        return await self._book.find(record.id) or record

    # --- what the station says

    async def log_status(self, station: Station, payload: Json) -> Json:
        """LogStatusNotification: what the backend hears of it, it hears as soon as it is true. Raises StoreAway."""
        return await self._said(station, "LogStatusNotification", payload)

    async def diagnostics_status(self, station: Station, payload: Json) -> Json:
        """DiagnosticsStatusNotification of 1.6. Raises StoreAway."""
        return await self._said(station, "DiagnosticsStatusNotification", payload)

    async def _said(self, station: Station, action: str, payload: Json) -> Json:
        record = await self._meant(station, action, payload)
        status = payload["status"]
        if record is None:
            return await station.bridge.from_station(action, payload)
        passes_on = status == "Idle" or record.is_waited_for
        if status == "Uploaded":
            await self._has_uploaded(record)
            passes_on = False
        elif status not in _UNDER_WAY:
            reason = f"the station says {printable(status, WORD_MAX)}"
            failed = await self._book.move(record.id, {LogState.ASKED}, LogState.FAILED, reason=reason, is_told=True)
            passes_on = failed is not None
            if passes_on:
                await self._links.close_log(record.id)
        if not passes_on or record.destination is None:
            return {}
        return await station.bridge.from_station(action, payload)

    async def _meant(self, station: Station, action: str, payload: Json) -> LogRecord | None:
        if action == "DiagnosticsStatusNotification":
            return await self._book.newest(station.identity, request_id=None, action="GetDiagnostics")
        number = payload.get("requestId")
        return None if number is None else await self._book.newest(station.identity, request_id=number)

    async def _has_uploaded(self, record: LogRecord) -> None:
        """The station says so: what is here tells whether it has."""
        if record.state is not LogState.ASKED or self.is_coming(record.id):
            return
        reason = "the station says that it has uploaded it; nothing has come"
        failed = await self._book.move(record.id, {LogState.ASKED}, LogState.FAILED, reason=reason)
        if failed is not None:
            await self.over(failed)

    # --- what the backend hears

    async def over(self, record: LogRecord) -> None:
        """Nothing more comes of a log: its link ends, and its backend hears what has become of it. Raises StoreAway."""
        await self._links.close_log(record.id)
        log.info("log_over", identity=record.identity, log=record.id, state=record.state.value, reason=record.reason)
        station = self._live(record.identity)
        if station is not None and not record.is_told:
            self._tell_soon(station)

    def joined(self, station: Station) -> None:
        """The station's WebSocket is open: its backend hears what it has missed."""
        self._tell_soon(station)

    def _tell_soon(self, station: Station) -> None:
        self._spawn(self._tell_all(station), f"tell of logs of {station.identity}")

    async def _tell_all(self, station: Station) -> None:
        try:
            if not await self._book.untold(station.identity) or not await station.backend.wait_up(TOLD_WITHIN):
                return
            async with station.turn:
                for record in await self._book.untold(station.identity):
                    await self._tell(station, record)
        except StoreAway as away:
            log.error("logs_not_told", identity=station.identity, reason=str(away))  # noqa: TRY400 - the text says it all
        except PeerUnavailable as away:
            log.info("logs_not_told", identity=station.identity, reason=str(away))

    async def _tell(self, station: Station, record: LogRecord) -> None:
        try:
            await station.bridge.from_station(*fate(station.version, record))
        except CallError as error:
            log.warning("log_not_heard", identity=station.identity, log=record.id, reason=str(error))
        await self._book.told(record.id)


class StationDesk:
    """Fulfils :class:`gateway.bridge.ports.LogDesk`. A backend's CALLs come one at a time, and so do its orders."""

    def __init__(self, logs: StationLogs, station: Station) -> None:
        self._logs = logs
        self._station = station
        self._asked: tuple[LogOrdered, int] | None = None

    async def place(self, ordered: LogOrdered) -> str | None:
        """Return where the station is to upload it; None while the store is away."""
        new = NewLog(
            identity=self._station.identity,
            by=self._station.books.page(Page.BACKEND).get("name", "backend"),
            action=ordered.action,
            log_type=ordered.log_type,
            backend_request_id=ordered.request_id,
            request_id=ordered.station_request_id,
            destination=ordered.location,
        )
        try:
            record, url = await self._logs.expect(new)
        except StoreAway as away:
            log.error("log_not_received", identity=self._station.identity, reason=str(away))  # noqa: TRY400 - it says it all
            return None
        self._asked = ordered, record.id
        return url

    async def answered(self, ordered: LogOrdered, *, is_accepted: bool, file_name: str | None) -> None:
        """The station has answered."""
        asked, self._asked = self._asked, None
        if asked is None or asked[0] != ordered:
            return
        try:
            if is_accepted:
                await self._logs.named(asked[1], file_name)
            else:
                await self._logs.refused(asked[1], _REFUSED)
        except StoreAway as away:  # then it is overdue one day
            log.error("log_not_followed", identity=self._station.identity, reason=str(away))  # noqa: TRY400 - the same
