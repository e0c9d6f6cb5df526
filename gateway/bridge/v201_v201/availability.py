"""Heartbeat and StatusNotification (block G), which are answered while the backend is away too.

A state that the backend has not heard is kept until it has. Of what the backend has heard nothing is kept, and nothing
is written.
"""

from typing import Final

from gateway.bridge.books import Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.timestamps import spell
from gateway.bridge.v201_v201.context import Context
from gateway.wire.errors import CallError

CONNECTORS_MAX: Final = 256
"""Connectors of one station whose state is kept; a station that names more is making them up."""


async def heartbeat(context: Context, payload: Json) -> Json:
    """Heartbeat, relayed; when the backend has no answer, Voltgate's own clock gives one."""
    try:
        return await context.call_backend("Heartbeat", payload)
    except (CallError, PeerUnavailable):
        return {"currentTime": spell(context.clock())}


async def status_notification(context: Context, payload: Json) -> Json:
    """StatusNotification, relayed. While the backend is away the last one of each connector is kept, and answered."""
    untold = context.books.page(Page.STATUSES)
    place = f"{payload['evseId']}.{payload['connectorId']}"
    if untold.pop(place, None) is not None:
        # It is out of date: a backend that comes up meanwhile must not hear it after this one.
        context.books.changed(Page.STATUSES)
    try:
        return await context.call_backend("StatusNotification", payload)
    except PeerUnavailable:
        if len(untold) < CONNECTORS_MAX:
            untold[place] = payload
            context.books.changed(Page.STATUSES)
        return {}


async def backend_connected(context: Context) -> None:
    """The backend is back: tell it the states that it has not heard, in the order in which they came."""
    untold = context.books.page(Page.STATUSES)
    waiting: list[tuple[str, Json]] = list(untold.items())
    for place, payload in waiting:
        if untold.get(place) is not payload:  # the station has said something newer meanwhile
            continue
        try:
            await context.call_backend("StatusNotification", payload)
        except PeerUnavailable:
            return
        except CallError as error:
            context.note("status-refused", f"the backend refuses StatusNotification ({error}); it is not repeated")
        if untold.get(place) is payload:
            del untold[place]
            context.books.changed(Page.STATUSES)
