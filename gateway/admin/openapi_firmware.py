"""The catalogue of firmware, in the API's description."""

from typing import Any, Final

from gateway.admin.firmware import ImageFilter, ImageToAdd, Withdrawal
from gateway.admin.openapi_operations import errors, json_answer, operation, page_answer
from gateway.admin.openapi_words import TIME, a_text, an_object
from gateway.session.firmware import ImageState
from pki.firmware import Algorithm, Refusal

_OPEN_TIME: Final = TIME | {"type": ["string", "null"]}
_IMAGE: Final = an_object(
    {
        "id": {"type": "integer", "description": "Rises in the order in which images were added."},
        "manufacturer": a_text("A key of firmware.manufacturers."),
        "model": a_text("null: all models of the manufacturer.", null=True),
        "version": a_text(),
        "state": {"enum": [state.value for state in ImageState]},
        "refusal": {"enum": [*(refusal.value for refusal in Refusal), None]},
        "reason": a_text("Why it is refused, withdrawn or still quarantined.", null=True),
        "location": a_text("Without user, password and query.", null=True),
        "sha256": a_text("Hex; null: its octets aren't here.", null=True),
        "md5": a_text("Hex.", null=True),
        "size": {"type": ["integer", "null"], "description": "Bytes."},
        "signed_at": _OPEN_TIME,
        "algorithm": {"enum": [*(algorithm.value for algorithm in Algorithm), None]},
        "signer": a_text("Subject of the signing certificate (RFC 4514).", null=True),
        "signer_fingerprint": a_text("SHA-256 of its DER, in hex.", null=True),
        "from_order": {"type": "boolean", "description": "A backend's order brought it."},
        "added_at": TIME,
        "added_by": a_text("API, the user of the command, or a backend."),
        "changed_at": TIME,
        "changed_by": a_text(),
        "verified_at": _OPEN_TIME,
        "signature": a_text("Base64; asked for one image.", null=True),
        "signing_certificate": a_text("PEM; asked for one image.", null=True),
    },
    optional=("signature", "signing_certificate"),
)
FIRMWARE_SCHEMAS: Final = {"FirmwareImage": _IMAGE}
"""By name, for ``#/components/schemas``."""

_ID: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
    "description": "The image's id.",
}


def firmware() -> dict[str, Any]:
    """Return the paths."""
    upload = operation(
        "Bring an image's octets; it is verified then, and its state says what came of it.",
        {"200": json_answer("FirmwareImage"), **errors("404", "409")},
    )
    octets = {"schema": {"type": "string", "format": "binary"}}
    upload["requestBody"] = {"required": True, "content": {"application/octet-stream": octets}}
    return {
        "firmware": {
            "get": operation(
                "List the catalogue of firmware, in pages.",
                {"200": page_answer("images", "FirmwareImage"), **errors("400", "409")},
                query=ImageFilter,
            ),
            "post": operation(
                "Register an image; it is fetched and verified afterwards.",
                {"201": json_answer("FirmwareImage"), **errors("400", "409")},
                body=ImageToAdd,
            ),
        },
        "firmware/{id}": {
            "parameters": [_ID],
            "get": operation("Show an image.", {"200": json_answer("FirmwareImage"), **errors("404", "409")}),
            "delete": operation(
                "Forget an image, and delete its octets.",
                {"204": {"description": "Removed."}, **errors("404", "409")},
            ),
        },
        "firmware/{id}/content": {"parameters": [_ID], "put": upload},
        "firmware/{id}/verify": {
            "parameters": [_ID],
            "post": operation(
                "Look at an image again, fetching it where it isn't here.",
                {"200": json_answer("FirmwareImage"), **errors("404", "409")},
            ),
        },
        "firmware/{id}/withdraw": {
            "parameters": [_ID],
            "post": operation(
                "Serve an image no more.",
                {"200": json_answer("FirmwareImage"), **errors("400", "404", "409")},
                body=Withdrawal,
            ),
        },
    }
