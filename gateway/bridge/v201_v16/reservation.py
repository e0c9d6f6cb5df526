"""Reservation (block H): ReserveNow and CancelReservation of the backend.

What becomes of a reservation (ReservationStatusUpdate) has no word in 1.6, where the connector's status tells it. That
the station reports by itself (H04), so nothing is said twice, nor Available of a connector that has failed meanwhile.
"""

from gateway.bridge.books import Json
from gateway.bridge.timestamps import backend_utc, in_order, spell
from gateway.bridge.v201_v16.connectors import evse_of, of_evse
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.tokens import token_for


async def reserve_now(context: Context, payload: Json) -> Json:
    """ReserveNow; connectorId 0 is any EVSE (ReservationCtrlr.NonEvseSpecific). The five statuses have the same names.

    Rejected without asking the station: an unknown connector, an expiryDate that has passed or can't be read.
    """
    expiry = backend_utc(payload["expiryDate"])
    if expiry is None or in_order(expiry) <= in_order(spell(context.clock())):
        return {"status": "Rejected"}
    request: Json = {
        "id": payload["reservationId"],
        "expiryDateTime": expiry,
        "idToken": token_for(context, payload["idTag"]),
    }
    if payload["connectorId"] != 0:
        evse_id = request["evseId"] = evse_of(context.books, payload["connectorId"])
        if evse_id is None:
            return {"status": "Rejected"}
        if len(of_evse(context.books, evse_id)) > 1:
            context.note("reservation-evse", "a reservation of one connector reserves its EVSE, all connectors of it")
    if payload.get("parentIdTag"):
        request["groupIdToken"] = token_for(context, payload["parentIdTag"])
    answer = await context.ask_station("ReserveNow", request)
    return {"status": "Rejected" if answer is None else answer["status"]}


async def cancel_reservation(context: Context, payload: Json) -> Json:
    """CancelReservation; its two statuses have the same names."""
    answer = await context.ask_station("CancelReservation", {"reservationId": payload["reservationId"]})
    return {"status": "Rejected" if answer is None else answer["status"]}
