"""Updates that a backend orders, and what it hears of them, in the words of OCPP 1.6, its white paper, and 2.0.1."""

from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.ports import Afterwards, FirmwareDesk, UpdateHeard, UpdateOrdered

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
PLAIN: Final = "FirmwareStatusNotification"
SIGNED: Final = "SignedFirmwareStatusNotification"


async def place(desk: FirmwareDesk, afterwards: Afterwards, ordered: UpdateOrdered) -> str:
    """Place an order, which is seen to once the backend has its answer; return 2.0.1's status. Raises StoreAway."""
    status = await desk.order(ordered)
    afterwards(desk.proceed)
    return status


def plain_order(payload: Json) -> UpdateOrdered:
    """Read UpdateFirmware of 1.6."""
    return UpdateOrdered(
        "UpdateFirmware",
        payload["location"],
        payload["retrieveDate"],
        retries=payload.get("retries"),
        retry_interval=payload.get("retryInterval"),
    )


def signed_order(action: str, payload: Json) -> UpdateOrdered:
    """Read SignedUpdateFirmware of the white paper, or UpdateFirmware of 2.0.1."""
    firmware: Json = payload["firmware"]
    return UpdateOrdered(
        action,
        firmware["location"],
        firmware["retrieveDateTime"],
        install_at=firmware.get("installDateTime"),
        retries=payload.get("retries"),
        retry_interval=payload.get("retryInterval"),
        request_id=payload["requestId"],
        signing_certificate=firmware.get("signingCertificate"),
        signature=firmware.get("signature"),
    )


def told_16(heard: UpdateHeard | None, payload: Json, *, asked: bool) -> tuple[str, Json]:
    """Return action and payload by which a 1.6 backend hears a station's status notification, signed or plain.

    Who ordered by SignedUpdateFirmware hears the white paper's message under its own requestId; so does who ``asked``
    by ExtendedTriggerMessage, Idle of an update that isn't its own: nothing is done for it. All others hear of every
    update the plain one.
    """
    status = payload["status"]
    if heard is not None and heard.action == "SignedUpdateFirmware":
        return SIGNED, {"status": status, "requestId": heard.request_id}
    if not asked:
        return PLAIN, {"status": FIRMWARE_STATUSES[status]}
    is_others = heard.action is None if heard is not None else "requestId" in payload
    return SIGNED, {"status": "Idle" if is_others else status}
