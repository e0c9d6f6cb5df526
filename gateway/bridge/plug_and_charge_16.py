"""Messages of the OCA application note "ISO 15118 Plug & Charge with OCPP 1.6", which travel in DataTransfer.

vendorId names the note, messageId the message, data is its payload as JSON text. Here: which of them a backend may send
to a station, be it one of 2.0.1 whose maker kept the note's words.
"""

from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.ports import RECONFIGURATION, Report
from gateway.wire.strict_json import dumps

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
