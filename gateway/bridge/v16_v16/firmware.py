"""Firmware of a 1.6 station. The backend begins no update: nobody could verify it."""

from gateway.bridge.books import Json
from gateway.bridge.refusals import refuse_update
from gateway.bridge.requests import Work, find, told
from gateway.bridge.v16_v16.context import Context


async def update_firmware(context: Context, _: Json) -> Json:
    """UpdateFirmware, refused: see :func:`gateway.bridge.refusals.refuse_update`."""
    return refuse_update(
        context.report, context.afterwards, context.call_backend, security_extension=context.security_extension
    )


async def signed_firmware_status(context: Context, payload: Json) -> Json:
    """SignedFirmwareStatusNotification: told to a backend that asked for the update, or for its status.

    The station is answered whether or not the backend hears it.
    """
    request = find(context.books, Work.FIRMWARE, payload.get("requestId"))
    if request is not None or context.memory.firmware_asked:
        context.memory.firmware_asked = False
        await context.tell_backend("SignedFirmwareStatusNotification", told(request, payload))
    return {}
