"""Firmware and diagnostics (blocks L and N), as far as the station tells of them by itself."""

from typing import Final

from gateway.bridge.books import Json
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
"""FirmwareStatus of 2.0.1 -> of 1.6."""
LOG_STATUSES: Final = {
    "Idle": "Idle",
    "Uploading": "Uploading",
    "Uploaded": "Uploaded",
    "BadMessage": "UploadFailed",
    "NotSupportedOperation": "UploadFailed",
    "PermissionDenied": "UploadFailed",
    "UploadFailure": "UploadFailed",
    "AcceptedCanceled": "UploadFailed",
}
"""UploadLogStatus of 2.0.1 -> DiagnosticsStatus of 1.6."""


async def firmware_status(context: Context, payload: Json) -> Json:
    """FirmwareStatusNotification, relayed. The station is answered whether or not the backend hears it."""
    await context.ask_backend("FirmwareStatusNotification", {"status": FIRMWARE_STATUSES[payload["status"]]})
    return {}


async def log_status(context: Context, payload: Json) -> Json:
    """LogStatusNotification: the backend knows of no log but the one that it triggered the status of."""
    if context.memory.diagnostics_asked:
        context.memory.diagnostics_asked = False
        await context.ask_backend("DiagnosticsStatusNotification", {"status": LOG_STATUSES[payload["status"]]})
    return {}
