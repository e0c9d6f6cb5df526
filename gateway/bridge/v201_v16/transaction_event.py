"""TransactionEvent as a value: every field read and checked before anything is changed (OCPP 2.0.1 block E)."""

import enum
from typing import NamedTuple

from gateway.bridge.books import Json
from gateway.bridge.ports import Note
from gateway.bridge.timestamps import utc
from gateway.bridge.v201_v16.samples import Registers, meter_values, registers


class EventType(enum.Enum):
    """eventType of TransactionEventRequest."""

    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


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
    evse: Json = payload.get("evse", {})
    values = payload.get("meterValue", [])
    return TransactionEvent(
        kind=EventType(payload["eventType"]),
        station_tx=info["transactionId"],
        seq_no=payload["seqNo"],
        timestamp=utc(payload["timestamp"], "timestamp"),
        trigger=payload["triggerReason"],
        offline=payload.get("offline", False),
        evse_id=_place(evse.get("id")),
        connector_id=_place(evse.get("connectorId")),
        token=payload.get("idToken"),
        charging_state=info.get("chargingState"),
        stopped_reason=info.get("stoppedReason"),
        remote_start_id=info.get("remoteStartId"),
        reservation_id=payload.get("reservationId"),
        meter_values=meter_values(values, note),
        registers=registers(values),
    )


def _place(number: int | None) -> int | None:
    return number if number is not None and number > 0 else None
