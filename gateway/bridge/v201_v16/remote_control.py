"""Remote control (block F, and Reset of block B): what a 1.6 backend commands, said in 2.0.1."""

from typing import Final

from gateway.bridge.books import Books, Connector, Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.refusals import SIGN_CERTIFICATE, refuse_csr
from gateway.bridge.request_ids import next_id
from gateway.bridge.v201_v16.charging_profiles import enter, entry_of, transaction_profile
from gateway.bridge.v201_v16.connectors import evse_of, numbered, plugs
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.tokens import token_for
from gateway.wire.errors import CallError

REMOTE_STARTS_MAX: Final = 100
"""Remote starts of one station whose transaction may still come; the oldest is forgotten."""
_RESET_TYPES: Final = {"Hard": "Immediate", "Soft": "OnIdle"}
UNLOCK_STATUSES: Final = {
    "Unlocked": "Unlocked",
    "UnlockFailed": "UnlockFailed",
    "OngoingAuthorizedTransaction": "UnlockFailed",
    "UnknownConnector": "NotSupported",
}
"""UnlockStatus of 2.0.1 -> of 1.6. A station that refuses to unlock during a transaction has a lock: UnlockFailed."""
TRIGGERS: Final = {
    "BootNotification": "BootNotification",
    "DiagnosticsStatusNotification": "LogStatusNotification",
    "FirmwareStatusNotification": "FirmwareStatusNotification",
    "Heartbeat": "Heartbeat",
    "LogStatusNotification": "LogStatusNotification",
    "MeterValues": "MeterValues",
    "StatusNotification": "StatusNotification",
}
"""requestedMessage of 1.6 and its white paper -> of 2.0.1."""
_BY_MERIT: Final = ("Accepted", "Rejected", "NotImplemented")


async def remote_start(context: Context, payload: Json) -> Json:
    """RemoteStartTransaction. A connector that is in use is the station's business; one that it hasn't is Rejected."""
    request: Json = {"idToken": token_for(context, payload["idTag"])}
    if "connectorId" in payload:
        request["evseId"] = evse_of(context.books, payload["connectorId"])
        if request["evseId"] is None:
            return {"status": "Rejected"}
    if "chargingProfile" in payload:
        profile = transaction_profile(payload["chargingProfile"], context.clock())
        if profile is None:
            return {"status": "Rejected"}
        request["chargingProfile"] = profile
    start_id = request["remoteStartId"] = _next_remote_start(context)
    _remember(context.books, start_id, payload["idTag"])
    await context.save_page_now(Page.REMOTE_STARTS)
    try:
        answer = await context.call_station("RequestStartTransaction", request)
    except PeerUnavailable:
        return {"status": "Rejected"}  # the station may have heard it all the same: its transaction would name the id
    except CallError:
        answer = {"status": "Rejected"}
    if answer["status"] != "Accepted":
        context.books.page(Page.REMOTE_STARTS).pop(str(start_id), None)
        context.books.changed(Page.REMOTE_STARTS)
    elif "chargingProfile" in request:
        profile = request["chargingProfile"]
        enter(context, profile["id"], entry_of(profile, request.get("evseId"), remote_start_id=start_id))
    begun = context.books.transactions.get(answer.get("transactionId", ""))
    if begun is not None:
        begun.remote_start_id = start_id
    return {"status": answer["status"]}


async def remote_stop(context: Context, payload: Json) -> Json:
    """RemoteStopTransaction, only of a transaction of this very station that still runs."""
    tx = context.books.by_backend_tx(payload["transactionId"])
    if tx is None:
        return {"status": "Rejected"}
    return await _relay_status(context, "RequestStopTransaction", {"transactionId": tx.station_tx})


async def reset(context: Context, payload: Json) -> Json:
    """Reset: Hard is Immediate, Soft is OnIdle. What the station has Scheduled, it has Accepted."""
    answer = await context.ask_station("Reset", {"type": _RESET_TYPES[payload["type"]]})
    if answer is None or answer["status"] == "Rejected":
        return {"status": "Rejected"}
    context.memory.soft_reset = payload["type"] == "Soft"
    if answer["status"] == "Scheduled":
        context.note("reset-scheduled", "the station resets once no transaction runs; the backend hears Accepted")
    return {"status": "Accepted"}


