"""GetDiagnostics, and the white paper's GetLog: to a place where a station may be sent, or to the gateway itself."""

from gateway.bridge.books import Json
from gateway.bridge.locations import LOCATION_MAX_16, is_fit
from gateway.bridge.log_places import ask_for_log
from gateway.bridge.ports import LogOrdered, NotSent
from gateway.bridge.refusals import refuse_diagnostics, refuse_location
from gateway.bridge.requests import Request, Work, begin, end, find, told
from gateway.bridge.v16_v16.context import Context
from gateway.wire.errors import CallError


async def get_diagnostics(context: Context, payload: Json) -> Json:
    """GetDiagnostics."""
    if not is_fit(payload["location"], LOCATION_MAX_16):
        return refuse_diagnostics(context.report, context.afterwards, context.call_backend)
    ordered = LogOrdered("GetDiagnostics", "DiagnosticsLog", payload["location"], None, None)

    async def ask(location: str) -> Json:
        return await context.call_station("GetDiagnostics", {**payload, "location": location})

    return await ask_for_log(context.logs, ordered, ask)


async def get_log(context: Context, payload: Json) -> Json:
    """GetLog, with the backend's own requestId: the station's messages about it are told to the backend."""
    log: Json = payload["log"]
    if not is_fit(log["remoteLocation"]):
        return refuse_location(context.report, "GetLog")
    request_id = payload["requestId"]
    ordered = LogOrdered("GetLog", payload["logType"], log["remoteLocation"], request_id, request_id)
    begin(context.books, Work.LOG, request_id, Request("GetLog", request_id))

    async def ask(location: str) -> Json:
        return await context.call_station("GetLog", {**payload, "log": {**log, "remoteLocation": location}})

    try:
        answer = await ask_for_log(context.logs, ordered, ask)
    except (CallError, NotSent):
        end(context.books, Work.LOG, request_id)
        raise
    if answer["status"] == "Rejected":
        end(context.books, Work.LOG, request_id)
    return answer


async def log_status(context: Context, payload: Json) -> Json:
    """LogStatusNotification: the backend hears of the requests that are its own, and once when it has triggered it.

    What it doesn't hear of was begun by Voltgate. The station is answered whether or not the backend hears it.
    """
    station_id = payload.get("requestId")
    request = find(context.books, Work.LOG, station_id)
    if request is not None and payload["status"] != "Uploading":
        end(context.books, Work.LOG, station_id)
    if request is not None or context.memory.log_asked:
        context.memory.log_asked = False
        await context.tell_backend("LogStatusNotification", told(request, payload))
    return {}
