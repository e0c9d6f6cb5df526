"""Firmware of a 1.6 station: an order of the backend goes to the desk, which verifies; statuses go to who ordered."""

from gateway.bridge.books import Json
from gateway.bridge.firmware_orders import place, plain_order, signed_order, told_16
from gateway.bridge.refusals import refuse, refuse_update
from gateway.bridge.v16_v16.context import Context


async def update_firmware(context: Context, payload: Json) -> Json:
    """UpdateFirmware, which has no word for no; what nobody can verify is refused as in :func:`refuse_update`."""
    if context.firmware is not None:
        status = await place(context.firmware, context.afterwards, plain_order(payload))
        if status != "Rejected":
            return {}
    return refuse_update(
        context.report, context.afterwards, context.call_backend, security_extension=context.security_extension
    )


async def signed_update_firmware(context: Context, payload: Json) -> Json:
    """SignedUpdateFirmware (white paper L01)."""
    if context.firmware is None:
        return refuse(context.report, "SignedUpdateFirmware")
    ordered = signed_order("SignedUpdateFirmware", payload)
    return {"status": await place(context.firmware, context.afterwards, ordered)}


async def firmware_status(context: Context, payload: Json) -> Json:
    """FirmwareStatusNotification. The station is answered whether or not the backend hears it."""
    heard = await context.firmware.heard(payload) if context.firmware is not None else None
    await context.tell_backend(*told_16(heard, payload, asked=False))
    return {}


async def signed_firmware_status(context: Context, payload: Json) -> Json:
    """SignedFirmwareStatusNotification, the same; of an update that nobody here knows it is told on request alone."""
    heard = await context.firmware.heard(payload) if context.firmware is not None else None
    asked = context.memory.firmware_asked
    if heard is not None or asked:
        context.memory.firmware_asked = False
        await context.tell_backend(*told_16(heard, payload, asked=asked))
    return {}
