"""Monitoring (block N): NotifyEvent has no counterpart in 1.6.

It is answered here, and tells what 1.6 wants to know: connector states, and why something is Faulted.
"""

from typing import Final

from gateway.bridge.books import Connector, Json
from gateway.bridge.timestamps import in_order, utc
from gateway.bridge.v201_v16.availability import is_heard, publish, set_status
from gateway.bridge.v201_v16.connectors import learn, plugs, station_itself
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.faults import Fault, enter

INFO_MAX: Final = 50
"""Characters of StatusNotification.info; techInfo has up to 500, techCode as many as vendorErrorCode."""

_AVAILABILITY: Final = "AvailabilityState"
_STATUSES: Final = frozenset({"Available", "Occupied", "Reserved", "Unavailable", "Faulted"})

ERROR_CODES: Final = {
    "connectorplugretentionlock": "ConnectorLockFailure",
    "overcurrentprotection": "OverCurrentFailure",
    "overcurrentprotectionrecloser": "OverCurrentFailure",
    "rcd": "GroundFailure",
    "groundisolationprotection": "GroundFailure",
    "tokenreader": "ReaderFailure",
    "fiscalmetering": "PowerMeterFailure",
    "temperaturesensor": "HighTemperature",
    "datalink": "WeakSignal",
    "iso15118ctrlr": "EVCommunicationError",
    "cppwmcontroller": "EVCommunicationError",
    "connectedev": "EVCommunicationError",
    "powercontactor": "PowerSwitchFailure",
    "controller": "InternalError",
}
"""Component of a problem (its name casefolded: 2.0.1 ignores case) -> errorCode of 1.6; any other: OtherError."""
_SWITCHES: Final = frozenset({"problem", "tripped"})
"""Variables that are a problem when they turn true; of any other only an alert is one."""
_ELECTRICAL_FEED: Final = "electricalfeed"


async def notify_event(context: Context, payload: Json) -> Json:
    """NotifyEvent: connector states are relayed as StatusNotification, problems explain a Faulted one.

    What the problems change is told once, at the end: a thousand of them fit into one message, and each may concern
    every connector.
    """
    events = sorted(
        ({**event, "timestamp": utc(event["timestamp"], "eventData.timestamp")} for event in payload["eventData"]),
        key=lambda event: in_order(event["timestamp"]),
    )
    evses: set[int] = set()
    for event in events:
        if event["variable"]["name"].casefold() == _AVAILABILITY.casefold():
            await _availability(context, event)
        else:
            evses |= _problem(context, event)
    if evses:
        affected = [plug for plug in plugs(context.books) if 0 in evses or plug.evse_id in evses]
        await publish(context, affected, events[-1]["timestamp"])
    return {}


def error_code(event: Json) -> str:
    """Return the errorCode of 1.6 for the problem that one eventData element tells of."""
    component: str = event["component"]["name"].casefold()
    if component != _ELECTRICAL_FEED:
        return ERROR_CODES.get(component, "OtherError")
    words = f"{event.get('techCode', '')} {event.get('techInfo', '')}".casefold()
    if "under" in words:
        return "UnderVoltage"
    return "OverVoltage" if "over" in words else "OtherError"


def tells_of_problem(event: Json) -> bool | None:
    """True: a problem is there. False: it is gone. None: the element isn't about a problem."""
    is_switch = event["variable"]["name"].casefold() in _SWITCHES
    if event.get("cleared", False):
        return False
    if is_switch:
        return bool(event["actualValue"].strip().casefold() == "true")
    return True if event["trigger"] == "Alerting" else None


async def _availability(context: Context, event: Json) -> None:
    """AvailabilityState of a Connector, or of the ChargingStation (connectorId 0); an EVSE's has no place in 1.6."""
    component: Json = event["component"]
    evse: Json = component.get("evse", {})
    name, status = component["name"].casefold(), event["actualValue"]
    if status not in _STATUSES:
        context.note("availability-state", "an AvailabilityState outside the standard was ignored")
    elif name == "connector" and "id" in evse:
        connector = await learn(context, evse["id"], evse.get("connectorId", 1))
        await _change(context, connector, event)
    elif name == "chargingstation":
        await _change(context, await station_itself(context), event)


async def _change(context: Context, connector: Connector, event: Json) -> None:
    """Pass on a state that is news: a periodic monitor says the same again and again."""
    if connector.status != event["actualValue"] or not is_heard(connector):
        await set_status(context, connector, event["actualValue"], event["timestamp"])


def _problem(context: Context, event: Json) -> set[int]:
    """Enter a problem that has come or gone; return the EVSE that it concerns, 0 for all of them, if it is one."""
    is_there = tells_of_problem(event)
    if is_there is None:
        return set()
    evse: Json = event["component"].get("evse", {})
    info = event.get("techInfo", "")
    if len(info) > INFO_MAX:
        context.note("fault-text", f"the techInfo of a problem was cut to {INFO_MAX} characters")
    fault = Fault(error_code(event), info=info[:INFO_MAX] or None, vendor_error_code=event.get("techCode") or None)
    evse_id, connector_id = evse.get("id", 0), evse.get("connectorId", 0)
    enter(context.books, evse_id, connector_id, event["component"]["name"].casefold(), fault if is_there else None)
    return {max(0, evse_id)}
