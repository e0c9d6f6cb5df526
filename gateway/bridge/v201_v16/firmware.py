"""Firmware (block L): what a station tells of an update. The backend begins none: nobody could verify it."""

from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.refusals import refuse_update
from gateway.bridge.requests import Work, find, told
from gateway.bridge.v201_v16.context import Context

FIRMWARE_STATUSES: Final = {
    "Idle": "Idle",
    "Downloading": "Downloading",
    "Downloaded": "Downloaded",
    "DownloadFailed": "DownloadFailed",
    "Installing": "Installing",
    "Installed": "Installed",
    "InstallationFailed": "InstallationFailed",
    "DownloadScheduled": "Idle",
    "DownloadPaused": "Downloading",
    "InstallScheduled": "Downloaded",
    "InstallRebooting": "Installing",
    "SignatureVerified": "Installing",
    "InvalidSignature": "InstallationFailed",
    "InstallVerificationFailed": "InstallationFailed",
}
"""FirmwareStatus of 2.0.1 -> of 1.6. The white paper has the fourteen of 2.0.1."""


async def update_firmware(context: Context, _: Json) -> Json:
    """UpdateFirmware, refused: see :func:`gateway.bridge.refusals.refuse_update`."""
    return refuse_update(
        context.report,
        context.afterwards,
        context.call_backend,
        security_extension=context.settings.security_extension,
    )


async def firmware_status(context: Context, payload: Json) -> Json:
    """FirmwareStatusNotification, relayed. The station is answered whether or not the backend hears it.

    A backend that asked by SignedUpdateFirmware or ExtendedTriggerMessage hears the white paper's message; all others
    hear of every update the plain one.
    """
    request = find(context.books, Work.FIRMWARE, payload.get("requestId"))
    if request is not None or context.memory.firmware_asked:
        context.memory.firmware_asked = False
        await context.ask_backend("SignedFirmwareStatusNotification", told(request, payload))
    else:
        await context.ask_backend("FirmwareStatusNotification", {"status": FIRMWARE_STATUSES[payload["status"]]})
    return {}
