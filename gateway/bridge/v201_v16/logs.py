"""Logs (block N): GetDiagnostics, and the white paper's GetLog, both by the one GetLog of 2.0.1."""

from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.locations import is_fit
from gateway.bridge.log_places import ask_for_log
from gateway.bridge.ports import LogOrdered, PeerUnavailable
from gateway.bridge.refusals import refuse_diagnostics, refuse_location
from gateway.bridge.request_ids import next_request
from gateway.bridge.requests import Request, Work, begin, end, end_older, find, told
from gateway.bridge.timestamps import backend_utc
from gateway.bridge.v201_v16.context import Context
from gateway.wire.errors import CallError

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
    times = _times(context, payload, oldestTimestamp="startTime", latestTimestamp="stopTime")
    ordered = _ordered(context, _DIAGNOSTICS, "DiagnosticsLog", payload["location"])
    answer = await _ask(context, ordered, times, payload)
    return {"fileName": answer["filename"]} if "filename" in answer and answer["status"] != "Rejected" else {}


async def get_log(context: Context, payload: Json) -> Json:
    """GetLog, of either log. A station that refuses or is away has Rejected it."""
    log: Json = payload["log"]
    if not is_fit(log["remoteLocation"]):
        return refuse_location(context.report, "GetLog")
    times = _times(context, log, oldestTimestamp="oldestTimestamp", latestTimestamp="latestTimestamp")
    request = Request("GetLog", payload["requestId"])
    ordered = _ordered(context, request, payload["logType"], log["remoteLocation"])
    answer = await _ask(context, ordered, times, payload)
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


def _ordered(context: Context, request: Request, log_type: str, location: str) -> LogOrdered:
    """Return the order, under a requestId of ours; its first status may come before the answer has been looked at."""
    station_id = next_request(context.books, _LAST_ID, context.clock())
    begin(context.books, Work.LOG, station_id, request)
    return LogOrdered(request.action, log_type, location, request.request_id, station_id)


async def _ask(context: Context, ordered: LogOrdered, times: Json, payload: Json) -> Json:
    """Send GetLog and return the answer, Rejected where there is none."""
    options: Json = {name: payload[name] for name in ("retries", "retryInterval") if name in payload}
    numbered = {"logType": ordered.log_type, "requestId": ordered.station_request_id, **options}

    async def ask(location: str) -> Json:
        return await context.call_station("GetLog", {**numbered, "log": {"remoteLocation": location, **times}})

    try:
        answer = await ask_for_log(context.logs, ordered, ask)
    except (CallError, PeerUnavailable):
        answer = {"status": "Rejected"}
    station_id = numbered["requestId"]
    if answer["status"] == "Rejected":
        end(context.books, Work.LOG, station_id)
    elif answer["status"] == _CANCELED and ordered.action == _DIAGNOSTICS.action:
        # 1.6 has no ids: that the older one failed would be taken for this one's fate.
        end_older(context.books, Work.LOG, station_id)
    return answer


def _times(context: Context, payload: Json, **names: str) -> Json:
    """Return the timestamps in UTC; one that can't be read bounds nothing."""
    times = {name: backend_utc(payload[given]) for name, given in names.items() if given in payload}
    if None in times.values():
        context.note("log-times", "the backend's time for a log is unreadable and was left out")
    return {name: time for name, time in times.items() if time is not None}
