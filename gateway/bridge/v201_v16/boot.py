"""BootNotification, as pure functions: the session's boot gate relays it itself (OCPP 2.0.1 block B)."""

from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.v201_v16.timestamps import backend_utc
from gateway.wire.errors import CallError, ErrorCode

VENDOR_MAX: Final = 20
"""Characters of chargePointVendor; vendorName has up to 50."""
INTERVAL_MAX: Final = 86_400
"""Seconds: a station sends a Heartbeat, or tries to boot again, once a day at least, whatever the backend says."""


def boot_request(payload: Json) -> Json:
    """Translate BootNotificationRequest to BootNotification.req. The reason has no field in 1.6."""
    station: Json = payload["chargingStation"]
    modem: Json = station.get("modem", {})
    optional = {
        "chargePointSerialNumber": station.get("serialNumber"),
        "firmwareVersion": station.get("firmwareVersion"),
        "iccid": modem.get("iccid"),
        "imsi": modem.get("imsi"),
    }
    return {
        "chargePointVendor": station["vendorName"][:VENDOR_MAX],
        "chargePointModel": station["model"],
        **{name: value for name, value in optional.items() if value is not None},
    }


def boot_response(payload: Json) -> Json:
    """Translate BootNotification.conf to BootNotificationResponse.

    Raises :class:`CallError` InternalError when the backend's currentTime is unreadable.
    """
    time = backend_utc(payload["currentTime"])
    if time is None:
        raise CallError(ErrorCode.INTERNAL_ERROR, "the backend's BootNotification.conf has an unreadable currentTime")
    interval = min(max(payload["interval"], 0), INTERVAL_MAX)
    return {"status": payload["status"], "currentTime": time, "interval": interval}
