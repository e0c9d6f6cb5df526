"""TransactionEvent as a value: every field read and checked before anything is changed (OCPP 2.0.1 block E)."""

from typing import Final, Literal, NamedTuple

from gateway.bridge.books import Json
from gateway.bridge.ports import Note
from gateway.bridge.timestamps import utc
from gateway.bridge.v201_v16.samples import Registers, measured

EventType = Literal["Started", "Updated", "Ended"]
"""eventType of TransactionEventRequest."""

_NOTHING: Final[Json] = {}


class TransactionEvent(NamedTuple):
    """One TransactionEventRequest. Times are in UTC; ``meter_values`` are those of 1.6 already."""

    kind: EventType
    station_tx: str
    seq_no: int
    timestamp: str
    trigger: str
    offline: bool
    evse_id: int | None
    connector_id: int | None
    token: Json | None
    charging_state: str | None
    stopped_reason: str | None
    remote_start_id: int | None
    reservation_id: int | None
    meter_values: list[Json]
    registers: Registers


def read_event(payload: Json, note: Note) -> TransactionEvent:
    """Read a schema-valid TransactionEventRequest; what of its meter values can't be said in 1.6 goes to ``note``.

    Raises :class:`CallError` for a timestamp or a number that can't be. An ``evse`` without a place is no evse: the
    session counts, and it may be known from another event where it takes place.
    """
    info: Json = payload["transactionInfo"]
    evse: Json = payload.get("evse", _NOTHING)
    timestamp = utc(payload["timestamp"], "timestamp")
    # By position: names cost as much again as the tuple.
    return TransactionEvent(
        payload["eventType"],
        info["transactionId"],
        payload["seqNo"],
        timestamp,
        payload["triggerReason"],
        payload.get("offline", False),
        _place(evse.get("id")),
        _place(evse.get("connectorId")),
        payload.get("idToken"),
        info.get("chargingState"),
        info.get("stoppedReason"),
        info.get("remoteStartId"),
        payload.get("reservationId"),
        *measured(payload.get("meterValue", ()), note, timestamp),
    )


def _place(number: int | None) -> int | None:
    return number if number is not None and number > 0 else None
