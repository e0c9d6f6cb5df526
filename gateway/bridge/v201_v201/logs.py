"""GetLog (block N): to a place where a station may be sent, or to the gateway itself."""

from gateway.bridge.books import Json
from gateway.bridge.locations import is_fit
from gateway.bridge.log_places import ask_for_log
from gateway.bridge.ports import LogOrdered
from gateway.bridge.refusals import refuse_location
from gateway.bridge.v201_v201.context import Context
from gateway.bridge.v201_v201.relaying import check_number, to_station


async def get_log(context: Context, payload: Json) -> Json:
    """GetLog; Rejected, and a security event, where it names a place that no station is sent to (attack B6).

    Raises CallError and PeerUnavailable.
    """
    log: Json = payload["log"]
    if not is_fit(log["remoteLocation"]):
        return refuse_location(context.report, "GetLog")
    check_number(payload)
    request_id = payload["requestId"]
    ordered = LogOrdered("GetLog", payload["logType"], log["remoteLocation"], request_id, request_id)

    async def ask(location: str) -> Json:
        return await to_station("GetLog", context, {**payload, "log": {**log, "remoteLocation": location}})

    return await ask_for_log(context.logs, ordered, ask)
