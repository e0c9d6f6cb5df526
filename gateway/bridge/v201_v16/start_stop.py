"""StartTransaction and StopTransaction out of a transaction and its events, as pure functions."""

from collections.abc import Sequence
from typing import Final

from gateway.bridge.books import Json, Transaction
from gateway.bridge.v201_v16.transaction_event import TransactionEvent

_SAME: Final = ("DeAuthorized", "EmergencyStop", "EVDisconnected", "Local", "Other", "PowerLoss", "Reboot", "Remote")
_OTHER: Final = (
    "EnergyLimitReached",
    "GroundFault",
    "LocalOutOfCredit",
    "MasterPass",
    "OvercurrentFault",
    "PowerQuality",
    "SOCLimitReached",
    "StoppedByEV",
    "TimeLimitReached",
    "Timeout",
)
REASONS: Final = {
    **{reason: reason for reason in _SAME},
    **dict.fromkeys(_OTHER, "Other"),
    "ImmediateReset": "HardReset",
}
"""stoppedReason -> reason."""

_REASONS_BY_TRIGGER: Final = {
    "Deauthorized": "DeAuthorized",
    "EVCommunicationLost": "EVDisconnected",
    "EVConnectTimeout": "Other",
    "RemoteStop": "Remote",
}
"""triggerReason -> reason, where the station gives no stoppedReason."""


def start_request(tx: Transaction) -> Json:
    """Return StartTransaction.req of a transaction whose connector, token, time and register are known."""
    payload: Json = {
        "connectorId": tx.connector_id,
        "idTag": tx.id_tag,
        "meterStart": tx.meter_start,
        "timestamp": tx.started_at,
    }
    return payload if tx.reservation_id is None else {**payload, "reservationId": tx.reservation_id}


def stop_request(
    tx: Transaction,
    event: TransactionEvent,
    id_tag: str | None,
    *,
    soft_reset: bool,
    unlocked: bool = False,
    begun_with: Sequence[Json] = (),
) -> Json:
    """Return StopTransaction.req for an Ended event, without the transactionId, which the ledger knows.

    ``transactionData`` repeats all that was measured with the end, the Transaction.End register included, behind what
    was measured with a begin of which the backend hears only now.
    """
    payload: Json = {"meterStop": meter_stop(tx, event), "timestamp": event.timestamp}
    reason = stop_reason(event, soft_reset=soft_reset, unlocked=unlocked)
    if id_tag is not None:
        payload["idTag"] = id_tag
    if reason is not None:
        payload["reason"] = reason
    if begun_with or event.meter_values:
        payload["transactionData"] = [*begun_with, *event.meter_values]
    return payload


def meter_stop(tx: Transaction, event: TransactionEvent) -> int:
    """Return the register at the end in Wh: what the end says, else the last one seen, else the one at the start."""
    candidates = (event.registers.end, event.registers.last, tx.last_register, tx.meter_start)
    return next((wh for wh in candidates if wh is not None), 0)


def stop_reason(event: TransactionEvent, *, soft_reset: bool, unlocked: bool = False) -> str | None:
    """Return the reason of 1.6; None stands for Local, as in both versions.

    ``unlocked``: it was stopped so that an UnlockConnector of the backend could be carried out.
    """
    if event.trigger == "UnlockCommand" or (unlocked and event.trigger == "RemoteStop"):
        return "UnlockCommand"
    if event.trigger == "ResetCommand" and soft_reset:
        return "SoftReset"
    if event.stopped_reason is None:
        return _REASONS_BY_TRIGGER.get(event.trigger)
    return REASONS.get(event.stopped_reason, "Other")
