"""BootNotification, as pure functions: the session's boot gate relays it itself (OCPP 2.0.1 block B)."""

from gateway.bridge.books import Json
from gateway.bridge.boot_interval import sane_interval


def boot_serial(payload: Json) -> str | None:
    """Return the serial number that BootNotificationRequest names, or None."""
    serial: str | None = payload["chargingStation"].get("serialNumber")
    return serial


def boot_request(payload: Json) -> Json:
    """Return BootNotificationRequest for the backend: the station's own."""
    return payload


def boot_response(payload: Json) -> Json:
    """Return BootNotificationResponse for the station: the backend's own, its interval brought to reason."""
    return {**payload, "interval": sane_interval(payload["interval"])}
