"""The logs of stations, in the API's description."""

from typing import Any, Final

from gateway.admin.logs import STATES, LogFilter, LogRequest
from gateway.admin.openapi_operations import IDENTITY, errors, json_answer, operation, page_answer
from gateway.admin.openapi_words import TIME, a_text, an_object

_LOG: Final = an_object(
    {
        "id": {"type": "integer", "description": "Rises in the order in which logs were asked for."},
        "identity": a_text("The station's."),
        "state": {"enum": [*STATES], "description": "failed: nothing came, or it could not be handed over."},
        "reason": a_text("Why it has failed, or was deleted.", null=True),
        "log_type": {"enum": ["DiagnosticsLog", "SecurityLog"]},
        "action": {"enum": ["GetDiagnostics", "GetLog"], "description": "Of who asked."},
        "by": a_text("A backend's name, or API."),
        "request_id": {"type": ["integer", "null"], "description": "The station's."},
        "backend_request_id": {"type": ["integer", "null"]},
        "destination": a_text("Where its backend wants it, without user, password and query.", null=True),
        "file_name": a_text("As the station named it, made fit.", null=True),
        "sha256": a_text("Hex; null: there is no file.", null=True),
        "size": {"type": ["integer", "null"], "description": "Bytes."},
        "backend_told": {"type": "boolean", "description": "False: it is still to hear what has become of it."},
        "created_at": TIME,
        "changed_at": TIME,
    }
)
LOG_SCHEMAS: Final = {"StationLog": _LOG}
"""By name, for ``#/components/schemas``."""

_ID: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
    "description": "The log's id.",
}


def logs() -> dict[str, Any]:
    """Return the paths."""
    octets = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "logs": {
            "get": operation(
                "List the logs that stations were asked for, in pages.",
                {"200": page_answer("logs", "StationLog"), **errors("400", "409")},
                query=LogFilter,
            ),
        },
        "logs/{id}": {
            "parameters": [_ID],
            "get": operation("Show a log.", {"200": json_answer("StationLog"), **errors("404", "409")}),
            "delete": operation(
                "Delete a log's file; that it was here stays on record.",
                {"200": json_answer("StationLog"), **errors("404", "409")},
            ),
        },
        "logs/{id}/content": {
            "parameters": [_ID],
            "get": operation(
                "Return a log as its station uploaded it; nobody has looked into it.",
                {"200": {"description": "The file.", "content": octets}, **errors("404", "409")},
            ),
        },
        "stations/{identity}/logs": {
            "parameters": [IDENTITY],
            "post": operation(
                "Ask the station for a log, which is kept here.",
                {"202": json_answer("StationLog", "Asked."), **errors("400", "404", "409", "502", "504")},
                body=LogRequest,
            ),
        },
    }
