"""SecurityEventNotification (A04): what Voltgate has kept in its own log already, told to a backend that takes it."""

from gateway.bridge.books import Json
from gateway.bridge.security_event_names import TO_16
from gateway.bridge.timestamps import backend_utc, spell
from gateway.bridge.v201_v16.context import Context


async def security_event(context: Context, payload: Json) -> Json:
    """SecurityEventNotification, relayed under its name of 1.6 where the backend knows the white paper.

    The station is answered whether or not the backend hears it. A time that can't be read is that of its coming.
    """
    if context.settings.security_extension:
        event = {
            "type": TO_16.get(payload["type"], payload["type"]),
            "timestamp": backend_utc(payload["timestamp"]) or spell(context.clock()),
        }
        if "techInfo" in payload:
            event["techInfo"] = payload["techInfo"]
        await context.ask_backend("SecurityEventNotification", event)
    return {}
