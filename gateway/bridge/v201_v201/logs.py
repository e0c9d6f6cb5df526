"""GetLog (block N): relayed, to a place where a station may be sent."""

from gateway.bridge.books import Json
from gateway.bridge.locations import is_fit
from gateway.bridge.refusals import refuse_location
from gateway.bridge.v201_v201.context import Context
from gateway.bridge.v201_v201.relaying import to_station


async def get_log(context: Context, payload: Json) -> Json:
    """GetLog; Rejected, and a security event, where it names another place (attack B6).

    Raises CallError and PeerUnavailable.
    """
    if not is_fit(payload["log"]["remoteLocation"]):
        return refuse_location(context.report, "GetLog")
    return await to_station("GetLog", context, payload)
