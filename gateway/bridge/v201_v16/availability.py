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
    station_itself,
)
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.faults import nearest, vendor
from gateway.bridge.v201_v16.status import CABLE_IN, derive, derive_station, phase_of, recall
from gateway.wire.errors import CallError

_NEWS: Final = ("status", "errorCode", "info", "vendorErrorCode")
"""Fields of StatusNotification.req whose change is worth a message; its timestamp alone isn't."""
UNTOLD: Final = "untold"
"""In :attr:`Connector.reported`: the StatusNotification.req that the backend should have heard while it was away."""


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
        context.memory.finishing.pop(connector.number, None)
    context.memory.since[connector.number] = timestamp
    was_told = await _tell(context, connector, present(context, connector))
    await context.save_connector(connector)
    others = [other for other in of_evse(context.books, connector.evse_id) if other is not connector]
    await publish(context, others, timestamp, is_there=was_told)


async def publish(context: Context, connectors: Iterable[Connector], timestamp: str, *, is_there: bool = True) -> None:
    """Tell the backend of those connectors whose 1.6 state isn't what it last heard, as of ``timestamp``.

    Where it isn't there, or turns out to be away, they are kept as they are, and :func:`backend_connected` catches up.
    """
    for connector in connectors:
        if _is_as_told(connector.reported, _status(context, connector)):
            continue
        payload, before = present(context, connector), connector.reported
        if _is_told(connector, payload):
            _came_back(connector)
        else:
            if not _is_alike(payload, (before or {}).get(UNTOLD, {})):
                context.memory.since[connector.number] = timestamp
                payload = present(context, connector)
            if is_there:
                is_there = await _tell(context, connector, payload)
            else:
                _postpone(connector, payload)
        if connector.reported != before:
            await context.save_connector(connector)


async def backend_connected(context: Context) -> None:
    """The backend is back: tell it the state of every connector that isn't what it last heard.

    Of a connector that was never spoken of there is nothing to tell.
    """
    for connector in sorted(context.books.connectors.values(), key=lambda known: known.number):
        payload = present(context, connector)
        if connector.reported is None or _is_told(connector, payload):
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
        fault = nearest(context.books, connector)
        of_vendor = vendor(context.books) if fault.vendor_error_code else None
        optional = {"info": fault.info, "vendorErrorCode": fault.vendor_error_code, "vendorId": of_vendor}
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


def is_heard(connector: Connector) -> bool:
    """True when the backend has heard the state of a connector that was spoken of last."""
    reported = connector.reported or {}
    return "status" in reported and UNTOLD not in reported


def _is_told(connector: Connector, payload: Json) -> bool:
    """True when the backend last heard the same, whatever the time of it."""
    return _is_alike(payload, connector.reported or {})


def _is_as_told(reported: Json | None, status: str) -> bool:
    """True when the backend has heard just this ``status`` of a connector, and no more: what nearly all events find."""
    return (
        reported is not None
        and reported.get("status") == status != "Faulted"
        and reported.get("errorCode") == "NoError"
        and not ("info" in reported or "vendorErrorCode" in reported or UNTOLD in reported)
    )


def _is_alike(payload: Json, other: Json) -> bool:
    return all(other.get(name) == payload.get(name) for name in _NEWS)


async def _tell(context: Context, connector: Connector, payload: Json) -> bool:
    """Send one StatusNotification; return whether the backend answered it, be it by an error."""
    try:
        await context.call_backend("StatusNotification", payload)
    except PeerUnavailable:
        _postpone(connector, payload)
        return False
    except CallError as error:
        context.note("status-refused", f"the backend refuses StatusNotification ({error}); it is not repeated")
    connector.reported = payload
    return True


def _postpone(connector: Connector, payload: Json) -> None:
    """Keep what the backend should hear, so that a restart derives the same state, as of the same time."""
    connector.reported = {**(connector.reported or {}), UNTOLD: payload}


def _came_back(connector: Connector) -> None:
    """The state is again what the backend heard last: there is nothing to tell any more."""
    if not is_heard(connector):
        connector.reported = {name: value for name, value in (connector.reported or {}).items() if name != UNTOLD}


def restore(context: Context) -> None:
    """After a restart: each state is the one that was derived last, and as old as it was.

    What happened to a transaction without any energy in it was not worth a write then.
    """
    for connector in context.books.connectors.values():
        reported = connector.reported or {}
        last = reported.get(UNTOLD, reported)
        tx = context.books.on_connector(connector.number)
        if tx is not None:
            recall(tx, last.get("status"))
        elif connector.status == "Occupied" and last.get("status") == "Finishing":
            context.memory.finishing[connector.number] = None
        if "timestamp" in last and _is_alike(present(context, connector), last):
            context.memory.since[connector.number] = last["timestamp"]