async def unlock_connector(context: Context, payload: Json) -> Json:
    """UnlockConnector; an unknown connector is NotSupported, a station that doesn't answer UnlockFailed.

    A 1.6 charge point ends the transaction first (OCPP 1.6, 5.18), a 2.0.1 station refuses (F05): then it is asked to
    stop it, and to unlock once more.
    """
    connector = numbered(context.books, payload["connectorId"])
    if connector is None:
        return {"status": "NotSupported"}
    request = {"evseId": connector.evse_id, "connectorId": connector.connector_id}
    answer = await context.ask_station("UnlockConnector", request)
    if answer is not None and answer["status"] == "OngoingAuthorizedTransaction" and await _stopped(context, connector):
        answer = await context.ask_station("UnlockConnector", request)
    return {"status": "UnlockFailed" if answer is None else UNLOCK_STATUSES[answer["status"]]}


async def _stopped(context: Context, connector: Connector) -> bool:
    """Have the transaction on a connector stopped; return whether the station agreed."""
    tx = context.books.on_connector(connector.number)
    if tx is None:
        return False
    context.memory.unlocking[tx.station_tx] = None
    answer = await _relay_status(context, "RequestStopTransaction", {"transactionId": tx.station_tx})
    if answer["status"] == "Accepted":
        return True
    context.memory.unlocking.pop(tx.station_tx, None)
    return False


async def trigger_message(context: Context, payload: Json) -> Json:
    """TriggerMessage. StatusNotification wants a connector in 2.0.1: without one, each is asked for."""
    answer = await _trigger(context, payload)
    if payload["requestedMessage"] == "DiagnosticsStatusNotification" and answer["status"] == "Accepted":
        context.memory.diagnostics_asked = True
    return answer


async def extended_trigger_message(context: Context, payload: Json) -> Json:
    """ExtendedTriggerMessage: TriggerMessage, but that firmware and logs are told of in the white paper's words.

    SignChargePointCertificate is NotImplemented: Voltgate runs the stations' certificates.
    """
    asked_for = payload["requestedMessage"]
    if asked_for == SIGN_CERTIFICATE:
        return refuse_csr(context.report, "ExtendedTriggerMessage")
    answer = await _trigger(context, payload)
    if answer["status"] == "Accepted":
        context.memory.log_asked |= asked_for == "LogStatusNotification"
        context.memory.firmware_asked |= asked_for == "FirmwareStatusNotification"
    return answer


async def _trigger(context: Context, payload: Json) -> Json:
    asked_for = payload["requestedMessage"]
    request: Json = {"requestedMessage": TRIGGERS[asked_for]}
    number = payload.get("connectorId", 0)
    if number != 0:
        connector = numbered(context.books, number)
        if connector is None:
            return {"status": "Rejected"}
        request["evse"] = _place(connector)
    elif asked_for == "StatusNotification":
        return await _trigger_every_status(context, request)
    return await _relay_status(context, "TriggerMessage", request)


async def _trigger_every_status(context: Context, request: Json) -> Json:
    """Ask for each connector in turn; the answer is the best one. A station that doesn't answer isn't asked further."""
    statuses = {"Rejected"} if not plugs(context.books) else set()
    for connector in plugs(context.books):
        answer = await context.ask_station("TriggerMessage", {**request, "evse": _place(connector)})
        statuses.add("Rejected" if answer is None else answer["status"])
        if answer is None:
            break
    return {"status": next(status for status in _BY_MERIT if status in statuses)}


async def _relay_status(context: Context, action: str, request: Json) -> Json:
    """Call the station; its status has the same words in 1.6."""
    answer = await context.ask_station(action, request)
    return {"status": "Rejected" if answer is None else answer["status"]}


def _place(connector: Connector) -> Json:
    return {"id": connector.evse_id, "connectorId": connector.connector_id}


def _next_remote_start(context: Context) -> int:
    memory = context.memory
    memory.last_remote_start = next_id(memory.last_remote_start, context.clock())
    return memory.last_remote_start


def _remember(books: Books, start_id: int, id_tag: str) -> None:
    remote_starts = books.page(Page.REMOTE_STARTS)
    while len(remote_starts) >= REMOTE_STARTS_MAX:
        del remote_starts[next(iter(remote_starts))]
    remote_starts[str(start_id)] = id_tag
