"""Heartbeat, StatusNotification and NotifyEvent (blocks G and N), which are answered while the backend is away too.

A state that the backend has not heard is kept until it has. Of what the backend has heard nothing is kept, and nothing
is written.
"""

from collections.abc import Mapping
from typing import Final

from gateway.bridge.books import Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.timestamps import spell
from gateway.bridge.v201_v201.context import Context
from gateway.bridge.v201_v201.variables import shown_events
from gateway.wire.errors import CallError

PLACES_MAX: Final = 256
"""Connectors and EVSEs of one station whose state is kept; a station that names more is making them up."""
_AVAILABILITY: Final = "availabilitystate"
"""The variable of Connector, EVSE and ChargingStation that says what StatusNotification says; casefolded."""


async def heartbeat(context: Context, payload: Json) -> Json:
    """Heartbeat, relayed; when the backend has no answer, Voltgate's own clock gives one."""
    try:
        return await context.call_backend("Heartbeat", payload)
    except (CallError, PeerUnavailable):
        return {"currentTime": spell(context.clock())}


async def status_notification(context: Context, payload: Json) -> Json:
    """StatusNotification, relayed. While the backend is away the last state of each connector is kept, and answered."""
    place = f"{payload['evseId']}.{payload['connectorId']}"
    return await _relay(context, "StatusNotification", payload, {place: payload})


async def notify_event(context: Context, payload: Json) -> Json:
    """NotifyEvent, relayed without secrets. While the backend is away only what it says of availability is kept."""
    shown = shown_events(payload)
    states = {
        _place(event): {"generatedAt": payload["generatedAt"], "seqNo": 0, "eventData": [event]}
        for event in shown["eventData"]
        if event["variable"]["name"].casefold() == _AVAILABILITY
    }
    return await _relay(context, "NotifyEvent", shown, states)


async def backend_connected(context: Context) -> None:
    """The backend is back: tell it the states that it has not heard, in the order in which they came."""
    untold = context.books.page(Page.STATUSES)
    waiting: list[tuple[str, Json]] = list(untold.items())
    for place, kept in waiting:
        if untold.get(place) is not kept:  # the station has said something newer meanwhile
            continue
        try:
            await context.call_backend(kept["action"], kept["payload"])
        except PeerUnavailable:
            return
        except CallError as error:
            context.note("status-refused", f"the backend refuses {kept['action']} ({error}); it is not repeated")
        if untold.get(place) is kept:
            del untold[place]
            context.books.changed(Page.STATUSES)


async def _relay(context: Context, action: str, payload: Json, states: Mapping[str, Json]) -> Json:
    """Relay a message; ``states`` is what it says of each place, as a message that can be sent later."""
    untold = context.books.page(Page.STATUSES)
    for place in states:
        if untold.pop(place, None) is not None:
            # It is out of date: a backend that comes up meanwhile must not hear it after this one.
            context.books.changed(Page.STATUSES)
    try:
        return await context.call_backend(action, payload)
    except PeerUnavailable:
        for place, said in states.items():
            if len(untold) < PLACES_MAX:
                untold[place] = {"action": action, "payload": said}
                context.books.changed(Page.STATUSES)
        return {}


def _place(event: Json) -> str:
    """Return where a state is true: ``evseId.connectorId`` as in StatusNotification, 0 for what isn't named."""
    evse: Json = event["component"].get("evse", {})
    return f"{evse.get('id', 0)}.{evse.get('connectorId', 0)}"
