"""Certificates (block M), as far as a backend that knows the white paper may look at them."""

from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.v201_v16.context import Context

CERTIFICATE_TYPES: Final = {
    "CentralSystemRootCertificate": "CSMSRootCertificate",
    "ManufacturerRootCertificate": "ManufacturerRootCertificate",
}
"""certificateType of the white paper -> of 2.0.1."""
_HASH_FIELDS: Final = ("hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber")


async def get_installed_certificate_ids(context: Context, payload: Json) -> Json:
    """GetInstalledCertificateIds: the roots of one type, as a flat list. 1.6 has no word for what is below them.

    Raises CallError and PeerUnavailable: a station that doesn't answer has not said that it found none.
    """
    wanted = CERTIFICATE_TYPES[payload["certificateType"]]
    answer = await context.call_station("GetInstalledCertificateIds", {"certificateType": [wanted]})
    found = [
        {name: chain["certificateHashData"][name] for name in _HASH_FIELDS}
        for chain in answer.get("certificateHashDataChain", ())
        if chain["certificateType"] == wanted
    ]
    if answer["status"] != "Accepted" or not found:
        return {"status": "NotFound"}
    return {"status": "Accepted", "certificateHashData": found}
