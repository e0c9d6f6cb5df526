"""Get15118EVCertificate in its dialects: 2.0.1, and 1.6 by the Plug & Charge note; 2.1 has nothing that isn't here.

Inside there is one request and one answer; a dialect maps fields, and knows how much its stations take.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.plug_and_charge_16 import VENDOR_ID
from gateway.services.peer_text import printable, status_info
from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action
from pki.iso15118.provisioning import ProvisioningRefused, Refusal

RESPONSE_MAX_201: Final = 7500
"""Characters of exiResponse in 2.0.1."""
RESPONSE_MAX_16: Final = 5600
"""Of that of the note for 1.6. 2.1 has 17000."""
TEXT_MAX: Final = 400
"""Characters of a refusal's text that leave the service."""
_V2GTP: Final = bytes.fromhex("01fe80")
_V2GTP_SIZE: Final = 8
"""Octets: version and its inverse, payload type, length (ISO 15118-2 table 8)."""
_REASON_CODES: Final = {
    Refusal.CERTIFICATE_NOT_YET_VALID: "CertNotYetValid",
    Refusal.PROVIDER_ANSWER: "ProviderAnswer",
}
"""Of refusals whose names have more than the 20 characters of reasonCode."""
_NOT_THE_STATIONS: Final = {
    Refusal.PROVIDER_UNAVAILABLE: "the provider of contract certificates can't be used now; try again later",
    Refusal.PROVIDER_REFUSED: "the provider of contract certificates has refused the request",
    Refusal.PROVIDER_ANSWER: "the provider of contract certificates gave something that can't be passed on",
    Refusal.NO_CONTRACT: "there is no contract for this vehicle that is valid now",
    Refusal.NOT_CONFIGURED: "contract certificates of this kind aren't provided here",
}
"""What a station hears of refusals whose texts are about the operator's own house."""


@dataclass(frozen=True, slots=True)
class EvRequest:
    """What a station asks for a vehicle, in any OCPP version."""

    schema_version: str
    """iso15118SchemaVersion."""
    action: Action
    exi_request: str
    """Base64."""
    response_max: int
    """Characters of exiResponse that the station takes."""
    vendor_id: str = VENDOR_ID
    """Under which the note's messages are said, should a 1.6 backend be asked."""
    maximum_chains: int | None = None
    """2.1: contracts that the vehicle wants at most."""
    prioritized_emaids: tuple[str, ...] = ()
    """2.1: which of them first."""


@dataclass(frozen=True, slots=True)
class EvAnswer:
    """What the station is answered."""

    exi_response: str
    """Base64; empty where nothing can be said to the vehicle."""
    refusal: Refusal | None = None
    """None: Accepted."""
    text: str = ""
    """Why not, for the station."""
    remaining: int | None = None
    """2.1: contracts that can be had by asking again."""


def request_of(payload: Json, response_max: int, vendor_id: str = VENDOR_ID) -> EvRequest:
    """Read Get15118EVCertificateRequest of 2.0.1, whose schema holds it."""
    return EvRequest(
        payload["iso15118SchemaVersion"], Action(payload["action"]), payload["exiRequest"], response_max, vendor_id
    )


def response_of(answer: EvAnswer) -> Json:
    """Write Get15118EVCertificateResponse of 2.0.1 (M01.FR.01). exiResponse must be there in a refusal, too."""
    if answer.refusal is None:
        return {"status": "Accepted", "exiResponse": answer.exi_response}
    info = status_info(reason_code(answer.refusal), answer.text)
    return {"status": "Failed", "statusInfo": info, "exiResponse": answer.exi_response}


def reason_code(refusal: Refusal) -> str:
    """Return statusInfo.reasonCode: at most 20 characters."""
    return _REASON_CODES.get(refusal, refusal.value)


def told_station(refused: ProvisioningRefused) -> str:
    """Return what a station hears of a refusal."""
    return _NOT_THE_STATIONS.get(refused.refusal) or printable(str(refused), TEXT_MAX)


def schema_of_request(asked: EvRequest) -> Schema:
    """Return the generation of ISO 15118 that the station says. Raises ProvisioningRefused."""
    for schema in (Schema.ISO_2, Schema.ISO_20):
        if asked.schema_version == schema.value:
            return schema
    said = printable(asked.schema_version, 60)
    known = f"{Schema.ISO_2.value} and {Schema.ISO_20.value}"
    raise ProvisioningRefused(Refusal.MALFORMED, f"iso15118SchemaVersion is {said}; provided are {known}")


def exi_of_request(asked: EvRequest) -> bytes:
    """Return the bare EXI of a request. Raises ProvisioningRefused.

    A station that left the V2GTP header on it means no other message than one that took it off.
    """
    octets = decode_base64(asked.exi_request)
    if octets is None or not octets:
        raise ProvisioningRefused(Refusal.MALFORMED, "exiRequest isn't base64, or is empty")
    size = int.from_bytes(octets[4:_V2GTP_SIZE], "big")
    is_wrapped = octets.startswith(_V2GTP) and size == len(octets) - _V2GTP_SIZE
    return octets[_V2GTP_SIZE:] if is_wrapped else octets


def decode_base64(text: str) -> bytes | None:
    """Return the octets of canonical base64 (RFC 4648 3.3 and 3.5: no line ends, no loose bits); None for all else."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if encode_base64(octets) == text else None


def encode_base64(octets: bytes) -> str:
    """Return base64 on one line."""
    return base64.b64encode(octets).decode("ascii")
