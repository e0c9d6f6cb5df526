"""What is the station's own security, and Voltgate's business alone (attack A11): refused, in each message's words."""

from typing import Final

from gateway.bridge import plug_and_charge_16, refusals
from gateway.bridge.books import Json
from gateway.bridge.guarded_keys import HIGHEST_PROFILE
from gateway.bridge.ports import DOWNGRADE, RECONFIGURATION
from gateway.bridge.v201_v201.context import Context

REFUSALS: Final = {
    "CertificateSigned": "Rejected",
    "DeleteCertificate": "Failed",
    "InstallCertificate": "Rejected",
    "PublishFirmware": "Rejected",
    "UnpublishFirmware": "NoFirmware",
    "UpdateFirmware": "Rejected",
}
"""Action -> its status of refusal. Certificates are the gateway's service; no firmware that nobody has verified is
installed or passed on to others."""
_WITHOUT_STATUS_INFO: Final = frozenset({"UnpublishFirmware"})
_CERTIFICATE_TRIGGERS: Final = frozenset(
    {"SignChargingStationCertificate", "SignCombinedCertificate", "SignV2GCertificate"}
)
"""requestedMessage of TriggerMessage that ends in a CSR, which the gateway's service takes."""


async def refuse(action: str, context: Context, _: Json) -> Json:
    """Answer a command that never reaches the station; what reaches for its certificates is a security event."""
    if action in refusals.REFUSED:
        refusals.refuse(context.report, action)
    else:
        context.note(f"not-passed-on-{action}", f"the backend's {action} is refused: that is Voltgate's business")
    return refusal(REFUSALS[action], has_info=action not in _WITHOUT_STATUS_INFO)


async def set_network_profile(context: Context, payload: Json) -> Json:
    """SetNetworkProfile: Rejected, and a security event."""
    profile = payload["connectionData"]["securityProfile"]
    if str(profile) == HIGHEST_PROFILE:
        context.report(RECONFIGURATION, "the backend asks for another connection by SetNetworkProfile; not passed on")
    else:
        told = f" {profile}" if profile in {0, 1, 2} else ""
        context.report(DOWNGRADE, f"the backend asks for security profile{told} by SetNetworkProfile; not passed on")
    return refusal("Rejected")


async def trigger_message(context: Context, payload: Json) -> Json:
    """TriggerMessage; where it asks for a CSR: Rejected, and a security event."""
    if payload["requestedMessage"] in _CERTIFICATE_TRIGGERS:
        refusals.refuse_csr(context.report, "TriggerMessage")
        return refusal("Rejected")
    return await context.call_station("TriggerMessage", payload)


async def data_transfer(context: Context, payload: Json) -> Json:
    """DataTransfer of the backend, as it is; what reaches for the station's certificates in it is refused."""
    refusal = plug_and_charge_16.refusal(context.report, payload)
    return await context.call_station("DataTransfer", payload) if refusal is None else refusal


def refusal(status: str, *, has_info: bool = True) -> Json:
    """Return the answer to a command that isn't passed on."""
    return {"status": status, **({"statusInfo": {"reasonCode": "UnsupportedRequest"}} if has_info else {})}
