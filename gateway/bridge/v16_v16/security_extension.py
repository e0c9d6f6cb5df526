"""What is left of the white paper between a 1.6 station and a backend that knows it: security events and triggers."""

from gateway.bridge import plug_and_charge_16
from gateway.bridge.books import Json
from gateway.bridge.refusals import SIGN_CERTIFICATE, refuse_csr
from gateway.bridge.v16_v16.context import Context


async def security_event(context: Context, payload: Json) -> Json:
    """SecurityEventNotification, which Voltgate's own log has kept already; a backend that is away misses it."""
    if context.security_extension:
        await context.tell_backend("SecurityEventNotification", payload)
    return {}


async def extended_trigger_message(context: Context, payload: Json) -> Json:
    """ExtendedTriggerMessage. SignChargePointCertificate is NotImplemented: Voltgate runs the certificates."""
    asked_for = payload["requestedMessage"]
    if asked_for == SIGN_CERTIFICATE:
        return refuse_csr(context.report, "ExtendedTriggerMessage")
    answer = await context.call_station("ExtendedTriggerMessage", payload)
    if answer["status"] == "Accepted":
        context.memory.log_asked |= asked_for == "LogStatusNotification"
        context.memory.firmware_asked |= asked_for == "FirmwareStatusNotification"
    return answer


async def data_transfer(context: Context, payload: Json) -> Json:
    """DataTransfer of the backend, as it is; what reaches for the station's certificates in it is refused."""
    refusal = plug_and_charge_16.refusal(context.report, payload)
    return await context.call_station("DataTransfer", payload) if refusal is None else refusal
