"""BootNotification, as pure functions: the session's boot gate relays it itself (OCPP 1.6, 4.2)."""

from gateway.bridge.books import Json
from gateway.bridge.boot_interval import sane_interval


def boot_serial(payload: Json) -> str | None:
    """Return the serial number that BootNotification.req names, or None.

    ``chargeBoxSerialNumber`` is the deprecated name of it, and speaks where the present one is silent.
    """
    serial: str | None = payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber")
    return serial


def boot_request(payload: Json) -> Json:
    """Return BootNotification.req for the backend: the station's own."""
    return payload


def boot_response(payload: Json) -> Json:
    """Return BootNotification.conf for the station: the backend's own, its interval brought to reason."""
    return {**payload, "interval": sane_interval(payload["interval"])}
