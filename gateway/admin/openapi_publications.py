"""Publications of firmware, in the API's description."""

from typing import Any, Final

from gateway.admin.openapi_operations import errors, list_answer, operation
from gateway.admin.openapi_words import TIME, a_text, an_object
from gateway.session.firmware import PublicationState, Publisher

PUBLICATION_SCHEMAS: Final = {
    "Publication": an_object(
        {
            "id": {"type": "integer"},
            "publisher": {
                "enum": [each.value for each in Publisher],
                "description": "Who is the local controller: Voltgate, asked by the backend; or the station.",
            },
            "request_id": {"type": "integer", "description": "Of PublishFirmware."},
            "status": {
                "enum": [each.value for each in PublicationState],
                "description": "PublishFirmwareStatus of OCPP 2.0.1, or Unpublished.",
            },
            "checksum": a_text("The MD5 that was asked for; null: of a station.", null=True),
            "location": a_text("Without user, password and query; null: of a station.", null=True),
            "image_id": {"type": ["integer", "null"], "description": "What Voltgate has published."},
            "published": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Where a station has it; Voltgate's own URLs are the backend's alone.",
            },
            "created_at": TIME,
            "changed_at": TIME,
        }
    )
}


def publications(identity: dict[str, Any]) -> dict[str, Any]:
    """Return the paths; ``identity`` describes the parameter that names the station."""
    return {
        "stations/{identity}/publications": {
            "parameters": [identity],
            "get": operation(
                "List the last firmware that was published on a station's leg, or by a station.",
                {"200": list_answer("publications", "Publication"), **errors("404")},
            ),
        },
    }
