"""The updates of stations, in the API's description."""

from typing import Any, Final

from gateway.admin.firmware_updates import STATES, UpdateFilter, UpdateToOrder
from gateway.admin.openapi_operations import errors, json_answer, list_answer, operation, page_answer
from gateway.admin.openapi_words import TIME, a_text, an_object
from gateway.bridge.firmware_orders import FIRMWARE_STATUSES
from gateway.session.firmware import UpdateSource

_OPEN_TIME: Final = TIME | {"type": ["string", "null"]}
_UPDATE: Final = an_object(
    {
        "id": {"type": "integer", "description": "Rises in the order in which updates were ordered."},
        "identity": a_text("The station's."),
        "image_id": {"type": ["integer", "null"], "description": "Of the catalogue; null: none was taken."},
        "source": {"enum": [source.value for source in UpdateSource]},
        "campaign_id": {"type": ["integer", "null"]},
        "by": a_text("A backend's name, API, or a campaign's name."),
        "location": a_text("As it was ordered, without user, password and query.", null=True),
        "retrieve_at": _OPEN_TIME | {"description": "null: at once."},
        "install_at": _OPEN_TIME,
        "state": {
            "enum": [*STATES],
            "description": "preparing, waiting: the station has not heard of it; refused: it never will.",
        },
        "status": {
            "enum": [*FIRMWARE_STATUSES, None],
            "description": "FirmwareStatus, of the station or in its place.",
        },
        "reason": a_text("Why it is over.", null=True),
        "created_at": TIME,
        "changed_at": TIME,
    }
)
FIRMWARE_UPDATE_SCHEMAS: Final = {"FirmwareUpdate": _UPDATE}
"""By name, for ``#/components/schemas``."""


def firmware_updates(identity: dict[str, Any]) -> dict[str, Any]:
    """Return the paths; ``identity`` is the parameter of a station's path."""
    return {
        "stations/{identity}/firmware": {
            "parameters": [identity],
            "get": operation(
                "List a station's last updates.",
                {"200": list_answer("updates", "FirmwareUpdate"), **errors("404", "409")},
            ),
            "post": operation(
                "Order an update; the image is looked at, and sent when the station is connected.",
                {"202": json_answer("FirmwareUpdate"), **errors("400", "404", "409")},
                body=UpdateToOrder,
            ),
        },
        "firmware/updates": {
            "get": operation(
                "List the updates of stations, in pages.",
                {"200": page_answer("updates", "FirmwareUpdate"), **errors("400", "409")},
                query=UpdateFilter,
            ),
        },
        "firmware/updates/{id}": {
            "parameters": [_ID],
            "get": operation("Show an update.", {"200": json_answer("FirmwareUpdate"), **errors("404", "409")}),
            "delete": operation(
                "Cancel an update of which the station has not heard yet.",
                {"200": json_answer("FirmwareUpdate"), **errors("404", "409")},
            ),
        },
    }


_ID: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
    "description": "The update's id.",
}
