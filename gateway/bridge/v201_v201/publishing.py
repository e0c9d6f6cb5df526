"""PublishFirmware, UnpublishFirmware (L03, L04): the gateway is the local controller, no station hears of them."""

import contextlib
from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v201 import relaying, station_security
from gateway.bridge.v201_v201.context import Context
from gateway.wire.errors import CallError

STATUS: Final = "PublishFirmwareStatusNotification"


async def publish_firmware(context: Context, payload: Json) -> Json:
    """PublishFirmware; Rejected where there is no catalogue. Raises CallError for a requestId of ours, StoreAway."""
    if context.firmware is None:
        return await station_security.refuse("PublishFirmware", context, payload)
    relaying.check_number(payload)
    status = await context.firmware.publish(payload)
    context.afterwards(context.firmware.proceed)
    return {"status": status}


async def unpublish_firmware(context: Context, payload: Json) -> Json:
    """UnpublishFirmware; NoFirmware where there is no catalogue. Raises StoreAway."""
    if context.firmware is None:
        return await station_security.refuse("UnpublishFirmware", context, payload)
    return {"status": await context.firmware.unpublish(payload)}


async def trigger_message(context: Context, payload: Json) -> Json:
    """TriggerMessage; the status of what is published is the gateway's own (F06, L03). Raises StoreAway."""
    if context.firmware is None or payload["requestedMessage"] != STATUS:
        return await station_security.trigger_message(context, payload)
    told = await context.firmware.publication()

    async def tell() -> None:
        with contextlib.suppress(CallError, PeerUnavailable):
            await context.call_backend(STATUS, told)

    context.afterwards(tell)
    return {"status": "Accepted"}
