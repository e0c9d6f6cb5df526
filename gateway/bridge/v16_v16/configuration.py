"""GetConfiguration and ChangeConfiguration of the backend: relayed, but for what is the station's security."""

from gateway.bridge.books import Json
from gateway.bridge.guarded_keys import AUTHORIZATION_KEY, GUARDED, report_attempt, small_name
from gateway.bridge.v16_v16.context import Context


async def change_configuration(context: Context, payload: Json) -> Json:
    """ChangeConfiguration; NotSupported for a guarded key, which never reaches the station, and a security event."""
    if small_name(payload["key"]) in GUARDED:
        report_attempt(context.report, payload["key"], payload["value"])
        return {"status": "NotSupported"}
    return await context.call_station("ChangeConfiguration", payload)


async def get_configuration(context: Context, payload: Json) -> Json:
    """GetConfiguration. A station that tells its AuthorizationKey, which is write-only, tells Voltgate alone."""
    answer = await context.call_station("GetConfiguration", payload)
    listed = answer.get("configurationKey", ())
    if not any(small_name(entry["key"]) == AUTHORIZATION_KEY for entry in listed):
        return answer
    return {**answer, "configurationKey": [_without_secret(entry) for entry in listed]}


def _without_secret(entry: Json) -> Json:
    if small_name(entry["key"]) != AUTHORIZATION_KEY:
        return entry
    return {name: value for name, value in entry.items() if name != "value"}
