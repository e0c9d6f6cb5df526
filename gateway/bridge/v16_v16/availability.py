"""Heartbeat and StatusNotification, which are answered while the backend is away too.

A state that the backend has not heard is kept with the station's connectors until it has. Of what the backend has
heard nothing is kept, and nothing is written.
"""

from typing import Final

from gateway.bridge.books import Connector, Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.timestamps import spell
from gateway.bridge.v16_v16.context import Context
from gateway.wire.errors import CallError

NO_EVSE: Final = -1
"""evseId of the connectors kept here: 1.6 has no EVSEs. They are no connectors to the 2.0.1 bridge, whose numbers they
leave free."""
CONNECTOR_ID_MAX: Final = 255
"""Highest connectorId whose state is kept; a station that names a higher one is making it up."""
UNTOLD: Final = "Untold"
"""``Connector.status``: the backend has not heard the StatusNotification in ``Connector.reported``."""
TOLD: Final = "Told"


async def heartbeat(context: Context, payload: Json) -> Json:
    """Heartbeat, relayed; when the backend has no answer, Voltgate's own clock gives one."""
    try:
        return await context.call_backend("Heartbeat", payload)
    except (CallError, PeerUnavailable):
        return {"currentTime": spell(context.clock())}


async def status_notification(context: Context, payload: Json) -> Json:
    """StatusNotification, relayed. While the backend is away it is kept and answered."""
    kept = context.books.connectors.get((NO_EVSE, payload["connectorId"]))
    was_untold = kept is not None and kept.status == UNTOLD
    if kept is not None:
        # From here on, what is kept is out of date: a backend that comes up meanwhile must not hear it after this one.
        kept.status = TOLD
    try:
        conf = await context.call_backend("StatusNotification", payload)
    except PeerUnavailable:
        await _keep(context, payload)
        return {}
    if kept is not None and was_untold:
        await context.save_connector(kept)
    return conf


async def backend_connected(context: Context) -> None:
    """The backend is back: tell it the states that it has not heard, by connectorId."""
    for connector in sorted(context.books.connectors.values(), key=lambda known: known.connector_id):
        payload = connector.reported
        if connector.evse_id != NO_EVSE or connector.status != UNTOLD or payload is None:
            continue
        try:
            await context.call_backend("StatusNotification", payload)
        except PeerUnavailable:
            return
        except CallError as error:
            context.note("status-refused", f"the backend refuses StatusNotification ({error}); it is not repeated")
        if connector.reported is payload:  # the station may have said something newer meanwhile
            connector.status = TOLD
            await context.save_connector(connector)


async def _keep(context: Context, payload: Json) -> None:
    number = payload["connectorId"]
    if not 0 <= number <= CONNECTOR_ID_MAX:
        return
    place = (NO_EVSE, number)
    # Connectors of a station have different numbers in the store; those of the 2.0.1 bridge are 0 and above.
    kept = context.books.connectors.setdefault(place, Connector(*place, number=-1 - number))
    kept.status, kept.reported = UNTOLD, payload
    await context.save_connector(kept)
