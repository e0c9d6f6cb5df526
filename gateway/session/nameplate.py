"""What a station says of itself in its BootNotification, whichever version it speaks."""

from dataclasses import dataclass

from gateway.bridge.books import Json


@dataclass(frozen=True, slots=True)
class Nameplate:
    """Its maker's words; None: it has not said it."""

    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    """The version of what is installed."""


def nameplate(boot: Json | None) -> Nameplate:
    """Read a BootNotification.req of 1.6, or a BootNotificationRequest of 2.0.1; None: the station has sent none."""
    if boot is None:
        return Nameplate()
    if "chargingStation" in boot:
        station = boot["chargingStation"]
        return Nameplate(
            station.get("vendorName"),
            station.get("model"),
            station.get("serialNumber"),
            station.get("firmwareVersion"),
        )
    serial = boot.get("chargePointSerialNumber") or boot.get("chargeBoxSerialNumber")
    return Nameplate(boot.get("chargePointVendor"), boot.get("chargePointModel"), serial, boot.get("firmwareVersion"))
