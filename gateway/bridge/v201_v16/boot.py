"""BootNotification, as pure functions: the session's boot gate relays it itself (OCPP 2.0.1 block B)."""

from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.boot_interval import sane_interval
from gateway.bridge.ports import Note
from gateway.bridge.timestamps import backend_utc
from gateway.wire.errors import CallError, ErrorCode

VENDOR_MAX: Final = 20
"""Characters of chargePointVendor; vendorName has up to 50."""


def boot_serial(payload: Json) -> str | None:
    """Return the serial number that BootNotificationRequest names, or None."""
    serial: str | None = payload["chargingStation"].get("serialNumber")
    return serial


def note_boot(payload: Json, note: Note) -> None:
    """Say what :func:`boot_request` cuts."""
    if len(payload["chargingStation"]["vendorName"]) > VENDOR_MAX:
        note("boot-vendor", f"vendorName was cut to the {VENDOR_MAX} characters of chargePointVendor")


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
    return {"status": payload["status"], "currentTime": time, "interval": sane_interval(payload["interval"])}
