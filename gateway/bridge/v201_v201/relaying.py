"""What passes as it is, and what a station is told in its place while the backend is away."""

import contextlib
from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v201.context import Context
from gateway.wire.errors import CallError, ErrorCode

OWN_REQUESTS: Final = range(2**31 - 2**16, 2**31)
"""requestIds that are Voltgate's and its operator's: what answers them ends here, and no backend may use them."""

WHILE_AWAY: Final[dict[str, Json]] = {
    "ClearedChargingLimit": {},
    "DataTransfer": {"status": "Rejected"},
    "FirmwareStatusNotification": {},
    "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
    "LogStatusNotification": {},
    "MeterValues": {},
    "NotifyChargingLimit": {},
    "NotifyCustomerInformation": {},
    "NotifyDisplayMessages": {},
    "NotifyEVChargingNeeds": {"status": "Rejected"},
    "NotifyEVChargingSchedule": {"status": "Accepted"},
    "NotifyMonitoringReport": {},
    "NotifyReport": {},
    "PublishFirmwareStatusNotification": {},
    "ReportChargingProfiles": {},
    "ReservationStatusUpdate": {},
}
"""Action of a station that is relayed -> its answer while the backend is away. No session depends on any of them."""


async def to_backend(action: str, context: Context, payload: Json) -> Json:
    """Relay a message of the station, unless it answers what the backend didn't ask. Raises CallError."""
    if payload.get("requestId") in OWN_REQUESTS:
        return {}
    try:
        return await context.call_backend(action, payload)
    except PeerUnavailable:
        return dict(WHILE_AWAY[action])


async def security_event(context: Context, payload: Json) -> Json:
    """Relay SecurityEventNotification, which Voltgate's own log has kept already.

    The station is answered whether or not the backend hears it: it must not repeat what is kept.
    """
    with contextlib.suppress(CallError, PeerUnavailable):
        await context.call_backend("SecurityEventNotification", payload)
    return {}


async def to_station(action: str, context: Context, payload: Json) -> Json:
    """Relay a message of the backend.

    Raises :class:`CallError`, PropertyConstraintViolation for a requestId of ours, and PeerUnavailable.
    """
    check_number(payload)
    return await context.call_station(action, payload)


def check_number(payload: Json) -> None:
    """Return when the requestId, if any, isn't one of ours. Raises :class:`CallError` PropertyConstraintViolation."""
    if payload.get("requestId") in OWN_REQUESTS:
        first, last = OWN_REQUESTS[0], OWN_REQUESTS[-1]
        raise CallError(
            ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, f"requestId {first} to {last} are the gateway's own; use another"
        )
