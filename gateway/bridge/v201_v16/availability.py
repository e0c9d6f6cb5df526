"""Availability (block G): StatusNotification up, ChangeAvailability down, and what is told when the backend returns."""

from collections.abc import Iterable
from typing import Final

from gateway.bridge.books import Connector, Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.timestamps import backend_utc, spell, utc
from gateway.bridge.v201_v16.connectors import (
    STATION_ITSELF,
    learn,
    numbered,
    of_evse,
    plugs,
    station_itself,
)
from gateway.bridge.v201_v16.context import Context, Fault
from gateway.bridge.v201_v16.status import CABLE_IN, derive, derive_station, phase_of
from gateway.wire.errors import CallError

_UNEXPLAINED: Final = Fault("OtherError")
_NEWS: Final = ("status", "errorCode", "info", "vendorErrorCode")
"""Fields of StatusNotification.req whose change is worth a message; its timestamp alone isn't."""


async def status_notification(context: Context, payload: Json) -> Json:
    """StatusNotification of the station, relayed even when nothing changed: somebody may have asked for it.

    While the backend is away the station is answered all the same, and :func:`backend_connected` catches up.
    """
    timestamp = utc(payload["timestamp"], "timestamp")
    place = (payload["evseId"], payload["connectorId"])
    connector = await station_itself(context) if place == STATION_ITSELF else await learn(context, *place)
    await set_status(context, connector, payload["connectorStatus"], timestamp)
    return {}


async def set_status(context: Context, connector: Connector, status: str, timestamp: str) -> None:
    """Enter the 2.0.1 ``status`` of a connector and tell the backend of it and of the EVSE's other connectors."""
    connector.status = status
    if status != "Occupied":
        context.memory.finishing.discard(connector.number)
    context.memory.since[connector.number] = timestamp
    was_told = await _tell(context, connector, present(context, connector))
    await context.save_connector(connector)
    if was_told and connector.number > 0:
        await publish(context, of_evse(context.books, connector.evse_id), timestamp)


async def publish(context: Context, connectors: Iterable[Connector], timestamp: str) -> None:
    """Tell the backend of those connectors whose 1.6 state isn't what it last heard, as of ``timestamp``.

    Stops where the backend turns out to be away: :func:`backend_connected` catches up.
    """
    for connector in connectors:
        if _is_told(connector, present(context, connector)):
            continue
        context.memory.since[connector.number] = timestamp
        if not await _tell(context, connector, present(context, connector)):
            return
        await context.save_connector(connector)


async def backend_connected(context: Context) -> None:
    """The backend is back: tell it the state of every connector that isn't what it last heard.

    Of a connector that was never spoken of there is nothing to tell.
    """
    for connector in sorted(context.books.connectors.values(), key=lambda known: known.number):
        payload = present(context, connector)
        was_spoken_of = connector.reported is not None or connector.number in context.memory.since
        if not was_spoken_of or _is_told(connector, payload):
            continue
        if not await _tell(context, connector, payload):
            return
        await context.save_connector(connector)


async def heartbeat(context: Context, _: Json) -> Json:
    """Heartbeat, relayed; when the backend has no answer, or none that says a time, Voltgate's own clock gives one."""
    conf = await context.ask_backend("Heartbeat", {})
    time = backend_utc(conf["currentTime"]) if conf is not None else None
    return {"currentTime": time or spell(context.clock())}


async def change_availability(context: Context, payload: Json) -> Json:
    """ChangeAvailability of the backend; connectorId 0 is the whole station, an unknown one is Rejected."""
    request: Json = {"operationalStatus": payload["type"]}
    if payload["connectorId"] != 0:
        connector = numbered(context.books, payload["connectorId"])
        if connector is None:
            return {"status": "Rejected"}
        request["evse"] = {"id": connector.evse_id, "connectorId": connector.connector_id}
    answer = await context.ask_station("ChangeAvailability", request)
    return {"status": "Rejected" if answer is None else answer["status"]}


def present(context: Context, connector: Connector) -> Json:
    """Return the StatusNotification.req that is true of a connector now."""
    status = _status(context, connector)
    payload: Json = {"connectorId": connector.number, "errorCode": "NoError", "status": status}
    if status == "Faulted":
        fault = _fault(context, connector)
        optional = {"info": fault.info, "vendorErrorCode": fault.vendor_error_code}
        payload["errorCode"] = fault.error_code
        payload.update({name: text for name, text in optional.items() if text})
    since = context.memory.since.get(connector.number)
    return payload if since is None else {**payload, "timestamp": since}


def infer_cable(connector: Connector, charging_state: str | None) -> None:
    """A transaction says that a cable is in: so the connector is Occupied, even where its own word is late."""
    if charging_state in CABLE_IN and connector.status in {"Available", "Reserved"}:
        connector.status = "Occupied"


def _status(context: Context, connector: Connector) -> str:
    if connector.number == 0:
        return derive_station(connector.status)
    phase = phase_of(
        context.books.on_connector(connector.number), finishing=connector.number in context.memory.finishing
    )
    status = derive(connector.status, phase)
    return "Unavailable" if status == "Available" and _is_blocked(context, connector) else status


def _is_blocked(context: Context, connector: Connector) -> bool:
    """True while another connector of the EVSE is in use: an EVSE has one transaction (OCPP 2.0.1 E01.FR.14)."""
    others = (other for other in of_evse(context.books, connector.evse_id) if other is not connector)
    return any(other.status == "Occupied" or context.books.on_connector(other.number) is not None for other in others)


def _fault(context: Context, connector: Connector) -> Fault:
    """Return the problem nearest to the connector: its own, its EVSE's, the station's."""
    newest_first = list(reversed(context.memory.faults.items()))
    for place in ((connector.evse_id, connector.connector_id), (connector.evse_id, 0), STATION_ITSELF):
        for (evse_id, connector_id, _), fault in newest_first:
            if (evse_id, connector_id) == place:
                return fault
    return _UNEXPLAINED


def _is_told(connector: Connector, payload: Json) -> bool:
    """True when the backend last heard the same, whatever the time of it."""
    told = connector.reported
    return told is not None and all(told.get(name) == payload.get(name) for name in _NEWS)


async def _tell(context: Context, connector: Connector, payload: Json) -> bool:
    """Send one StatusNotification; return whether the backend answered it, be it by an error."""
    try:
        await context.call_backend("StatusNotification", payload)
    except PeerUnavailable:
        return False
    except CallError as error:
        context.note("status-refused", f"the backend refuses StatusNotification ({error}); it is not repeated")
    connector.reported = payload
    return True


def restore(context: Context) -> None:
    """After a restart: a connector that was last reported Finishing still is, until the station says otherwise."""
    for connector in plugs(context.books):
        if connector.status == "Occupied" and (connector.reported or {}).get("status") == "Finishing":
            context.memory.finishing.add(connector.number)
