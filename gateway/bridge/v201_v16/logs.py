"""Logs (block N): GetDiagnostics, and the white paper's GetLog, both by the one GetLog of 2.0.1."""

from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.locations import is_fit
from gateway.bridge.refusals import refuse_diagnostics, refuse_location
from gateway.bridge.request_ids import next_request
from gateway.bridge.requests import Request, Work, begin, end, end_older, find, told
from gateway.bridge.timestamps import backend_utc
from gateway.bridge.v201_v16.context import Context

LOG_STATUSES: Final = {
    "Idle": "Idle",
    "Uploading": "Uploading",
    "Uploaded": "Uploaded",
    "BadMessage": "UploadFailed",
    "NotSupportedOperation": "UploadFailed",
    "PermissionDenied": "UploadFailed",
    "UploadFailure": "UploadFailed",
    "AcceptedCanceled": "UploadFailed",
}
"""UploadLogStatus of 2.0.1 -> DiagnosticsStatus of 1.6."""
_DIAGNOSTICS: Final = Request("GetDiagnostics")
_CANCELED: Final = "AcceptedCanceled"
"""The one UploadLogStatus that the white paper hasn't: to it, that is an UploadFailure."""
_UNDER_WAY: Final = frozenset({"Idle", "Uploading"})
"""Statuses after which more is to come; all others are the last word about a request."""
_LAST_ID: Final = "last_log"
"""The last requestId of ours, on the page of requests."""


async def get_diagnostics(context: Context, payload: Json) -> Json:
    """GetDiagnostics: a GetLog of the diagnostics. No fileName where the station has none, refuses, or is away."""
    if not is_fit(payload["location"]):
        return refuse_diagnostics(context.report, context.afterwards, context.call_backend)
    log = {
        "remoteLocation": payload["location"],
        **_times(context, payload, oldestTimestamp="startTime", latestTimestamp="stopTime"),
    }
    answer = await _ask(context, _DIAGNOSTICS, "DiagnosticsLog", log, payload)
    return {"fileName": answer["filename"]} if "filename" in answer and answer["status"] != "Rejected" else {}


async def get_log(context: Context, payload: Json) -> Json:
    """GetLog, of either log. A station that refuses or is away has Rejected it."""
    log: Json = payload["log"]
    if not is_fit(log["remoteLocation"]):
        return refuse_location(context.report, "GetLog")
    asked = {
        "remoteLocation": log["remoteLocation"],
        **_times(context, log, oldestTimestamp="oldestTimestamp", latestTimestamp="latestTimestamp"),
    }
    answer = await _ask(context, Request("GetLog", payload["requestId"]), payload["logType"], asked, payload)
    return {name: answer[name] for name in ("status", "filename") if name in answer}


async def log_status(context: Context, payload: Json) -> Json:
    """LogStatusNotification: the backend hears of the requests that are its own, and once when it has triggered it."""
    station_id, memory = payload.get("requestId"), context.memory
    request = find(context.books, Work.LOG, station_id)
    if request is not None and payload["status"] not in _UNDER_WAY:
        end(context.books, Work.LOG, station_id)
    diagnostics = request if request == _DIAGNOSTICS else None
    log = request if diagnostics is None else None
    if diagnostics is not None or memory.diagnostics_asked:
        memory.diagnostics_asked = False
        status = told(diagnostics, payload)["status"]
        await context.ask_backend("DiagnosticsStatusNotification", {"status": LOG_STATUSES[status]})
    if log is not None or memory.log_asked:
        memory.log_asked = False
        heard = told(log, payload)
        status = "UploadFailure" if heard["status"] == _CANCELED else heard["status"]
        await context.ask_backend("LogStatusNotification", {**heard, "status": status})
    return {}


async def _ask(context: Context, request: Request, log_type: str, log: Json, payload: Json) -> Json:
    """Send GetLog under a requestId of ours and return the answer, Rejected where there is none."""
    books = context.books
    station_id = next_request(books, _LAST_ID, context.clock())
    begin(books, Work.LOG, station_id, request)  # its first status may come before the answer has been looked at
    options: Json = {name: payload[name] for name in ("retries", "retryInterval") if name in payload}
    answer = await context.ask_station("GetLog", {"logType": log_type, "requestId": station_id, "log": log, **options})
    if answer is None or answer["status"] == "Rejected":
        end(books, Work.LOG, station_id)
    elif answer["status"] == _CANCELED and request == _DIAGNOSTICS:
        # 1.6 has no ids: that the older one failed would be taken for this one's fate.
        end_older(books, Work.LOG, station_id)
    return {"status": "Rejected"} if answer is None else answer


def _times(context: Context, payload: Json, **names: str) -> Json:
    """Return the timestamps in UTC; one that can't be read bounds nothing."""
    times = {name: backend_utc(payload[given]) for name, given in names.items() if given in payload}
    if None in times.values():
        context.note("log-times", "the backend's time for a log is unreadable and was left out")
    return {name: time for name, time in times.items() if time is not None}
