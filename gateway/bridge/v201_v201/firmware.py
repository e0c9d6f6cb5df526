"""Firmware (block L): an order of the backend goes to the desk, which verifies; statuses go to who ordered."""

from gateway.bridge.books import Json
from gateway.bridge.firmware_orders import place, signed_order
from gateway.bridge.ports import UNVERIFIED_FIRMWARE
from gateway.bridge.v201_v201 import relaying, station_security
from gateway.bridge.v201_v201.context import Context


async def update_firmware(context: Context, payload: Json) -> Json:
    """UpdateFirmware; Rejected, and a security event, where nobody can verify it (L01, L02).

    Raises CallError for a requestId of ours, StoreAway.
    """
    relaying.check_number(payload)
    if context.firmware is None:
        return await station_security.refuse("UpdateFirmware", context, payload)
    status = await place(context.firmware, context.afterwards, signed_order("UpdateFirmware", payload))
    if status == "Rejected":
        context.report(UNVERIFIED_FIRMWARE, "the backend updates firmware that nobody has verified; not passed on")
        return station_security.refusal("Rejected")
    return {"status": status}


async def firmware_status(context: Context, payload: Json) -> Json:
    """FirmwareStatusNotification: of its own orders the backend hears under its own requestId, of ours nothing."""
    heard = await context.firmware.heard(payload) if context.firmware is not None else None
    if heard is None:
        return await relaying.to_backend("FirmwareStatusNotification", context, payload)
    if heard.request_id is not None:
        told = {**payload, "requestId": heard.request_id}
        await relaying.to_backend("FirmwareStatusNotification", context, told)
    return {}
