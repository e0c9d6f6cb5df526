"""Messages of the OCA application note "ISO 15118 Plug & Charge with OCPP 1.6", which travel in DataTransfer.

vendorId names the note, messageId the message, data is its payload as JSON text. Here: which of them a backend may send
to a station, be it one of 2.0.1 whose maker kept the note's words; and Authorize, for a backend that knows them.
"""

from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.ports import RECONFIGURATION, Report
from gateway.wire.errors import CallError
from gateway.wire.schemas import operation
from gateway.wire.strict_json import JsonRejected, dumps, loads
from gateway.wire.versions import Version

VENDOR_ID: Final = "org.openchargealliance.iso15118pnc"
"""The note's own vendorId."""
VENDOR_IDS: Final = frozenset({VENDOR_ID, "iso15118"})
"""With the one of the stations that were there before the note; vendorIds are compared without case (CiString)."""
_HARMLESS: Final = frozenset({"getinstalledcertificateids"})
"""What a backend may ask of a station by the note, casefolded: it only reads."""
_STATUS: Final = {"deletecertificate": "Failed"}
"""Status of a refusal, by messageId, casefolded; Rejected for the others."""


def vendor_of(payload: Json) -> str | None:
    """Return the vendorId of DataTransfer.req as it came, if it is one of the note's; else None."""
    vendor_id: str = payload["vendorId"]
    return vendor_id if vendor_id.strip().casefold() in VENDOR_IDS else None


def refusal(report: Report, payload: Json) -> Json | None:
    """Return the answer to a backend's DataTransfer.req that must not reach the station, or None when it may.

    Refused as the plain messages are, with the same security event (attack A11): certificates and what asks for them
    are Voltgate's business, and what the note doesn't know is no backend's.
    """
    if vendor_of(payload) is None:
        return None
    message_id = payload.get("messageId", "").strip().casefold()
    if message_id in _HARMLESS:
        return None
    report(RECONFIGURATION, "the backend reaches for the station's certificates in a DataTransfer; not passed on")
    return {"status": "Accepted", "data": dumps({"status": _STATUS.get(message_id, "Rejected")}).decode()}


def wrapped_authorize(id_tag: str, payload: Json, vendor_id: str = VENDOR_ID) -> Json:
    """Return DataTransfer.req for an AuthorizeRequest of 2.0.1: its idToken is a plain idTag in the note."""
    proof = {name: payload[name] for name in ("certificate", "iso15118CertificateHashData") if name in payload}
    data = dumps({"idToken": id_tag, **proof}).decode()
    return {"vendorId": vendor_id, "messageId": "Authorize", "data": data}


def unwrapped_authorize(answer: Json) -> Json | None:
    """Return the AuthorizeResponse, as 2.0.1 has it, in a DataTransfer.conf; None: the backend has given no verdict."""
    if answer["status"] != "Accepted":
        return None
    try:
        wrapped = loads(answer.get("data", "").encode())
        operation(Version.V201, "Authorize").response.check(wrapped)
    except (JsonRejected, CallError):
        return None
    verdict: Json = wrapped
    return verdict
